"""Estimators of a binary outcome by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from validation.estimators.calibration.binary import (
    calibration_intercept,
    calibration_slope,
    observed_expected_influence,
)
from validation.estimators.calibration.curves import CalibrationCurve, calibration_curve
from validation.estimators.catalogue.entry import ANY, POSITIVE, SIGNED_UNIT, UNIT, BinarySample, Estimator
from validation.estimators.classification.threshold import ThresholdPerformance, threshold_performance
from validation.estimators.discrimination.auc import auc_bootstrap, auc_influence
from validation.estimators.discrimination.average_precision import average_precision_influence
from validation.estimators.estimate import Estimate
from validation.estimators.overall.brier import brier_influence, ipa_influence
from validation.estimators.reclassification.improvement import Component, idi, nri
from validation.estimators.utility.net_benefit import net_benefit_influence


@lru_cache(maxsize=64)
def _curve(sample: BinarySample) -> CalibrationCurve:
    """The flexible calibration curve that ICI, E50 and E90 share."""
    told = sample.settings
    return calibration_curve(
        sample.event,
        sample.prediction,
        level=told.level,
        replicates=told.replicates,
        seed=told.seed,
        cluster=sample.cluster,
    )


def _calibration_error(choose: Callable[[CalibrationCurve], Estimate]) -> Estimator[BinarySample]:
    return Estimator(
        measures="calibration",
        bounds=UNIT,
        of="risk",
        needs=frozenset(("replicates",)),
        handles_clusters=True,
        direct=lambda s: choose(_curve(s)),
    )


@lru_cache(maxsize=64)
def _at_threshold(sample: BinarySample) -> ThresholdPerformance:
    """The exact proportions at a threshold, made together."""
    told = sample.settings
    return threshold_performance(sample.event, sample.prediction, threshold=told.need("threshold"), level=told.level)


def _proportion(
    choose: Callable[[ThresholdPerformance], Estimate], bounds: tuple[float, float] = UNIT
) -> Estimator[BinarySample]:
    return Estimator(
        measures="classification",
        bounds=bounds,
        needs=frozenset(("threshold",)),
        direct=lambda s: choose(_at_threshold(s)),
    )


def _net_benefit(*, standardized: bool) -> Estimator[BinarySample]:
    return Estimator(
        measures="utility",
        bounds=(-math.inf, 1.0),
        of="risk",
        needs=frozenset(("threshold",)),
        influence=lambda s: net_benefit_influence(
            s.event, s.prediction, threshold=s.settings.need("threshold"), standardized=standardized
        ),
    )


def _nri(component: Component, *, categorical: bool = False) -> Estimator[BinarySample]:
    return Estimator(
        measures="reclassification",
        bounds=(-2.0, 2.0),
        of="risk",
        needs=frozenset(("other", "threshold") if categorical else ("other",)),
        direct=lambda s: nri(
            s.event,
            s.other,
            s.prediction,
            cuts=[s.settings.need("threshold")] if categorical else None,
            component=component,
            level=s.settings.level,
        ),
    )


BINARY: dict[str, Estimator[BinarySample]] = {
    "auc": Estimator(
        measures="discrimination",
        bounds=UNIT,
        scale="logit",
        influence=lambda s: auc_influence(s.event, s.prediction),
    ),
    "auc_bootstrap": Estimator(
        measures="discrimination",
        bounds=UNIT,
        needs=frozenset(("replicates",)),
        handles_clusters=True,
        direct=lambda s: auc_bootstrap(
            s.event,
            s.prediction,
            replicates=s.settings.replicates,
            seed=s.settings.seed,
            cluster=s.cluster,
            level=s.settings.level,
        ),
    ),
    "average_precision": Estimator(
        measures="discrimination",
        bounds=UNIT,
        scale="logit",
        influence=lambda s: average_precision_influence(s.event, s.prediction),
    ),
    "brier": Estimator(
        measures="overall",
        bounds=UNIT,
        scale="logit",
        of="risk",
        influence=lambda s: brier_influence(s.event, s.prediction),
    ),
    "ipa": Estimator(
        measures="overall",
        bounds=(-math.inf, 1.0),
        of="risk",
        influence=lambda s: ipa_influence(s.event, s.prediction),
    ),
    "calibration_intercept": Estimator(
        measures="calibration",
        bounds=ANY,
        of="risk",
        direct=lambda s: calibration_intercept(s.event, s.prediction, level=s.settings.level),
    ),
    "calibration_slope": Estimator(
        measures="calibration",
        bounds=ANY,
        of="risk",
        direct=lambda s: calibration_slope(s.event, s.prediction, level=s.settings.level),
    ),
    "oe_ratio": Estimator(
        measures="calibration",
        bounds=POSITIVE,
        scale="log",
        of="risk",
        influence=lambda s: observed_expected_influence(s.event, s.prediction),
    ),
    "ici": _calibration_error(lambda curve: curve.integrated_calibration_index),
    "e50": _calibration_error(lambda curve: curve.e50),
    "e90": _calibration_error(lambda curve: curve.e90),
    "sensitivity": _proportion(lambda performance: performance.sensitivity),
    "specificity": _proportion(lambda performance: performance.specificity),
    "ppv": _proportion(lambda performance: performance.ppv),
    "npv": _proportion(lambda performance: performance.npv),
    "accuracy": _proportion(lambda performance: performance.accuracy),
    "youden": _proportion(lambda performance: performance.youden, bounds=SIGNED_UNIT),
    "net_benefit": _net_benefit(standardized=False),
    "standardized_net_benefit": _net_benefit(standardized=True),
    "nri": _nri("overall"),
    "nri_events": _nri("events"),
    "nri_nonevents": _nri("non_events"),
    "nri_categorical": _nri("overall", categorical=True),
    "idi": Estimator(
        measures="reclassification",
        bounds=SIGNED_UNIT,
        of="risk",
        needs=frozenset(("other",)),
        direct=lambda s: idi(s.event, s.other, s.prediction, level=s.settings.level),
    ),
}
