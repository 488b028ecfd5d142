"""Log-rank tests of k groups: plain, stratified, weighted by survival, and between pairs of groups."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools, Floats, group_index, survival_sample

Correction = Literal["holm", "bonferroni", "benjamini_hochberg"]


@dataclass(frozen=True)
class LogRank:
    """Result of a log-rank test.

    Attributes:
        chi_square: Test statistic.
        degrees_of_freedom: Groups less one.
        p_value: Upper tail of the chi-square distribution.
        observed: Events per group, in ascending order of the group labels; weighted, if the test is.
        expected: Events per group expected if survival were equal; weighted, if the test is.
        method: Test, weights and strata, in words.
    """

    chi_square: float
    degrees_of_freedom: int
    p_value: float
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    method: str = "log-rank test"


@dataclass(frozen=True)
class PairwiseLogRank:
    """Test of two of several groups.

    Attributes:
        first: Label of one group.
        second: Label of the other.
        test: The test among their patients, or why there is none.
        adjusted_p_value: Its P value, adjusted for the number of pairs that have a test; None without test.
    """

    first: str
    second: str
    test: LogRank | UndefinedEstimate
    adjusted_p_value: float | None


def log_rank(
    time: ArrayLike, event: ArrayLike, group: ArrayLike, *, stratum: ArrayLike | None = None, rho: float = 0.0
) -> LogRank:
    """Test whether survival is equal in all groups; equals R's survival::survdiff.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        group: Shape (n,), labels of at least two groups.
        stratum: Shape (n,), labels of the strata within which groups are compared, if there are any.
        rho: Events are weighted by S(t-)^rho, S the Kaplan-Meier curve of all patients of the stratum: 0 for the
            log-rank test, 1 for Peto and Peto's modification of Gehan and Wilcoxon's test, in which early events count
            more (Harrington and Fleming, Biometrika 1982;69:553).

    Raises:
        UndefinedEstimate: As `survival_sample` and `group_index`; one group; a negative rho; no variance (the groups
            are never at risk together).
    """
    times, events = survival_sample(time, event)
    labels, index = group_index("group", group, times.size)
    if len(labels) < 2:
        raise UndefinedEstimate("all patients belong to one group")
    if not rho >= 0:
        raise UndefinedEstimate(f"the weights need a rho of at least 0, not {rho}")
    strata, member = ([""], np.zeros_like(index)) if stratum is None else group_index("stratum", stratum, times.size)
    observed, expected = np.zeros(len(labels)), np.zeros(len(labels))
    covariance = np.zeros((len(labels), len(labels)))
    for number in range(len(strata)):
        rows = member == number
        parts = _stratum_sums(times[rows], events[rows], index[rows], len(labels), rho)
        observed, expected, covariance = observed + parts[0], expected + parts[1], covariance + parts[2]
    if np.linalg.matrix_rank(covariance) < len(labels) - 1:
        raise UndefinedEstimate("the groups are never at risk together", too_few=True)
    excess = (observed - expected)[:-1]
    chi_square = float(excess @ np.linalg.solve(covariance[:-1, :-1], excess))
    degrees = len(labels) - 1
    method = "log-rank test" if rho == 0 else f"Fleming-Harrington test, rho {rho:g}"
    return LogRank(
        chi_square=chi_square,
        degrees_of_freedom=degrees,
        p_value=float(chdtrc(degrees, chi_square)),
        observed=tuple(observed.tolist()),
        expected=tuple(expected.tolist()),
        method=method if stratum is None else f"{method}, {len(strata)} strata",
    )


def _stratum_sums(
    time: Floats, event: Bools, index: NDArray[np.int64], groups: int, rho: float
) -> tuple[Floats, Floats, Floats]:
    """Weighted observed and expected events per group, and the covariance of the observed, of one stratum."""
    distinct = np.unique(time[event])
    member = index[:, None] == np.arange(groups)
    at_risk = np.stack([m.sum() - np.searchsorted(np.sort(time[m]), distinct, side="left") for m in member.T], axis=1)
    deaths = np.zeros_like(at_risk)
    np.add.at(deaths, (np.searchsorted(distinct, time[event]), index[event]), 1)
    total, total_deaths = at_risk.sum(axis=1), deaths.sum(axis=1)
    weight = np.append(1.0, np.cumprod(1 - total_deaths / total))[:-1] ** rho
    share = at_risk / total[:, None]
    observed = (weight[:, None] * deaths).sum(axis=0)
    expected = ((weight * total_deaths)[:, None] * share).sum(axis=0)
    factor = weight**2 * total_deaths * (total - total_deaths) / np.maximum(total - 1, 1)
    covariance = np.diag((factor[:, None] * share).sum(axis=0)) - (factor[:, None] * share).T @ share
    return observed, expected, covariance


def pairwise_log_rank(
    time: ArrayLike, event: ArrayLike, group: ArrayLike, *, correction: Correction = "holm", rho: float = 0.0
) -> tuple[PairwiseLogRank, ...]:
    """Test every pair of groups, among the patients of the two, and adjust the P values for the number of pairs.

    Equals R's survdiff of each pair and p.adjust, which is what survminer's pairwise_survdiff does.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        group: Shape (n,), labels of at least two groups.
        correction: "holm" and "bonferroni" keep the chance of any false finding at the level, "benjamini_hochberg" the
            expected share of false ones among the findings.
        rho: As in `log_rank`.

    Raises:
        UndefinedEstimate: As `survival_sample` and `group_index`; one group. A pair whose test is undefined is no
            error: its `test` says why, and the P values of the others are adjusted without it.
    """
    times, events = survival_sample(time, event, events_needed=False)
    labels, index = group_index("group", group, times.size)
    if len(labels) < 2:
        raise UndefinedEstimate("all patients belong to one group")
    pairs = list(combinations(range(len(labels)), 2))
    tests: list[LogRank | UndefinedEstimate] = []
    for pair in pairs:
        rows = np.isin(index, pair)
        try:
            tests.append(log_rank(times[rows], events[rows], index[rows], rho=rho))
        except UndefinedEstimate as undefined:
            tests.append(undefined)
    p_values = np.array([test.p_value for test in tests if isinstance(test, LogRank)])
    adjusted = iter(adjust_p_values(p_values, correction).tolist())
    return tuple(
        PairwiseLogRank(labels[first], labels[second], test, next(adjusted) if isinstance(test, LogRank) else None)
        for (first, second), test in zip(pairs, tests, strict=True)
    )


def adjust_p_values(p_values: Floats, correction: Correction) -> Floats:
    """Adjust P values for multiple testing; equals R's p.adjust.

    Args:
        p_values: Shape (m,).
        correction: Holm (Scand J Stat 1979;6:65), Bonferroni, or Benjamini and Hochberg (J R Stat Soc B 1995;57:289).
    """
    tests = p_values.size
    order = np.argsort(p_values, kind="stable")
    ordered = p_values[order]
    if correction == "bonferroni":
        adjusted = tests * ordered
    elif correction == "holm":
        adjusted = np.maximum.accumulate((tests - np.arange(tests)) * ordered)
    else:
        adjusted = np.minimum.accumulate((tests / np.arange(1, tests + 1) * ordered)[::-1])[::-1]
    result = np.empty(tests)
    result[order] = np.minimum(adjusted, 1)
    return result
