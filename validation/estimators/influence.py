"""A value with each patient's share in its error: standard errors, differences and clusters all follow from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from validation.estimators.estimate import Estimate, Scale, UndefinedEstimate
from validation.estimators.intervals import confidence_limits
from validation.estimators.samples import Floats, group_index, require_clusters

ROUNDING = 1e-12  # a standard error below this share of the value, or of 1, is no variance


@dataclass(frozen=True, eq=False)
class Influence:
    """A value and its influence contributions, from which every interval of one kind is made in one way.

    Attributes:
        value: Point estimate.
        contributions: Shape (n,), in the order of the patients: the empirical influence function divided by n. Their
            squares add up to the variance (infinitesimal jackknife; Efron, The Jackknife, 1982).
        n: Patients.
        events: Events among them.
        method: Estimator and variance, in words, with the source.
        horizon: Prediction horizon, if there is one.
    """

    value: float
    contributions: Floats
    n: int
    events: int
    method: str
    horizon: float | None = None

    def standard_error(self, cluster: ArrayLike | None = None) -> float:
        """Return the standard error; rows of one cluster (a patient's images) count together, if `cluster` is given.

        What only rounding leaves of contributions that are zero counts as zero.

        Raises:
            UndefinedEstimate: As `group_index`.
        """
        contributions = self.contributions
        if cluster is not None:
            labels, index = group_index("cluster", cluster, contributions.size)
            contributions = np.bincount(index, weights=contributions, minlength=len(labels)).astype(np.float64)
        error = float(np.sqrt(np.sum(contributions**2)))
        return 0.0 if error <= ROUNDING * max(1.0, abs(self.value)) else error

    def estimate(self, *, scale: Scale, level: float, cluster: ArrayLike | None = None) -> Estimate:
        """Return the estimate with its interval.

        Args:
            scale: Where the interval is symmetric.
            level: Two-sided confidence level.
            cluster: Shape (n,), labels of what is independent, if that is not the row.

        Raises:
            UndefinedEstimate: As `confidence_limits`; fewer than 30 clusters.
        """
        if cluster is not None:
            require_clusters(len(group_index("cluster", cluster, self.contributions.size)[0]))
        error = self.standard_error(cluster)
        lower, upper = confidence_limits(self.value, error, scale, level)
        where = {"identity": "Wald", "logit": "logit", "log": "log", "log_log": "log-log"}[scale]
        method = f"{self.method}, {where} interval{'' if cluster is None else ', clustered'}"
        return Estimate(
            self.value, lower, upper, level, self.n, self.events, method, scale, self.horizon, standard_error=error
        )

    def tested(self, level: float, *, cluster: ArrayLike | None = None) -> Estimate:
        """Return the estimate with its Wald interval and the two-sided P value of no effect, that is of 0.

        Args:
            level: Two-sided confidence level.
            cluster: Shape (n,), labels of what is independent, if that is not the row.

        Raises:
            UndefinedEstimate: As `confidence_limits`: no variance.
        """
        estimate = self.estimate(scale="identity", level=level, cluster=cluster)
        z = abs(self.value) / self.standard_error(cluster)
        return replace(estimate, method=f"{estimate.method}, Wald test of 0", p_value=float(2 * ndtr(-z)))

    def __sub__(self, other: Influence) -> Influence:
        """Return the difference of two values estimated on the same patients in the same order."""
        if self.contributions.size != other.contributions.size:
            raise UndefinedEstimate(
                f"{self.contributions.size} and {other.contributions.size} patients: a paired difference needs the same"
            )
        return replace(self, value=self.value - other.value, contributions=self.contributions - other.contributions)


def paired_difference(
    first: Influence, second: Influence, *, level: float = 0.95, cluster: ArrayLike | None = None
) -> Estimate:
    """Estimate `first` less `second` on the same patients, with Wald interval and P value of no difference.

    Args:
        first: For instance the challenger's AUC.
        second: For instance the champion's, from the same patients in the same order.
        level: Two-sided confidence level.
        cluster: Shape (n,), labels of what is independent, if that is not the row.

    Raises:
        UndefinedEstimate: Other patients, or the difference has no variance (identical predictions).
    """
    difference = (first - second).tested(level, cluster=cluster)
    return replace(difference, method=f"paired difference: {difference.method}")


def as_standard_deviation(contributions: Floats) -> Floats:
    """Scale contributions by sqrt(n/(n-1)): R's packages take the standard deviation of the influence function."""
    return np.asarray(contributions * np.sqrt(contributions.size / (contributions.size - 1)))
