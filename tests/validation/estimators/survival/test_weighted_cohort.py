"""A cohort weighted for its censoring: its weights restore Kaplan-Meier, its means are those of the binary outcome."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.reference import from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.kaplan_meier import kaplan_meier
from validation.estimators.survival.weighted_cohort import trapezoid_weights, weighted_cohort


def test_weights_equal_r() -> None:
    """The weighted shares of cases and controls are those that dcurves takes from survfit."""
    status = weighted_cohort(gbsg().time, gbsg().status).status(5)

    weights = [float(status.weight[group].sum()) / 686 for group in (status.case, status.control)]
    observed = from_r()["dca"]["survival_5y"][0]["pos_rate"]
    assert weights == pytest.approx([observed, 1 - observed], abs=1e-12)
    assert status.lost == 686 - int(np.sum(status.case | status.control))


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_weights_reproduce_kaplan_meier(cohort: Cohort) -> None:
    """All weights must add up to n, those of the cases to n times the Kaplan-Meier risk."""
    time, event, _ = cohort
    horizon = float(np.median(time))
    status = weighted_cohort(time, event).status(horizon)
    assert status.weight.sum() == pytest.approx(time.size, rel=1e-12)
    risk = 1 - kaplan_meier(time, event).at(horizon)[0]
    assert status.weight[status.case].sum() / time.size == pytest.approx(risk, abs=1e-12)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_means(cohort: Cohort) -> None:
    """Both means of a number that is alike for all are that number, the partial one without error."""
    time, event, _ = cohort
    prepared = weighted_cohort(time, event)
    status = prepared.status(float(np.median(time)))
    alike, everybody = np.full(time.size, 0.3), np.ones(time.size, dtype=np.bool_)

    assert prepared.mean(alike, status)[0] == pytest.approx(0.3, abs=1e-12)
    value, contributions = prepared.mean_among(alike, everybody, status, "patient")
    assert value == pytest.approx(0.3, abs=1e-12)
    assert contributions == pytest.approx(np.zeros(time.size), abs=1e-12)


def test_trapezoid_weights() -> None:
    """Values at 1, 2 and 4 weigh half of the gaps beside them."""
    assert trapezoid_weights(np.array([1.0, 2, 4])).tolist() == [0.5, 1.5, 1.0]


def test_refusals() -> None:
    """Too few cases or controls at the horizon, or nobody to take a mean over."""
    prepared = weighted_cohort([1, 2, 3, 4], [1, 0, 1, 1])
    with pytest.raises(UndefinedEstimate, match=r"1 cases and 2 controls at 2\.5: at least 2 of each") as refusal:
        prepared.status(2.5, of_each=2)
    assert refusal.value.too_few
    with pytest.raises(UndefinedEstimate, match=r"no man with known status at 2\.5"):
        prepared.mean_among(np.ones(4), np.array([False, True, False, False]), prepared.status(2.5), "man")
