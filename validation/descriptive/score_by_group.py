"""A prediction in groups of patients: rank test, quartiles, boxes and densities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import GROUPS, NUMBERS, Description, Descriptive
from validation.descriptive.drawing import box_figure, density_figure, quartile_rows
from validation.descriptive.rank_tests import note_of_unknown, rank_test_row


@dataclass(frozen=True, kw_only=True)
class ScoreByGroup(Descriptive):
    """Whether a prediction differs between groups, by ranks.

    Attributes:
        prediction: Or a column of numbers.
        by: Groups; see `CohortTable`.
    """

    kind: ClassVar[str] = "score_by_group"
    prediction: str = field(metadata=NUMBERS)
    by: str = field(metadata=GROUPS)

    def describe(self, cohort: CohortTable) -> Description:
        """Return the rank test, quartiles of each group, a box and a density of each."""
        values, groups = cohort.numbers(self.prediction), cohort.groups(self.by)
        missing = np.isnan(values)
        parts = {label: values[groups.members(label) & ~missing] for label in groups.labels}
        note = note_of_unknown({self.by: ~groups.known, self.prediction: missing})
        rows = [
            rank_test_row(self.prediction, values, self.by, cohort),
            *quartile_rows(self.prediction, parts, cohort.level, note),
        ]
        figures = (box_figure(self.prediction, self.by, parts), density_figure(self.prediction, parts))
        return Description(tuple(rows), figures)
