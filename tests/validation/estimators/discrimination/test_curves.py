"""ROC and precision-recall curves: R's and scikit-learn's points, and areas that are the estimators' own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from numpy.typing import ArrayLike

from tests.reference import FOLDER, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.classification.at_horizon import classification_at_horizon_influence
from validation.estimators.discrimination.auc import auc_influence
from validation.estimators.discrimination.average_precision import average_precision_influence
from validation.estimators.discrimination.curves import (
    RocCurve,
    precision_recall_curve,
    roc_curve,
    roc_curve_at_horizon,
)
from validation.estimators.discrimination.time_dependent import auc_t_influence
from validation.estimators.estimate import UndefinedEstimate


def area(curve: RocCurve) -> float:
    """The area below the straight lines between the points."""
    return float(np.trapezoid(curve.sensitivity, 1 - curve.specificity))


def test_roc_equals_r() -> None:
    """Sensitivity and specificity at every threshold are pROC's."""
    expected = json.loads((FOLDER / "descriptive.json").read_text(encoding="utf-8"))["roc"]
    known = gbsg()[gbsg().known3 == 1]
    curve = roc_curve(known.y3, known.lpA)

    np.testing.assert_allclose(curve.sensitivity, expected["sensitivity"], atol=1e-12)
    np.testing.assert_allclose(curve.specificity, expected["specificity"], atol=1e-12)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_equal_scikit_learn_and_their_areas(cohort: Cohort) -> None:
    """Points are scikit-learn's; the areas are the AUC and the average precision."""
    _, case, prediction = cohort
    roc, recall = roc_curve(case, prediction), precision_recall_curve(case, prediction)
    false_positive, sensitivity, threshold = sklearn.metrics.roc_curve(case, prediction, drop_intermediate=False)
    precision, share, _ = sklearn.metrics.precision_recall_curve(case, prediction)

    np.testing.assert_allclose(roc.threshold, threshold)
    np.testing.assert_allclose(roc.sensitivity, sensitivity, atol=1e-12)
    np.testing.assert_allclose(roc.specificity, 1 - false_positive, atol=1e-12)
    assert area(roc) == pytest.approx(auc_influence(case, prediction).value, abs=1e-12)
    np.testing.assert_allclose(recall.precision[::-1], precision[:-1], atol=1e-12)
    np.testing.assert_allclose(recall.recall[::-1], share[:-1], atol=1e-12)
    steps = float(np.sum(np.diff(recall.recall, prepend=0.0) * recall.precision))
    probability = (prediction + 1) / 11
    assert steps == pytest.approx(average_precision_influence(case, probability).value, abs=1e-12)


def test_by_hand() -> None:
    """Cases 3 and 1, controls 2 and 0: (0, 0), (0, 1/2), (1/2, 1/2), (1/2, 1), (1, 1)."""
    curve = roc_curve([1, 1, 0, 0], [3, 1, 2, 0])

    assert curve.sensitivity.tolist() == [0, 0.5, 0.5, 1, 1]
    assert curve.specificity.tolist() == [1, 1, 0.5, 0.5, 0]
    assert curve.threshold.tolist() == [np.inf, 3, 2, 1, 0]


@pytest.mark.parametrize("horizon", [1.0, 3.0, 5.0])
def test_at_horizon_belongs_to_the_estimators(horizon: float) -> None:
    """The area is that of the weighted AUC, a point is that of the classification at its threshold."""
    time, event, values = gbsg().time, gbsg().status, gbsg().lpA.to_numpy()
    curve = roc_curve_at_horizon(time, event, values, horizon)

    assert area(curve) == pytest.approx(auc_t_influence(time, event, values, horizon).value, abs=1e-12)
    middle = curve.threshold.size // 2
    for measure, points in (("sensitivity", curve.sensitivity), ("specificity", curve.specificity)):
        expected = classification_at_horizon_influence(
            measure,  # type: ignore[arg-type]
            time,
            event,
            values,
            threshold=float(curve.threshold[middle]),
            horizon=horizon,
        )
        assert points[middle] == pytest.approx(expected.value, abs=1e-12)


@pytest.mark.parametrize(
    ("case", "prediction", "reason"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], "3 cases and 0 controls"),
        ([1, 0, 1], [0.2, 0.2, 0.2], "for all 3"),
        ([1, 0, 2], [0.1, 0.2, 0.3], "other values"),
        ([1, 0, 1], [0.1, np.nan, 0.3], "not finite"),
    ],
)
def test_refusals(case: ArrayLike, prediction: ArrayLike, reason: str) -> None:
    """Without both classes and a prediction that orders patients there is no curve."""
    with pytest.raises(UndefinedEstimate, match=reason):
        roc_curve(case, prediction)
    with pytest.raises(UndefinedEstimate, match=reason):
        precision_recall_curve(case, prediction)


def test_refuses_a_horizon_beyond_follow_up() -> None:
    """Nobody is known to be free of the event there."""
    with pytest.raises(UndefinedEstimate, match="beyond follow-up"):
        roc_curve_at_horizon(gbsg().time, gbsg().status, gbsg().lpA, 99)
