"""Average precision equals scikit-learn's and R's, and its contributions are its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score

from tests.reference import from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.discrimination.average_precision import (
    average_precision,
    average_precision_influence,
)
from validation.estimators.estimate import UndefinedEstimate


def probabilities(prediction: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Map any prediction into (0, 1), keeping order and ties."""
    return 1 / (1 + np.exp(-np.asarray(prediction) / 10))


def test_equals_r() -> None:
    """The 3-year status of gbsg must give the value of refs.R."""
    known = gbsg()[lambda data: data["known3"] == 1]
    estimate = average_precision(known["y3"], known["pA3"])
    assert estimate.value == pytest.approx(from_r()["bin"]["average_precision"], abs=1e-12)
    assert (estimate.n, estimate.events, estimate.scale) == (555, 224, "logit")


def test_by_hand() -> None:
    """Cases ranked 1, tied at 2-3 with a control, and 5: precisions 1, 2/3, 3/5."""
    estimate = average_precision([1, 1, 0, 0, 1], [0.9, 0.5, 0.5, 0.3, 0.2])
    assert estimate.value == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


@given(cohorts())
@settings(max_examples=20, deadline=None)
def test_equals_scikit_learn_with_its_derivatives(cohort: Cohort) -> None:
    """Value equals scikit-learn's; contributions equal the derivatives of its weighted value, but for the factor."""
    _, case, prediction = cohort
    probability, n, step = probabilities(prediction), case.size, 1e-6
    influence = average_precision_influence(case, probability)
    assert influence.value == pytest.approx(average_precision_score(case, probability), abs=1e-12)
    derivatives = [
        (
            average_precision_score(case, probability, sample_weight=1 + step * (np.arange(n) == i))
            - average_precision_score(case, probability, sample_weight=1 - step * (np.arange(n) == i))
        )
        / (2 * step)
        for i in range(n)
    ]
    np.testing.assert_allclose(influence.contributions * np.sqrt((n - 1) / n), derivatives, atol=1e-8)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_order_and_scale_do_not_matter(cohort: Cohort) -> None:
    """Row order and a monotone transform of the probability must change nothing."""
    _, case, prediction = cohort
    probability = probabilities(prediction)
    order = np.random.default_rng(0).permutation(case.size)
    first = average_precision_influence(case, probability)
    second = average_precision_influence(case[order], np.sqrt(probability[order]))
    assert second.value == pytest.approx(first.value, abs=1e-12)
    np.testing.assert_allclose(second.contributions, first.contributions[order], atol=1e-12)


@pytest.mark.parametrize(
    ("case", "probability", "reason"),
    [
        ([1, 0, 0, 0], [0.9, 0.5, 0.3, 0.2], "1 cases and 3 controls"),
        ([1, 1, 1, 0], [0.9, 0.5, 0.3, 0.2], "3 cases and 1 controls"),
        ([1, 1, 0, 0], [0.9, 0.5, 0.3, 1.2], "outside"),
        ([1, 1, 0, 0], [0.9, 0.5, 0.3, np.nan], "not finite"),
        ([1, 1, 0, 0], [0.5] * 4, "for all 4"),
        ([1, 1, 0, 0], [0.9, 0.5, 0.3], "3 values for 4"),
        ([1, 1, 0, 2], [0.9, 0.5, 0.3, 0.2], "other values"),
        ([1, 1, 0, 0], [0.9, 0.5, 0.3, 0.2], "edge of its range"),
    ],
)
def test_refusals(case: ArrayLike, probability: ArrayLike, reason: str) -> None:
    """What cannot be estimated must be refused, with its reason."""
    with pytest.raises(UndefinedEstimate, match=reason):
        average_precision(case, probability)
