"""Cut-offs that separate survival best: equal to R's maxstat, invariances, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.reference import from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.cutoffs.maximally_selected import (
    Correction,
    cutoff_by_log_rank,
    log_rank_scores,
    maximally_selected_log_rank,
)
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.log_rank import log_rank


@pytest.mark.parametrize("name", ["nodes", "lpA", "age"])
@pytest.mark.parametrize("correction", ["Lau92", "Lau94"])
def test_closed_forms_equal_r(name: str, correction: Correction) -> None:
    """Cut-off, statistic and P value of maxstat.test; R names the highest low value, here it is the middle."""
    values, expected = gbsg()[name], from_r()["maxstat"][name][correction]
    found = maximally_selected_log_rank(gbsg().time, gbsg().status, values, correction=correction)

    assert values[values < found.value].max() == pytest.approx(expected["cut"], abs=1e-12)
    assert found.value == (expected["cut"] + values[values > expected["cut"]].min()) / 2 or name == "lpA"
    assert found.statistic == pytest.approx(expected["stat"], abs=1e-12)
    assert found.p_value == pytest.approx(expected["p"], abs=1e-12)


def test_statistic_without_p_value_equals_r() -> None:
    """maxstat.test(pmethod="none")."""
    expected = from_r()["maxstat"]["nodes"]["none"]
    found = maximally_selected_log_rank(gbsg().time, gbsg().status, gbsg().nodes)

    assert (found.value, found.statistic) == (expected["cut"] + 0.5, pytest.approx(expected["stat"], abs=1e-12))


def test_curve_equals_r() -> None:
    """Statistics at all cut-offs that leave 10 to 90 % of the patients low."""
    expected = from_r()["maxstat"]["nodes_curve"]
    found = maximally_selected_log_rank(gbsg().time, gbsg().status, gbsg().nodes)

    assert found.cutoffs.tolist() == [cut + 0.5 for cut in expected["cuts"]]
    assert found.statistics == pytest.approx(expected["stats"], abs=1e-12)
    assert (found.tests, found.n, found.events) == (11, 686, 299)


@pytest.mark.parametrize("name", ["nodes", "age"])
def test_joint_normal_equals_r(name: str) -> None:
    """R's exactGauss simulates the integral, with an error of up to 0.001."""
    expected = from_r()["maxstat"][name]["exactGauss"]["p"]
    found = maximally_selected_log_rank(gbsg().time, gbsg().status, gbsg()[name])

    assert found.p_value == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", ["age", "size", "noise"])
def test_joint_normal_equals_r_with_more_points(name: str) -> None:
    """R's pexactgauss with two million points, within the error that it states."""
    expected = survival_reference()["maxstat"][name]
    values = expected.get("x", gbsg().get(name))
    found = maximally_selected_log_rank(gbsg().time, gbsg().status, values)

    assert found.statistic == pytest.approx(expected["stat"], abs=1e-12)
    assert found.p_value == pytest.approx(expected["p"], abs=expected["error"])


@pytest.mark.parametrize("name", ["nodes", "age"])
def test_permutations_equal_r(name: str) -> None:
    """Two Monte Carlo estimates from 9999 permutations; ours is never zero."""
    expected = from_r()["maxstat"][f"{name}_condMC"]
    found = maximally_selected_log_rank(gbsg().time, gbsg().status, gbsg()[name], correction="condMC", seed=3)

    assert found.value == expected["cut"] + 0.5
    assert found.p_value == pytest.approx(expected["p"], abs=4 * np.sqrt(2 * 0.05 * 0.95 / 9999))
    assert found.p_value >= 1 / 10_000


def test_scores_by_hand() -> None:
    """Times 1, 2, 2, 3: the tied patients share the increments of both."""
    scores = log_rank_scores(np.array([2.0, 1, 2, 3]), np.array([True, True, False, False]))

    assert scores.tolist() == pytest.approx([1 - 1 / 4 - 1 / 2, 1 - 1 / 4, -1 / 4 - 1 / 2, -1 / 4 - 1 / 2])


@given(cohorts())
@settings(deadline=None, max_examples=40)
def test_invariant(cohort: Cohort) -> None:
    """Row order, unit of time and monotone transforms of the prediction do not matter; reversed it mirrors."""
    time, event, prediction = cohort
    try:
        plain = maximally_selected_log_rank(time, event, prediction)
    except UndefinedEstimate:
        return
    other = maximally_selected_log_rank(time[::-1] * 12, event[::-1], np.exp(prediction[::-1] / 3))

    assert other.statistics == pytest.approx(plain.statistics, abs=1e-9)
    assert other.p_value == pytest.approx(plain.p_value, rel=1e-6)
    high = prediction >= plain.value
    assert np.array_equal(np.exp(prediction / 3) >= other.value, high)
    assert plain.naive_p_value <= plain.p_value <= 1


def test_weak_statistics() -> None:
    """Below 1 the bound for continuous predictions says nothing; no bound exceeds 1 or undercuts the naive P."""
    rng = np.random.default_rng(4)
    time, x = rng.exponential(1, 60), np.arange(60) % 2 + 0.0
    for correction in ("Lau92", "Lau94", "exactGauss"):
        found = maximally_selected_log_rank(time, np.ones(60), x, correction=correction)
        assert found.tests == 1
        assert found.naive_p_value <= found.p_value <= 1


def test_given_cutoffs_equal_r() -> None:
    """The root of survdiff's statistic at each candidate, and pmvnorm with the correlations of nested groups."""
    expected = survival_reference()["cutoff_by_log_rank"]
    found = cutoff_by_log_rank(gbsg().time, gbsg().status, gbsg().age, expected["cuts"])

    assert found.statistics == pytest.approx(expected["stats"], abs=1e-9)
    assert found.p_value == pytest.approx(expected["p"], abs=10 * expected["error"])
    assert (found.value, found.tests) == (40, 6)
    assert found.naive_p_value == pytest.approx(log_rank(gbsg().time, gbsg().status, gbsg().age >= 40).p_value)


def test_one_given_cutoff_needs_no_correction() -> None:
    """Candidates that divide the patients alike are one test; the lowest is taken."""
    found = cutoff_by_log_rank(gbsg().time, gbsg().status, gbsg().age, [50.2, 50.8, 50.5])

    assert (found.value, found.tests, found.cutoffs.tolist()) == (50.2, 1, [50.2, 50.5, 50.8])
    assert found.p_value == pytest.approx(found.naive_p_value, rel=1e-12)


def test_pays_for_the_search() -> None:
    """Of 100 predictions unrelated to survival about 5 are significant at 5 %, but about 20 without correction."""
    rng = np.random.default_rng(8)
    naive = corrected = given_cutoffs = 0
    for _ in range(100):
        time, censoring, x = rng.exponential(1, 80), rng.exponential(2, 80), rng.standard_normal(80)
        sample = (np.minimum(time, censoring), time <= censoring, x)
        found = maximally_selected_log_rank(*sample)
        corrected += found.p_value < 0.05
        naive += found.naive_p_value < 0.05
        given_cutoffs += cutoff_by_log_rank(*sample, [-0.7, 0, 0.7]).p_value < 0.05
    assert corrected <= 12
    assert given_cutoffs <= 12
    assert naive >= 25


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"smallest_share": 0.9, "largest_share": 0.1}, "not 0 < a < b < 1"),
        ({"smallest_share": 0.49, "largest_share": 0.51, "prediction": [1, 2, 2, 2, 2, 2]}, "no cut-off leaves 2 to 3"),
        ({"correction": "condMC", "permutations": 99}, "99 permutations"),
        ({"correction": "condMC", "seed": -1}, "no negative seed"),
        ({"time": [1] * 6, "event": [1] * 6}, "scores of all patients are equal"),
        ({"prediction": [3] * 6}, "the prediction is 3 for all 6 patients"),
        ({"event": [0] * 6}, "no event among 6 patients"),
        ({"prediction": [1, 2, 3, 4, 5, np.nan]}, "prediction is not finite for 1 of 6"),
    ],
)
def test_refuses(options: dict[str, Any], reason: str) -> None:
    """A search needs patients on both sides, scores that differ and a sensible plan."""
    sample: dict[str, Any] = {"time": [1, 2, 3, 4, 5, 6], "event": [1, 1, 0, 1, 0, 1], "prediction": [1, 2, 3, 4, 5, 6]}
    with pytest.raises(UndefinedEstimate, match=reason):
        maximally_selected_log_rank(**(sample | options))


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [([], "at least one"), ([1, np.nan], "finite numbers"), ([2, 9], "no patient on one side of the cut-off 9")],
)
def test_given_cutoffs_refuse(candidates: list[float], reason: str) -> None:
    """Every candidate divides the patients."""
    with pytest.raises(UndefinedEstimate, match=reason):
        cutoff_by_log_rank([1, 2, 3, 4], [1, 1, 0, 1], [1, 2, 3, 4], candidates)
