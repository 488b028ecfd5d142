"""Descriptive analyses: one class per kind. Adding one = one class, one line in `KINDS`, its test, its paragraph."""

from __future__ import annotations

from validation.descriptive.associations import Associations
from validation.descriptive.base import Descriptive
from validation.descriptive.calibration import CalibrationCurves
from validation.descriptive.classification import Classification
from validation.descriptive.decision_curve import DecisionCurves
from validation.descriptive.distribution import Distribution
from validation.descriptive.kaplan_meier import KaplanMeierByGroup
from validation.descriptive.over_time import PerformanceOverTime
from validation.descriptive.roc import RocCurves
from validation.descriptive.score_by_group import ScoreByGroup

_KINDS: tuple[type[Descriptive], ...] = (
    KaplanMeierByGroup,
    RocCurves,
    Classification,
    ScoreByGroup,
    Associations,
    CalibrationCurves,
    DecisionCurves,
    PerformanceOverTime,
    Distribution,
)
KINDS: dict[str, type[Descriptive]] = {kind.kind: kind for kind in _KINDS}
