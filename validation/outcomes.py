"""Outcome of a cohort or a part of it, with time or binary, as the estimators of the catalogue take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from validation.cohort import binary_endpoint
from validation.cohort_table import CohortTable
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import BinarySample, Estimator, Settings, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.samples import Bools, Floats


@dataclass(frozen=True, eq=False)
class Outcome:
    """Who is looked at, and what happened to them.

    Attributes:
        endpoint: Its name.
        known: Whether the outcome of a patient is known, shape (n,).
        event: Event or case, shape (k,), of those known.
        time: Follow-up in months, shape (k,); None for a binary endpoint.
    """

    endpoint: str
    known: Bools
    event: Bools
    time: Floats | None

    @property
    def catalogue(self) -> Mapping[str, Estimator[Any]]:
        """The estimators of this kind of endpoint."""
        return BINARY if self.time is None else SURVIVAL

    def counts(self, horizon: float | None) -> tuple[int, int]:
        """Return patients, and events by the horizon or cases among them."""
        counted = self.event if self.time is None or horizon is None else self.event & (self.time <= horizon)
        return self.event.size, int(np.count_nonzero(counted))

    def sample(
        self,
        prediction: Floats,
        settings: Settings,
        *,
        other: Floats | None = None,
        horizons: tuple[float, ...] = (),
        risks: Floats | None = None,
    ) -> BinarySample | SurvivalSample:
        """Return what an estimator looks at.

        Args:
            prediction: Of all patients, shape (n,).
            settings: What else the estimator is told.
            other: The prediction to compare with, shape (n,).
            horizons: Grid of an integrated measure.
            risks: Risks at these, shape (n, horizons).
        """
        compared = np.empty(0) if other is None else other[self.known]
        if self.time is None:
            return BinarySample(self.event, prediction[self.known], settings, compared)
        grid = np.empty((0, 0)) if risks is None else risks[self.known]
        return SurvivalSample(
            self.time, self.event, prediction[self.known], settings, compared, np.asarray(horizons), grid
        )

    @property
    def note(self) -> str:
        """Whose outcome is not known, as an end of a method; nothing if everybody's is."""
        return left_out(int(np.count_nonzero(~self.known)), self.endpoint)


def left_out(unknown: int, name: str) -> str:
    """Return how many patients are left out for what is not known of them, as an end of a method; nothing if none."""
    return f"; {unknown} patients of unknown {name} left out" if unknown else ""


def recorded(cohort: CohortTable, endpoint: str) -> Mapping[str, Estimator[Any]] | None:
    """Return the estimators of the kind of an endpoint in the cohort, None where it was never recorded."""
    if endpoint not in cohort.meta.endpoints:
        return None
    return SURVIVAL if binary_endpoint(cohort.meta, endpoint) is None else BINARY


def outcome_of(cohort: CohortTable, endpoint: str) -> Outcome:
    """Return the outcome of a cohort's patients.

    Raises:
        UndefinedEstimate: The cohort never recorded the endpoint.
        InputError: As `CohortTable.follow_up` and `CohortTable.cases`.
    """
    if binary_endpoint(cohort.meta, endpoint) is None:
        time, event = cohort.follow_up(endpoint)
        return Outcome(endpoint, np.ones(cohort.n, dtype=np.bool_), event, time)
    cases = cohort.cases(endpoint)
    known = np.isfinite(cases)
    return Outcome(endpoint, known, cases[known] == 1, None)
