"""Calibration of a survival model: slope of the linear predictor, observed over expected risk."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.cox import fit_cox
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import interval
from validation.estimators.kaplan_meier import kaplan_meier
from validation.estimators.samples import censor_at_horizon, finite_vector, prediction_vector, survival_sample


def cox_calibration_slope(
    time: ArrayLike,
    event: ArrayLike,
    linear_predictor: ArrayLike,
    *,
    horizon_months: float | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate the slope of the log hazard on the linear predictor: 1 is right, below 1 the model is overconfident.

    Value and standard error equal R's coxph(Surv(time, event) ~ linear_predictor). The interval is Wald's on the
    coefficient, as R's confint (van Houwelingen, Stat Med 2000;19:3401).

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        linear_predictor: Shape (n,), log relative hazard.
        horizon_months: End follow-up here before fitting, if given: the slope that matters for risk at the horizon.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `survival_sample` and `fit_cox`; horizon beyond follow-up; constant linear predictor.
    """
    if horizon_months is None:
        times, events = survival_sample(time, event)
    else:
        times, events = censor_at_horizon(time, event, horizon_months)
    fit = fit_cox(times, events, prediction_vector(linear_predictor, times.size)[:, None])
    slope = float(fit.coefficients[0])
    lower, upper = interval(slope, math.sqrt(fit.covariance[0, 0]), "identity", level)
    method = "slope of a Cox model (Efron ties) on the linear predictor, Wald interval (van Houwelingen 2000)"
    return Estimate(slope, lower, upper, level, fit.n, fit.events, method, "identity", horizon_months)


def observed_expected_ratio(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, horizon_months: float, *, level: float = 0.95
) -> Estimate:
    """Estimate observed over expected events at a horizon: 1 is right, above 1 the model understates risk.

    Observed is one less the Kaplan-Meier survival, expected the mean predicted risk of all patients. The interval is
    symmetric on the log scale, with Greenwood's standard error of the observed risk over that risk (Debray, BMJ
    2017;356:i6460); the predictions count as fixed.

    Args:
        time: Shape (n,), months.
        event: Shape (n,).
        risk: Shape (n,), predicted probability of the event by the horizon, in [0, 1].
        horizon_months: For instance 36.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `kaplan_meier`; horizon beyond follow-up; a risk outside [0, 1]; all risks 0; nobody or
            everybody had the event by the horizon.
    """
    times, events = survival_sample(time, event)
    risks = finite_vector("risk", risk, times.size)
    outside = int(np.count_nonzero((risks < 0) | (risks > 1)))
    if outside:
        raise UndefinedEstimate(f"risk lies outside [0, 1] for {outside} of {times.size} patients")
    if not risks.any():
        raise UndefinedEstimate(f"the predicted risk is 0 for all {times.size} patients")
    curve = kaplan_meier(times, events)
    survival, error = curve.at(horizon_months)
    if not 0 < survival < 1:
        raise UndefinedEstimate(f"survival at {horizon_months:g} months is {survival:g}: no interval", too_few=True)
    expected = float(risks.mean())
    ratio = (1 - survival) / expected
    lower, upper = interval(ratio, error / expected, "log", level)
    method = "observed (Kaplan-Meier) over mean predicted risk, log interval from Greenwood's variance (Debray 2017)"
    n_events = curve.events_by(horizon_months)
    return Estimate(ratio, lower, upper, level, times.size, n_events, method, "log", horizon_months)
