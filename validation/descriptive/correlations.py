"""Predictions against each other: Pearson's correlation of every pair, and the heat map."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import (
    NUMBERS,
    POINTS,
    Description,
    Descriptive,
    Figure,
    Row,
    Series,
    estimate_row,
)
from validation.descriptive.rank_tests import note_of_unknown
from validation.estimators.association.pearson import pearson
from validation.estimators.samples import Floats


@dataclass(frozen=True, kw_only=True)
class Correlations(Descriptive):
    """Which predictions say the same; P values are not corrected for the number of pairs.

    Attributes:
        predictions: Or columns of numbers; two or more, no more than a line of a figure has points.
    """

    kind: ClassVar[str] = "correlations"
    predictions: tuple[str, ...] = field(metadata=NUMBERS)

    def __post_init__(self) -> None:
        """Refuse what makes no pairs, a pair of one prediction, and more than can be drawn."""
        super().__post_init__()
        if not 2 <= len(self.predictions) <= POINTS:
            found = f"{len(self.predictions)}: {', '.join(self.predictions)}"
            raise self.error("predictions", found, f"two to {POINTS}")
        if len(set(self.predictions)) != len(self.predictions):
            raise self.error("predictions", "a prediction given twice", "every prediction once")

    def describe(self, cohort: CohortTable) -> Description:
        """Return a row per pair, of the patients of whom both are known, and a line of the heat map per prediction."""
        values = [cohort.numbers(name) for name in self.predictions]
        size = len(values)
        rows, matrix = [], np.full((size, size), np.nan)
        for first, second in combinations(range(size), 2):
            row = self._row((first, second), values[first], values[second], cohort.level)
            rows.append(row)
            if row["value"] is not None:
                matrix[first, second] = matrix[second, first] = row["value"]
        for place, numbers in enumerate(values):
            known = numbers[~np.isnan(numbers)]
            if np.unique(known).size > 1:
                matrix[place, place] = 1
        lines = (
            Series(name, {"x": np.arange(size), "y": line}) for name, line in zip(self.predictions, matrix, strict=True)
        )
        return Description(tuple(rows), (Figure("place in the list of predictions", "correlation", tuple(lines)),))

    def _row(self, pair: tuple[int, int], first: Floats, second: Floats, level: float) -> Row:
        names = [self.predictions[place] for place in pair]
        unknown = {name: np.isnan(numbers) for name, numbers in zip(names, (first, second), strict=True)}
        known = ~(np.isnan(first) | np.isnan(second))
        return estimate_row(
            "pearson_correlation",
            " by ".join(names),
            lambda: pearson(first[known], second[known], level=level),
            n=int(known.sum()),
            events=0,
            note=note_of_unknown(unknown),
        )
