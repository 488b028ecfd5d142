"""The same estimates for several models side by side, and their paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any, ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import ENDPOINT, NUMBERS, Description, Descriptive, Name, Row, estimate_row
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import BinarySample, Estimator, Need, Settings, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.estimate import Estimate
from validation.estimators.influence import paired_difference
from validation.estimators.samples import Floats
from validation.outcomes import Outcome, outcome_of, recorded

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
    endpoint: str = field(metadata=ENDPOINT)
    predictions: tuple[str, ...] = field(metadata=NUMBERS)
    estimators: tuple[str, ...]
    reference: str | None = None
    risks: tuple[str, ...] | None = None
    horizons_months: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse models given twice, a reference that is none of them, and not one name of risks per model."""
        super().__post_init__()
        for key, values in (("predictions", self.predictions), ("estimators", self.estimators)):
            if len(set(values)) != len(values):
                raise self.error(key, "a name given twice", "every name once")
        if self.reference is not None and self.reference not in self.predictions:
            raise self.error("reference", self.reference, f"one of {', '.join(self.predictions)}")
        if self.risks is not None and len(self.risks) != len(self.predictions):
            found = f"{len(self.risks)} names for {len(self.predictions)} predictions"
            raise self.error("risks", found, "one per prediction")
        if any(later <= earlier for earlier, later in pairwise(self.horizons_months)):
            found = ", ".join(f"{horizon:g}" for horizon in self.horizons_months)
            raise self.error("horizons_months", found, "positive and ascending")

    def check_endpoint(self, with_time: Sequence[str], binary: Sequence[str]) -> None:
        """Refuse estimators that the endpoint does not have, and those without the horizons or risks that they take."""
        timed = self.endpoint not in binary
        for name, entry in self._entries(SURVIVAL if timed else BINARY):
            self._horizons(name, entry)
            if timed and entry.of == "risk" and self.risks is None:
                raise self.error("risks", f"nothing, and {name} takes risks", "one name per prediction")

    def names(self, cohort: CohortTable) -> Iterator[Name]:
        """Yield the predictions as what the estimators take them for, and the risks at the horizons, too."""
        yield from super().names(cohort)
        if (catalogue := recorded(cohort, self.endpoint)) is None:
            return
        entries = [entry for _, entry in self._entries(catalogue)]
        if any("cutoff" in entry.needs for entry in entries):
            yield from (("predictions", name, CohortTable.cutoff) for name in self.predictions)
        if any(entry.of == "risk" for entry in entries):
            timed = [f"{risk}_{horizon:g}m" for risk in self.risks or () for horizon in self.horizons_months]
            key, taken = ("risks", timed) if catalogue is SURVIVAL else ("predictions", self.predictions)
            yield from ((key, name, CohortTable.risks) for name in taken)

    def _entries(self, catalogue: Mapping[str, Estimator[Any]]) -> list[tuple[str, Estimator[Any]]]:
        possible = {name: entry for name, entry in catalogue.items() if entry.needs <= _GIVEN}
        if unknown := [name for name in self.estimators if name not in possible]:
            raise self.error("estimators", f"{unknown[0]} of {self.endpoint}", f"one of {', '.join(possible)}")
        return [(name, possible[name]) for name in self.estimators]

    @property
    def _pairs(self) -> list[tuple[str, str]]:
        if self.reference is None:
            return list(combinations(self.predictions, 2))
        return [(name, self.reference) for name in self.predictions if name != self.reference]

    def describe(self, cohort: CohortTable) -> Description:
        """Return per estimator and horizon the estimate of each model, then the differences."""
        outcome = outcome_of(cohort, self.endpoint)
        rows: list[Row] = []
        for name, entry in self._entries(outcome.catalogue):
            for horizon in self._horizons(name, entry):
                rows += _Question(self, cohort, outcome, name, entry, horizon).rows(self.predictions, self._pairs)
        return Description(tuple(rows))

    def _horizons(self, name: str, entry: Estimator[Any]) -> tuple[float | None, ...]:
        if entry.horizon != "required" and "grid" not in entry.needs:
            return (None,)
        least = 2 if "grid" in entry.needs else 1
        if len(self.horizons_months) < least:
            found = f"{len(self.horizons_months)} for {name} of {self.endpoint}"
            raise self.error("horizons_months", found, f"at least {least}")
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
        if self._takes_risks and self.horizon is not None:
            return self._risk(model, self.horizon)
        return (self.cohort.risks if self.entry.of == "risk" else self.cohort.numbers)(model)

    def _risk(self, model: str, horizon: float) -> Floats:
        return self.cohort.risks(f"{self._risk_name(model)}_{horizon:g}m")

    def _risk_name(self, model: str) -> str:
        if self.asked.risks is None:
            raise self.asked.error("risks", f"nothing, and {self.name} takes risks", "one name per prediction")
        return self.asked.risks[self.asked.predictions.index(model)]
