"""What happened to a cohort's patients, asked alike of a binary endpoint and of one with time at a horizon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from validation.cohort import Endpoint
from validation.cohort_table import REMEDY, CohortTable
from validation.descriptive.base import Row, estimate_row
from validation.errors import InputError
from validation.estimators.calibration.binary import strictly_between
from validation.estimators.calibration.curves import CalibrationCurve, calibration_curve, calibration_curve_at_horizon
from validation.estimators.calibration.grouped import GroupedTest, RiskGroup, greenwood_nam_dagostino, hosmer_lemeshow
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import BinarySample, Settings, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.classification.proportion import exact_limits
from validation.estimators.discrimination.curves import (
    PrecisionRecallCurve,
    RocCurve,
    precision_recall_curve,
    roc_curve,
    roc_curve_at_horizon,
)
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import confidence_limits
from validation.estimators.samples import Bools, Floats, finite_vector, risk_vector
from validation.estimators.utility.decision_curve import (
    ClinicalImpact,
    DecisionCurve,
    clinical_impact,
    clinical_impact_at_horizon,
    decision_curve,
    decision_curve_at_horizon,
)


@dataclass(frozen=True, eq=False)
class Status:
    """What is known of a cohort's patients, and what can be asked of it.

    Attributes:
        level: Two-sided confidence level.
        n: Patients of whom it is known; with time everybody, however short the follow-up.
        events: Cases among them, or events by the horizon.
        horizon: In months, if there is one.
        note: Who was left out, for the method.
    """

    level: float
    n: int
    events: int
    horizon: float | None
    note: str

    def estimate(self, name: str, values: Floats, **settings: Any) -> Estimate:
        """Return the estimate of that name in the catalogue.

        Args:
            name: In the catalogue of the endpoint's kind.
            values: Shape (cohort,), prediction of every patient of the cohort.
            **settings: Of `Settings`: threshold, replicates, seed.
        """
        raise NotImplementedError

    def row(self, name: str, subject: str, values: Floats, *, group: str | None = None, **settings: Any) -> Row:
        """Return that estimate as a row."""
        return self.row_of(name, subject, lambda: self.estimate(name, values, **settings), group=group)

    def row_of(self, quantity: str, subject: str, make: Callable[[], Estimate], *, group: str | None = None) -> Row:
        """Return any estimate that rests on these patients as a row."""
        return estimate_row(
            quantity,
            subject,
            make,
            n=self.n,
            events=self.events,
            group=group,
            note=self.note,
            horizon=self.horizon,
        )

    def roc(self, values: Floats) -> RocCurve:
        """Return the ROC curve; with time by censoring weights."""
        raise NotImplementedError

    def decisions(self, values: Floats, thresholds: Floats, *, standardized: bool) -> DecisionCurve:
        """Return the decision curve."""
        raise NotImplementedError

    def impact(self, values: Floats, thresholds: Floats) -> ClinicalImpact:
        """Return the clinical impact curve."""
        raise NotImplementedError

    def calibration(self, values: Floats, replicates: int, seed: int) -> CalibrationCurve:
        """Return the smoothed calibration curve."""
        raise NotImplementedError

    def slope(self, values: Floats) -> Estimate:
        """Return the calibration slope of a probability, or of the linear predictor that a risk amounts to."""
        raise NotImplementedError

    def calibration_test(self, values: Floats, groups: int) -> GroupedTest:
        """Return the test between quantiles of predicted risk."""
        raise NotImplementedError

    def observed_limits(self, group: RiskGroup) -> tuple[float, float]:
        """Return the interval of the observed risk of a group; NaN where there is none."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class BinaryStatus(Status):
    """A binary endpoint.

    Attributes:
        known: Shape (cohort,), whose status is known.
        case: Shape (n,), of these.
        fitted: Whether the model was fitted to these patients.
    """

    known: Bools
    case: Bools
    fitted: bool

    def estimate(self, name: str, values: Floats, **settings: Any) -> Estimate:
        """See `Status.estimate`."""
        return BINARY[name].estimate(BinarySample(self.case, values[self.known], Settings(self.level, **settings)))

    def roc(self, values: Floats) -> RocCurve:
        """See `Status.roc`."""
        return roc_curve(self.case, values[self.known])

    def precision_recall(self, values: Floats) -> PrecisionRecallCurve:
        """Return the precision-recall curve."""
        return precision_recall_curve(self.case, values[self.known])

    def decisions(self, values: Floats, thresholds: Floats, *, standardized: bool) -> DecisionCurve:
        """See `Status.decisions`."""
        return decision_curve(self.case, values[self.known], thresholds, standardized=standardized, level=self.level)

    def impact(self, values: Floats, thresholds: Floats) -> ClinicalImpact:
        """See `Status.impact`."""
        return clinical_impact(self.case, values[self.known], thresholds, level=self.level)

    def calibration(self, values: Floats, replicates: int, seed: int) -> CalibrationCurve:
        """See `Status.calibration`."""
        return calibration_curve(self.case, values[self.known], level=self.level, replicates=replicates, seed=seed)

    def slope(self, values: Floats) -> Estimate:
        """See `Status.slope`."""
        return self.estimate("calibration_slope", values)

    def calibration_test(self, values: Floats, groups: int) -> GroupedTest:
        """Return the Hosmer-Lemeshow test."""
        cohort = "development" if self.fitted else "external"
        return hosmer_lemeshow(self.case, values[self.known], cohort=cohort, groups=groups)  # type: ignore[arg-type]

    def observed_limits(self, group: RiskGroup) -> tuple[float, float]:
        """Return the exact interval."""
        return exact_limits(group.events, group.n, self.level)


@dataclass(frozen=True, eq=False)
class StatusAtHorizon(Status):
    """An endpoint with time, at a horizon.

    Attributes:
        time: Shape (n,), months.
        event: Shape (n,).
        months: The horizon.
    """

    time: Floats
    event: Bools
    months: float

    def estimate(self, name: str, values: Floats, **settings: Any) -> Estimate:
        """See `Status.estimate`."""
        told = Settings(self.level, self.months, **settings)
        return SURVIVAL[name].estimate(SurvivalSample(self.time, self.event, values, told))

    def roc(self, values: Floats) -> RocCurve:
        """See `Status.roc`."""
        return roc_curve_at_horizon(self.time, self.event, values, self.months)

    def decisions(self, values: Floats, thresholds: Floats, *, standardized: bool) -> DecisionCurve:
        """See `Status.decisions`."""
        return decision_curve_at_horizon(
            self.time,
            self.event,
            values,
            thresholds,
            horizon=self.months,
            standardized=standardized,
            level=self.level,
        )

    def impact(self, values: Floats, thresholds: Floats) -> ClinicalImpact:
        """See `Status.impact`."""
        return clinical_impact_at_horizon(
            self.time, self.event, values, thresholds, horizon=self.months, level=self.level
        )

    def calibration(self, values: Floats, replicates: int, seed: int) -> CalibrationCurve:
        """See `Status.calibration`."""
        return calibration_curve_at_horizon(
            self.time, self.event, values, self.months, level=self.level, replicates=replicates, seed=seed
        )

    def slope(self, values: Floats) -> Estimate:
        """Return Cox's slope on log(-log(1 - risk)): of a Cox model that is its linear predictor plus a constant."""
        risk = strictly_between("risk", risk_vector(values, self.n))
        slope = self.estimate("calibration_slope", np.log(-np.log1p(-risk)))
        return replace(slope, method=f"{slope.method}; linear predictor: log(-log(1 - risk))")

    def calibration_test(self, values: Floats, groups: int) -> GroupedTest:
        """Return the Greenwood-Nam-D'Agostino test."""
        return greenwood_nam_dagostino(self.time, self.event, values, self.months, groups=groups)

    def observed_limits(self, group: RiskGroup) -> tuple[float, float]:
        """Return the Kaplan-Meier interval, symmetric on the log(-log) scale of survival."""
        try:
            lower, upper = confidence_limits(1 - group.observed, group.standard_error, "log_log", self.level)
        except UndefinedEstimate:
            return np.nan, np.nan
        return 1 - upper, 1 - lower


def status_of(cohort: CohortTable, endpoint: str, horizon_months: float | None) -> Status:
    """Return the status that an endpoint, at a horizon if it has a time, defines.

    Raises:
        UndefinedEstimate: The cohort never recorded the endpoint; of nobody is the status known.
        InputError: The model knows no such endpoint; one with time without horizon, a binary one with a horizon.
    """
    if horizon_months is not None:
        time, event = cohort.follow_up(endpoint)
        finite_vector("time", time)
        events = int(np.count_nonzero(event & (time <= horizon_months)))
        return StatusAtHorizon(cohort.level, cohort.n, events, horizon_months, "", time, event, horizon_months)
    if isinstance(cohort.meta.endpoints.get(endpoint), Endpoint):
        found = f"{endpoint}, which has a time, without horizon"
        raise InputError(f"protocol of {cohort.meta.name}", found, "a horizon in months", REMEDY)
    cases = cohort.cases(endpoint)
    known = np.isfinite(cases)
    case = cases[known] == 1
    if not known.any():
        raise UndefinedEstimate(f"{endpoint} is known of none of {cohort.n} patients", too_few=True)
    note = f"; {cohort.n - case.size} patients of unknown {endpoint} left out" if case.size < cohort.n else ""
    fitted = cohort.meta.role == "development"
    return BinaryStatus(cohort.level, case.size, int(case.sum()), None, note, known, case, fitted)
