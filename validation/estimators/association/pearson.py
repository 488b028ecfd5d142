"""Pearson's correlation with its interval and test."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from validation.estimators.association.fisher_scale import EDGE, correlated_sample, correlation_estimate
from validation.estimators.estimate import Estimate


def pearson(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate Pearson's correlation: 1 and -1 where one number is a rising, or falling, straight line of the other.

    Value, limits and P value equal R's cor.test: Fisher's interval, variance 1 / (n - 3) on the scale atanh(r), and the
    t distribution with n - 2 degrees of freedom. `events` is 0: there is no outcome.

    Args:
        first: Shape (n,).
        second: Shape (n,), of the same patients.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `correlated_sample` and `correlation_estimate`.
    """
    x, y = (vector - vector.mean() for vector in correlated_sample(first, second))
    value = float((x / np.linalg.norm(x)) @ (y / np.linalg.norm(y)))
    degrees = x.size - 2
    t = value * math.sqrt(degrees / max(1 - value**2, EDGE))
    method = "Pearson's correlation, interval on Fisher's scale, P of no correlation from the t distribution"
    return correlation_estimate(value, 1.0, x.size, 2 * float(stdtr(degrees, -abs(t))), method, level=level)
