"""Table 1: characteristics of the patients by group, with the test that a stated rule chooses for each row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from validation.cohort_table import CohortTable, Groups
from validation.descriptive.base import GROUPS, NUMBERS, NUMBERS_OR_GROUPS, Description, Descriptive
from validation.descriptive.parts import part_name
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.table_one import Characteristic, Kind, Summary, table_one


@dataclass(frozen=True, kw_only=True)
class TableOneByGroup(Descriptive):
    """Characteristics by group and overall; patients whose group is not known are left out and counted.

    Attributes:
        by: Groups; see `CohortTable`.
        columns: What is described: columns of numbers and predictions as they are, everything else by its groups.
        skewed: Those columns of numbers that are described by median and quartiles instead of mean and SD.
    """

    kind: ClassVar[str] = "table_one"
    by: str = field(metadata=GROUPS)
    columns: tuple[str, ...] = field(metadata=NUMBERS_OR_GROUPS)
    skewed: tuple[str, ...] = field(default=(), metadata=NUMBERS)

    def __post_init__(self) -> None:
        """Refuse a skewed column that is not in the table, and a column given twice."""
        super().__post_init__()
        if absent := sorted(set(self.skewed) - set(self.columns)):
            raise self.error("skewed", absent[0], f"one of {', '.join(self.columns)}")
        if len(set(self.columns)) != len(self.columns):
            raise self.error("columns", "a column given twice", "every column once")

    def describe(self, cohort: CohortTable) -> Description:
        """Return the table."""
        groups = cohort.groups(self.by)
        known = groups.known
        index = groups.index[known]
        present = [label for k, label in enumerate(groups.labels) if (index == k).any()]
        if len(present) < 2:
            among = f"{int(known.sum())} patients, all {', '.join(present)}" if present else "no patient"
            raise UndefinedEstimate(f"{among}: two groups of {self.by} or more are compared", too_few=True)
        sizes = np.bincount(index)
        table = {
            "by": self.by,
            "groups": [part_name(self.by, label) for label in present],
            "sizes": sizes[sizes > 0].tolist(),
            "left_out": int((~known).sum()),
            "rows": [self._row(cohort, name, known, index) for name in self.columns],
        }
        return Description(table=table)

    def _row(self, cohort: CohortTable, name: str, known: NDArray[np.bool_], index: NDArray[np.intp]) -> dict[str, Any]:
        values, labels = self._values(cohort, name, known)
        kind: Kind = "categorical" if labels else ("skewed" if name in self.skewed else "continuous")
        try:
            (row,) = table_one({name: values}, {name: kind}, index).rows
        except UndefinedEstimate as undefined:
            row = _without_test(name, kind, index, str(undefined))
        categories = [labels[int(category)] for category in row.categories]
        return {**_plain(row), "categories": categories}

    def _values(self, cohort: CohortTable, name: str, known: NDArray[np.bool_]) -> tuple[list[Any], tuple[str, ...]]:
        """Values of the patients known, None where missing, and for categories their labels in order."""
        if cohort.has(name) and cohort.is_number(name):
            numbers = cohort.numbers(name)[known]
            return [None if np.isnan(number) else float(number) for number in numbers], ()
        if name in self.skewed:
            raise self.error("skewed", name, "columns of numbers")
        try:
            groups = cohort.groups(name)
        except UndefinedEstimate:  # an endpoint that the cohort never recorded: known of nobody
            groups = Groups(("no", "yes"), np.full(cohort.n, -1, dtype=np.intp))
        return [None if number < 0 else int(number) for number in groups.index[known]], groups.labels


def _without_test(name: str, kind: Kind, index: NDArray[np.intp], reason: str) -> Characteristic:
    """A row of which nothing is known."""
    sizes = np.bincount(index)
    groups = tuple(Summary(0, int(size), ()) for size in sizes[sizes > 0])
    return Characteristic(name, kind, (), Summary(0, index.size, ()), groups, None, reason, None)


def _plain(row: Characteristic) -> dict[str, Any]:
    """Plain JSON values, with lists for tuples."""
    values = asdict(row)
    values["groups"] = [_summary(summary) for summary in row.groups]
    values["overall"] = _summary(row.overall)
    if row.test is not None:
        values["test"]["degrees_of_freedom"] = list(row.test.degrees_of_freedom)
    return values


def _summary(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "values": list(summary.values)}
