"""Harrell's concordance with its infinitesimal-jackknife standard error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import interval
from validation.estimators.samples import Bools, Floats, censor_at_horizon, prediction_vector, survival_sample

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class _Pairs:
    """Per patient, over all pairs in which the patient takes part: comparable, concordant and tied in prediction."""

    comparable: Floats
    concordant: Floats
    tied: Floats


def _edges(starts: Bools) -> tuple[Integers, Integers]:
    """First index of each element's run, and one past its last, where `starts` marks the first of each run."""
    first = np.flatnonzero(starts)
    run = np.cumsum(starts) - 1
    return first[run], np.append(first[1:], starts.size)[run]


def _before(flags: Bools) -> Integers:
    """Number of set flags before each index 0 .. n."""
    return np.concatenate(([0], np.cumsum(flags)))


def _count_pairs(time: Floats, event: Bools, prediction: Floats) -> _Pairs:
    """Count pairs (an event, anyone followed up longer) by divide and conquer over follow-up, in O(n log n).

    Patients are numbered by follow-up so that a pair is comparable where the earlier one has an event and the smaller
    number: tied events share a number (not comparable), a censoring comes after an event at the same time (comparable).
    Two different numbers part at exactly one bit. So at every bit, within each set of patients that agree in all higher
    bits and are sorted by prediction, those with the bit unset are compared with those that have it set.
    """
    order = np.lexsort((~event, time))
    new = np.append(True, (np.diff(time[order]) > 0) | (np.diff(event[order].astype(np.int8)) != 0))
    number = np.empty(time.size, dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    comparable, concordant, tied = (np.zeros(time.size) for _ in range(3))
    order = np.argsort(prediction, kind="stable")
    for bit in reversed(range(int(number.max()).bit_length())):
        block, value = number[order] >> (bit + 1), prediction[order]
        new_block = np.append(True, np.diff(block) > 0)
        block_start, block_end = _edges(new_block)
        tie_start, tie_end = _edges(new_block | np.append(True, np.diff(value) > 0))
        late = (number[order] >> bit & 1).astype(bool)
        early = ~late & event[order]
        n_late, n_early = _before(late), _before(early)
        i, j = order[early], order[late]
        comparable[i] += (n_late[block_end] - n_late[block_start])[early]
        comparable[j] += (n_early[block_end] - n_early[block_start])[late]
        concordant[i] += (n_late[tie_start] - n_late[block_start])[early]
        concordant[j] += (n_early[block_end] - n_early[tie_end])[late]
        tied[i] += (n_late[tie_end] - n_late[tie_start])[early]
        tied[j] += (n_early[tie_end] - n_early[tie_start])[late]
        order = order[np.argsort(number[order] >> bit, kind="stable")]
    return _Pairs(comparable, concordant, tied)


def harrell_c(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    *,
    horizon_months: float | None = None,
    level: float = 0.95,
    scale: Literal["logit", "identity"] = "logit",
) -> Estimate:
    """Estimate the probability that of two comparable patients the one with the higher prediction has the event first.

    Value and standard error equal R's survival::concordance(..., reverse=TRUE): an event is comparable with a censoring
    at the same time, not with another event there; equal predictions count one half; the standard error is the
    infinitesimal jackknife, sqrt(sum_i ((concordant_i + tied_i / 2 - C comparable_i) / comparable pairs)^2), every
    patient counted in both roles. `scale="identity"` gives R's interval.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event; it takes a linear predictor or risk, not survival.
        horizon_months: Ignore what happens after it (R's `ymax`), if given.
        level: Two-sided confidence level.
        scale: Where the interval is symmetric.

    Raises:
        UndefinedEstimate: As `survival_sample`; constant prediction; no comparable pair; every pair ordered alike.
    """
    if horizon_months is None:
        times, events = survival_sample(time, event)
    else:
        times, events = censor_at_horizon(time, event, horizon_months)
    pairs = _count_pairs(times, events, prediction_vector(prediction, times.size))
    n_pairs = float(pairs.comparable.sum()) / 2
    if not n_pairs:
        raise UndefinedEstimate("no comparable pair: nobody was followed up longer than an event", too_few=True)
    credit = pairs.concordant + pairs.tied / 2
    concordance = float(credit.sum()) / 2 / n_pairs
    error = float(np.sqrt(np.sum(((credit - concordance * pairs.comparable) / n_pairs) ** 2)))
    lower, upper = interval(concordance, error, scale, level)
    method = f"Harrell's C, infinitesimal-jackknife variance, {scale} interval (Harrell 1996; R survival::concordance)"
    n_events = int(events.sum())
    return Estimate(concordance, lower, upper, level, times.size, n_events, method, scale, horizon_months)
