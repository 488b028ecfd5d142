"""AUC with DeLong's variance: equal to R's pROC, by hand, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings

from tests.reference import from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.auc import auc_at_horizon, auc_delong
from validation.estimators.estimate import UndefinedEstimate


def test_equals_r() -> None:
    """Value and interval are those of pROC::ci.auc(method="delong")."""
    known = gbsg()[gbsg().known3 == 1]
    for column, name in (("pA3", "aucA_ci"), ("pB3", "aucB_ci")):
        estimate = auc_delong(known.y3, known[column], scale="identity")

        found = [estimate.lower, estimate.value, estimate.upper]
        assert found == pytest.approx(from_r()["bin"][name], abs=1e-12)
        assert (estimate.n, estimate.events) == (555, 224)


def test_at_horizon_equals_r() -> None:
    """With times in months the same patients are known, and the 131 lost before are counted."""
    data = gbsg()
    estimate = auc_at_horizon(data.time * 12, data.status, data.pA3, 36)

    assert estimate.value == pytest.approx(from_r()["bin"]["aucA"], abs=1e-12)
    assert (estimate.n, estimate.events, estimate.horizon_months) == (555, 224, 36)
    assert "131 patients lost before 36 months left out" in estimate.method


def test_tiny_sample() -> None:
    """Cases 3 and 1 against controls 2 and 1: 1 + 1 + 0 + 1/2 of four pairs; variance by hand."""
    estimate = auc_delong([1, 1, 0, 0], [3, 1, 2, 1], scale="identity")

    assert estimate.value == pytest.approx(2.5 / 4)
    placements = np.var([1, 0.25], ddof=1) / 2 + np.var([0.5, 0.75], ddof=1) / 2
    assert estimate.upper - estimate.value == pytest.approx(1.959963984540054 * np.sqrt(placements))


@given(cohorts(ties=False))
@settings(max_examples=40, deadline=None)
def test_symmetries(cohort: Cohort) -> None:
    """Reversing prediction or class gives 1 - AUC; a monotone scale changes nothing."""
    _, case, prediction = cohort
    separation = abs(np.mean(prediction[case][:, None] > prediction[~case]) - 0.5)
    assume(separation < 0.5)
    estimate = auc_delong(case, prediction)

    assert auc_delong(case, -prediction).value == pytest.approx(1 - estimate.value)
    assert auc_delong(~case, prediction).value == pytest.approx(1 - estimate.value)
    assert auc_delong(case, np.exp(prediction / 5)).lower == pytest.approx(estimate.lower)


@pytest.mark.parametrize(
    ("case", "prediction", "reason"),
    [
        ([1, 1, 1], [1, 2, 3], "3 cases and 0 controls"),
        ([1, 0, 0], [1, 2, 3], "1 cases and 2 controls"),
        ([1, 1, 0, 0], [3, 4, 1, 2], "edge of its range"),
        ([1, 1, 0, 0], [1, 1, 1, 1], "prediction is 1 for all 4 patients"),
        ([1, 1, 0, 0], [1, np.inf, 1, 1], "not finite for 1 of 4"),
        ([1, 1, 0, 0.5], [1, 2, 1, 1], "other values than 0 and 1"),
    ],
)
def test_refuses(case: list[float], prediction: list[float], reason: str) -> None:
    """One class, perfect separation or bad arrays have no AUC with an interval."""
    with pytest.raises(UndefinedEstimate, match=reason):
        auc_delong(case, prediction)
