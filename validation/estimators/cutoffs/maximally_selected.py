"""Cut-offs chosen because they separate survival best, with P values that pay for the search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from validation.estimators.cutoffs.exceedance import exceedance_probability, permutation_exceedances
from validation.estimators.cutoffs.youden import halfway
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools, Floats, prediction_vector, survival_sample
from validation.estimators.survival.log_rank import log_rank

Correction = Literal["Lau92", "Lau94", "exactGauss", "condMC"]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SelectedCutoff:
    """The best of many cut-offs.

    Attributes:
        value: A prediction at or above it is high; the lowest of several best ones.
        statistic: Absolute standardised log-rank statistic there.
        p_value: Of the largest of all statistics, corrected for the search.
        naive_p_value: Of the statistic, as if the cut-off had been fixed beforehand; not to be reported alone.
        tests: Different divisions of the patients that were compared.
        cutoffs: All cut-offs, ascending, shape (k,).
        statistics: Absolute standardised log-rank statistic at each, shape (k,).
        n: Patients.
        events: Events among them.
        method: Statistic and correction, in words, with the source.
    """

    value: float
    statistic: float
    p_value: float
    naive_p_value: float
    tests: int
    cutoffs: Floats
    statistics: Floats
    n: int
    events: int
    method: str


def log_rank_scores(time: Floats, event: Bools) -> Floats:
    """Return log-rank scores, event - sum over times up to the patient's of event / (n - maximal rank + 1).

    Equals R's exactRankTests::cscores (Hothorn and Lausen, Comput Stat Data Anal 2003;43:121).
    """
    order = np.argsort(time, kind="stable")
    rank = np.searchsorted(time[order], time, side="right")
    hazard = event / (time.size - rank + 1)
    return np.asarray(event - np.cumsum(hazard[order])[rank - 1])


def maximally_selected_log_rank(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    *,
    correction: Correction = "exactGauss",
    smallest_share: float = 0.1,
    largest_share: float = 0.9,
    permutations: int = 9999,
    seed: int = 0,
) -> SelectedCutoff:
    """Choose the cut-off with the largest log-rank statistic; equals R's maxstat::maxstat.test(smethod="LogRank").

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), to be divided.
        correction: "exactGauss" integrates the joint normal distribution of the statistics (5 s for 10 000 different
            predictions, growing as their number to the power 1.5). "condMC" permutes the scores and gives no P value
            below 1 / (permutations + 1), because the order observed counts as one of them. "Lau92" (Lausen and
            Schumacher, Biometrics 1992;48:73) and "Lau94" (Lausen, Sauerbrei and Schumacher 1994) are closed
            approximations for large samples, the first for continuous predictions; "Lau94" can be too small for few
            cut-offs.
        smallest_share: The low group holds at least this share of the patients.
        largest_share: The low group holds at most this share of the patients.
        permutations: Of "condMC".
        seed: Of "condMC"; the same seed gives the same P value on every machine.

    Raises:
        UndefinedEstimate: As `survival_sample` and `prediction_vector`; shares out of order; no cut-off between them;
            all scores equal; fewer than 100 permutations or a negative seed.
    """
    times, events = survival_sample(time, event)
    values = prediction_vector(prediction, times.size)
    if not 0 < smallest_share < largest_share < 1:
        raise UndefinedEstimate(f"shares {smallest_share:g} to {largest_share:g} of the patients: not 0 < a < b < 1")
    order = np.argsort(values, kind="stable")
    ordered, scores = values[order], log_rank_scores(times, events)[order]
    low = np.flatnonzero(np.diff(ordered) > 0) + 1  # sizes that the low group can have
    smallest, largest = max(1, int(values.size * smallest_share)), int(values.size * largest_share)
    low = low[(low >= smallest) & (low <= largest)]
    if not low.size:
        raise UndefinedEstimate(f"no cut-off leaves {smallest} to {largest} of {values.size} patients low")
    expected, deviation = _moments(scores, low)
    statistics = np.abs((np.cumsum(scores)[low - 1] - expected) / deviation)
    largest_statistic = float(statistics.max())
    if correction == "condMC":
        p_value = _permutation_p_value(scores, low, largest_statistic, permutations, seed)
    else:
        p_value = _normal_p_value(largest_statistic, values.size, low, correction, smallest_share, largest_share)
    method = f"maximally selected log-rank statistic, P value {correction} (Hothorn and Lausen 2003)"
    return _selected(halfway(ordered[low - 1], ordered[low]), statistics, p_value, low.size, events, method)


def cutoff_by_log_rank(
    time: ArrayLike, event: ArrayLike, prediction: ArrayLike, candidates: ArrayLike
) -> SelectedCutoff:
    """Choose among given cut-offs the one with the largest log-rank statistic, and correct its P value for the choice.

    The statistic at each candidate is the square root of `log_rank`'s. If survival does not depend on the prediction,
    statistics of cut-offs that leave i < j of n patients low have correlation sqrt(i (n - j) / ((n - i) j)) in large
    samples; the corrected P value is that of the largest of such normal variables. Candidates that divide the patients
    alike count as one test.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), to be divided.
        candidates: Shape (k,), chosen without looking at the outcomes; a prediction at a cut-off is high.

    Raises:
        UndefinedEstimate: As `log_rank`; candidates that are not finite; one that leaves a group empty.
    """
    times, events = survival_sample(time, event)
    values = prediction_vector(prediction, times.size)
    cutoffs = np.unique(np.asarray(candidates, dtype=np.float64))
    if not cutoffs.size or not np.isfinite(cutoffs).all():
        raise UndefinedEstimate("candidates must be finite numbers, at least one")
    low = np.searchsorted(np.sort(values), cutoffs, side="left")
    empty = cutoffs[(low == 0) | (low == values.size)]
    if empty.size:
        raise UndefinedEstimate(f"no patient on one side of the cut-off {empty[0]:g}")
    tests = [log_rank(times, events, values >= cutoff) for cutoff in cutoffs]
    statistics = np.sqrt([test.chi_square for test in tests])
    divisions = np.unique(low)
    p_value = exceedance_probability(float(statistics.max()), values.size, divisions)
    method = "largest log-rank statistic of given cut-offs, P value from their joint normal distribution"
    return _selected(cutoffs, statistics, p_value, divisions.size, events, method)


def _selected(
    cutoffs: Floats, statistics: Floats, p_value: float, tests: int, events: Bools, method: str
) -> SelectedCutoff:
    best = int(np.flatnonzero(statistics >= statistics.max() - 1e-12)[0])
    return SelectedCutoff(
        value=float(cutoffs[best]),
        statistic=float(statistics[best]),
        p_value=p_value,
        naive_p_value=float(2 * ndtr(-statistics[best])),
        tests=tests,
        cutoffs=cutoffs,
        statistics=statistics,
        n=events.size,
        events=int(events.sum()),
        method=method,
    )


def _moments(scores: Floats, low: Counts) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the sum of the scores of a random low group of each size."""
    n = scores.size
    squares = n * np.sum(scores**2) - scores.sum() ** 2
    if squares <= 1e-12 * n:
        raise UndefinedEstimate("the log-rank scores of all patients are equal", too_few=True)
    return low / n * scores.sum(), np.sqrt(low * (n - low) / (n**2 * (n - 1)) * squares)


def _permutation_p_value(scores: Floats, low: Counts, statistic: float, permutations: int, seed: int) -> float:
    if permutations < 100 or seed < 0:
        raise UndefinedEstimate(f"{permutations} permutations from seed {seed}: at least 100, and no negative seed")
    expected, deviation = _moments(scores, low)
    # Sums of the same scores in another order differ by rounding: they are no less extreme.
    exceedances = permutation_exceedances(scores, low, expected, deviation, statistic - 1e-9, permutations, seed)
    return (exceedances + 1) / (permutations + 1)


def _normal_p_value(
    statistic: float, n: int, low: Counts, correction: Correction, smallest: float, largest: float
) -> float:
    if correction == "exactGauss":
        return exceedance_probability(statistic, n, low)
    naive, density = float(2 * ndtr(-statistic)), float(np.exp(-(statistic**2) / 2) / np.sqrt(2 * np.pi))
    if correction == "Lau92":
        if statistic < 1:
            return 1.0
        odds = largest * (1 - smallest) / ((1 - largest) * smallest)
        bound = 4 * density / statistic + density * (statistic - 1 / statistic) * np.log(odds)
    else:
        step = np.sqrt(1 - low[:-1] * (n - low[1:]) / ((n - low[:-1]) * low[1:]))
        steps = np.sum(step - (statistic**2 / 4 - 1) * step**3 / 6)
        bound = naive + density * np.sqrt(2 / np.pi) * steps
    return float(min(max(bound, naive), 1.0))
