"""Cumulative/dynamic area under the ROC curve: those with the event by a horizon against those without it there."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.discrimination.pairs import Ranks, dense_ranks
from validation.estimators.estimate import Estimate
from validation.estimators.influence import Influence, as_standard_deviation
from validation.estimators.intervals import SCALE_OF, Interval
from validation.estimators.samples import Floats, ascending_horizons, prediction_vector
from validation.estimators.survival.weighted_cohort import WeightedCohort, trapezoid_weights, weighted_cohort

Rule = Literal["events", "trapezoid"]


def _proportion_below(rank: Ranks, weight: Floats) -> Floats:
    """Part of the weight that lies below each patient, shape (n,); what is equal to it counts one half."""
    at_rank = np.bincount(rank, weights=weight)
    up_to = np.cumsum(at_rank)
    return np.asarray((up_to - at_rank / 2)[rank] / up_to[-1])


def _auc(cohort: WeightedCohort, rank: Ranks, horizon: float) -> Influence:
    status = cohort.status(horizon, of_each=2)
    case, control = status.case, status.control
    below = _proportion_below(rank, control.astype(np.float64))
    above = 1 - _proportion_below(rank, case * status.weight)
    value, of_cases = cohort.mean_among(below, case, status, "case")
    contributions = of_cases + as_standard_deviation(control * (above - value) / control.sum())
    method = (
        f"cumulative/dynamic AUC at {horizon:g}, Kaplan-Meier censoring weights ({status.lost} lost before), "
        "influence-function variance (Blanche 2013; R riskRegression::Score)"
    )
    return Influence(value, contributions, case.size, int(case.sum()), method, horizon)


def auc_t_influence(time: ArrayLike, event: ArrayLike, prediction: ArrayLike, horizon: float) -> Influence:
    """Estimate the probability that a case by the horizon is predicted higher than somebody free of the event there.

    Cases weigh 1/G(time-), controls alike; equal predictions count one half. Value and standard error equal R's
    riskRegression::Score 2022.11.28 (`cens.model="km"`) unless somebody is censored exactly at the horizon: such
    patients are controls here. timeROC 0.4.1 treats tied times in the variance by the order of the rows and differs by
    some 1e-7. The variance includes that of the estimated weights (Blanche, Dartigues and Jacqmin-Gadda, Stat Med
    2013;32:5381). O(n log n).

    Args:
        time: Shape (n,), follow-up, in the unit of `horizon`.
        event: Shape (n,).
        prediction: Shape (n,), higher means more likely the event by the horizon; any monotone scale.
        horizon: An event there counts.

    Raises:
        UndefinedEstimate: As `survival_sample` and `prediction_vector`; horizon beyond follow-up; fewer than two cases
            or controls.
    """
    cohort = weighted_cohort(time, event)
    return _auc(cohort, dense_ranks(prediction_vector(prediction, cohort.time.size)), horizon)


def auc_t(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    horizon: float,
    *,
    level: float = 0.95,
    interval: Interval = "logit",
) -> Estimate:
    """Return `auc_t_influence` with its interval; "wald" gives that of timeROC and riskRegression.

    Raises:
        UndefinedEstimate: As `auc_t_influence`; perfect separation (no variance, hence no interval).
    """
    return auc_t_influence(time, event, prediction, horizon).estimate(scale=SCALE_OF[interval], level=level)


def iauc_influence(
    time: ArrayLike, event: ArrayLike, prediction: ArrayLike, horizons: ArrayLike, *, rule: Rule = "events"
) -> Influence:
    """Average the cumulative/dynamic AUC over a grid of horizons.

    Rule "events": each AUC weighs by the decrease of Kaplan-Meier survival since the horizon before it (since 0 for the
    first), so that horizons count as patients reach them; the variance includes that of these weights. Rule
    "trapezoid": integral over time from the first to the last horizon, divided by their distance. Values of the two
    rules differ: a number without its rule cannot be compared.

    Args:
        time: Shape (n,), follow-up, in the unit of `horizons`.
        event: Shape (n,).
        prediction: Shape (n,), one for all horizons, higher means earlier event.
        horizons: Shape (k,), ascending, at least two.
        rule: How the AUCs are averaged.

    Raises:
        UndefinedEstimate: As `auc_t_influence` at any horizon; horizons not ascending.
    """
    grid = ascending_horizons(horizons)
    cohort = weighted_cohort(time, event)
    rank = dense_ranks(prediction_vector(prediction, cohort.time.size))
    parts = [_auc(cohort, rank, float(horizon)) for horizon in grid]
    aucs = np.array([part.value for part in parts])
    if rule == "trapezoid":
        weight, from_weights = trapezoid_weights(grid) / (grid[-1] - grid[0]), np.zeros(rank.size)
        how = "trapezoidal rule over time"
    else:
        weight, from_weights = _event_weights(cohort, grid, aucs)
        how = "weighted by the decrease of Kaplan-Meier survival from 0"
    contributions = np.sum(weight[:, None] * np.stack([part.contributions for part in parts]), axis=0) + from_weights
    method = f"mean of {grid.size} AUCs from {grid[0]:g} to {grid[-1]:g}, {how}; the last: {parts[-1].method}"
    value = float(weight @ aucs)
    return Influence(value, contributions, rank.size, parts[-1].events, method, float(grid[-1]))


def _event_weights(cohort: WeightedCohort, grid: Floats, aucs: Floats) -> tuple[Floats, Floats]:
    """Return each horizon's part of the Kaplan-Meier risk, and what estimating it adds to the contributions."""
    statuses = [cohort.status(float(horizon)) for horizon in grid]
    risks = [cohort.mean(status.case.astype(np.float64), status) for status in statuses]
    total = risks[-1][0]
    weight = np.diff([risk for risk, _ in risks], prepend=0.0) / total
    changes = np.diff(np.stack([contributions for _, contributions in risks]), axis=0, prepend=0.0)
    return weight, np.sum(((aucs - weight @ aucs) / total)[:, None] * changes, axis=0)


def iauc(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    horizons: ArrayLike,
    *,
    rule: Rule = "events",
    level: float = 0.95,
    interval: Interval = "logit",
) -> Estimate:
    """Return `iauc_influence` with its interval.

    Raises:
        UndefinedEstimate: As `iauc_influence`.
    """
    return iauc_influence(time, event, prediction, horizons, rule=rule).estimate(scale=SCALE_OF[interval], level=level)
