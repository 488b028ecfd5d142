"""What every estimator demands of its arrays and settings, and the two ways in which a horizon cuts follow-up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from validation.estimators.estimate import UndefinedEstimate

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def finite_vector(name: str, values: ArrayLike, length: int | None = None) -> Floats:
    """Return `values` as float64, refusing what is not a finite vector of at least two numbers.

    Args:
        name: What the values are, for the message.
        values: Shape (n,).
        length: Required n, if it is known.

    Raises:
        UndefinedEstimate: Not one-dimensional, fewer than two values, another length, NaN or infinite values.
    """
    vector: Floats = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise UndefinedEstimate(f"{name} has shape {vector.shape}, not one value per patient")
    if length is not None and vector.size != length:
        raise UndefinedEstimate(f"{name} has {vector.size} values for {length} patients")
    if vector.size < 2:
        raise UndefinedEstimate(f"{name} has {vector.size} values, at least 2 are needed", too_few=True)
    bad = int(np.count_nonzero(~np.isfinite(vector)))
    if bad:
        raise UndefinedEstimate(f"{name} is not finite for {bad} of {vector.size} patients")
    return vector


def indicator(name: str, values: ArrayLike, length: int | None = None) -> Bools:
    """Return `values` as booleans, refusing anything but 0 and 1 (or False and True).

    Raises:
        UndefinedEstimate: As `finite_vector`, or another value than 0 and 1.
    """
    vector = finite_vector(name, values, length)
    result: Bools = vector == 1
    if not np.all(result | (vector == 0)):
        raise UndefinedEstimate(f"{name} holds other values than 0 and 1")
    return result


def survival_sample(time: ArrayLike, event: ArrayLike, *, events_needed: bool = True) -> tuple[Floats, Bools]:
    """Return follow-up times and event indicators, checked.

    Args:
        time: Shape (n,), follow-up from the time origin, > 0, any unit.
        event: Shape (n,), 1 where `time` is the time of the event, 0 where follow-up ended without it.
        events_needed: Whether a sample without any event is refused.

    Raises:
        UndefinedEstimate: As `finite_vector` and `indicator`; a time that is not positive; no event though needed.
    """
    times = finite_vector("time", time)
    events = indicator("event", event, times.size)
    if times.min() <= 0:
        raise UndefinedEstimate(f"time is not positive for {np.count_nonzero(times <= 0)} of {times.size} patients")
    if events_needed and not events.any():
        raise UndefinedEstimate(f"no event among {times.size} patients", too_few=True)
    return times, events


def prediction_vector(values: ArrayLike, length: int) -> Floats:
    """Return predictions that can order patients.

    Raises:
        UndefinedEstimate: As `finite_vector`, or all predictions equal.
    """
    vector = finite_vector("prediction", values, length)
    if vector.min() == vector.max():
        raise UndefinedEstimate(f"the prediction is {vector[0]:g} for all {length} patients")
    return vector


def risk_vector(values: ArrayLike, length: int, name: str = "risk") -> Floats:
    """Return predicted risks.

    Raises:
        UndefinedEstimate: As `finite_vector`, or a value outside [0, 1].
    """
    risks = finite_vector(name, values, length)
    outside = int(np.count_nonzero((risks < 0) | (risks > 1)))
    if outside:
        raise UndefinedEstimate(f"{name} lies outside [0, 1] for {outside} of {length} patients")
    return risks


def require_between(name: str, value: float, low: float, high: float) -> None:
    """Refuse a setting or an assumption outside its open range.

    Raises:
        UndefinedEstimate: The value is not strictly between `low` and `high`.
    """
    if not low < value < high:
        raise UndefinedEstimate(f"the {name} {value:g} does not lie between {low:g} and {high:g}")


def require_classes(cases: int, controls: int, *, least: int = 1, where: str = "") -> None:
    """Refuse a sample with too few patients of either class.

    Raises:
        UndefinedEstimate: Fewer cases or controls than `least`.
    """
    if min(cases, controls) < least:
        raise UndefinedEstimate(
            f"{cases} cases and {controls} controls{where}: at least {least} of each needed", too_few=True
        )


def ascending_horizons(values: ArrayLike) -> Floats:
    """Return a grid of horizons.

    Raises:
        UndefinedEstimate: As `finite_vector` (at least two), or not positive and strictly ascending.
    """
    horizons = finite_vector("horizons", values)
    if horizons[0] <= 0 or np.any(np.diff(horizons) <= 0):
        raise UndefinedEstimate("the horizons are not positive and strictly ascending")
    return horizons


def ascending_thresholds(values: ArrayLike, name: str = "thresholds") -> Floats:
    """Return one or more thresholds of a probability.

    Raises:
        UndefinedEstimate: Not one-dimensional, empty, or not strictly ascending between 0 and 1.
    """
    thresholds: Floats = np.asarray(values, dtype=np.float64)
    if thresholds.ndim != 1 or not thresholds.size or not np.all(np.diff([0.0, *thresholds, 1.0]) > 0):
        raise UndefinedEstimate(f"the {name} do not ascend strictly between 0 and 1")
    return thresholds


def missing_values(values: ArrayLike) -> Bools:
    """Say which values are missing: None, NaN, NaT or pandas' NA, whatever the others are."""
    return np.asarray(pd.isna(np.asarray(values, dtype=object)), dtype=np.bool_)


MINIMUM_CLUSTERS = 30


def require_clusters(count: int) -> None:
    """Refuse so few clusters that intervals are far too narrow (Cameron and Miller, J Hum Resour 2015;50:317).

    Raises:
        UndefinedEstimate: Fewer than 30.
    """
    if count < MINIMUM_CLUSTERS:
        raise UndefinedEstimate(f"{count} clusters: an interval needs at least {MINIMUM_CLUSTERS}", too_few=True)


def group_index(name: str, values: ArrayLike, length: int) -> tuple[list[str], NDArray[np.int64]]:
    """Return the labels of the groups in ascending order, and for each patient the number of its label.

    Raises:
        UndefinedEstimate: Another length, or a missing label.
    """
    labels = np.asarray(values)
    if labels.shape != (length,):
        raise UndefinedEstimate(f"{name} has shape {labels.shape} for {length} patients")
    missing = int(np.count_nonzero(missing_values(values)))
    if missing:
        raise UndefinedEstimate(f"{name} is missing for {missing} of {length} patients")
    distinct, index = np.unique(labels, return_inverse=True)
    return [str(x) for x in distinct.tolist()], index.astype(np.int64)


def _within_follow_up(time: Floats, horizon: float) -> None:
    if not horizon > 0:
        raise UndefinedEstimate(f"the horizon {horizon:g} is no time after the origin")
    if horizon > time.max():
        raise UndefinedEstimate(f"the horizon {horizon:g} lies beyond follow-up, which ends at {time.max():g}")


def censor_at_horizon(time: ArrayLike, event: ArrayLike, horizon: float) -> tuple[Floats, Bools]:
    """End follow-up at the horizon: later events become censorings at the horizon.

    Args:
        time: Shape (n,), in the unit of `horizon`.
        event: Shape (n,).
        horizon: Last instant that counts; an event at the horizon counts.

    Raises:
        UndefinedEstimate: As `survival_sample`; the horizon lies beyond follow-up; no event by the horizon.
    """
    times, events = survival_sample(time, event)
    _within_follow_up(times, horizon)
    return survival_sample(np.minimum(times, horizon), events & (times <= horizon))


def status_at_horizon(time: ArrayLike, event: ArrayLike, horizon: float) -> tuple[Bools, Bools]:
    """Say of whom it is known whether the event happened by the horizon, and to whom it did.

    Patients whose follow-up ended without event before the horizon are unknown: leave them out, and count them. As
    everywhere in survival analysis, a censoring at the horizon itself is later than an event there, hence known.

    Args:
        time: Shape (n,), in the unit of `horizon`.
        event: Shape (n,).
        horizon: For instance 36 months.

    Returns:
        known, case: Both of shape (n,). `case` implies `known`.

    Raises:
        UndefinedEstimate: As `survival_sample`, or the horizon lies beyond follow-up.
    """
    times, events = survival_sample(time, event)
    _within_follow_up(times, horizon)
    case = events & (times <= horizon)
    return case | (times >= horizon), case


def plain(values: NDArray[Any]) -> list[Any]:
    """Return an array as a list of plain Python numbers, for JSON."""
    result: list[Any] = values.tolist()
    return result
