"""Descriptive analyses: one class per kind. Adding one = one class, one line in `_KINDS`, its test, its paragraph."""

from __future__ import annotations

from validation.descriptive.associations import Associations
from validation.descriptive.base import Descriptive
from validation.descriptive.calibration import CalibrationCurves
from validation.descriptive.characteristics import TableOneByGroup
from validation.descriptive.classification import Classification
from validation.descriptive.correlations import Correlations
from validation.descriptive.cox_regression import CoxRegression
from validation.descriptive.decision_curve import DecisionCurves
from validation.descriptive.distribution import Distribution
from validation.descriptive.follow_up import MedianFollowUp
from validation.descriptive.kaplan_meier import KaplanMeierByGroup
from validation.descriptive.model_comparison import ModelComparison
from validation.descriptive.over_time import PerformanceOverTime
from validation.descriptive.roc import RocCurves
from validation.descriptive.score_by_group import ScoreByGroup
from validation.descriptive.subgroup_hazard_ratios import SubgroupHazardRatios
from validation.descriptive.subgroups import Subgroups
from validation.descriptive.tile_classification import TileClassification
from validation.descriptive.treatment_effect import TreatmentEffect

_KINDS: tuple[type[Descriptive], ...] = (
    TableOneByGroup,
    MedianFollowUp,
    KaplanMeierByGroup,
    CoxRegression,
    Subgroups,
    SubgroupHazardRatios,
    TreatmentEffect,
    ModelComparison,
    RocCurves,
    Classification,
    ScoreByGroup,
    Associations,
    Correlations,
    CalibrationCurves,
    DecisionCurves,
    PerformanceOverTime,
    Distribution,
    TileClassification,
)
KINDS: dict[str, type[Descriptive]] = {kind.kind: kind for kind in _KINDS}
