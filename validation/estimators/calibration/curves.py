"""Flexible calibration curves and the distances that sum them up: ICI, E50, E90 and the largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.bootstrap import Resampling, percentile_limits, replicated, resampling
from validation.estimators.calibration.binary import strictly_between
from validation.estimators.calibration.smoothers import Smoother, cox_spline, logistic_spline, lowess
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.samples import (
    Floats,
    censor_at_horizon,
    indicator,
    prediction_vector,
    require_classes,
    risk_vector,
    survival_sample,
)

GRID_POINTS = 101
_DISTANCES = (
    "integrated calibration index, mean distance of observed from predicted risk",
    "E50, median distance of observed from predicted risk",
    "E90, 90th percentile of the distance of observed from predicted risk",
    "Emax, largest distance of observed from predicted risk",
)


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """Observed against predicted risk.

    Attributes:
        predicted: 101 evenly spaced risks from the 1st to the 99th percentile of the predicted risks.
        observed: Smoothed observed risk there. Lowess may leave [0, 1].
        lower: Pointwise lower limit at `level`, bootstrap percentiles.
        upper: Pointwise upper limit.
        corrected: `observed` less the mean optimism of the smoother: over the bootstrap samples, the curve smoothed in
            the sample less the curve of the cohort, at the same predicted risk; kept inside [0, 1]. In Harrell's
            procedure (rms::calibrate) the model is also refitted in every sample. Predictions are fixed here, hence
            only the bias of the smoother is corrected, not the overfitting of a model to this cohort: an external
            cohort has none, a development cohort needs the model's own resampling.
        level: Two-sided confidence level.
        integrated_calibration_index: ICI, mean absolute distance over the patients (Austin and Steyerberg 2019).
        e50: Median distance.
        e90: 90th percentile of the distance (R's quantile type 7).
        e_max: Largest distance.
        knots: Of the spline, on the logit or log(-log) scale; empty for lowess.
    """

    predicted: Floats
    observed: Floats
    lower: Floats
    upper: Floats
    corrected: Floats
    level: float
    integrated_calibration_index: Estimate
    e50: Estimate
    e90: Estimate
    e_max: Estimate
    knots: tuple[float, ...]


def _distances(observed: Floats, risk: Floats, weights: Floats) -> Floats:
    """Mean, median, 90th percentile and maximum of |observed - risk|, each row counted `weights` times."""
    distance = np.repeat(np.abs(observed - risk), weights.astype(np.int64))
    position = (distance.size - 1) * np.array([0.5, 0.9, 1.0])  # R's quantile type 7
    below = position.astype(np.int64)
    above = np.minimum(below + 1, distance.size - 1)
    mean = distance.mean()
    distance.partition(np.concatenate((below, above)))
    quantiles = distance[below] + (position - below) * (distance[above] - distance[below])
    return np.concatenate(([mean], quantiles))


def _grid(risk: Floats) -> Floats:
    low, high = np.quantile(risk, [0.01, 0.99])
    return np.linspace(low, high, GRID_POINTS)


def _curve(
    smoother: Smoother, risk: Floats, plan: Resampling, level: float, events: int, horizon: float | None
) -> CalibrationCurve:
    """Bootstrap a smoother that was made for the patients' risks followed by the grid."""
    n = risk.size

    def everything(weights: Floats) -> Floats:
        observed = smoother.observed(weights)
        return np.concatenate((_distances(observed[:n], risk, weights), observed[n:]))

    def of_replicate(weights: Floats) -> Floats:
        try:
            return everything(weights)
        except UndefinedEstimate:
            return np.full(4 + GRID_POINTS, np.nan)

    values = everything(np.ones(n))
    replicates = replicated(of_replicate, plan)
    limits = [percentile_limits(float(v), r, level) for v, r in zip(values, replicates.T, strict=True)]
    undefined = np.count_nonzero(np.isnan(replicates[:, 0]))
    interval = (
        f"percentile interval of {plan.replicates} bootstrap samples of {plan.unit}, widened to hold the estimate"
        f"{', knots of the cohort in every sample' if smoother.knots else ''}"
        f"{f', {undefined} samples undefined and left out' if undefined else ''}"
    )
    ici, e50, e90, e_max = (
        Estimate(
            float(value), lower, upper, level, n, events, f"{name}; {smoother.method}; {interval}", horizon=horizon
        )
        for name, value, (lower, upper) in zip(_DISTANCES, values, limits, strict=False)
    )
    observed = values[4:]
    lower, upper = np.asarray(limits[4:]).T
    corrected = np.clip(2 * observed - np.nanmean(replicates[:, 4:], axis=0), 0, 1)
    return CalibrationCurve(_grid(risk), observed, lower, upper, corrected, level, ici, e50, e90, e_max, smoother.knots)


def calibration_curve(
    case: ArrayLike,
    probability: ArrayLike,
    *,
    smoother: Literal["spline", "lowess"] = "spline",
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
) -> CalibrationCurve:
    """Estimate the calibration curve of a binary outcome and its distances from the diagonal.

    The spline equals R's glm(case ~ rcs(qlogis(probability), 3), binomial), lowess R's lowess(iter = 0), as in
    rms::val.prob (Austin and Steyerberg, Stat Med 2019;38:4051, take loess of degree 2). Predictions and knots count as
    fixed; the curve is refitted in every bootstrap sample. All distances are biased upwards, more so in small samples.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case; in (0, 1) for the spline, in [0, 1] for lowess.
        smoother: What draws the curve.
        level: Two-sided confidence level.
        replicates: Bootstrap samples.
        seed: Of the bootstrap.
        cluster: Shape (n,), labels of what is independent, if that is not the row.

    Raises:
        UndefinedEstimate: As `indicator`, `risk_vector`, `logistic_spline` and `percentile_limits`; cases only or
            controls only; the same probability for all; a probability of 0 or 1 with the spline.
    """
    cases = indicator("case", case)
    n, n_cases = cases.size, int(cases.sum())
    risk = prediction_vector(risk_vector(probability, n, "probability"), n)
    require_classes(n_cases, n - n_cases)
    plan = resampling(n, replicates, seed, cluster)
    at = np.concatenate((risk, _grid(risk)))
    if smoother == "spline":
        strictly_between("probability", risk)
    make = {"spline": logistic_spline, "lowess": lowess}[smoother]
    return _curve(make(cases, risk, at), risk, plan, level, n_cases, None)


def calibration_curve_at_horizon(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    horizon: float,
    *,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
) -> CalibrationCurve:
    """Estimate the calibration curve of predicted risks at a horizon and its distances from the diagonal.

    Observed risk is that of a Cox model on a spline of log(-log(1 - risk)), fitted to all follow-up (Austin, Harrell
    and van Klaveren, Stat Med 2020;39:2714), equal to R's coxph and survfit; it supposes proportional hazards along
    the predicted risk. Other definitions give other numbers: lifelines fits a flexible parametric model (ICI 0.0539
    instead of 0.0382 on the German breast cancer data at 5 years), riskRegression::plotCalibration averages
    pseudo-values over neighbours or quantiles. Predictions and knots count as fixed; the model is refitted in every
    bootstrap sample. All distances are biased upwards, more so in small samples.

    Args:
        time: Shape (n,), in the unit of `horizon`.
        event: Shape (n,).
        risk: Shape (n,), predicted probability of the event by the horizon, in (0, 1).
        horizon: Of the predicted risks.
        level: Two-sided confidence level.
        replicates: Bootstrap samples.
        seed: Of the bootstrap.
        cluster: Shape (n,), labels of what is independent, if that is not the row.

    Raises:
        UndefinedEstimate: As `censor_at_horizon`, `risk_vector`, `cox_spline` and `percentile_limits`; the same risk
            for all; a risk of 0 or 1.
    """
    times, events = survival_sample(time, event)
    censor_at_horizon(times, events, horizon)
    risks = strictly_between("risk", prediction_vector(risk_vector(risk, times.size), times.size))
    plan = resampling(times.size, replicates, seed, cluster)
    smoother = cox_spline(times, events, risks, horizon, np.concatenate((risks, _grid(risks))))
    by_horizon = int(np.count_nonzero(events & (times <= horizon)))
    return _curve(smoother, risks, plan, level, by_horizon, horizon)
