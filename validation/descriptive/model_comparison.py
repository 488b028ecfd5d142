"""The same estimates for several models side by side, and their paired differences."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from validation.cohort_table import REMEDY, CohortTable
from validation.descriptive.base import Description, Descriptive, Row, estimate_row
from validation.errors import InputError
from validation.estimators.catalogue.entry import BinarySample, Estimator, Need, Settings, SurvivalSample
from validation.estimators.estimate import Estimate
from validation.estimators.influence import paired_difference
from validation.estimators.samples import Floats
from validation.outcomes import Outcome, outcome_of

_GIVEN: frozenset[Need] = frozenset(("cutoff", "grid", "other"))


@dataclass(frozen=True, kw_only=True)
class ModelComparison(Descriptive):
    """Estimates of several models on the same patients, and every difference that has an interval.

    Attributes:
        endpoint: With time, or binary.
        predictions: One per model: what ranks the patients, or the probability of a binary endpoint. Rows name a model
            by it.
        estimators: Names in the catalogue of the endpoint's kind; those that compare two models (NRI, IDI) too.
        reference: Prediction of the model that the others are compared with; every pair of models if there is none,
            the first of the pair less the second.
        risks: One per model: what its risks are called without their horizon, `risk_os` of `risk_os_60m`. For
            estimators that take risks of an endpoint with time.
        horizons_months: At which estimators that take a horizon are made, and over which others integrate.
    """

    kind: ClassVar[str] = "model_comparison"
    endpoint: str
    predictions: tuple[str, ...]
    estimators: tuple[str, ...]
    reference: str | None = None
    risks: tuple[str, ...] | None = None
    horizons_months: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse models given twice, a reference that is none of them, and not one name of risks per model."""
        for key, values in (("predictions", self.predictions), ("estimators", self.estimators)):
            if len(set(values)) != len(values):
                raise InputError(self.where(key), "a name given twice", "every name once", REMEDY)
        if self.reference is not None and self.reference not in self.predictions:
            expected = f"one of {', '.join(self.predictions)}"
            raise InputError(self.where("reference"), self.reference, expected, REMEDY)
        if self.risks is not None and len(self.risks) != len(self.predictions):
            found = f"{len(self.risks)} names for {len(self.predictions)} predictions"
            raise InputError(self.where("risks"), found, "one per prediction", REMEDY)
        if any(later <= earlier for earlier, later in zip((0.0, *self.horizons_months), self.horizons_months)):  # noqa: B905
            found = ", ".join(f"{horizon:g}" for horizon in self.horizons_months)
            raise InputError(self.where("horizons_months"), found, "positive and ascending", REMEDY)

    @property
    def _pairs(self) -> list[tuple[str, str]]:
        if self.reference is None:
            return list(combinations(self.predictions, 2))
        return [(name, self.reference) for name in self.predictions if name != self.reference]

    def describe(self, cohort: CohortTable) -> Description:
        """Return per estimator and horizon the estimate of each model, then the differences."""
        outcome = outcome_of(cohort, self.endpoint)
        rows: list[Row] = []
        for name in self.estimators:
            entry = outcome.entry(name, self.where("estimators"), _GIVEN)
            for horizon in self._horizons(name, entry):
                rows += _Question(self, cohort, outcome, name, entry, horizon).rows(self.predictions, self._pairs)
        return Description(tuple(rows))

    def _horizons(self, name: str, entry: Estimator[Any]) -> tuple[float | None, ...]:
        if entry.horizon != "required" and "grid" not in entry.needs:
            return (None,)
        least = 2 if "grid" in entry.needs else 1
        if len(self.horizons_months) < least:
            found = f"{len(self.horizons_months)} for {name} of {self.endpoint}"
            raise InputError(self.where("horizons_months"), found, f"at least {least}", REMEDY)
        return (None,) if "grid" in entry.needs else self.horizons_months


@dataclass(frozen=True, eq=False)
class _Question:
    """One estimator at one horizon, or over all of them, asked of every model."""

    asked: ModelComparison
    cohort: CohortTable
    outcome: Outcome
    name: str
    entry: Estimator[Any]
    horizon: float | None

    @property
    def _takes_risks(self) -> bool:
        return self.entry.of == "risk" and self.outcome.time is not None

    def rows(self, predictions: tuple[str, ...], pairs: list[tuple[str, str]]) -> list[Row]:
        """Return the estimates of the models, and of the pairs what can be said of both."""
        compares = "other" in self.entry.needs
        rows = [] if compares else [self._row(self.name, model, self._estimate(model), model) for model in predictions]
        if not compares and self.entry.influence is None:
            return rows
        quantity = self.name if compares else f"{self.name}_difference"
        for first, second in pairs:
            make = self._estimate(first, second) if compares else self._difference(first, second)
            rows.append(self._row(quantity, f"{first} - {second}", make, first, second))
        return rows

    def _row(self, quantity: str, subject: str, make: Any, *models: str) -> Row:
        last = self.asked.horizons_months[-1] if "grid" in self.entry.needs else self.horizon
        n, events = self.outcome.counts(last)
        used = " and ".join(self._risk_name(model) for model in models) if self._takes_risks else ""
        note = (f"; of {used}" if used else "") + self.outcome.note
        return estimate_row(quantity, subject, make, n=n, events=events, note=note, horizon=last)

    def _estimate(self, model: str, reference: str | None = None) -> Any:
        def make() -> Estimate:
            return self.entry.estimate(self._sample(model, reference))

        return make

    def _difference(self, first: str, second: str) -> Any:
        def make() -> Estimate:
            influence = self.entry.influence
            if influence is None:
                raise TypeError(f"{self.name} has no influence function")
            level = self.cohort.level
            return paired_difference(influence(self._sample(first)), influence(self._sample(second)), level=level)

        return make

    def _sample(self, model: str, reference: str | None = None) -> BinarySample | SurvivalSample:
        cutoff = self.cohort.cutoff(model) if "cutoff" in self.entry.needs else None
        other = None if reference is None else self._prediction(reference)
        settings = Settings(self.cohort.level, self.horizon, cutoff=cutoff)
        if "grid" not in self.entry.needs:
            return self.outcome.sample(self._prediction(model), settings, other=other)
        horizons = self.asked.horizons_months
        risks = np.column_stack([self._risk(model, horizon) for horizon in horizons]) if self._takes_risks else None
        return self.outcome.sample(self.cohort.numbers(model), settings, horizons=horizons, risks=risks)

    def _prediction(self, model: str) -> Floats:
        if not self._takes_risks or self.horizon is None:
            return self.cohort.numbers(model)
        return self._risk(model, self.horizon)

    def _risk(self, model: str, horizon: float) -> Floats:
        return self.cohort.numbers(f"{self._risk_name(model)}_{horizon:g}m")

    def _risk_name(self, model: str) -> str:
        if self.asked.risks is None:
            where = self.asked.where("risks")
            raise InputError(where, f"nothing, and {self.name} takes risks", "one name per prediction", REMEDY)
        return self.asked.risks[self.asked.predictions.index(model)]
