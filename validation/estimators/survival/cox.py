"""Cox regression with Efron's treatment of ties: Newton's method, and what the partial likelihood says per event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools, Floats, finite_vector, survival_sample

MAX_ITERATIONS = 25  # Newton needs fewer than 10; without a finite maximum it walks on by about 1 each time
LARGEST_PREDICTOR = 700.0  # absolute; its exponential is about the largest number there is
NO_INFORMATION = 1e-10  # per event, of standardised covariates, whose variance at an event is near 1
NO_MAXIMUM = "the Cox model has no finite maximum: the covariates separate the events"
DIVERGED = 300.0  # log hazard ratio per standard deviation; only an outlier makes one above 20


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
        score_chi_square: Score test of all coefficients being zero.
    """

    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    null_log_likelihood: float
    n: int
    events: int
    score_chi_square: float


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


def _moments(sets: _RiskSets, coefficients: Floats) -> tuple[float, Floats, Floats]:
    """Partial log-likelihood; per event, mean (k, p) and covariance (k, p, p) of the covariates over its risk set."""
    x = sets.covariates
    log_hazard = x @ coefficients
    log_hazard -= log_hazard.max()
    weight = np.exp(log_hazard)
    total = _efron_sums(sets, weight)
    with np.errstate(divide="ignore", invalid="ignore"):  # a step too far empties risk sets; the caller halves it
        mean = _efron_sums(sets, weight[:, None] * x) / total[:, None]
        square = _efron_sums(sets, weight[:, None, None] * x[:, :, None] * x[:, None, :]) / total[:, None, None]
        log_likelihood = float(log_hazard[sets.event].sum() - np.log(total).sum())
        return log_likelihood, mean, square - mean[:, :, None] * mean[:, None, :]


def _derivatives(sets: _RiskSets, coefficients: Floats) -> tuple[float, Floats, Floats]:
    """Partial log-likelihood, its gradient and the information matrix."""
    log_likelihood, mean, covariance = _moments(sets, coefficients)
    return log_likelihood, (sets.covariates[sets.event] - mean).sum(axis=0), covariance.sum(axis=0)


def _newton_step(gradient: Floats, information: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(information, gradient), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise UndefinedEstimate(
            "the Cox information is singular: the covariates separate the events", too_few=True
        ) from None


def _maximise(sets: _RiskSets) -> Floats:
    coefficients = np.zeros(sets.covariates.shape[1])
    converged = 1e-20 * max(1.0, len(sets.share) / 1000)  # rounding of the sums over the events grows with their number
    log_likelihood, gradient, information = _derivatives(sets, coefficients)
    for _ in range(MAX_ITERATIONS):
        step = _newton_step(gradient, information)
        if float(gradient @ step) < converged:
            return coefficients
        candidate = coefficients + step
        value, *derivatives = _derivatives(sets, candidate)
        # An infinite likelihood is that of a risk set whose hazards became 0 by rounding: halved too, as is NaN.
        while not log_likelihood - 1e-9 * abs(log_likelihood) <= value < np.inf and np.abs(step).max() > 1e-12:
            step = step / 2
            candidate = coefficients + step
            value, *derivatives = _derivatives(sets, candidate)
        coefficients, log_likelihood = candidate, value
        gradient, information = derivatives
        if np.abs(coefficients).max() > DIVERGED or not np.isfinite(coefficients).all():
            break
    raise UndefinedEstimate(NO_MAXIMUM, too_few=True)


def fit_cox(time: ArrayLike, event: ArrayLike, covariates: ArrayLike) -> CoxFit:
    """Fit a Cox model; coefficients, standard errors and likelihoods equal R's survival::coxph (ties="efron").

    Covariates are standardised while fitting, so that neither their units nor their location matter.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        covariates: Shape (n, p), complete.

    Raises:
        UndefinedEstimate: As `survival_sample`; covariates of another shape, not finite, constant or collinear; the
            likelihood has no finite maximum (separation); they do not vary in any risk set with an event.
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
    sets, n_events = _risk_sets(times, events, standardised), int(events.sum())
    null_log_likelihood, gradient, null_information = _derivatives(sets, np.zeros(x.shape[1]))
    if np.linalg.eigvalsh(null_information)[0] <= NO_INFORMATION * n_events:
        raise UndefinedEstimate("covariates do not vary, or only together, among those at risk at events", too_few=True)
    score = float(gradient @ _newton_step(gradient, null_information))
    coefficients = _maximise(sets)
    log_likelihood, _, information = _derivatives(sets, coefficients)
    if (
        not np.linalg.eigvalsh(information)[0] > NO_INFORMATION * n_events
    ):  # flat: a long first step overshot to infinity
        raise UndefinedEstimate(NO_MAXIMUM, too_few=True)
    covariance = np.linalg.inv(information) / np.outer(spread, spread)
    return CoxFit(coefficients / spread, covariance, log_likelihood, null_log_likelihood, times.size, n_events, score)


def null_log_likelihood(time: ArrayLike, event: ArrayLike) -> float:
    """Return the partial log-likelihood of the model without covariates (R: coxph(Surv(time, event) ~ 1)).

    Raises:
        UndefinedEstimate: As `survival_sample`.
    """
    times, events = survival_sample(time, event)
    return _moments(_risk_sets(times, events, np.empty((times.size, 0))), np.empty(0))[0]


@dataclass(frozen=True, eq=False)
class EventMoments:
    """Per event, in descending order of time, what a fitted Cox model expected of the patient who had it.

    Attributes:
        time: Time of the event, shape (k,).
        residual: Schoenfeld residual, covariates less their mean over the risk set, shape (k, p). Tied events are
            numbered as Efron's method takes them out of the risk set; only their sum has a meaning.
        covariance: Of the covariates over the risk set, shape (k, p, p); their sum is the information.
    """

    time: Floats
    residual: Floats
    covariance: Floats


def event_moments(time: ArrayLike, event: ArrayLike, covariates: Floats, coefficients: Floats) -> EventMoments:
    """Return Schoenfeld residuals and covariances of a fitted model.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        covariates: Shape (n, p), as `fit_cox` took them.
        coefficients: Shape (p,), as `fit_cox` returned them.

    Raises:
        UndefinedEstimate: As `survival_sample`.
    """
    times, events = survival_sample(time, event)
    sets = _risk_sets(times, events, covariates - covariates.mean(axis=0))
    _, mean, covariance = _moments(sets, coefficients)
    return EventMoments(-np.sort(-times[events]), sets.covariates[sets.event] - mean, covariance)


@dataclass(frozen=True, eq=False)
class BaselineHazard:
    """Cumulative hazard of a patient whose linear predictor is 0: right-continuous steps, never interpolated.

    Attributes:
        time: Distinct event times, ascending, shape (k,).
        cumulative_hazard: From each of these times on, shape (k,).
        last_follow_up: Longest follow-up; the hazard is unknown after it.
    """

    time: Floats
    cumulative_hazard: Floats
    last_follow_up: float

    def at(self, horizon: float) -> float:
        """Return the cumulative hazard at the horizon.

        Raises:
            UndefinedEstimate: The horizon lies beyond follow-up.
        """
        if not 0 <= horizon <= self.last_follow_up:
            raise UndefinedEstimate(
                f"the horizon {horizon:g} lies beyond follow-up, which ends at {self.last_follow_up:g}"
            )
        return float(np.append(0.0, self.cumulative_hazard)[np.searchsorted(self.time, horizon, side="right")])

    def risk(self, linear_predictor: ArrayLike, horizon: float) -> Floats:
        """Return the probability of the event by the horizon, 1 - exp(-H0 exp(lp)), shape of `linear_predictor`.

        Raises:
            UndefinedEstimate: As `at`; a linear predictor that is NaN or beyond 700.
        """
        return np.asarray(-np.expm1(-self.at(horizon) * np.exp(_representable(linear_predictor))))


def _representable(linear_predictor: ArrayLike) -> Floats:
    predictor: Floats = np.asarray(linear_predictor, dtype=np.float64)
    beyond = np.count_nonzero(~(np.abs(predictor) <= LARGEST_PREDICTOR))
    if beyond:
        raise UndefinedEstimate(
            f"the linear predictor is not a number or beyond {LARGEST_PREDICTOR:g} "
            f"for {beyond} of {predictor.size} patients"
        )
    return predictor


def baseline_hazard(time: ArrayLike, event: ArrayLike, linear_predictor: ArrayLike) -> BaselineHazard:
    """Estimate the baseline hazard with Efron's treatment of ties; equals R's survival::basehaz(centered=FALSE).

    Args:
        time: Shape (n,), follow-up in development.
        event: Shape (n,).
        linear_predictor: Shape (n,), of a Cox model fitted on the same patients.

    Raises:
        UndefinedEstimate: As `survival_sample` and `finite_vector`; a linear predictor beyond 700.
    """
    times, events = survival_sample(time, event)
    predictor = _representable(finite_vector("linear_predictor", linear_predictor, times.size))
    sets = _risk_sets(times, events, predictor[:, None])
    shift = predictor.max()
    steps = np.exp(-shift) / _efron_sums(sets, np.exp(sets.covariates[:, 0] - shift))
    distinct, index = np.unique(-np.sort(-times[events]), return_inverse=True)
    return BaselineHazard(distinct, np.cumsum(np.bincount(index, weights=steps)), float(times.max()))
