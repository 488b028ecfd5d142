"""Concordance of predictions with survival: Harrell's C, Uno's C, their standard errors and bootstrap."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.bootstrap import Resampling, percentile_limits, resampling
from validation.estimators.discrimination.pairs import count_pairs, dense_ranks, ordered
from validation.estimators.discrimination.replicates import pair_visits, replicated_credit, share, visits
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.intervals import SCALE_OF, Interval
from validation.estimators.samples import Bools, Floats, censor_at_horizon, prediction_vector, survival_sample
from validation.estimators.survival.censoring import censoring_curve

METHODS = {
    "harrell": "Harrell's C, infinitesimal-jackknife variance (Harrell 1996; R survival::concordance)",
    "uno": "Uno's C, pairs weighted by 1 / G(T-)^2 with G estimated in this cohort, infinitesimal-jackknife variance "
    "(Uno 2011; R survival::concordance, timewt n/G2)",
}


def _sample(
    time: ArrayLike, event: ArrayLike, prediction: ArrayLike, horizon: float | None
) -> tuple[Floats, Bools, Floats]:
    times, events = survival_sample(time, event) if horizon is None else censor_at_horizon(time, event, horizon)
    return times, events, prediction_vector(prediction, times.size)


def concordance_influence(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    *,
    weighting: Literal["harrell", "uno"] = "harrell",
    horizon: float | None = None,
) -> Influence:
    """Return a concordance with the share of each patient in its error; two of them give a paired difference.

    Value and standard error equal R's survival::concordance(..., reverse=TRUE): an event is comparable with a censoring
    at the same time, not with another event there; equal predictions count one half; the standard error is the
    infinitesimal jackknife, sqrt(sum_i ((credit_i - C pairs_i) / pairs)^2), every patient counted in both roles. As in
    R, the censoring weights of Uno's C count as known.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event; it takes a linear predictor or risk, not survival.
        weighting: What a pair weighs: one (Harrell), or 1 / G(T-)^2 at the event's time T (Uno), which makes C
            independent of the censoring distribution.
        horizon: Ignore what happens after it (R's `ymax`), if given.

    Raises:
        UndefinedEstimate: As `survival_sample`; constant prediction; one event; no comparable pair.
    """
    times, events, predictions = _sample(time, event, prediction, horizon)
    sample = ordered(times, events, predictions)
    weight = None
    if weighting == "uno":
        weight = censoring_curve(*survival_sample(time, event)).before(sample.time) ** -2.0
    if np.count_nonzero(events) < 2:
        raise UndefinedEstimate("1 event: its part in the error cannot be seen, at least 2 are needed", too_few=True)
    pairs, credit = count_pairs(sample, weight)
    total = float(pairs.sum()) / 2
    if not total:
        raise UndefinedEstimate("no comparable pair: nobody was followed up longer than an event", too_few=True)
    concordance = float(credit.sum()) / 2 / total
    contributions = np.empty_like(pairs)
    contributions[sample.order] = (credit - concordance * pairs) / total
    return Influence(concordance, contributions, times.size, int(events.sum()), METHODS[weighting], horizon)


def harrell_c(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    *,
    horizon: float | None = None,
    level: float = 0.95,
    interval: Interval = "logit",
) -> Estimate:
    """Estimate the probability that of two comparable patients the one with the higher prediction has the event first.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        horizon: Ignore what happens after it, if given.
        level: Two-sided confidence level.
        interval: `wald` is R's.

    Raises:
        UndefinedEstimate: As `concordance_influence`; every pair ordered alike.
    """
    influence = concordance_influence(time, event, prediction, horizon=horizon)
    return influence.estimate(scale=SCALE_OF[interval], level=level)


def uno_c(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    *,
    horizon: float | None = None,
    level: float = 0.95,
    interval: Interval = "logit",
) -> Estimate:
    """Estimate the same probability for follow-up without censoring before the horizon (Uno, Stat Med 2011;30:1105).

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        horizon: Ignore what happens after it (tau); without it, late events with few at risk weigh much.
        level: Two-sided confidence level.
        interval: `wald` is R's.

    Raises:
        UndefinedEstimate: As `concordance_influence`; every pair ordered alike.
    """
    influence = concordance_influence(time, event, prediction, weighting="uno", horizon=horizon)
    return influence.estimate(scale=SCALE_OF[interval], level=level)


def harrell_c_replicates(
    time: ArrayLike, event: ArrayLike, prediction: ArrayLike, plan: Resampling, *, horizon: float | None = None,
    threads: int = 1,
) -> Floats:  # fmt: skip
    """Return Harrell's C of every bootstrap sample, shape (replicates,); NaN where a sample has no comparable pair.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        plan: The bootstrap.
        horizon: Ignore what happens after it, if given.
        threads: Samples are worked on side by side; the result does not depend on it.

    Raises:
        UndefinedEstimate: As `concordance_influence`.
    """
    times, events, predictions = _sample(time, event, prediction, horizon)
    first = np.argsort(times)  # neighbours in time are neighbours in memory
    times, events, predictions = times[first], events[first], predictions[first]
    distinct = np.unique(times[events])
    number = (np.searchsorted(distinct, times, side="right") - events).astype(np.int32)
    listed = [visits(number, events, dense_ranks(predictions)), pair_visits(number, events)]
    credit, pairs = replicated_credit(listed, plan, first, threads=threads).T
    return share(credit, pairs)


def harrell_c_bootstrap(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    *,
    replicates: int,
    seed: int,
    cluster: ArrayLike | None = None,
    horizon: float | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate Harrell's C with the percentile interval of a bootstrap of patients, or of clusters of rows.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        replicates: Bootstrap samples, for instance 2000.
        seed: Not negative.
        cluster: Shape (n,), the patient of each row, where patients have several rows.
        horizon: Ignore what happens after it, if given.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `concordance_influence`, `resampling` and `percentile_limits`.
    """
    influence = concordance_influence(time, event, prediction, horizon=horizon)
    plan = resampling(influence.n, replicates, seed, cluster)
    values = harrell_c_replicates(time, event, prediction, plan, horizon=horizon)
    lower, upper = percentile_limits(influence.value, values, level)
    method = f"Harrell's C, percentile interval, {plan.describe()}"
    return Estimate(influence.value, lower, upper, level, influence.n, influence.events, method, horizon=horizon)
