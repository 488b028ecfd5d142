"""Performance over time: time-dependent AUC, prediction error with its reference, and their means over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import NUMBERS, WITH_TIME, Description, Descriptive, Figure, Name, Row, Series
from validation.descriptive.status import StatusAtHorizon, status_of
from validation.estimators.catalogue.entry import Settings
from validation.estimators.estimate import Estimate
from validation.estimators.overall.brier_survival import null_brier_t_influence
from validation.estimators.samples import Floats
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
    endpoint: str = field(metadata=WITH_TIME)
    predictions: tuple[str, ...] = field(metadata=NUMBERS)
    horizons_months: tuple[float, ...]
    risks: tuple[str, ...]
    risk_horizons_months: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse horizons over which nothing can be averaged."""
        super().__post_init__()
        for key in ("horizons_months", "risk_horizons_months"):
            horizons = np.array(getattr(self, key))
            if horizons.size < 2 or np.any(np.diff(horizons, prepend=0.0) <= 0):
                expected = "two or more, positive and ascending"
                raise self.error(key, str(horizons.tolist()), expected)

    def names(self, cohort: CohortTable) -> Iterator[Name]:
        """Yield the risks at their horizons too."""
        yield from super().names(cohort)
        for risk in self.risks:
            yield from (("risks", column, CohortTable.risks) for column in self._columns(risk))

    def _columns(self, risk: str) -> list[str]:
        return [f"{risk}_{horizon:g}m" for horizon in self.risk_horizons_months]

    def describe(self, cohort: CohortTable) -> Description:
        """Return AUC and Brier score at each horizon, iAUC and IBS, with the reference, and the curves."""
        values = {name: cohort.numbers(name) for name in self.predictions}
        matrices = {
            risk: np.column_stack([cohort.risks(column) for column in self._columns(risk)]) for risk in self.risks
        }
        ranked = [status_of(cohort, self.endpoint, horizon) for horizon in self.horizons_months]
        at_risk = [status_of(cohort, self.endpoint, horizon) for horizon in self.risk_horizons_months]
        aucs = {name: [at.row("auc_t", name, prediction) for at in ranked] for name, prediction in values.items()}
        errors = {
            risk: [at.row("brier_t", risk, column) for at, column in zip(at_risk, matrix.T, strict=True)]
            for risk, matrix in matrices.items()
        }
        errors[REFERENCE] = [_reference(at) for at in at_risk]
        means = [_mean("iauc", name, ranked, prediction) for name, prediction in values.items()]
        means += [_mean("ibs", risk, at_risk, matrix[:, -1], matrix) for risk, matrix in matrices.items()]
        rows = [row for made in (*aucs.values(), *errors.values()) for row in made]
        figures = (
            Figure("months", "AUC", _lines(aucs, self.horizons_months)),
            Figure("months", "Brier score", _lines(errors, self.risk_horizons_months)),
        )
        return Description((*rows, *means, _reference_mean(at_risk)), figures)


def _mean(
    quantity: str, subject: str, over: list[StatusAtHorizon], prediction: Floats, risks: Floats | None = None
) -> Row:
    """Return the mean of a measure over horizons, as the catalogue's estimator of that name makes it."""
    return over[-1].row_of(quantity, subject, lambda: _integrated(quantity, over, prediction, risks))


def _integrated(name: str, over: list[StatusAtHorizon], prediction: Floats, risks: Floats | None) -> Estimate:
    outcome, horizons = over[-1].outcome, tuple(at.months for at in over)
    sample = outcome.sample(prediction, Settings(over[-1].level), horizons=horizons, risks=risks)
    return outcome.catalogue[name].estimate(sample)


def _reference(at: StatusAtHorizon) -> Row:
    """Return the Brier score of predicting the cohort's own Kaplan-Meier risk for everybody."""

    def make() -> Estimate:
        influence = null_brier_t_influence(at.time, at.outcome.event, at.months)
        return influence.estimate(scale="logit", level=at.level)

    return at.row_of("null_brier_t", REFERENCE, make)


def _reference_mean(over: list[StatusAtHorizon]) -> Row:
    """Return that score integrated over the horizons; that the risk is estimated adds nothing to its variance."""

    def make() -> Estimate:
        curve = kaplan_meier(over[-1].time, over[-1].outcome.event)
        risks = [1 - curve.at(at.months)[0] for at in over]
        everybody = np.tile(risks, (over[-1].time.size, 1))
        return _integrated("ibs", over, everybody[:, -1], everybody)

    return over[-1].row_of("null_ibs", REFERENCE, make)


def _lines(rows: Mapping[str, list[Row]], horizons: tuple[float, ...]) -> tuple[Series, ...]:
    """Return a line per name through the values of its rows; a gap where one is undefined."""

    def numbers(made: list[Row], key: str) -> Floats:
        return np.array([np.nan if row["value"] is None else row[key] for row in made], dtype=np.float64)

    lines = []
    for name, made in rows.items():
        limits = {key: numbers(made, key) for key in ("lower", "upper")}
        lines.append(Series(name, {"x": horizons, "y": numbers(made, "value"), **limits}))
    return tuple(lines)
