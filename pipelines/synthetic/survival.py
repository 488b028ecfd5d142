"""Weibull proportional hazards, follow-up and death: the event times of every synthetic cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

DAYS_PER_MONTH = 365.25 / 12
REFERENCE_MONTHS = 36.0
EARLY_EXIT_PROBABILITY = 0.054
EARLY_EXIT_IS_DEATH = 1 / 3
MEDIAN_MONTHS_FROM_EVENT_TO_DEATH = 20.0
FOLLOW_UP_NORMALS = (
    "event",
    "exit",
    "exit_time",
    "exit_is_death",
    "death_after_event",
    "progresses",
    "time_of_progression",
)
LATEST_LOSS_MONTHS = 60.0
NEVER_SEEN_MONTHS = 0.03  # a day
DEATH_WITHOUT_PROGRESSION = 0.15
EARLIEST_PROGRESSION, LATEST_PROGRESSION = 0.25, 0.90  # as a share of the time to death

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Hazard:
    """Cumulative hazard H(t | x) = cumulative_36m * (t / 36 months)^shape * exp(sum of log ratios times x).

    Attributes:
        cumulative_36m: H at 36 months of a patient with linear predictor 0.
        shape: Weibull shape; below 1 the hazard falls with time.
        log_ratios: Log hazard ratio per unit of each predictor.
    """

    cumulative_36m: float
    shape: float
    log_ratios: Mapping[str, float]

    def linear_predictor(self, predictors: pd.DataFrame) -> Array:
        """Return the log relative hazard, higher = earlier event; shape (n,)."""
        terms = [ratio * predictors[name].to_numpy(float) for name, ratio in self.log_ratios.items()]
        return np.asarray(np.sum(terms, axis=0))

    def risk(self, linear_predictor: Array, months: float) -> Array:
        """Return the probability of the event within `months` of the time origin; shape (n,)."""
        base = self.cumulative_36m * (months / REFERENCE_MONTHS) ** self.shape
        return np.asarray(-np.expm1(-base * np.exp(linear_predictor)))

    def event_months(self, linear_predictor: Array, uniform: Array) -> Array:
        """Invert the survival function at `uniform`: event times in months; shape (n,)."""
        unit = -np.log(uniform) / (self.cumulative_36m * np.exp(linear_predictor))
        return np.asarray(REFERENCE_MONTHS * unit ** (1 / self.shape))


def outcomes(event_months: Array, administrative_months: Array, normals: pd.DataFrame, endpoint: str) -> pd.DataFrame:
    """Observe the event and death under censoring.

    A few patients leave before 36 months whatever their risk: lost, or dead of another cause (which censors the first
    endpoint). After the event, death follows at a constant rate. The registry closes at `administrative_months`.

    Args:
        event_months: True event times, shape (n,).
        administrative_months: Months from the time origin to the closing of the registry, shape (n,).
        normals: Columns of `FOLLOW_UP_NORMALS`, one row per patient.
        endpoint: Prefix of the columns of the first endpoint.

    Returns:
        `<endpoint>_event`, `<endpoint>_time_months`, `os_event`, `os_time_months`; times to 0.01 month.
    """
    uniform = _uniform(normals)
    leaves = uniform["exit"] < EARLY_EXIT_PROBABILITY
    exit_months = np.where(leaves, 1 + (REFERENCE_MONTHS - 1) * uniform["exit_time"], np.inf)
    other_death = np.where(uniform["exit_is_death"] < EARLY_EXIT_IS_DEATH, exit_months, np.inf)
    lost = np.where(np.isinf(other_death), exit_months, np.inf)
    survival_after_event = -np.log2(uniform["death_after_event"]) * MEDIAN_MONTHS_FROM_EVENT_TO_DEATH
    death = np.minimum(event_months + survival_after_event, other_death)
    end = np.minimum(lost, administrative_months)
    first_end = np.minimum(end, other_death)
    columns: dict[str, NDArray[Any]] = {
        f"{endpoint}_event": (event_months <= first_end).astype(int),
        f"{endpoint}_time_months": _to_hundredths(np.minimum(event_months, first_end)),
        "os_event": (death <= end).astype(int),
        "os_time_months": _to_hundredths(np.minimum(death, end)),
    }
    return pd.DataFrame(columns)


def survival(
    death_months: Array,
    administrative_months: Array,
    normals: pd.DataFrame,
    *,
    lost: float,
    never_seen: float = 0.0,
    progression: bool = False,
    latest_loss_months: float = LATEST_LOSS_MONTHS,
) -> pd.DataFrame:
    """Observe death of any cause, and progression before it, under censoring.

    Some patients are lost at a time uniform on 1 to 60 months by default, whatever their risk. Progression comes at a
    random share of the time to death, so that it precedes death; some die without it.

    Args:
        death_months: True times of death, shape (n,).
        administrative_months: Months from the time origin to the closing of the registry, shape (n,).
        normals: Columns of `FOLLOW_UP_NORMALS`, one row per patient.
        lost: Probability of being lost.
        never_seen: Probability of no follow-up at all: censored after one day, which tells an estimator nothing.
        progression: Whether disease-free survival is recorded too.
        latest_loss_months: When the last patients are lost.

    Returns:
        `dfs_event`, `dfs_time_months` (progression or death; where recorded), `os_event`, `os_time_months`; times to
        0.01 month.
    """
    uniform = _uniform(normals)
    lost_months = 1 + (latest_loss_months - 1) * uniform["exit_time"]
    lost_months = np.where(uniform["exit"] < never_seen + lost, lost_months, np.inf)
    lost_months = np.where(uniform["exit"] < never_seen, NEVER_SEEN_MONTHS, lost_months)
    end = np.minimum(lost_months, administrative_months)
    share = EARLIEST_PROGRESSION + (LATEST_PROGRESSION - EARLIEST_PROGRESSION) * uniform["time_of_progression"]
    share = np.where(uniform["progresses"] < DEATH_WITHOUT_PROGRESSION, 1.0, share)
    times = {"dfs": share * death_months} if progression else {}
    columns: dict[str, NDArray[Any]] = {}
    for endpoint, months in (times | {"os": death_months}).items():
        columns[f"{endpoint}_event"] = (months <= end).astype(int)
        columns[f"{endpoint}_time_months"] = _to_hundredths(np.minimum(months, end))
    return pd.DataFrame(columns)


def _uniform(normals: pd.DataFrame) -> dict[str, Array]:
    return {name: ndtr(normals[name].to_numpy(float)) for name in FOLLOW_UP_NORMALS}


def _to_hundredths(months: Array) -> Array:
    return np.asarray(np.maximum(np.round(months, 2), 0.01))
