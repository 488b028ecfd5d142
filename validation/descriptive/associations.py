"""A prediction against clinical factors: rank tests of categories, rank correlations of numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import NUMBERS, NUMBERS_OR_GROUPS, Description, Descriptive, Row, estimate_row
from validation.descriptive.rank_tests import note_of_unknown, rank_test_row
from validation.estimators.association.spearman import spearman
from validation.estimators.samples import Floats


@dataclass(frozen=True, kw_only=True)
class Associations(Descriptive):
    """Whether a prediction goes with clinical factors, one at a time; P values are not corrected for their number.

    Attributes:
        prediction: Or a column of numbers.
        columns: Numbers, predictions, or groups as `CohortTable` names them.
    """

    kind: ClassVar[str] = "associations"
    prediction: str = field(metadata=NUMBERS)
    columns: tuple[str, ...] = field(metadata=NUMBERS_OR_GROUPS)

    def describe(self, cohort: CohortTable) -> Description:
        """Return a row per column, of the patients of whom both are known."""
        values = cohort.numbers(self.prediction)
        return Description(tuple(self._row(cohort, values, column) for column in self.columns))

    def _row(self, cohort: CohortTable, values: Floats, column: str) -> Row:
        if cohort.has(column) and cohort.is_number(column):
            return self._correlation(values, cohort.numbers(column), column, cohort.level)
        return rank_test_row(self.prediction, values, column, cohort)

    def _correlation(self, values: Floats, others: Floats, column: str, level: float) -> Row:
        unknown = {column: np.isnan(others), self.prediction: np.isnan(values)}
        known = ~(np.isnan(others) | np.isnan(values))
        return estimate_row(
            "correlation",
            f"{self.prediction} by {column}",
            lambda: spearman(values[known], others[known], level=level),
            n=int(known.sum()),
            events=0,
            note=note_of_unknown(unknown),
        )
