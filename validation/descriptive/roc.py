"""ROC and precision-recall curves of several predictions, with their areas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import ENDPOINT, NUMBERS, Description, Descriptive, Figure, Series, thinned
from validation.descriptive.status import BinaryStatus, status_of
from validation.estimators.discrimination.curves import PrecisionRecallCurve, RocCurve
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Floats

Points = dict[str, Floats]


@dataclass(frozen=True, kw_only=True)
class RocCurves(Descriptive):
    """ROC curves; of a binary endpoint with precision-recall curves, of one with time by censoring weights.

    Attributes:
        endpoint: Binary, or with time.
        predictions: Higher means likelier, or earlier.
        horizon_months: If the endpoint has a time.
    """

    kind: ClassVar[str] = "roc"
    horizon_key: ClassVar[str] = "horizon_months"
    endpoint: str = field(metadata=ENDPOINT)
    predictions: tuple[str, ...] = field(metadata=NUMBERS)
    horizon_months: float | None = None

    def describe(self, cohort: CohortTable) -> Description:
        """Return AUC and average precision, or both AUCs at the horizon, and the curves."""
        status = status_of(cohort, self.endpoint, self.horizon_months)
        values = {name: cohort.numbers(name) for name in self.predictions}
        quantities = ("auc", "average_precision") if isinstance(status, BinaryStatus) else ("auc_t", "auc")
        rows = [status.row(quantity, name, values[name]) for name in self.predictions for quantity in quantities]
        figures = [Figure("1 - specificity", "sensitivity", _lines(values, lambda x: _roc(status.roc(x)), step=False))]
        if isinstance(status, BinaryStatus):
            lines = _lines(values, lambda x: _steps(status.precision_recall(x)), step=True)
            figures.append(Figure("recall", "precision", lines))
        return Description(tuple(rows), tuple(figures))


def _lines(values: Mapping[str, Floats], draw: Callable[[Floats], Points], *, step: bool) -> tuple[Series, ...]:
    """Return the line of each prediction that has one; the rows say why another has none."""
    lines = []
    for name, prediction in values.items():
        try:
            points = draw(prediction)
        except UndefinedEstimate:
            continue
        lines.append(Series(name, thinned(points), step=step))
    return tuple(lines)


def _roc(curve: RocCurve) -> Points:
    return {"x": 1 - curve.specificity, "y": curve.sensitivity, "threshold": curve.threshold}


def _steps(curve: PrecisionRecallCurve) -> Points:
    """Return each precision from the recall before on: the area below is the average precision."""
    return {
        "x": np.append(0.0, curve.recall),
        "y": np.append(curve.precision, curve.precision[-1]),
        "threshold": np.append(curve.threshold, curve.threshold[-1]),
    }
