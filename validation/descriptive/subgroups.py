"""One estimate in every subgroup, and the test that it is the same in all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from validation.cohort_table import CohortTable
from validation.descriptive.base import (
    ENDPOINT,
    GROUPS,
    NUMBERS,
    Description,
    Descriptive,
    Name,
    Row,
    estimate_row,
    p_value_row,
)
from validation.descriptive.parts import forest, nobody_in, of_unknown, part_name
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import Estimator, Settings
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.centres.random_effects import cochran_q
from validation.estimators.estimate import Estimate, Scale, UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.intervals import derivative, on_scale
from validation.outcomes import outcome_of, recorded


@dataclass(frozen=True, kw_only=True)
class Subgroups(Descriptive):
    """An estimate in all patients and in every group of some groupings; a group too small for it says so.

    Attributes:
        estimator: Name in the catalogue of the endpoint's kind; one that takes no more than horizon and cut-off.
        prediction: That is judged.
        endpoint: With time, or binary.
        by: Groupings; see `CohortTable`.
        horizon_months: Horizon, if the estimator takes one.
    """

    kind: ClassVar[str] = "subgroups"
    estimator: str
    prediction: str = field(metadata=NUMBERS)
    endpoint: str = field(metadata=ENDPOINT)
    by: tuple[str, ...] = field(metadata=GROUPS)
    horizon_months: float | None = None

    def check_endpoint(self, with_time: Sequence[str], binary: Sequence[str]) -> None:
        """Refuse an estimator that the endpoint does not have, and a horizon that it does not take."""
        self._entry(BINARY if self.endpoint in binary else SURVIVAL)

    def names(self, cohort: CohortTable) -> Iterator[Name]:
        """Yield the prediction as what the estimator takes it for too."""
        yield from super().names(cohort)
        if (catalogue := recorded(cohort, self.endpoint)) is not None:
            entry = self._entry(catalogue)
            if entry.of == "risk":
                yield "prediction", self.prediction, CohortTable.risks
            if "cutoff" in entry.needs:
                yield "prediction", self.prediction, CohortTable.cutoff

    def _entry(self, catalogue: Mapping[str, Estimator[Any]]) -> Estimator[Any]:
        possible = {name: entry for name, entry in catalogue.items() if entry.needs <= {"cutoff"}}
        if self.estimator not in possible:
            found = f"{self.estimator} of {self.endpoint}"
            raise self.error("estimator", found, f"one of {', '.join(possible)}")
        entry = possible[self.estimator]
        if entry.horizon == ("required" if self.horizon_months is None else "none"):
            found = f"{self.estimator} of {self.endpoint}, horizon_months {self.horizon_months}"
            raise self.error("horizon_months", found, f"a horizon: {entry.horizon}")
        return entry

    def describe(self, cohort: CohortTable) -> Description:
        """Return the estimates, all patients first, and per grouping Cochran's test of equal values."""
        rows = [self._row(cohort, None, "")]
        for text in self.by:
            rows += self._of(cohort, text)
        return Description(tuple(rows), (forest(rows, self.estimator, self.estimator.replace("_", " ")),))

    def _of(self, cohort: CohortTable, text: str) -> list[Row]:
        try:
            groups = cohort.groups(text)
        except UndefinedEstimate as undefined:
            return [self._undefined(undefined, text)]
        note = of_unknown(groups, text)
        rows = [self._row(cohort.part(groups.members(label)), part_name(text, label), note) for label in groups.labels]
        defined = [row for row in rows if row["value"] is not None]
        omitted = ", ".join(str(row["group"]) for row in rows if row["value"] is None)
        test = p_value_row(
            "heterogeneity_test",
            self.prediction,
            lambda: _heterogeneity(defined),
            n=sum(row["n"] for row in defined),
            events=sum(row["events"] for row in defined),
            group=text,
            note=f" of {self.estimator}" + (f"; without {omitted}" if omitted else "") + note,
        )
        return [*rows, test]

    def _undefined(self, undefined: UndefinedEstimate, group: str) -> Row:
        def make() -> Estimate:
            raise undefined

        return self._estimate_row(make, 0, 0, group)

    def _row(self, cohort: CohortTable, group: str | None, note: str) -> Row:
        outcome = outcome_of(cohort, self.endpoint)
        entry = self._entry(outcome.catalogue)
        cutoff = cohort.cutoff(self.prediction) if "cutoff" in entry.needs else None
        n, events = outcome.counts(self.horizon_months)
        settings = Settings(cohort.level, self.horizon_months, cutoff=cutoff)
        values = (cohort.risks if entry.of == "risk" else cohort.numbers)(self.prediction)
        sample = outcome.sample(values, settings)

        def make() -> Estimate:
            if not n:
                raise nobody_in(group or "known outcome")
            return entry.estimate(sample)

        return self._estimate_row(make, n, events, group, outcome.note + note)

    def _estimate_row(
        self, make: Callable[[], Estimate], n: int, events: int, group: str | None, note: str = ""
    ) -> Row:
        return estimate_row(
            self.estimator,
            self.prediction,
            make,
            n=n,
            events=events,
            group=group,
            note=note,
            horizon=self.horizon_months,
        )


def _heterogeneity(rows: list[Row]) -> GroupTest:
    """Test estimates in separate patients: ratios on the log scale, everything else on its own.

    Raises:
        UndefinedEstimate: Fewer than two estimates; one without standard error.
    """
    if len(rows) < 2:
        raise UndefinedEstimate(f"{len(rows)} subgroups with an estimate, two or more are compared", too_few=True)
    if any(row["standard_error"] is None for row in rows):
        raise UndefinedEstimate("the estimates have no standard error")
    scales: list[Scale] = ["log" if row["scale"] == "log" else "identity" for row in rows]
    effects = [on_scale(row["value"], scale) for row, scale in zip(rows, scales, strict=True)]
    errors = [
        row["standard_error"] * abs(derivative(row["value"], scale)) for row, scale in zip(rows, scales, strict=True)
    ]
    return cochran_q(effects, errors)
