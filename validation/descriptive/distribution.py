"""How a prediction is distributed: histogram and quartiles, of the cohort or by group."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import GROUPS, NUMBERS, Description, Descriptive
from validation.descriptive.drawing import Parts, histogram_figure, quartile_rows
from validation.descriptive.rank_tests import note_of_unknown

EVERYBODY = "all patients"


@dataclass(frozen=True, kw_only=True)
class Distribution(Descriptive):
    """Distribution of a prediction.

    Attributes:
        prediction: Or a column of numbers.
        by: Groups, see `CohortTable`; the whole cohort if None.
        bins: Of the histogram, of one width from the smallest to the largest value.
    """

    kind: ClassVar[str] = "distribution"
    prediction: str = field(metadata=NUMBERS)
    by: str | None = field(default=None, metadata=GROUPS)
    bins: int = 20

    def __post_init__(self) -> None:
        """Refuse a histogram without, or of too many, bins."""
        super().__post_init__()
        if not 1 <= self.bins <= 200:
            raise self.error("bins", str(self.bins), "1 to 200")

    def describe(self, cohort: CohortTable) -> Description:
        """Return quartiles and the histogram, of each group."""
        values = cohort.numbers(self.prediction)
        missing = np.isnan(values)
        unknown = {self.prediction: missing}
        parts: Parts = {EVERYBODY: values[~missing]}
        if self.by is not None:
            groups = cohort.groups(self.by)
            parts = {label: values[groups.members(label) & ~missing] for label in groups.labels}
            unknown = {self.by: ~groups.known, **unknown}
        figure = histogram_figure(self.prediction, parts, self.bins)
        return Description(
            tuple(quartile_rows(self.prediction, parts, cohort.level, note_of_unknown(unknown))), (figure,)
        )
