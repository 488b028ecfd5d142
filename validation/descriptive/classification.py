"""Classification at the cut-off that ships with the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from validation.cohort_table import CohortTable
from validation.descriptive.base import CLASSES, ENDPOINT, Description, Descriptive
from validation.descriptive.status import BinaryStatus, status_of

SHARES = ("sensitivity", "specificity", "ppv", "npv")


@dataclass(frozen=True, kw_only=True)
class Classification(Descriptive):
    """How well a prediction at or above its cut-off tells who is a case; the cut-off is the contract's, never searched.

    Attributes:
        endpoint: Binary, or with time.
        prediction: One that has a cut-off in the model's contract.
        horizon_months: If the endpoint has a time; shares are then made with censoring weights.
    """

    kind: ClassVar[str] = "classification"
    horizon_key: ClassVar[str] = "horizon_months"
    endpoint: str = field(metadata=ENDPOINT)
    prediction: str = field(metadata=CLASSES)
    horizon_months: float | None = None

    def describe(self, cohort: CohortTable) -> Description:
        """Return sensitivity, specificity, predictive values; of a binary endpoint accuracy and Youden's index too."""
        threshold = cohort.cutoff(self.prediction)
        values = cohort.numbers(self.prediction)
        status = status_of(cohort, self.endpoint, self.horizon_months)
        quantities = ("accuracy", *SHARES, "youden") if isinstance(status, BinaryStatus) else SHARES
        group = f"{self.prediction} >= {threshold:g}"
        return Description(
            tuple(status.row(name, self.prediction, values, group=group, threshold=threshold) for name in quantities)
        )
