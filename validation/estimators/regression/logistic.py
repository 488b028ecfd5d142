"""Logistic regression by Newton's method, with rows that count several times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.compiled import compiled
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.regression.newton import maximise, standardise
from validation.estimators.samples import Floats, finite_vector, indicator, require_classes


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """A fitted logistic model.

    Attributes:
        coefficients: Intercept, then log odds ratios, shape (1 + p,).
        covariance: Inverse information, shape (1 + p, 1 + p).
        log_likelihood: At the maximum.
        null_log_likelihood: The same with intercept (and offset) alone.
        n: Patients.
        events: Cases.
    """

    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    null_log_likelihood: float
    n: int
    events: int


@compiled
def _derivatives(
    case: Floats, design: Floats, offset: Floats, weights: Floats, coefficients: Floats
) -> tuple[float, Floats, Floats]:
    """Log-likelihood, its gradient and the information matrix."""
    p = coefficients.size
    log_likelihood = 0.0
    gradient = np.zeros(p)
    information = np.zeros((p, p))
    for row in range(case.size):
        if weights[row] == 0:
            continue
        log_odds = offset[row]
        for j in range(p):
            log_odds += design[row, j] * coefficients[j]
        small = np.exp(-abs(log_odds))
        risk = (1.0 if log_odds > 0 else small) / (1 + small)
        log_likelihood += weights[row] * (case[row] * log_odds - max(log_odds, 0.0) - np.log1p(small))
        excess, spread = weights[row] * (case[row] - risk), weights[row] * small / (1 + small) ** 2
        for j in range(p):
            gradient[j] += excess * design[row, j]
            for k in range(p):
                information[j, k] += spread * design[row, j] * design[row, k]
    return log_likelihood, gradient, information


def logistic_coefficients(case: Floats, design: Floats, offset: Floats, weights: Floats, start: Floats) -> Floats:
    """Return the coefficients alone, for arrays that are known to be sound: what a bootstrap repeats.

    Args:
        case: Shape (n,), 0 or 1.
        design: Shape (n, p), a column of ones and standardised covariates.
        offset: Shape (n,).
        weights: Shape (n,), how often each row counts.
        start: Shape (p,).

    Raises:
        UndefinedEstimate: As `maximise`.
    """
    return maximise(lambda coefficients: _derivatives(case, design, offset, weights, coefficients), start)


def _multiplicities(weights: ArrayLike | None, n: int) -> Floats:
    if weights is None:
        return np.ones(n)
    counts = finite_vector("weights", weights, n)
    if counts.min() < 0 or np.any(counts != np.round(counts)) or not counts.any():
        raise UndefinedEstimate("the weights are not whole numbers that say how often each patient counts")
    return counts


def fit_logistic(
    case: ArrayLike, covariates: ArrayLike, *, offset: ArrayLike | None = None, weights: ArrayLike | None = None
) -> LogisticFit:
    """Fit a logistic model with intercept; equals R's glm(family = binomial).

    Covariates are standardised while fitting, so that neither their units nor their location matter.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        covariates: Shape (n, p), complete, without the column of ones; p = 0 fits the intercept alone.
        offset: Shape (n,), part of the log odds with coefficient 1.
        weights: Shape (n,), whole numbers: how often each row counts.

    Raises:
        UndefinedEstimate: As `finite_vector`, `indicator` and `maximise`; covariates of another shape, not finite,
            constant or collinear; cases only or controls only.
    """
    cases = indicator("case", case).astype(np.float64)
    n = cases.size
    x: Floats = np.asarray(covariates, dtype=np.float64)
    if x.ndim != 2 or len(x) != n:
        raise UndefinedEstimate(f"the covariates have shape {x.shape} for {n} patients")
    if not np.isfinite(x).all():
        raise UndefinedEstimate("a covariate is not finite")
    offsets = np.zeros(n) if offset is None else finite_vector("offset", offset, n)
    counts = _multiplicities(weights, n)
    counted = counts > 0
    cases, x, offsets, counts = cases[counted], x[counted], offsets[counted], counts[counted]
    total, n_events = int(counts.sum()), int(counts @ cases)
    require_classes(n_events, total - n_events)
    standardised, mean, spread = standardise(x)
    design = np.column_stack((np.ones(len(x)), standardised))
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise UndefinedEstimate("the covariates are collinear")
    constant = np.ones((len(x), 1))
    intercept = logistic_coefficients(cases, constant, offsets, counts, np.zeros(1))
    null_log_likelihood = _derivatives(cases, constant, offsets, counts, intercept)[0]
    start = np.concatenate((intercept, np.zeros(x.shape[1])))
    coefficients = logistic_coefficients(cases, design, offsets, counts, start)
    log_likelihood, _, information = _derivatives(cases, design, offsets, counts, coefficients)
    unscaled = np.diag(1 / np.concatenate(([1.0], spread)))
    unscaled[0, 1:] = -mean / spread
    covariance = unscaled @ np.linalg.inv(information) @ unscaled.T
    return LogisticFit(unscaled @ coefficients, covariance, log_likelihood, null_log_likelihood, total, n_events)
