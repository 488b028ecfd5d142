"""Performance over time: time-dependent AUC, prediction error with its reference, and their means over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import Description, Descriptive, Figure, Row, Series, estimate_row
from validation.descriptive.status import status_of
from validation.errors import InputError
from validation.estimators.catalogue.entry import Settings, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.estimate import Estimate
from validation.estimators.overall.brier_survival import integrated_brier, null_brier_t_influence
from validation.estimators.samples import Bools, Floats
from validation.estimators.survival.kaplan_meier import kaplan_meier

REFERENCE = "Kaplan-Meier"


@dataclass(frozen=True, kw_only=True)
class PerformanceOverTime(Descriptive):
    """AUC at any horizon by linear predictors, and prediction error at the horizons of predicted risks.

    Attributes:
        endpoint: With time.
        predictions: Linear predictors, or anything higher for an earlier event.
        horizons_months: Of the AUC; ascending.
        risks: Names of risks without their horizon: risk_os stands for risk_os_12m, risk_os_36m ...
        risk_horizons_months: The horizons of these; ascending, at least two.
    """

    kind: ClassVar[str] = "performance_over_time"
    endpoint: str
    predictions: tuple[str, ...]
    horizons_months: tuple[float, ...]
    risks: tuple[str, ...]
    risk_horizons_months: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse horizons over which nothing can be averaged."""
        for key in ("horizons_months", "risk_horizons_months"):
            horizons = np.array(getattr(self, key))
            if horizons.size < 2 or np.any(np.diff(horizons, prepend=0.0) <= 0):
                where = f"protocol analysis {self.id} key {key}"
                expected = "two or more, positive and ascending"
                raise InputError(where, str(horizons.tolist()), expected, "Correct the protocol.")

    def describe(self, cohort: CohortTable) -> Description:
        """Return AUC and Brier score at each horizon, iAUC and IBS, with the reference, and the curves."""
        values = {name: cohort.numbers(name) for name in self.predictions}
        matrices = {
            risk: np.column_stack([cohort.numbers(f"{risk}_{horizon:g}m") for horizon in self.risk_horizons_months])
            for risk in self.risks
        }
        sample = _FollowUp(*cohort.follow_up(self.endpoint), cohort.level)
        aucs = {name: self._aucs(cohort, name, prediction) for name, prediction in values.items()}
        errors = {risk: self._errors(cohort, risk, matrix) for risk, matrix in matrices.items()}
        errors[REFERENCE] = [sample.reference(horizon) for horizon in self.risk_horizons_months]
        means = [sample.iauc(name, prediction, self.horizons_months) for name, prediction in values.items()]
        means += [sample.ibs(risk, matrix, self.risk_horizons_months) for risk, matrix in matrices.items()]
        means.append(sample.reference_ibs(self.risk_horizons_months))
        rows = [row for made in (*aucs.values(), *errors.values()) for row in made]
        figures = (
            Figure("months", "AUC", _lines(aucs, self.horizons_months)),
            Figure("months", "Brier score", _lines(errors, self.risk_horizons_months)),
        )
        return Description((*rows, *means), figures)

    def _aucs(self, cohort: CohortTable, name: str, values: Floats) -> list[Row]:
        at = (status_of(cohort, self.endpoint, horizon) for horizon in self.horizons_months)
        return [status.row("auc_t", name, values) for status in at]

    def _errors(self, cohort: CohortTable, risk: str, matrix: Floats) -> list[Row]:
        at = (status_of(cohort, self.endpoint, horizon) for horizon in self.risk_horizons_months)
        return [status.row("brier_t", risk, values) for status, values in zip(at, matrix.T, strict=True)]


@dataclass(frozen=True, eq=False)
class _FollowUp:
    """Follow-up of a cohort, and what is averaged over it.

    Attributes:
        time: Shape (n,), months.
        event: Shape (n,).
        level: Two-sided confidence level.
    """

    time: Floats
    event: Bools
    level: float

    def _row(self, quantity: str, subject: str, make: Callable[[], Estimate], horizon: float) -> Row:
        events = int(np.count_nonzero(self.event & (self.time <= horizon)))
        return estimate_row(quantity, subject, make, n=self.time.size, events=events, horizon=horizon)

    def iauc(self, name: str, prediction: Floats, horizons: tuple[float, ...]) -> Row:
        """Return the mean AUC over the horizons."""
        sample = SurvivalSample(
            self.time, self.event, prediction, Settings(self.level), horizons=np.asarray(horizons, dtype=np.float64)
        )
        return self._row("iauc", name, lambda: SURVIVAL["iauc"].estimate(sample), horizons[-1])

    def ibs(self, name: str, risks: Floats, horizons: tuple[float, ...]) -> Row:
        """Return the Brier score of risks, shape (n, k), integrated over the horizons."""
        return self._row(
            "ibs",
            name,
            lambda: integrated_brier(self.time, self.event, risks, horizons, level=self.level),
            horizons[-1],
        )

    def reference(self, horizon: float) -> Row:
        """Return the Brier score of predicting the cohort's own Kaplan-Meier risk for everybody."""
        return self._row(
            "null_brier_t",
            REFERENCE,
            lambda: null_brier_t_influence(self.time, self.event, horizon).estimate(scale="logit", level=self.level),
            horizon,
        )

    def reference_ibs(self, horizons: tuple[float, ...]) -> Row:
        """Return that score integrated over the horizons; that the risk is estimated adds nothing to its variance."""

        def make() -> Estimate:
            curve = kaplan_meier(self.time, self.event)
            risks = [1 - curve.at(horizon)[0] for horizon in horizons]
            everybody = np.tile(risks, (self.time.size, 1))
            return integrated_brier(self.time, self.event, everybody, horizons, level=self.level)

        return self._row("null_ibs", REFERENCE, make, horizons[-1])


def _lines(rows: Mapping[str, list[Row]], horizons: tuple[float, ...]) -> tuple[Series, ...]:
    """Return a line per name through the values of its rows; a gap where one is undefined."""

    def numbers(made: list[Row], key: str) -> Floats:
        return np.array([np.nan if row["value"] is None else row[key] for row in made], dtype=np.float64)

    lines = []
    for name, made in rows.items():
        limits = {key: numbers(made, key) for key in ("lower", "upper")}
        lines.append(Series(name, {"x": horizons, "y": numbers(made, "value"), **limits}))
    return tuple(lines)
