"""Brier score and index of prediction accuracy of a binary outcome."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import ArrayLike
from sklearn.metrics import brier_score_loss

from tests.reference import FOLDER, from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.overall.brier import brier, brier_influence, ipa, ipa_influence


def test_equals_r() -> None:
    """The 3-year status of gbsg must give R's Brier score (rms::val.prob, mean), standard error and IPA."""
    known = gbsg()[lambda data: data["known3"] == 1]
    reference = json.loads((FOLDER / "overall.json").read_text(encoding="utf-8"))["binary"]
    estimate = brier(known["y3"], known["pA3"])
    assert estimate.value == pytest.approx(from_r()["bin"]["val_prob_A"]["Brier"], abs=1e-12)
    assert estimate.value == pytest.approx(from_r()["bin"]["cal"]["brier"], abs=1e-12)
    assert estimate.standard_error == pytest.approx(reference["brier_se"], abs=1e-12)
    assert ipa(known["y3"], known["pA3"]).value == pytest.approx(reference["ipa"], abs=1e-12)


def test_by_hand() -> None:
    """Squares .04, .25, .09, .64 have mean .255; predicting the prevalence 1/2 has .25."""
    case, probability = [1, 1, 0, 0], [0.8, 0.5, 0.3, 0.8]
    estimate = brier(case, probability)
    assert estimate.value == pytest.approx(0.255)
    assert estimate.standard_error == pytest.approx(np.std([0.04, 0.25, 0.09, 0.64], ddof=1) / 2)
    assert (estimate.n, estimate.events, estimate.scale) == (4, 2, "logit")
    assert ipa(case, probability).value == pytest.approx(1 - 0.255 / 0.25)


@given(cohorts())
@settings(max_examples=15, deadline=None)
def test_contributions_are_derivatives(cohort: Cohort) -> None:
    """Contributions equal the derivatives of scikit-learn's weighted score and of the index, but for the factor."""
    _, case, prediction = cohort
    n, step = case.size, 1e-6
    probability = 1 / (1 + np.exp(-prediction / 10))

    def score(weight: ArrayLike) -> float:
        return float(brier_score_loss(case, probability, sample_weight=weight))

    def index(weight: ArrayLike) -> float:
        prevalence = np.average(case.astype(np.float64), weights=np.asarray(weight, dtype=np.float64))
        return 1 - score(weight) / (prevalence * (1 - prevalence))

    for influence, function in ((brier_influence, score), (ipa_influence, index)):
        result = influence(case, probability)
        units = step * np.eye(n)
        derivatives = [(function(1 + unit) - function(1 - unit)) / (2 * step) for unit in units]
        assert result.value == pytest.approx(function(np.ones(n)), abs=1e-12)
        np.testing.assert_allclose(result.contributions * np.sqrt((n - 1) / n), derivatives, atol=1e-8)


@given(cohorts())
@settings(max_examples=20, deadline=None)
def test_order_and_coding_do_not_matter(cohort: Cohort) -> None:
    """Row order, and predicting the other class instead, must change nothing."""
    _, case, prediction = cohort
    probability = 1 / (1 + np.exp(-prediction / 10))
    order = np.random.default_rng(0).permutation(case.size)
    for influence in (brier_influence, ipa_influence):
        first = influence(case, probability)
        second = influence(~case[order], 1 - probability[order])
        assert second.value == pytest.approx(first.value, abs=1e-12)
        np.testing.assert_allclose(second.contributions, first.contributions[order], atol=1e-12)


@pytest.mark.parametrize(
    ("case", "probability", "reason"),
    [
        ([0, 0, 0], [0.2, 0.3, 0.4], "0 cases and 3 controls"),
        ([1, 1, 1], [0.2, 0.3, 0.4], "3 cases and 0 controls"),
        ([1, 0, 0], [0.2, 0.3, 1.4], "outside"),
        ([1, 0, 0], [0.2, 0.3, np.nan], "not finite"),
        ([1, 0, 0], [0.2, 0.3], "2 values for 3"),
        ([1, 0, 3], [0.2, 0.3, 0.4], "other values"),
    ],
)
def test_refusals(case: ArrayLike, probability: ArrayLike, reason: str) -> None:
    """What cannot be estimated must be refused, with its reason."""
    for function in (brier, ipa):
        with pytest.raises(UndefinedEstimate, match=reason):
            function(case, probability)


def test_no_variance_is_refused() -> None:
    """A perfect score has no logit, and equal squares have no standard error."""
    with pytest.raises(UndefinedEstimate, match="edge of its range"):
        brier([1, 0, 0], [1.0, 0.0, 0.0])
    with pytest.raises(UndefinedEstimate, match="standard error 0"):
        brier([1, 0, 0], [0.5, 0.5, 0.5])
