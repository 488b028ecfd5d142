"""Calibration of predicted probabilities of a binary outcome: observed over expected, intercept and slope."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.intervals import confidence_limits
from validation.estimators.regression.logistic import LogisticFit, fit_logistic
from validation.estimators.samples import Bools, Floats, indicator, prediction_vector, risk_vector


def strictly_between(name: str, risk: Floats) -> Floats:
    """Return risks, none of which is certain.

    Raises:
        UndefinedEstimate: A risk of exactly 0 or 1.
    """
    certain = int(np.count_nonzero((risk == 0) | (risk == 1)))
    if certain:
        raise UndefinedEstimate(
            f"{name} is exactly 0 or 1 for {certain} of {risk.size} patients: its logit and log(-log) are infinite"
        )
    return risk


def _sample(case: ArrayLike, probability: ArrayLike) -> tuple[Bools, Floats]:
    cases = indicator("case", case)
    return cases, risk_vector(probability, cases.size, "probability")


def observed_expected_influence(case: ArrayLike, probability: ArrayLike) -> Influence:
    """Return observed over expected cases; the predictions count as fixed.

    The variance of its logarithm is (1 - O / n) / O (Debray, BMJ 2017;356:i6460).

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case, in [0, 1].

    Raises:
        UndefinedEstimate: As `indicator` and `risk_vector`; no case; all probabilities 0.
    """
    cases, probabilities = _sample(case, probability)
    n, observed, expected = cases.size, int(cases.sum()), float(probabilities.sum())
    if not observed:
        raise UndefinedEstimate(f"no case among {n} patients", too_few=True)
    if not expected:
        raise UndefinedEstimate(f"the predicted probability is 0 for all {n} patients")
    method = "observed over expected cases, binomial variance (Debray 2017)"
    contributions: Floats = np.asarray((cases - observed / n) / expected, dtype=np.float64)
    return Influence(observed / expected, contributions, n, observed, method)


def observed_expected_cases(case: ArrayLike, probability: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate observed over expected cases with a log interval: 1 is right, above 1 the model understates risk.

    Args:
        case: Shape (n,).
        probability: Shape (n,).
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `observed_expected_influence`; cases only.
    """
    return observed_expected_influence(case, probability).estimate(scale="log", level=level)


def _coefficient(fit: LogisticFit, index: int, method: str, level: float) -> Estimate:
    value, error = float(fit.coefficients[index]), math.sqrt(fit.covariance[index, index])
    lower, upper = confidence_limits(value, error, "identity", level)
    return Estimate(value, lower, upper, level, fit.n, fit.events, method, standard_error=error)


def calibration_intercept(case: ArrayLike, probability: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate calibration in the large: 0 is right, above 0 the model understates risk.

    The intercept of a logistic model with offset logit(probability), that is with slope 1; equal to R's
    glm(case ~ offset(qlogis(probability)), binomial) (Van Calster, J Clin Epidemiol 2016;74:167).

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case, in (0, 1).
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `fit_logistic` and `strictly_between`.
    """
    cases, probabilities = _sample(case, probability)
    offset = logit(strictly_between("probability", probabilities))
    fit = fit_logistic(cases, np.empty((cases.size, 0)), offset=offset)
    return _coefficient(fit, 0, "intercept of a logistic model with offset logit(probability), Wald interval", level)


def calibration_slope(case: ArrayLike, probability: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate the slope of the log odds on logit(probability): 1 is right, below 1 the model is overconfident.

    Equal to R's glm(case ~ qlogis(probability), binomial) (Cox, Biometrika 1958;45:562).

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case, in (0, 1).
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `fit_logistic` and `strictly_between`; the same probability for all.
    """
    cases, probabilities = _sample(case, probability)
    log_odds = logit(strictly_between("probability", probabilities))
    fit = fit_logistic(cases, prediction_vector(log_odds, cases.size)[:, None])
    return _coefficient(fit, 1, "slope of a logistic model on logit(probability), Wald interval", level)
