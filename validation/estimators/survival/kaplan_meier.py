"""Kaplan-Meier: the curve, survival at a horizon, restricted mean, and groups on either side of a cut-off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.intervals import confidence_limits
from validation.estimators.samples import Bools, Floats, finite_vector, indicator, plain, survival_sample
from validation.estimators.survival.log_rank import log_rank


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """A Kaplan-Meier curve: right-continuous steps at the distinct event times.

    Attributes:
        time: Distinct event times, ascending, shape (k,).
        at_risk: Patients at risk just before each event time, shape (k,).
        events: Events at each time, shape (k,).
        survival: Survival from each time on, shape (k,).
        standard_error: Greenwood standard error of `survival`, shape (k,).
        follow_up: Follow-up of every patient, ascending, shape (n,); survival is undefined after the last.
    """

    time: Floats
    at_risk: NDArray[np.int64]
    events: NDArray[np.int64]
    survival: Floats
    standard_error: Floats
    follow_up: Floats

    def at(self, horizon: float) -> tuple[float, float]:
        """Return survival at the horizon and its standard error.

        Raises:
            UndefinedEstimate: The horizon lies beyond follow-up.
        """
        if not 0 <= horizon <= self.follow_up[-1]:
            raise UndefinedEstimate(
                f"the horizon {horizon:g} lies beyond follow-up, which ends at {self.follow_up[-1]:g}"
            )
        steps = int(np.searchsorted(self.time, horizon, side="right"))
        return (float(self.survival[steps - 1]), float(self.standard_error[steps - 1])) if steps else (1.0, 0.0)

    def events_by(self, horizon: float) -> int:
        """Return the number of events up to and including the horizon."""
        return int(self.events[self.time <= horizon].sum())

    def at_risk_at(self, times: ArrayLike) -> NDArray[np.int64]:
        """Return the number of patients still followed up just before each time."""
        return np.asarray(self.follow_up.size - np.searchsorted(self.follow_up, times, side="left"))


def kaplan_meier(time: ArrayLike, event: ArrayLike) -> KaplanMeier:
    """Estimate the survival curve with Greenwood standard errors; equals R's survival::survfit.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).

    Raises:
        UndefinedEstimate: As `survival_sample`; a sample without events is a flat curve.
    """
    times, events = survival_sample(time, event, events_needed=False)
    follow_up = np.sort(times)
    distinct, counts = np.unique(times[events], return_counts=True)
    at_risk = times.size - np.searchsorted(follow_up, distinct, side="left")
    survival: Floats = np.asarray(np.cumprod(1 - counts / at_risk), dtype=np.float64)
    survivors = at_risk - counts
    greenwood = np.cumsum(counts / (at_risk * np.maximum(survivors, 1)))
    standard_error: Floats = np.asarray(survival * np.sqrt(greenwood), dtype=np.float64)
    return KaplanMeier(distinct, at_risk, counts, survival, standard_error, follow_up)


def survival_at_horizon(
    curve: KaplanMeier,
    horizon: float,
    *,
    interval: Literal["log_log", "log"] = "log_log",
    level: float = 0.95,
    group: str | None = None,
) -> Estimate:
    """Estimate survival at a horizon with its interval, as R's survfit(conf.type="log-log") or "log" gives it.

    Args:
        curve: The curve.
        horizon: Months, for instance 36.
        interval: Scale on which it is symmetric; R's default is "log", whose upper limit is cut at 1.
        level: Two-sided confidence level.
        group: Subgroup that the curve is of, if not of the whole cohort.

    Raises:
        UndefinedEstimate: As `KaplanMeier.at`; nobody or everybody had the event by the horizon.
    """
    value, error = curve.at(horizon)
    lower, upper = confidence_limits(value, error, interval, level)
    method = f"Kaplan-Meier survival, Greenwood variance, {interval.replace('_', '-')} interval"
    n, n_events = curve.follow_up.size, curve.events_by(horizon)
    return Estimate(value, lower, min(upper, 1.0), level, n, n_events, method, interval, horizon, group, error)


def _shares(time: Floats, event: Bools, curve: KaplanMeier, gain: Floats) -> Floats:
    """Influence contributions of the sum over event times of `gain` times the log of (1 - events / at risk).

    Each patient's part is gain / (at risk - events) times (share of the events expected of the patient - own event).
    Their squares add up to Greenwood's formula exactly.
    """
    weight = gain / np.maximum(curve.at_risk - curve.events, 1)  # the gain is 0 where nobody survives
    expected = np.append(0.0, np.cumsum(weight * curve.events / curve.at_risk))
    passed = np.searchsorted(curve.time, time, side="right")
    own = np.where(event, np.append(0.0, weight)[passed], 0.0)
    return np.asarray(expected[passed] - own)


def survival_influence(time: ArrayLike, event: ArrayLike, horizon: float) -> Influence:
    """Return Kaplan-Meier survival at a horizon; the standard error is Greenwood's, unless patients are clustered.

    Args:
        time: Shape (n,), in the unit of `horizon`.
        event: Shape (n,).
        horizon: For instance 36.

    Raises:
        UndefinedEstimate: As `survival_sample`, or the horizon lies beyond follow-up.
    """
    times, events = survival_sample(time, event)
    curve = kaplan_meier(times, events)
    value, _ = curve.at(horizon)
    shares = _shares(times, events, curve, np.where(curve.time <= horizon, value, 0.0))
    return Influence(
        value, shares, times.size, curve.events_by(horizon), "Kaplan-Meier survival, Greenwood variance", horizon
    )


def restricted_mean_influence(time: ArrayLike, event: ArrayLike, horizon: float) -> Influence:
    """Return the restricted mean survival time, as `restricted_mean` describes it.

    Raises:
        UndefinedEstimate: As `survival_sample`, or the horizon lies beyond follow-up.
    """
    times, events = survival_sample(time, event)
    curve = kaplan_meier(times, events)
    curve.at(horizon)  # refuses a horizon beyond follow-up
    until = np.minimum(curve.time, horizon)
    areas = curve.survival * np.diff(np.append(until, horizon))
    remaining = np.cumsum(areas[::-1])[::-1]
    method = "restricted mean survival time, Kaplan-Meier, Greenwood variance"
    return Influence(
        float(until[0] + remaining[0]),
        _shares(times, events, curve, remaining),
        times.size,
        curve.events_by(horizon),
        method,
        horizon,
    )


def restricted_mean(time: ArrayLike, event: ArrayLike, horizon: float, *, level: float = 0.95) -> Estimate:
    """Estimate the mean time without event up to a horizon: the area under the Kaplan-Meier curve.

    Value and standard error equal R's summary(survfit(...), rmean=horizon); the interval is value ± z SE.

    Args:
        time: Shape (n,), in the unit of `horizon`.
        event: Shape (n,).
        horizon: Where follow-up is cut, for instance 60 months.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `restricted_mean_influence`; no event by the horizon.
    """
    return restricted_mean_influence(time, event, horizon).estimate(scale="identity", level=level)


@dataclass(frozen=True)
class _Groups:
    """Kaplan-Meier curves of the patients below and from a cut-off on."""

    low: KaplanMeier
    high: KaplanMeier
    in_high: Bools


def _split(time: ArrayLike, event: ArrayLike, prediction: ArrayLike, cutoff: float) -> _Groups:
    times, events = survival_sample(time, event)
    high = finite_vector("prediction", prediction, times.size) >= cutoff
    for name, group in (("below", ~high), ("at or above", high)):
        if np.count_nonzero(group) < 2:
            raise UndefinedEstimate(
                f"{np.count_nonzero(group)} of {times.size} patients {name} the cut-off", too_few=True
            )
    return _Groups(kaplan_meier(times[~high], events[~high]), kaplan_meier(times[high], events[high]), high)


def risk_difference_by_cutoff(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    *,
    cutoff: float,
    horizon: float,
    level: float = 0.95,
) -> Estimate:
    """Estimate by how much the risk at a horizon is higher at or above a cut-off than below it.

    Difference of two Kaplan-Meier risks with the sum of their Greenwood variances; assumes no proportional hazards.

    Args:
        time: Shape (n,), months.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        cutoff: Fixed beforehand on other patients; a prediction equal to it is high.
        horizon: For instance 36.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `kaplan_meier` in either group; fewer than two patients in a group; a group without event
            by the horizon.
    """
    groups = _split(time, event, prediction, cutoff)
    try:
        (low, low_error), (high, high_error) = groups.low.at(horizon), groups.high.at(horizon)
    except UndefinedEstimate as undefined:
        within = horizon <= max(groups.low.follow_up[-1], groups.high.follow_up[-1])
        raise UndefinedEstimate(f"in one group, {undefined}", too_few=within) from None
    if min(groups.low.events_by(horizon), groups.high.events_by(horizon)) == 0:
        raise UndefinedEstimate(f"a group has no event by {horizon:g}", too_few=True)
    error = float(np.hypot(low_error, high_error))
    lower, upper = confidence_limits(low - high, error, "identity", level)
    n_events = groups.low.events_by(horizon) + groups.high.events_by(horizon)
    method = f"Kaplan-Meier risk at or above the cut-off {cutoff:.6g} less risk below it, Greenwood variances"
    n = groups.in_high.size
    return Estimate(low - high, lower, upper, level, n, n_events, method, "identity", horizon, standard_error=error)


def kaplan_meier_by_cutoff(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    *,
    cutoff: float,
    horizon: float,
    level: float = 0.95,
) -> dict[str, Any]:
    """Return the curves below and from a cut-off on, with numbers at risk and the log-rank test, as plain JSON values.

    Curves are given at whole months, not at event times, so that no patient's follow-up can be read from them.

    Args:
        time: Shape (n,), months.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        cutoff: Fixed beforehand on other patients; a prediction equal to it is high.
        horizon: Where survival is given with its interval.
        level: Two-sided confidence level.

    Returns:
        {"cutoff", "groups": {"low": {"n", "events", "months", "survival", "at_risk", "at_horizon"}, "high": {...}},
        "log_rank": {"chi_square", "degrees_of_freedom", "p_value"}}.

    Raises:
        UndefinedEstimate: As `kaplan_meier` in either group; fewer than two patients in a group.
    """
    groups = _split(time, event, prediction, cutoff)
    test = log_rank(time, indicator("event", event), groups.in_high)
    return {
        "cutoff": float(cutoff),
        "groups": {
            name: _plain_group(curve, name, horizon, level)
            for name, curve in (("low", groups.low), ("high", groups.high))
        },
        "log_rank": {
            "chi_square": test.chi_square,
            "degrees_of_freedom": test.degrees_of_freedom,
            "p_value": test.p_value,
        },
    }


def _plain_group(curve: KaplanMeier, name: str, horizon: float, level: float) -> dict[str, Any]:
    months = np.arange(int(curve.follow_up[-1]) + 1)
    try:
        at_horizon = survival_at_horizon(curve, horizon, level=level, group=name).to_dict()
    except UndefinedEstimate as undefined:
        at_horizon = {"value": None, "reason": str(undefined)}
    return {
        "n": int(curve.follow_up.size),
        "events": int(curve.events.sum()),
        "months": plain(months),
        "survival": [curve.at(float(month))[0] for month in months],
        "at_risk": plain(curve.at_risk_at(months)),
        "at_horizon": at_horizon,
    }
