"""Classification at a threshold: equal to R, by hand, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from tests.reference import FOLDER, from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.classification.threshold import (
    McNemar,
    compare_sensitivity,
    compare_specificity,
    threshold_performance,
)
from validation.estimators.estimate import UndefinedEstimate

BEYOND = json.loads((FOLDER / "classification.json").read_text(encoding="utf-8"))
NAMES = {"sensitivity": "sens", "specificity": "spec", "ppv": "ppv", "npv": "npv", "accuracy": "acc"}


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_equals_r(threshold: float) -> None:
    """Counts, proportions and exact limits are those of the table and of binom.test."""
    known, expected = gbsg()[gbsg().known3 == 1], from_r()["bin"][f"at_{threshold:g}"]
    found = threshold_performance(known.y3, known.pA3, threshold=threshold)

    counts = (found.true_positives, found.false_positives, found.false_negatives, found.true_negatives)
    assert counts == tuple(expected[key] for key in ("tp", "fp", "fn", "tn"))
    for name, key in NAMES.items():
        estimate = getattr(found, name)
        assert [estimate.value, estimate.lower, estimate.upper] == pytest.approx(expected[key], abs=1e-12)
        assert estimate.method.endswith(
            f"at threshold {threshold:g}, proportion, exact interval (Clopper-Pearson 1934)"
        )


@pytest.mark.parametrize(("position", "threshold"), [(0, 0.5), (1, 0.3)])
def test_youden_equals_r(position: int, threshold: float) -> None:
    """Newcombe's limits follow from prop.test's score limits; they lie within epiR's, which add up the exact limits."""
    known = gbsg()[gbsg().known3 == 1]
    found = threshold_performance(known.y3, known.pA3, threshold=threshold)
    index = found.youden

    assert [index.value, index.lower, index.upper] == pytest.approx(BEYOND["youden"][position], abs=1e-12)
    epi = next(row for row in from_r()["bin"][f"at_{threshold:g}"]["epiR"] if row["statistic"] == "youden")
    assert index.value == pytest.approx(epi["est"], abs=1e-12)
    assert found.sensitivity.lower + found.specificity.lower - 1 == pytest.approx(epi["lower"], abs=1e-12)
    assert epi["lower"] < index.lower
    assert index.upper < epi["upper"]


def test_mcnemar_equals_r() -> None:
    """Discordant patients, corrected and exact test are those of mcnemar.test and binom.test."""
    known, expected = gbsg()[gbsg().known3 == 1], from_r()["bin"]["mcnemar_sens_0.5"]
    found = compare_sensitivity(known.y3, known.pA3, known.pB3, threshold=0.5)

    assert (found.only_second, found.only_first) == (expected["b"], expected["c"])
    assert found.chi_square == pytest.approx(expected["chisq_cc"], abs=1e-12)
    assert found.p_corrected == pytest.approx(expected["p_cc"], rel=1e-12)
    assert found.p_exact == found.difference.p_value == pytest.approx(expected["p_exact"], rel=1e-12)
    assert found.difference.value == pytest.approx(50 / 224)
    # by hand: 50 / 226 less and plus 1.96 times the root of (61 / 226 - (50 / 226)^2) / 226
    assert (found.difference.lower, found.difference.upper) == pytest.approx((0.159954, 0.282524), abs=1e-6)


@pytest.mark.parametrize(
    ("key", "compare", "threshold"),
    [
        ("sens_0.3", compare_sensitivity, 0.3),
        ("spec_0.5", compare_specificity, 0.5),
        ("spec_0.3", compare_specificity, 0.3),
    ],
)
def test_mcnemar_equals_r_beyond(key: str, compare: Callable[..., McNemar], threshold: float) -> None:
    """The same where the second model is the better one, and for specificity."""
    known, expected = gbsg()[gbsg().known3 == 1], BEYOND["mcnemar"][key]
    found = compare(known.y3, known.pA3, known.pB3, threshold=threshold)

    assert (found.only_first, found.only_second) == (expected["only_A"], expected["only_B"])
    assert found.p_corrected == pytest.approx(expected["p_cc"], rel=1e-11)
    assert found.p_exact == pytest.approx(expected["p_exact"], rel=1e-11)


def test_tiny_sample() -> None:
    """Two cases, one found; three controls, one positive at exactly the threshold."""
    found = threshold_performance([1, 1, 0, 0, 0], [0.9, 0.2, 0.5, 0.4, 0.1], threshold=0.5)

    values = [getattr(found, name).value for name in (*NAMES, "youden")]
    assert values == pytest.approx([1 / 2, 2 / 3, 1 / 2, 2 / 3, 3 / 5, 1 / 6])
    assert (found.youden.n, found.youden.events) == (5, 2)


def test_no_discordant_patient() -> None:
    """Equal predictions: no difference, P = 1, and an interval that is not a point."""
    found = compare_specificity([0, 0, 0, 1], [0.9, 0.1, 0.2, 0.8], [0.8, 0.2, 0.1, 0.9], threshold=0.5)

    assert (found.difference.value, found.chi_square, found.p_corrected, found.p_exact) == (0, 0, 1, 1)
    assert -1 < found.difference.lower < 0 < found.difference.upper < 1


def test_difference_at_the_edge() -> None:
    """One model right everywhere, the other nowhere: the limit is 1 itself."""
    found = compare_sensitivity([1, 1, 1, 0], [0.9] * 4, [0.1] * 4, threshold=0.5)

    assert (found.difference.value, found.difference.upper) == (1, 1)
    assert found.difference.lower > 0


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_symmetries(cohort: Cohort) -> None:
    """The order of rows does not matter; other class and mirrored probabilities swap sensitivity and specificity."""
    _, case, prediction = cohort
    probability = (prediction - prediction.min() + 0.25) / 20
    order = np.random.default_rng(case.size).permutation(case.size)
    found = threshold_performance(case, probability, threshold=0.21)
    mirrored = threshold_performance(~case, 1 - probability, threshold=0.79)

    assert threshold_performance(case[order], probability[order], threshold=0.21) == found
    assert mirrored.sensitivity.value == found.specificity.value
    assert mirrored.youden.lower == pytest.approx(found.youden.lower)
    swapped = compare_sensitivity(case, 1 - probability, probability, threshold=0.5)
    assert compare_sensitivity(case, probability, 1 - probability, threshold=0.5).p_exact == swapped.p_exact


@pytest.mark.parametrize(
    ("name", "case", "probability", "reason"),
    [
        ("sensitivity", [0, 0], [0.1, 0.9], "no case"),
        ("youden", [0, 0], [0.1, 0.9], "no case"),
        ("specificity", [1, 1], [0.1, 0.9], "no control"),
        ("ppv", [0, 1], [0.1, 0.2], "no positive patient"),
        ("npv", [0, 1], [0.6, 0.9], "no negative patient"),
    ],
)
def test_too_few(name: str, case: list[int], probability: list[float], reason: str) -> None:
    """A zero denominator leaves one measure undefined, not the others; more patients would define it."""
    found = threshold_performance(case, probability, threshold=0.5)

    with pytest.raises(UndefinedEstimate, match=reason) as refusal:
        getattr(found, name)
    assert refusal.value.too_few
    assert 0 <= found.accuracy.value <= 1


@pytest.mark.parametrize(
    ("case", "probability", "threshold", "level", "reason"),
    [
        ([0, 1], [0.1, 1.2], 0.5, 0.95, "outside"),
        ([0, 1], [0.1, np.nan], 0.5, 0.95, "not finite"),
        ([0, 1], [0.1, 0.2, 0.3], 0.5, 0.95, "3 values for 2 patients"),
        ([0, 2], [0.1, 0.2], 0.5, 0.95, "other values than 0 and 1"),
        ([0, 1], [0.1, 0.2], 1.0, 0.95, "threshold 1 does"),
        ([0, 1], [0.1, 0.2], np.nan, 0.95, "threshold nan"),
        ([0, 1], [0.1, 0.2], 0.5, 1.0, "confidence level"),
    ],
)
def test_refuses(case: list[int], probability: list[float], threshold: float, level: float, reason: str) -> None:
    """Arrays, thresholds and levels that mean nothing."""
    with pytest.raises(UndefinedEstimate, match=reason):
        threshold_performance(case, probability, threshold=threshold, level=level)


def test_comparison_needs_the_class() -> None:
    """Without cases there is no sensitivity to compare, without controls no specificity."""
    with pytest.raises(UndefinedEstimate, match="no case"):
        compare_sensitivity([0, 0], [0.1, 0.2], [0.2, 0.1], threshold=0.5)
    with pytest.raises(UndefinedEstimate, match="no control"):
        compare_specificity([1, 1], [0.1, 0.2], [0.2, 0.1], threshold=0.5)
