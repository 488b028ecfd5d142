"""Estimators of censored follow-up by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from validation.estimators.calibration.curves import CalibrationCurve, calibration_curve_at_horizon
from validation.estimators.calibration.survival import cox_calibration_slope, observed_expected_ratio
from validation.estimators.catalogue.entry import ANY, POSITIVE, SIGNED_UNIT, UNIT, Estimator, SurvivalSample
from validation.estimators.classification.at_horizon import Measure, classification_at_horizon_influence
from validation.estimators.discrimination.auc import auc_at_horizon_influence
from validation.estimators.discrimination.concordance import concordance_influence, harrell_c_bootstrap
from validation.estimators.discrimination.time_dependent import auc_t_influence, iauc_influence
from validation.estimators.estimate import Estimate
from validation.estimators.overall.brier_survival import (
    brier_t_influence,
    integrated_brier_influence,
    ipa_t_influence,
)
from validation.estimators.reclassification.improvement import Component, idi_at_horizon, nri_at_horizon
from validation.estimators.survival.kaplan_meier import kaplan_meier_by_cutoff, risk_difference_by_cutoff
from validation.estimators.utility.net_benefit import net_benefit_at_horizon_influence


@lru_cache(maxsize=64)
def _curve(sample: SurvivalSample) -> CalibrationCurve:
    """The flexible calibration curve that ICI, E50 and E90 share."""
    told = sample.settings
    return calibration_curve_at_horizon(
        sample.time,
        sample.event,
        sample.prediction,
        told.need("horizon"),
        level=told.level,
        replicates=told.replicates,
        seed=told.seed,
        cluster=sample.cluster,
    )


def _calibration_error(choose: Callable[[CalibrationCurve], Estimate]) -> Estimator[SurvivalSample]:
    return Estimator(
        measures="calibration",
        bounds=UNIT,
        of="risk",
        horizon="required",
        needs=frozenset(("replicates",)),
        handles_clusters=True,
        direct=lambda s: choose(_curve(s)),
    )


def _classified(measure: Measure) -> Estimator[SurvivalSample]:
    return Estimator(
        measures="classification",
        bounds=UNIT,
        scale="logit",
        of="risk",
        horizon="required",
        needs=frozenset(("threshold",)),
        influence=lambda s: classification_at_horizon_influence(
            measure,
            s.time,
            s.event,
            s.prediction,
            threshold=s.settings.need("threshold"),
            horizon=s.settings.need("horizon"),
        ),
    )


def _net_benefit(*, standardized: bool) -> Estimator[SurvivalSample]:
    return Estimator(
        measures="utility",
        bounds=(-math.inf, 1.0),
        of="risk",
        horizon="required",
        needs=frozenset(("threshold",)),
        influence=lambda s: net_benefit_at_horizon_influence(
            s.time,
            s.event,
            s.prediction,
            threshold=s.settings.need("threshold"),
            horizon=s.settings.need("horizon"),
            standardized=standardized,
        ),
    )


def _nri_at_horizon(component: Component, *, categorical: bool = False) -> Estimator[SurvivalSample]:
    return Estimator(
        measures="reclassification",
        bounds=(-2.0, 2.0),
        of="risk",
        horizon="required",
        needs=frozenset(("other", "threshold") if categorical else ("other",)),
        direct=lambda s: nri_at_horizon(
            s.time,
            s.event,
            s.other,
            s.prediction,
            horizon=s.settings.need("horizon"),
            cuts=[s.settings.need("threshold")] if categorical else None,
            component=component,
            level=s.settings.level,
        ),
    )


SURVIVAL: dict[str, Estimator[SurvivalSample]] = {
    "harrell_c": Estimator(
        measures="discrimination",
        bounds=UNIT,
        scale="logit",
        horizon="optional",
        influence=lambda s: concordance_influence(s.time, s.event, s.prediction, horizon=s.settings.horizon),
    ),
    "harrell_c_bootstrap": Estimator(
        measures="discrimination",
        bounds=UNIT,
        needs=frozenset(("replicates",)),
        handles_clusters=True,
        direct=lambda s: harrell_c_bootstrap(
            s.time,
            s.event,
            s.prediction,
            replicates=s.settings.replicates,
            seed=s.settings.seed,
            cluster=s.cluster,
            level=s.settings.level,
        ),
    ),
    "uno_c": Estimator(
        measures="discrimination",
        bounds=UNIT,
        scale="logit",
        horizon="required",
        influence=lambda s: concordance_influence(
            s.time, s.event, s.prediction, weighting="uno", horizon=s.settings.need("horizon")
        ),
    ),
    "auc": Estimator(
        measures="discrimination",
        bounds=UNIT,
        scale="logit",
        horizon="required",
        influence=lambda s: auc_at_horizon_influence(s.time, s.event, s.prediction, s.settings.need("horizon")),
    ),
    "auc_t": Estimator(
        measures="discrimination",
        bounds=UNIT,
        scale="logit",
        horizon="required",
        influence=lambda s: auc_t_influence(s.time, s.event, s.prediction, s.settings.need("horizon")),
    ),
    "iauc": Estimator(
        measures="discrimination",
        bounds=UNIT,
        scale="logit",
        needs=frozenset(("grid",)),
        influence=lambda s: iauc_influence(s.time, s.event, s.prediction, s.horizons),
    ),
    "brier_t": Estimator(
        measures="overall",
        bounds=UNIT,
        scale="logit",
        of="risk",
        horizon="required",
        influence=lambda s: brier_t_influence(s.time, s.event, s.prediction, s.settings.need("horizon")),
    ),
    "ipa_t": Estimator(
        measures="overall",
        bounds=(-math.inf, 1.0),
        of="risk",
        horizon="required",
        influence=lambda s: ipa_t_influence(s.time, s.event, s.prediction, s.settings.need("horizon")),
    ),
    "ibs": Estimator(
        measures="overall",
        bounds=UNIT,
        scale="logit",
        of="risk",
        needs=frozenset(("grid",)),
        influence=lambda s: integrated_brier_influence(s.time, s.event, s.risks, s.horizons),
    ),
    "calibration_slope": Estimator(
        measures="calibration",
        bounds=ANY,
        of="linear_predictor",
        horizon="optional",
        direct=lambda s: cox_calibration_slope(
            s.time, s.event, s.prediction, horizon=s.settings.horizon, level=s.settings.level
        ),
    ),
    "oe_ratio": Estimator(
        measures="calibration",
        bounds=POSITIVE,
        of="risk",
        horizon="required",
        direct=lambda s: observed_expected_ratio(
            s.time, s.event, s.prediction, s.settings.need("horizon"), level=s.settings.level
        ),
    ),
    "ici": _calibration_error(lambda curve: curve.integrated_calibration_index),
    "e50": _calibration_error(lambda curve: curve.e50),
    "e90": _calibration_error(lambda curve: curve.e90),
    "sensitivity": _classified("sensitivity"),
    "specificity": _classified("specificity"),
    "ppv": _classified("ppv"),
    "npv": _classified("npv"),
    "net_benefit": _net_benefit(standardized=False),
    "standardized_net_benefit": _net_benefit(standardized=True),
    "nri": _nri_at_horizon("overall"),
    "nri_events": _nri_at_horizon("events"),
    "nri_nonevents": _nri_at_horizon("non_events"),
    "nri_categorical": _nri_at_horizon("overall", categorical=True),
    "idi": Estimator(
        measures="reclassification",
        bounds=SIGNED_UNIT,
        of="risk",
        horizon="required",
        needs=frozenset(("other",)),
        direct=lambda s: idi_at_horizon(
            s.time, s.event, s.other, s.prediction, horizon=s.settings.need("horizon"), level=s.settings.level
        ),
    ),
    "kaplan_meier_by_cutoff": Estimator(
        measures="separation",
        bounds=SIGNED_UNIT,
        horizon="required",
        needs=frozenset(("cutoff",)),
        direct=lambda s: risk_difference_by_cutoff(
            s.time,
            s.event,
            s.prediction,
            cutoff=s.settings.need("cutoff"),
            horizon=s.settings.need("horizon"),
            level=s.settings.level,
        ),
        curve=lambda s: kaplan_meier_by_cutoff(
            s.time,
            s.event,
            s.prediction,
            cutoff=s.settings.need("cutoff"),
            horizon=s.settings.need("horizon"),
            level=s.settings.level,
        ),
    ),
}
