"""Log-rank test of k groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import survival_sample


@dataclass(frozen=True)
class LogRank:
    """Result of a log-rank test.

    Attributes:
        chi_square: Test statistic.
        degrees_of_freedom: Groups less one.
        p_value: Upper tail of the chi-square distribution.
        observed: Events per group, in ascending order of the group labels.
        expected: Events per group expected if survival were equal.
    """

    chi_square: float
    degrees_of_freedom: int
    p_value: float
    observed: tuple[float, ...]
    expected: tuple[float, ...]


def log_rank(time: ArrayLike, event: ArrayLike, group: ArrayLike) -> LogRank:
    """Test whether survival is equal in all groups; equals R's survival::survdiff.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        group: Shape (n,), labels of at least two groups.

    Raises:
        UndefinedEstimate: As `survival_sample`; another length; one group; no variance (the groups are never at risk
            together).
    """
    times, events = survival_sample(time, event)
    labels, index = np.unique(np.asarray(group), return_inverse=True)
    if index.size != times.size:
        raise UndefinedEstimate(f"group has {index.size} values for {times.size} patients")
    if labels.size < 2:
        raise UndefinedEstimate("all patients belong to one group")
    distinct = np.unique(times[events])
    member = index[:, None] == np.arange(labels.size)
    at_risk = np.stack([m.sum() - np.searchsorted(np.sort(times[m]), distinct, side="left") for m in member.T], axis=1)
    deaths = np.zeros_like(at_risk)
    np.add.at(deaths, (np.searchsorted(distinct, times[events]), index[events]), 1)
    total, total_deaths = at_risk.sum(axis=1), deaths.sum(axis=1)
    share = at_risk / total[:, None]
    expected = (total_deaths[:, None] * share).sum(axis=0)
    factor = total_deaths * (total - total_deaths) / np.maximum(total - 1, 1)
    covariance = np.diag((factor[:, None] * share).sum(axis=0)) - (factor[:, None] * share).T @ share
    excess = (deaths.sum(axis=0) - expected)[:-1]
    if np.linalg.matrix_rank(covariance) < labels.size - 1:
        raise UndefinedEstimate("the groups are never at risk together", too_few=True)
    chi_square = float(excess @ np.linalg.solve(covariance[:-1, :-1], excess))
    degrees = labels.size - 1
    observed = tuple(float(x) for x in deaths.sum(axis=0))
    return LogRank(chi_square, degrees, float(chdtrc(degrees, chi_square)), observed, tuple(float(x) for x in expected))
