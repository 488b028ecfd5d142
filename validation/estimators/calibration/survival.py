"""Calibration of a survival model: slope of the linear predictor, observed over expected risk and events."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import confidence_limits
from validation.estimators.regression.newton import Derivatives, maximise, standardise
from validation.estimators.samples import (
    Bools,
    Floats,
    censor_at_horizon,
    finite_vector,
    prediction_vector,
    risk_vector,
    survival_sample,
)
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.kaplan_meier import kaplan_meier


def cox_calibration_slope(
    time: ArrayLike,
    event: ArrayLike,
    linear_predictor: ArrayLike,
    *,
    horizon: float | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate the slope of the log hazard on the linear predictor: 1 is right, below 1 the model is overconfident.

    Value and standard error equal R's coxph(Surv(time, event) ~ linear_predictor). The interval is Wald's on the
    coefficient, as R's confint (van Houwelingen, Stat Med 2000;19:3401).

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        linear_predictor: Shape (n,), log relative hazard.
        horizon: End follow-up here before fitting, if given: the slope that matters for risk at the horizon.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `survival_sample` and `fit_cox`; horizon beyond follow-up; constant linear predictor.
    """
    if horizon is None:
        times, events = survival_sample(time, event)
    else:
        times, events = censor_at_horizon(time, event, horizon)
    fit = fit_cox(times, events, prediction_vector(linear_predictor, times.size)[:, None])
    slope = float(fit.coefficients[0])
    method = "slope of a Cox model (Efron ties) on the linear predictor, Wald interval (van Houwelingen 2000)"
    error = math.sqrt(fit.covariance[0, 0])
    lower, upper = confidence_limits(slope, error, "identity", level)
    return Estimate(slope, lower, upper, level, fit.n, fit.events, method, "identity", horizon, standard_error=error)


def observed_expected_ratio(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, horizon: float, *, level: float = 0.95
) -> Estimate:
    """Estimate observed over expected events at a horizon: 1 is right, above 1 the model understates risk.

    Observed is one less the Kaplan-Meier survival, expected the mean predicted risk of all patients. The interval is
    symmetric on the log scale, with Greenwood's standard error of the observed risk over that risk (Debray, BMJ
    2017;356:i6460); the predictions count as fixed.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        risk: Shape (n,), predicted probability of the event by the horizon, in [0, 1].
        horizon: For instance 36.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `kaplan_meier`; horizon beyond follow-up; a risk outside [0, 1]; all risks 0; nobody or
            everybody had the event by the horizon.
    """
    times, events = survival_sample(time, event)
    risks = risk_vector(risk, times.size)
    if not risks.any():
        raise UndefinedEstimate(f"the predicted risk is 0 for all {times.size} patients")
    curve = kaplan_meier(times, events)
    survival, error = curve.at(horizon)
    if not 0 < survival < 1:
        raise UndefinedEstimate(f"survival at {horizon:g} is {survival:g}: no interval", too_few=True)
    expected = float(risks.mean())
    ratio = (1 - survival) / expected
    lower, upper = confidence_limits(ratio, error / expected, "log", level)
    method = "observed (Kaplan-Meier) over mean predicted risk, log interval from Greenwood's variance (Debray 2017)"
    n_events = curve.events_by(horizon)
    return Estimate(
        ratio, lower, upper, level, times.size, n_events, method, "log", horizon, standard_error=error / expected
    )


def poisson_calibration_intercept(
    time: ArrayLike, event: ArrayLike, expected: ArrayLike, *, level: float = 0.95
) -> Estimate:
    """Estimate the log of observed over expected events over the whole follow-up: 0 is right, above 0 risk is too low.

    The intercept of a Poisson model of the events with offset log(expected): value log(O / E), standard error
    1 / sqrt(O), equal to R's glm(family = poisson) (Crowson, Stat Methods Med Res 2016;25:1692).

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        expected: Shape (n,), each patient's predicted cumulative hazard over its own follow-up. A patient with 0 and no
            event (censored before the model's first event) says nothing: left out and counted in the method.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `survival_sample`; a negative expectation; an event in a patient with expectation 0.
    """
    sample = _expected_events(time, event, expected)
    observed = int(sample.event.sum())
    value, error = math.log(observed / float(sample.expected.sum())), 1 / math.sqrt(observed)
    lower, upper = confidence_limits(value, error, "identity", level)
    method = f"log of observed over expected events, Poisson variance, Wald interval (Crowson 2016){sample.left_out}"
    return Estimate(value, lower, upper, level, sample.event.size, observed, method, standard_error=error)


def poisson_calibration_slope(
    time: ArrayLike, event: ArrayLike, expected: ArrayLike, linear_predictor: ArrayLike, *, level: float = 0.95
) -> Estimate:
    """Estimate the slope of the log hazard on the linear predictor, given the model's own baseline hazard.

    The slope of a Poisson model of the events on the linear predictor with offset log(expected) - linear predictor,
    equal to R's glm(family = poisson) (Crowson, Stat Methods Med Res 2016;25:1692). 1 is right.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        expected: Shape (n,), as for `poisson_calibration_intercept`.
        linear_predictor: Shape (n,), log relative hazard, the one that `expected` was computed with.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `poisson_calibration_intercept`; a constant linear predictor; no finite slope.
    """
    sample = _expected_events(time, event, expected)
    predictor = finite_vector("linear_predictor", linear_predictor, sample.kept.size)[sample.kept]
    standardised, _, spread = standardise(prediction_vector(predictor, predictor.size)[:, None])
    design = np.column_stack((np.ones(predictor.size), standardised))

    def derivatives(coefficients: Floats) -> Derivatives:
        with np.errstate(over="ignore", invalid="ignore"):  # a step too far; it is halved
            mean = sample.expected * np.exp(design @ coefficients)
            log_likelihood = float(sample.event @ (design @ coefficients) - mean.sum())
            return log_likelihood, design.T @ (sample.event - mean), design.T @ (mean[:, None] * design)

    excess = maximise(derivatives, np.zeros(2))  # over the slope 1 and the intercept 0 of a right model
    slope = 1 + float(excess[1] / spread[0])
    error = math.sqrt(np.linalg.inv(derivatives(excess)[2])[1, 1]) / float(spread[0])
    lower, upper = confidence_limits(slope, error, "identity", level)
    method = f"slope of a Poisson model on the linear predictor, Wald interval (Crowson 2016){sample.left_out}"
    n_events = int(sample.event.sum())
    return Estimate(slope, lower, upper, level, predictor.size, n_events, method, standard_error=error)


@dataclass(frozen=True, eq=False)
class _ExpectedEvents:
    """Events and expectations of the patients whose expectation is positive; `kept` says who they are."""

    event: Bools
    expected: Floats
    kept: Bools
    left_out: str


def _expected_events(time: ArrayLike, event: ArrayLike, expected: ArrayLike) -> _ExpectedEvents:
    times, events = survival_sample(time, event)
    expectations = finite_vector("expected", expected, times.size)
    if expectations.min() < 0:
        raise UndefinedEstimate(
            f"expected is negative for {np.count_nonzero(expectations < 0)} of {times.size} patients"
        )
    kept = expectations > 0
    impossible = int(np.count_nonzero(events & ~kept))
    if impossible:
        raise UndefinedEstimate(f"{impossible} patients had an event though 0 events were expected of them")
    dropped = int(np.count_nonzero(~kept))
    left_out = f"; {dropped} patients without event and with expectation 0 left out" if dropped else ""
    return _ExpectedEvents(events[kept], expectations[kept], kept, left_out)
