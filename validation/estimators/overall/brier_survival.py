"""Brier score for the event by a horizon under censoring: at one horizon, against the null model, and over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.intervals import SCALE_OF, Interval
from validation.estimators.overall.brier import relative_gain
from validation.estimators.samples import Floats, ascending_horizons, risk_vector
from validation.estimators.survival.weighted_cohort import WeightedCohort, trapezoid_weights, weighted_cohort

Rule = Literal["trapezoid", "step"]
SINGLE_PRECISION = 1e-6  # by this much a risk may fall from one horizon to the next


def _brier(cohort: WeightedCohort, risk: Floats | None, horizon: float) -> Influence:
    """Brier score of the risks, or of the Kaplan-Meier risk for everybody if they are None."""
    status = cohort.status(horizon)
    case = status.case
    # The Kaplan-Meier risk minimises the score, so that estimating it adds nothing to the variance.
    predicted = np.full(case.size, status.weight[case].sum() / case.size) if risk is None else risk
    value, contributions = cohort.mean((predicted - case) ** 2, status)
    model = "null model (Kaplan-Meier) Brier score" if risk is None else "Brier score"
    method = (
        f"{model} at {horizon:g}, Kaplan-Meier censoring weights ({status.lost} lost before), influence-function "
        "variance (Gerds 2006; R riskRegression::Score)"
    )
    return Influence(value, contributions, case.size, int(case.sum()), method, horizon)


def _cohort_with_events(time: ArrayLike, event: ArrayLike, horizon: float) -> WeightedCohort:
    cohort = weighted_cohort(time, event)
    if not cohort.status(horizon).case.any():
        raise UndefinedEstimate(f"no event by {horizon:g} among {cohort.time.size} patients", too_few=True)
    return cohort


def brier_t_influence(time: ArrayLike, event: ArrayLike, risk: ArrayLike, horizon: float) -> Influence:
    """Estimate the mean squared distance between the predicted risk and the status at the horizon.

    Cases weigh 1/G(time-), those free of the event 1/G(horizon-), those lost before 0 (Graf, Stat Med 1999;18:2529;
    Gerds and Schumacher, Biom J 2006;48:1029). Value and standard error equal R's riskRegression::Score 2022.11.28
    (`cens.model="km"`), which accounts for the estimated weights, unless somebody is censored exactly at the horizon:
    such patients are known to be free of the event here.

    Args:
        time: Shape (n,), follow-up, in the unit of `horizon`.
        event: Shape (n,).
        risk: Shape (n,), predicted probability of the event by the horizon.
        horizon: An event there counts.

    Raises:
        UndefinedEstimate: As `survival_sample` and `risk_vector`; horizon beyond follow-up; no event by the horizon.
    """
    cohort = _cohort_with_events(time, event, horizon)
    return _brier(cohort, risk_vector(risk, cohort.time.size), horizon)


def brier_t(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    horizon: float,
    *,
    level: float = 0.95,
    interval: Interval = "logit",
) -> Estimate:
    """Return `brier_t_influence` with its interval; "wald" gives that of riskRegression.

    Raises:
        UndefinedEstimate: As `brier_t_influence`; no variance.
    """
    return brier_t_influence(time, event, risk, horizon).estimate(scale=SCALE_OF[interval], level=level)


def null_brier_t_influence(time: ArrayLike, event: ArrayLike, horizon: float) -> Influence:
    """Estimate the Brier score of predicting this cohort's Kaplan-Meier risk for everybody, R's "Null model".

    Raises:
        UndefinedEstimate: As `brier_t_influence`.
    """
    return _brier(_cohort_with_events(time, event, horizon), None, horizon)


def ipa_t_influence(time: ArrayLike, event: ArrayLike, risk: ArrayLike, horizon: float) -> Influence:
    """Estimate the index of prediction accuracy at a horizon: 1 less the Brier score over the null model's.

    0 is as good as the Kaplan-Meier risk of this cohort, 1 perfect, below 0 worse (Kattan and Gerds, Diagn Progn Res
    2018;2:7; riskRegression's IPA). The variance counts the null model's score as estimated.

    Args:
        time: Shape (n,), follow-up, in the unit of `horizon`.
        event: Shape (n,).
        risk: Shape (n,), predicted probability of the event by the horizon.
        horizon: An event there counts.

    Raises:
        UndefinedEstimate: As `brier_t_influence`; everybody had the event by the horizon.
    """
    cohort = _cohort_with_events(time, event, horizon)
    model = _brier(cohort, risk_vector(risk, cohort.time.size), horizon)
    gain = relative_gain(model, _brier(cohort, None, horizon))
    method = f"index of prediction accuracy (Kattan 2018): 1 less ratio to the null model's score of the {model.method}"
    return Influence(gain.value, gain.contributions, gain.n, gain.events, method, horizon)


def ipa_t(time: ArrayLike, event: ArrayLike, risk: ArrayLike, horizon: float, *, level: float = 0.95) -> Estimate:
    """Return `ipa_t_influence` with its Wald interval.

    Raises:
        UndefinedEstimate: As `ipa_t_influence`.
    """
    return ipa_t_influence(time, event, risk, horizon).estimate(scale="identity", level=level)


def _risk_matrix(risks: ArrayLike, n: int, horizons: Floats) -> Floats:
    matrix: Floats = np.asarray(risks, dtype=np.float64)
    if matrix.shape != (n, horizons.size):
        raise UndefinedEstimate(f"risks has shape {matrix.shape} for {n} patients and {horizons.size} horizons")
    risk_vector(matrix.ravel(), matrix.size, "risks")
    falling = int(np.count_nonzero((np.diff(matrix, axis=1) < -SINGLE_PRECISION).any(axis=1)))
    if falling:
        raise UndefinedEstimate(f"the risk falls over time for {falling} of {n} patients: survival given for risk?")
    return matrix


def integrated_brier_influence(
    time: ArrayLike, event: ArrayLike, risks: ArrayLike, horizons: ArrayLike, *, rule: Rule = "trapezoid"
) -> Influence:
    """Estimate the mean Brier score over time from 0 to the last horizon; at 0 it is 0, as nobody has had the event.

    Rule "trapezoid": straight lines between the horizons. Rule "step": the score holds from each horizon to the next,
    the last one not counting, as in pec::crps and riskRegression::Score(summary = "ibs"). The contributions are the
    same mean of those at the horizons. A number without its rule and grid cannot be compared.

    Args:
        time: Shape (n,), follow-up, in the unit of `horizons`.
        event: Shape (n,).
        risks: Shape (n, k), predicted probability of the event by each horizon.
        horizons: Shape (k,), ascending, at least two.
        rule: How the scores are integrated.

    Raises:
        UndefinedEstimate: As `brier_t_influence` at the last horizon; horizons not ascending; another shape of
            `risks`; a risk that falls over time.
    """
    grid = ascending_horizons(horizons)
    cohort = _cohort_with_events(time, event, float(grid[-1]))
    matrix = _risk_matrix(risks, cohort.time.size, grid)
    parts = [_brier(cohort, risk, float(horizon)) for risk, horizon in zip(matrix.T, grid, strict=True)]
    from_start = np.append(0.0, grid)
    weight = trapezoid_weights(from_start)[1:] if rule == "trapezoid" else np.append(np.diff(grid), 0.0)
    weight = weight / grid[-1]
    value = float(weight @ np.array([part.value for part in parts]))
    contributions = np.sum(weight[:, None] * np.stack([part.contributions for part in parts]), axis=0)
    method = f"Brier score integrated from 0 over {grid.size} horizons, {rule} rule; the last: {parts[-1].method}"
    return Influence(value, contributions, matrix.shape[0], parts[-1].events, method, float(grid[-1]))


def integrated_brier(
    time: ArrayLike,
    event: ArrayLike,
    risks: ArrayLike,
    horizons: ArrayLike,
    *,
    rule: Rule = "trapezoid",
    level: float = 0.95,
    interval: Interval = "logit",
) -> Estimate:
    """Return `integrated_brier_influence` with its interval.

    Raises:
        UndefinedEstimate: As `integrated_brier_influence`; no variance.
    """
    influence = integrated_brier_influence(time, event, risks, horizons, rule=rule)
    return influence.estimate(scale=SCALE_OF[interval], level=level)


@dataclass(frozen=True, eq=False)
class PredictionErrorCurve:
    """Brier score over time, with that of the null model.

    Attributes:
        times: Horizons, ascending, shape (k,).
        brier: Of the predicted risks at each horizon, shape (k,).
        null_brier: Of the Kaplan-Meier risk at each horizon, shape (k,).
    """

    times: Floats
    brier: Floats
    null_brier: Floats


def prediction_error_curve(
    time: ArrayLike, event: ArrayLike, risks: ArrayLike, horizons: ArrayLike
) -> PredictionErrorCurve:
    """Return the Brier score at each horizon, of the risks and of the null model; equals pec::pec.

    Args:
        time: Shape (n,), follow-up, in the unit of `horizons`.
        event: Shape (n,).
        risks: Shape (n, k), predicted probability of the event by each horizon.
        horizons: Shape (k,), ascending, at least two.

    Raises:
        UndefinedEstimate: As `integrated_brier_influence`.
    """
    grid = ascending_horizons(horizons)
    cohort = _cohort_with_events(time, event, float(grid[-1]))
    matrix = _risk_matrix(risks, cohort.time.size, grid)
    scores = [_brier(cohort, risk, float(horizon)).value for risk, horizon in zip(matrix.T, grid, strict=True)]
    null = [_brier(cohort, None, float(horizon)).value for horizon in grid]
    return PredictionErrorCurve(grid, np.array(scores), np.array(null))
