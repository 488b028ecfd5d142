"""Decision curves of several predictions, with treating all and treating none; clinical impact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import ENDPOINT, POINTS, RISKS, Description, Descriptive, Figure, Row, Series
from validation.descriptive.status import Status, status_of
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.samples import Floats, ascending_thresholds
from validation.estimators.utility.decision_curve import Band

TREAT_ALL, TREAT_NONE = "treat all", "treat none"


@dataclass(frozen=True, kw_only=True)
class DecisionCurves(Descriptive):
    """Net benefit of deciding by predictions.

    Attributes:
        endpoint: Binary, or with time.
        predictions: Probabilities, or risks by the horizon.
        thresholds: Ascending, from 0 to 1, at least two; curves run from the first to the last, rows are made at each.
        horizon_months: If the endpoint has a time.
        standardized: Whether net benefit is divided by the prevalence.
        impact: Whether to draw the patients called high risk and the ROC components against the threshold as well.
    """

    kind: ClassVar[str] = "decision_curve"
    horizon_key: ClassVar[str] = "horizon_months"
    endpoint: str = field(metadata=ENDPOINT)
    predictions: tuple[str, ...] = field(metadata=RISKS)
    thresholds: tuple[float, ...]
    horizon_months: float | None = None
    standardized: bool = False
    impact: bool = False

    def __post_init__(self) -> None:
        """Refuse thresholds between which no curve runs."""
        super().__post_init__()
        try:
            too_few = ascending_thresholds(self.thresholds).size < 2
        except UndefinedEstimate:
            too_few = True
        if too_few:
            expected = "two or more, ascending between 0 and 1"
            raise self.error("thresholds", str(list(self.thresholds)), expected)

    def describe(self, cohort: CohortTable) -> Description:
        """Return net benefit at the thresholds, of every strategy, and the curves."""
        status = status_of(cohort, self.endpoint, self.horizon_months)
        values = {name: cohort.risks(name) for name in self.predictions}
        figures = [self._curves(status, values)]
        if self.impact:
            figures += [self._impact(status, values), self._components(status, values)]
        return Description(tuple(self._rows(status, {TREAT_ALL: np.ones(cohort.n), **values})), tuple(figures))

    def _rows(self, status: Status, strategies: Mapping[str, Floats]) -> list[Row]:
        quantity = "standardized_net_benefit" if self.standardized else "net_benefit"
        return [
            status.row(quantity, name, values, group=f"threshold {threshold:g}", threshold=threshold)
            for threshold in self.thresholds
            for name, values in strategies.items()
        ]

    @property
    def _grid(self) -> Floats:
        return np.linspace(self.thresholds[0], self.thresholds[-1], POINTS)

    def _curves(self, status: Status, values: Mapping[str, Floats]) -> Figure:
        grid = self._grid
        lines: dict[str, Series] = {}
        for name, prediction in values.items():
            try:
                curve = status.decisions(prediction, grid, standardized=self.standardized)
            except UndefinedEstimate:
                continue  # the rows say why
            lines.setdefault(TREAT_ALL, _band(TREAT_ALL, grid, curve.treat_all))
            lines.setdefault(TREAT_NONE, Series(TREAT_NONE, {"x": grid[[0, -1]], "y": [0, 0]}))
            lines[name] = _band(name, grid, curve.model)
        y = "standardized net benefit" if self.standardized else "net benefit"
        return Figure("threshold", y, tuple(lines.values()))

    def _impact(self, status: Status, values: Mapping[str, Floats]) -> Figure:
        grid = self._grid
        lines = []
        for name, prediction in values.items():
            try:
                impact = status.impact(prediction, grid)
            except UndefinedEstimate:
                continue  # the rows say why
            lines.append(_band(f"{name}: high risk", grid, impact.high_risk))
            lines.append(_band(f"{name}: high risk with event", grid, impact.with_event))
        return Figure("threshold", "of 1000 patients", tuple(lines))

    def _components(self, status: Status, values: Mapping[str, Floats]) -> Figure:
        grid = self._grid
        lines = []
        for name, prediction in values.items():
            found = [_share(status, "sensitivity", prediction, float(threshold)) for threshold in grid]
            spared = [_share(status, "specificity", prediction, float(threshold)) for threshold in grid]
            lines.append(_band(f"{name}: sensitivity", grid, _of_estimates(found)))
            lines.append(_band(f"{name}: 1 - specificity", grid, _complement(_of_estimates(spared))))
        return Figure("threshold", "share at high risk", tuple(lines))


def _band(name: str, grid: Floats, band: Band) -> Series:
    return Series(name, {"x": grid, "y": band.value, "lower": band.lower, "upper": band.upper})


def _share(status: Status, measure: str, prediction: Floats, threshold: float) -> Estimate | None:
    try:
        return status.estimate(measure, prediction, threshold=threshold)
    except UndefinedEstimate:
        return None


def _of_estimates(estimates: list[Estimate | None]) -> Band:
    rows = [(np.nan,) * 3 if e is None else (e.value, e.lower, e.upper) for e in estimates]
    return Band(*np.array(rows, dtype=np.float64).T)


def _complement(band: Band) -> Band:
    return Band(1 - band.value, 1 - band.upper, 1 - band.lower)
