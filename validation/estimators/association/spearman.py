"""Spearman's rank correlation with its interval and test."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike
from scipy import stats

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import quantile
from validation.estimators.samples import finite_vector

LEAST = 4  # patients: the standard error on Fisher's scale is defined from here on
EDGE = 1e-12  # rounding may leave a correlation of 1 this far below 1


def spearman(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate Spearman's rank correlation: 1 and -1 where one number orders patients as the other, or the reverse.

    Value and P value equal R's cor.test(method = "spearman", exact = FALSE), mid-ranks and t distribution with n - 2
    degrees of freedom. The interval is symmetric on Fisher's scale, atanh(r), with variance (1 + r² / 2) / (n - 3)
    (Bonett and Wright, Psychometrika 2000;65:23). `events` is 0: there is no outcome.

    Args:
        first: Shape (n,), on any monotone scale.
        second: Shape (n,), of the same patients.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: Non-finite or mismatched arrays; fewer than 4 patients; one of the two is constant; a
            correlation of 1 or -1, which has no interval.
    """
    x = finite_vector("first", first)
    y = finite_vector("second", second, x.size)
    n = x.size
    if n < LEAST:
        raise UndefinedEstimate(f"{n} patients: a rank correlation needs at least {LEAST}", too_few=True)
    for vector in (x, y):
        if vector.min() == vector.max():
            raise UndefinedEstimate(f"the value is {vector[0]:g} for all {n} patients: no correlation")
    result = stats.spearmanr(x, y)
    value = float(result.statistic)
    if abs(value) >= 1 - EDGE:
        raise UndefinedEstimate(
            f"the correlation is {round(value)}, at the edge of its range: no interval", too_few=True
        )
    half_width = quantile(level) * math.sqrt((1 + value**2 / 2) / (n - 3))
    lower, upper = (math.tanh(math.atanh(value) + side * half_width) for side in (-1, 1))
    method = (
        "Spearman's rank correlation, interval on Fisher's scale (Bonett and Wright 2000), "
        "P of no correlation from the t distribution"
    )
    return Estimate(value, lower, upper, level, n, 0, method, p_value=float(result.pvalue))
