"""What can be asked alike of a binary endpoint and of one with time at a horizon: estimates, curves, calibration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from validation.cohort_table import REMEDY, CohortTable
from validation.descriptive.base import HORIZON_WHERE, Row, estimate_row
from validation.errors import InputError
from validation.estimators.calibration.binary import strictly_between
from validation.estimators.calibration.curves import CalibrationCurve, calibration_curve, calibration_curve_at_horizon
from validation.estimators.calibration.grouped import GroupedTest, RiskGroup, greenwood_nam_dagostino, hosmer_lemeshow
from validation.estimators.catalogue.entry import Settings
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
from validation.estimators.samples import Floats, risk_vector
from validation.estimators.utility.decision_curve import (
    ClinicalImpact,
    DecisionCurve,
    clinical_impact,
    clinical_impact_at_horizon,
    decision_curve,
    decision_curve_at_horizon,
)
from validation.outcomes import Outcome, outcome_of


@dataclass(frozen=True, eq=False)
class Status(ABC):
    """The outcome of a cohort's patients, at a horizon if it has a time, and what can be asked of it.

    Attributes:
        outcome: Of the cohort's patients; with time everybody's is known, however short the follow-up.
        level: Two-sided confidence level.
        horizon: In months; None for a binary endpoint.
    """

    outcome: Outcome
    level: float
    horizon: float | None

    @property
    def counts(self) -> tuple[int, int]:
        """Patients, and cases or events by the horizon among them."""
        return self.outcome.counts(self.horizon)

    def estimate(self, name: str, values: Floats, **settings: Any) -> Estimate:
        """Return the estimate of that name in the catalogue.

        Args:
            name: In the catalogue of the endpoint's kind.
            values: Shape (cohort,), prediction of every patient of the cohort.
            **settings: Of `Settings`: threshold, replicates, seed.
        """
        told = Settings(self.level, self.horizon, **settings)
        return self.outcome.catalogue[name].estimate(self.outcome.sample(values, told))

    def row(self, name: str, subject: str, values: Floats, *, group: str | None = None, **settings: Any) -> Row:
        """Return that estimate as a row."""
        return self.row_of(name, subject, lambda: self.estimate(name, values, **settings), group=group)

    def row_of(self, quantity: str, subject: str, make: Callable[[], Estimate], *, group: str | None = None) -> Row:
        """Return any estimate that rests on these patients as a row."""
        n, events = self.counts
        return estimate_row(
            quantity,
            subject,
            make,
            n=n,
            events=events,
            group=group,
            note=self.outcome.note,
            horizon=self.horizon,
        )

    @abstractmethod
    def roc(self, values: Floats) -> RocCurve:
        """Return the ROC curve; with time by censoring weights."""

    @abstractmethod
    def decisions(self, values: Floats, thresholds: Floats, *, standardized: bool) -> DecisionCurve:
        """Return the decision curve."""

    @abstractmethod
    def impact(self, values: Floats, thresholds: Floats) -> ClinicalImpact:
        """Return the clinical impact curve."""

    @abstractmethod
    def calibration(self, values: Floats, replicates: int, seed: int) -> CalibrationCurve:
        """Return the smoothed calibration curve."""

    @abstractmethod
    def slope(self, values: Floats) -> Estimate:
        """Return the calibration slope of a probability, or of the linear predictor that a risk amounts to."""

    @abstractmethod
    def calibration_test(self, values: Floats, groups: int) -> GroupedTest:
        """Return the test between quantiles of predicted risk."""

    @abstractmethod
    def observed_limits(self, group: RiskGroup) -> tuple[float, float]:
        """Return the interval of the observed risk of a group; NaN where there is none."""


@dataclass(frozen=True, eq=False)
class BinaryStatus(Status):
    """A binary endpoint.

    Attributes:
        fitted: Whether the model was fitted to these patients.
    """

    fitted: bool

    def _known(self, values: Floats) -> Floats:
        return values[self.outcome.known]

    def roc(self, values: Floats) -> RocCurve:
        """See `Status.roc`."""
        return roc_curve(self.outcome.event, self._known(values))

    def precision_recall(self, values: Floats) -> PrecisionRecallCurve:
        """Return the precision-recall curve."""
        return precision_recall_curve(self.outcome.event, self._known(values))

    def decisions(self, values: Floats, thresholds: Floats, *, standardized: bool) -> DecisionCurve:
        """See `Status.decisions`."""
        return decision_curve(
            self.outcome.event, self._known(values), thresholds, standardized=standardized, level=self.level
        )

    def impact(self, values: Floats, thresholds: Floats) -> ClinicalImpact:
        """See `Status.impact`."""
        return clinical_impact(self.outcome.event, self._known(values), thresholds, level=self.level)

    def calibration(self, values: Floats, replicates: int, seed: int) -> CalibrationCurve:
        """See `Status.calibration`."""
        return calibration_curve(
            self.outcome.event, self._known(values), level=self.level, replicates=replicates, seed=seed
        )

    def slope(self, values: Floats) -> Estimate:
        """See `Status.slope`."""
        return self.estimate("calibration_slope", values)

    def calibration_test(self, values: Floats, groups: int) -> GroupedTest:
        """Return the Hosmer-Lemeshow test."""
        cohort = "development" if self.fitted else "external"
        return hosmer_lemeshow(self.outcome.event, self._known(values), cohort=cohort, groups=groups)  # type: ignore[arg-type]

    def observed_limits(self, group: RiskGroup) -> tuple[float, float]:
        """Return the exact interval."""
        return exact_limits(group.events, group.n, self.level)


@dataclass(frozen=True, eq=False)
class StatusAtHorizon(Status):
    """An endpoint with time, at a horizon.

    Attributes:
        time: Follow-up in months, shape (n,).
        months: The horizon.
    """

    time: Floats
    months: float

    def roc(self, values: Floats) -> RocCurve:
        """See `Status.roc`."""
        return roc_curve_at_horizon(self.time, self.outcome.event, values, self.months)

    def decisions(self, values: Floats, thresholds: Floats, *, standardized: bool) -> DecisionCurve:
        """See `Status.decisions`."""
        return decision_curve_at_horizon(
            self.time,
            self.outcome.event,
            values,
            thresholds,
            horizon=self.months,
            standardized=standardized,
            level=self.level,
        )

    def impact(self, values: Floats, thresholds: Floats) -> ClinicalImpact:
        """See `Status.impact`."""
        return clinical_impact_at_horizon(
            self.time, self.outcome.event, values, thresholds, horizon=self.months, level=self.level
        )

    def calibration(self, values: Floats, replicates: int, seed: int) -> CalibrationCurve:
        """See `Status.calibration`."""
        return calibration_curve_at_horizon(
            self.time, self.outcome.event, values, self.months, level=self.level, replicates=replicates, seed=seed
        )

    def slope(self, values: Floats) -> Estimate:
        """Return Cox's slope on log(-log(1 - risk)): of a Cox model that is its linear predictor plus a constant."""
        risk = strictly_between("risk", risk_vector(values, self.time.size))
        slope = self.estimate("calibration_slope", np.log(-np.log1p(-risk)))
        return replace(slope, method=f"{slope.method}; linear predictor: log(-log(1 - risk))")

    def calibration_test(self, values: Floats, groups: int) -> GroupedTest:
        """Return the Greenwood-Nam-D'Agostino test."""
        return greenwood_nam_dagostino(self.time, self.outcome.event, values, self.months, groups=groups)

    def observed_limits(self, group: RiskGroup) -> tuple[float, float]:
        """Return the Kaplan-Meier interval, symmetric on the log(-log) scale of survival."""
        try:
            lower, upper = confidence_limits(1 - group.observed, group.standard_error, "log_log", self.level)
        except UndefinedEstimate:
            return np.nan, np.nan
        return 1 - upper, 1 - lower


@overload
def status_of(cohort: CohortTable, endpoint: str, horizon_months: float) -> StatusAtHorizon: ...


@overload
def status_of(cohort: CohortTable, endpoint: str, horizon_months: float | None) -> Status: ...


def status_of(cohort: CohortTable, endpoint: str, horizon_months: float | None) -> Status:
    """Return the status that an endpoint, at a horizon if it has a time, defines.

    Raises:
        UndefinedEstimate: The cohort never recorded the endpoint; of nobody is the status known.
        InputError: The model knows no such endpoint; one with time without horizon, a binary one with a horizon.
    """
    outcome = outcome_of(cohort, endpoint)
    if (outcome.time is None) != (horizon_months is None):
        kind = "is binary, with a horizon" if outcome.time is None else "has a time, without horizon"
        raise InputError(f"protocol of {cohort.meta.name}", f"{endpoint}, which {kind}", HORIZON_WHERE, REMEDY)
    if not outcome.event.size:
        raise UndefinedEstimate(f"{endpoint} is known of none of {cohort.n} patients", too_few=True)
    if outcome.time is None or horizon_months is None:
        return BinaryStatus(outcome, cohort.level, None, cohort.meta.role == "development")
    return StatusAtHorizon(outcome, cohort.level, horizon_months, outcome.time, horizon_months)
