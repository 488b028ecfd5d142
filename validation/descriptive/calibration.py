"""Calibration of probabilities, or of risks at horizons: smoothed curve, groups, distances, slope, O/E."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import (
    ENDPOINT,
    RISKS,
    Description,
    Descriptive,
    Figure,
    Row,
    Series,
    p_value_row,
    thinned,
)
from validation.descriptive.status import BinaryStatus, Status, status_of
from validation.estimators.calibration.curves import CalibrationCurve
from validation.estimators.calibration.grouped import GroupedTest
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.samples import Floats

X, Y = "predicted risk", "observed risk"


@dataclass(frozen=True, kw_only=True)
class CalibrationCurves(Descriptive):
    """Whether predicted probabilities come true.

    Attributes:
        endpoint: Binary, or with time.
        predictions: Probabilities, or risks by the horizons.
        horizons_months: One per prediction, if the endpoint has a time.
        groups: Between quantiles of predicted risk, for points and test.
        replicates: Bootstrap samples, for the bands of the curve and the intervals of its distances.
        seed: Of the bootstrap.
    """

    kind: ClassVar[str] = "calibration_curve"
    horizon_key: ClassVar[str] = "horizons_months"
    horizons_repeat: ClassVar[bool] = True
    endpoint: str = field(metadata=ENDPOINT)
    predictions: tuple[str, ...] = field(metadata=RISKS)
    horizons_months: tuple[float, ...] | None = None
    groups: int = 10
    replicates: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse predictions and horizons that are not pairs, and a pair given twice."""
        super().__post_init__()
        if self.horizons_months is not None and len(self.horizons_months) != len(self.predictions):
            found = f"{len(self.horizons_months)} horizons for {len(self.predictions)} predictions"
            raise self.error("horizons_months", found, "one per prediction")
        if len(set(self._pairs)) != len(self._pairs):
            raise self.error("predictions", "a prediction given twice", "every prediction once at a horizon")

    @property
    def _pairs(self) -> list[tuple[str, float | None]]:
        return list(zip(self.predictions, self.horizons_months or [None] * len(self.predictions), strict=True))

    def describe(self, cohort: CohortTable) -> Description:
        """Return ICI, E50, E90, slope, intercept (binary), O/E and the test, curves and points."""
        rows: list[Row] = []
        curves: list[Series] = []
        points: list[Series] = []
        for name, horizon in self._pairs:
            values = cohort.risks(name)
            status = status_of(cohort, self.endpoint, horizon)
            curve = self._curve(status, values)
            test = self._test(status, values)
            rows += [*_rows(name, values, status, curve), _test_row(name, status, test)]
            if isinstance(curve, CalibrationCurve):
                curves.append(_curve_series(name, curve))
            if isinstance(test, GroupedTest):
                points.append(_points_series(name, test, status))
        return Description(tuple(rows), (Figure(X, Y, tuple(curves)), Figure(X, f"{Y} of groups", tuple(points))))

    def _curve(self, status: Status, values: Floats) -> CalibrationCurve | UndefinedEstimate:
        try:
            return status.calibration(values, self.replicates, self.seed)
        except UndefinedEstimate as undefined:
            return undefined

    def _test(self, status: Status, values: Floats) -> GroupedTest | UndefinedEstimate:
        try:
            return status.calibration_test(values, self.groups)
        except UndefinedEstimate as undefined:
            return undefined


def _rows(name: str, values: Floats, status: Status, curve: CalibrationCurve | UndefinedEstimate) -> list[Row]:
    def distance(choose: Callable[[CalibrationCurve], Estimate]) -> Estimate:
        if isinstance(curve, UndefinedEstimate):
            raise curve
        return choose(curve)

    makers: dict[str, Callable[[], Estimate]] = {
        "ici": lambda: distance(lambda x: x.integrated_calibration_index),
        "e50": lambda: distance(lambda x: x.e50),
        "e90": lambda: distance(lambda x: x.e90),
        "calibration_slope": lambda: status.slope(values),
    }
    rows = [status.row_of(quantity, name, make) for quantity, make in makers.items()]
    others = ("calibration_intercept", "oe_ratio") if isinstance(status, BinaryStatus) else ("oe_ratio",)
    return [*rows, *(status.row(quantity, name, values) for quantity in others)]


def _test_row(name: str, status: Status, test: GroupedTest | UndefinedEstimate) -> Row:
    def make() -> GroupTest:
        if isinstance(test, UndefinedEstimate):
            raise test
        title = test.method.split(" test", maxsplit=1)[0]
        return GroupTest(title, test.chi_square, (float(test.degrees_of_freedom),), test.p_value, test.method)

    n, events = status.counts
    return p_value_row("calibration_test", name, make, n=n, events=events, note=status.outcome.note)


def _curve_series(name: str, curve: CalibrationCurve) -> Series:
    points = {"x": curve.predicted, "y": curve.observed, "lower": curve.lower, "upper": curve.upper}
    return Series(name, thinned(points))


def _points_series(name: str, test: GroupedTest, status: Status) -> Series:
    lower, upper = np.array([status.observed_limits(group) for group in test.groups]).T
    values = {
        "x": [group.predicted for group in test.groups],
        "y": [group.observed for group in test.groups],
        "lower": lower,
        "upper": upper,
        "n": [group.n for group in test.groups],
        "events": [group.events for group in test.groups],
    }
    return Series(name, values)
