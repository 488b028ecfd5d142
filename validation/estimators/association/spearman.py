"""Spearman's rank correlation with its interval and test."""

from __future__ import annotations

from numpy.typing import ArrayLike
from scipy import stats

from validation.estimators.association.fisher_scale import correlated_sample, correlation_estimate
from validation.estimators.estimate import Estimate


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
        UndefinedEstimate: As `correlated_sample` and `correlation_estimate`.
    """
    x, y = correlated_sample(first, second)
    result = stats.spearmanr(x, y)
    value = float(result.statistic)
    method = (
        "Spearman's rank correlation, interval on Fisher's scale (Bonett and Wright 2000), "
        "P of no correlation from the t distribution"
    )
    return correlation_estimate(value, 1 + value**2 / 2, x.size, float(result.pvalue), method, level=level)
