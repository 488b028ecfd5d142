"""Cox regression by Newton's method with Efron's treatment of ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools, Floats, survival_sample

MAX_ITERATIONS = 25  # Newton needs fewer than 10; without a finite maximum it walks on by about 1 each time
DIVERGED = 30.0  # log hazard ratio per standard deviation; no effect is that strong


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox model.

    Attributes:
        coefficients: Log hazard ratios, shape (p,).
        covariance: Inverse information, shape (p, p).
        log_likelihood: Partial log-likelihood at the maximum.
        null_log_likelihood: The same with all coefficients zero.
        n: Patients.
        events: Events.
    """

    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    null_log_likelihood: float
    n: int
    events: int


@dataclass(frozen=True)
class _RiskSets:
    """Rows sorted by descending time; per event, its risk set, its tied events and Efron's share of them."""

    covariates: Floats
    event: Bools
    at_risk: NDArray[np.int64]  # rows 0 .. at_risk[k] are at risk at event k
    first_tied: NDArray[np.int64]  # events are numbered in row order; ties of event k start here ...
    last_tied: NDArray[np.int64]  # ... and end before this
    share: Floats  # part of the tied events already taken out of the risk set, 0 for the first of them


def _risk_sets(time: Floats, event: Bools, covariates: Floats) -> _RiskSets:
    order = np.argsort(-time, kind="stable")
    time, event = time[order], event[order]
    event_times = time[event]
    first = np.searchsorted(-event_times, -event_times, side="left")
    last = np.searchsorted(-event_times, -event_times, side="right")
    at_risk = np.searchsorted(-time, -event_times, side="right") - 1
    share = (np.arange(event_times.size) - first) / (last - first)
    return _RiskSets(covariates[order], event, at_risk, first, last, share)


def _efron_sums(sets: _RiskSets, terms: Floats) -> Floats:
    """Per event, the sum of `terms` (one row per patient) over its risk set less Efron's share of the tied events."""
    at_risk = np.cumsum(terms, axis=0)[sets.at_risk]
    tied = np.cumsum(terms[sets.event], axis=0)
    before = np.concatenate((np.zeros((1, *tied.shape[1:])), tied))
    share = sets.share.reshape(-1, *[1] * (terms.ndim - 1))
    return np.asarray(at_risk - share * (before[sets.last_tied] - before[sets.first_tied]))


def _derivatives(sets: _RiskSets, coefficients: Floats) -> tuple[float, Floats, Floats]:
    """Partial log-likelihood, its gradient and the information matrix."""
    x = sets.covariates
    log_hazard = x @ coefficients
    log_hazard -= log_hazard.max()
    weight = np.exp(log_hazard)
    total = _efron_sums(sets, weight)
    with np.errstate(divide="ignore", invalid="ignore"):  # a step too far empties risk sets; the caller halves it
        mean = _efron_sums(sets, weight[:, None] * x) / total[:, None]
        square = _efron_sums(sets, weight[:, None, None] * x[:, :, None] * x[:, None, :]) / total[:, None, None]
        log_likelihood = float(log_hazard[sets.event].sum() - np.log(total).sum())
    gradient = (x[sets.event] - mean).sum(axis=0)
    information = (square - mean[:, :, None] * mean[:, None, :]).sum(axis=0)
    return log_likelihood, gradient, information


def _newton_step(gradient: Floats, information: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(information, gradient), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise UndefinedEstimate(
            "the Cox information is singular: the covariates separate the events", too_few=True
        ) from None


def _maximise(sets: _RiskSets) -> Floats:
    coefficients = np.zeros(sets.covariates.shape[1])
    log_likelihood, gradient, information = _derivatives(sets, coefficients)
    for _ in range(MAX_ITERATIONS):
        step = _newton_step(gradient, information)
        if float(gradient @ step) < 1e-20:
            return coefficients
        candidate = coefficients + step
        value, *derivatives = _derivatives(sets, candidate)
        while not value >= log_likelihood - 1e-9 * abs(log_likelihood) and np.abs(step).max() > 1e-12:  # NaN halves too
            step = step / 2
            candidate = coefficients + step
            value, *derivatives = _derivatives(sets, candidate)
        coefficients, log_likelihood = candidate, value
        gradient, information = derivatives
        if np.abs(coefficients).max() > DIVERGED or not np.isfinite(coefficients).all():
            break
    raise UndefinedEstimate("the Cox model has no finite maximum: the covariates separate the events", too_few=True)


def fit_cox(time: ArrayLike, event: ArrayLike, covariates: ArrayLike) -> CoxFit:
    """Fit a Cox model; coefficients, standard errors and likelihoods equal R's survival::coxph (ties="efron").

    Covariates are standardised while fitting, so that neither their units nor their location matter.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        covariates: Shape (n, p), complete.

    Raises:
        UndefinedEstimate: As `survival_sample`; covariates of another shape, not finite, constant or collinear; the
            likelihood has no finite maximum (separation).
    """
    times, events = survival_sample(time, event)
    x: Floats = np.asarray(covariates, dtype=np.float64)
    if x.ndim != 2 or len(x) != times.size or not x.shape[1]:
        raise UndefinedEstimate(f"the covariates have shape {x.shape} for {times.size} patients")
    if not np.isfinite(x).all():
        raise UndefinedEstimate("a covariate is not finite")
    spread = x.std(axis=0)
    if not np.all(x.max(axis=0) > x.min(axis=0)):
        raise UndefinedEstimate("a covariate has the same value for all patients")
    standardised = (x - x.mean(axis=0)) / spread
    if np.linalg.matrix_rank(standardised) < x.shape[1]:
        raise UndefinedEstimate("the covariates are collinear")
    sets = _risk_sets(times, events, standardised)
    coefficients = _maximise(sets)
    log_likelihood, _, information = _derivatives(sets, coefficients)
    covariance = np.linalg.inv(information) / np.outer(spread, spread)
    null_log_likelihood = _derivatives(sets, np.zeros_like(coefficients))[0]
    n_events = int(events.sum())
    return CoxFit(coefficients / spread, covariance, log_likelihood, null_log_likelihood, times.size, n_events)
