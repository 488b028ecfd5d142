"""What correlations share: the checks of two numbers per patient, and the interval on Fisher's scale, atanh(r)."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import quantile
from validation.estimators.samples import Floats, finite_vector

LEAST = 4  # patients: the standard error on Fisher's scale is defined from here on
EDGE = 1e-12  # rounding may leave a correlation of 1 this far below 1


def correlated_sample(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    """Return two numbers of each patient, checked, both of shape (n,).

    Raises:
        UndefinedEstimate: Non-finite or mismatched arrays; fewer than 4 patients; one of the two is constant.
    """
    x = finite_vector("first", first)
    y = finite_vector("second", second, x.size)
    if x.size < LEAST:
        raise UndefinedEstimate(f"{x.size} patients: a correlation needs at least {LEAST}", too_few=True)
    for vector in (x, y):
        if vector.min() == vector.max():
            raise UndefinedEstimate(f"the value is {vector[0]:g} for all {x.size} patients: no correlation")
    return x, y


def correlation_estimate(
    value: float, numerator: float, n: int, p_value: float, method: str, *, level: float
) -> Estimate:
    """Return a correlation with the interval that is symmetric on Fisher's scale. `events` is 0: there is no outcome.

    Args:
        value: The correlation.
        numerator: Of the variance on Fisher's scale, whose denominator is n - 3.
        n: Patients, at least 4.
        p_value: Of no correlation.
        method: In words.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: A correlation of 1 or -1, which has no interval; a level that is none.
    """
    half_width = quantile(level) * math.sqrt(numerator / (n - 3))
    if abs(value) >= 1 - EDGE:
        raise UndefinedEstimate(
            f"the correlation is {round(value)}, at the edge of its range: no interval", too_few=True
        )
    lower, upper = (math.tanh(math.atanh(value) + side * half_width) for side in (-1, 1))
    return Estimate(value, lower, upper, level, n, 0, method, p_value=p_value)
