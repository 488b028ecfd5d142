"""Tests of location: equal to R, by hand, invariances, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from tests.reference import FOLDER, from_r, gbsg
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.groups.location import (
    analysis_of_variance,
    kruskal_wallis,
    mann_whitney,
    shapiro_wilk,
    student_t,
    welch_t,
)

R: dict[str, Any] = json.loads((FOLDER / "groups.json").read_text(encoding="utf-8"))
Test = Callable[[ArrayLike, ArrayLike], GroupTest]
TWO_GROUPS: list[Test] = [welch_t, student_t, mann_whitney]
ALL: list[Test] = [*TWO_GROUPS, analysis_of_variance, kruskal_wallis]


def samples(*names: str) -> tuple[list[float], list[int]]:
    """The short samples of groups.R one after the other, with their group."""
    values = [R["samples"][name] for name in names]
    return [x for sample in values for x in sample], [k for k, sample in enumerate(values) for _ in sample]


@pytest.mark.parametrize(
    ("test", "column", "group", "name"),
    [
        (welch_t, "age", "hormon", "age_welch"),
        (student_t, "age", "hormon", "age_t"),
        (mann_whitney, "age", "hormon", "age_mw"),
        (mann_whitney, "nodes", "hormon", "nodes_mw"),
        (kruskal_wallis, "age", "grade", "age_kw_grade"),
    ],
)
def test_equals_r_on_gbsg(test: Test, column: str, group: str, name: str) -> None:
    """Statistic and P value are R's."""
    result, expected = test(gbsg()[column], gbsg()[group]), from_r()["table1"][name]

    assert result.statistic == pytest.approx(expected["stat"], rel=1e-11)
    assert result.p_value == pytest.approx(expected["p"], rel=1e-9)


def test_analysis_of_variance_equals_r() -> None:
    """F, its degrees of freedom and P are those of aov, and for two groups F is the square of t."""
    result, expected = analysis_of_variance(gbsg().age, gbsg().grade), from_r()["table1"]["age_anova_grade"]

    assert (result.statistic, result.p_value) == pytest.approx((expected["F"], expected["p"]), rel=1e-11)
    assert list(result.degrees_of_freedom) == [2, 683]
    t, f = student_t(gbsg().age, gbsg().hormon), analysis_of_variance(gbsg().age, gbsg().hormon)
    assert t.statistic is not None
    assert f.statistic == pytest.approx(t.statistic**2)


@pytest.mark.parametrize(
    ("test", "names", "expected"),
    [
        (mann_whitney, "xy", "mann_whitney_exact"),
        (mann_whitney, "zv", "mann_whitney_ties"),
        (kruskal_wallis, "zvx", "kruskal_ties"),
        (welch_t, "xy", "welch"),
        (student_t, "xy", "student"),
    ],
)
def test_equals_r_on_short_samples(test: Test, names: str, expected: str) -> None:
    """Statistic, P value and degrees of freedom are R's, with few values, with and without ties."""
    values, group = samples(*names)
    if expected == "kruskal_ties":
        group = [{0: 1, 1: 2, 2: 0}[k] for k in group]
    result = test(values, group)

    assert result.statistic == pytest.approx(R[expected]["statistic"], rel=1e-12)
    assert result.p_value == pytest.approx(R[expected]["p"], rel=1e-11)
    if "df" in R[expected]:
        assert result.degrees_of_freedom == pytest.approx((R[expected]["df"],))


def test_mann_whitney_is_exact_only_without_ties_and_below_50() -> None:
    """As in R, 50 patients in a group or one tie bring the normal approximation; refs.R's exact P value is reached."""
    small = mann_whitney([1.1, 2.3, 3.7, 4.2, 9.9, 0.5, 1.9, 2.2, 2.8], [0] * 5 + [1] * 4)
    expected = from_r()["table1"]["small_mw_exact"]

    assert (small.statistic, small.p_value) == pytest.approx((expected["stat"], expected["p"]), abs=1e-13)
    assert small.method.endswith("exact")
    assert "normal" in mann_whitney([1, 2, 2, 3], [0, 0, 1, 1]).method
    assert mann_whitney(np.arange(98), np.arange(98) % 2).method.endswith("exact")
    assert "normal" in mann_whitney(np.arange(100), np.arange(100) % 2).method


def test_shapiro_wilk_equals_r() -> None:
    """W and P are those of shapiro.test to scipy's precision, from three values to 686, normal and far from it."""
    age = from_r()["table1"]["age_shapiro"]
    cases = [(gbsg().age, age["stat"], age["p"])]
    values = {**R["samples"], "three": [1, 2, 4], "pgr": gbsg().pgr, "lp": gbsg().lpA}
    cases += [(values[name], r["statistic"], r["p"]) for name, r in R["shapiro"].items()]

    for sample, statistic, p_value in cases:
        result = shapiro_wilk(sample)
        assert result.statistic == pytest.approx(statistic, abs=2e-9)
        assert result.p_value == pytest.approx(p_value, rel=1e-6, abs=1e-9)


def test_mann_whitney_by_hand() -> None:
    """All three of one group above both of the other: 2 of the 10 orders are as extreme."""
    result = mann_whitney([1, 2, 3, 4, 5], ["a", "a", "b", "b", "b"])

    assert (result.statistic, result.p_value) == pytest.approx((0, 0.2))


@given(st.integers(0, 2**32 - 1), st.integers(6, 40))
@settings(max_examples=30, deadline=None)
def test_invariances(seed: int, n: int) -> None:
    """Order of patients, unit and origin never matter; ranks bear any increasing scale."""
    generator = np.random.default_rng(seed)
    values, group = generator.normal(size=n), np.arange(n) % 2
    order = generator.permutation(n)
    for test in ALL:
        expected = pytest.approx(test(values, group).p_value, rel=1e-7, abs=1e-12)
        assert test(values[order], group[order]).p_value == expected
        assert test(3 - 2.5 * values, group).p_value == expected
        if test in {mann_whitney, kruskal_wallis}:
            assert test(np.exp(values), group).p_value == expected


@pytest.mark.parametrize("test", ALL)
@pytest.mark.parametrize(
    ("values", "group", "reason"),
    [
        ([1, 2, 3, np.nan], [0, 0, 1, 1], "not finite"),
        ([1, 2, 3, 4], [0, 0, 1], "shape"),
        ([1, 2, 3, 4], [0, 0, None, 1], "missing"),
        ([1, 2, 3, 4], [0, 0, 0, 0], "1 groups"),
        ([1, 1, 1, 1], [0, 0, 1, 1], "is 1 for all 4"),
        ([1, 2, 3, 4], [0, 0, 0, 1], "single value"),
    ],
)
def test_refusals(test: Test, values: Any, group: Any, reason: str) -> None:
    """No P value from damaged, one-sided or uniform data."""
    with pytest.raises(UndefinedEstimate, match=reason):
        test(values, group)


def test_refuses_third_group_and_missing_variance() -> None:
    """Two-sample tests refuse three groups; tests of means refuse groups without any variance; sizes for Shapiro."""
    for test in TWO_GROUPS:
        with pytest.raises(UndefinedEstimate, match="3 groups where 2"):
            test([1, 2, 3, 4, 5, 6], [0, 0, 1, 1, 2, 2])
    for test in (welch_t, student_t, analysis_of_variance):
        with pytest.raises(UndefinedEstimate, match="do not vary within"):
            test([1, 1, 2, 2], [0, 0, 1, 1])
    for n in (2, 5001):
        with pytest.raises(UndefinedEstimate, match="needs 3 to 5000"):
            shapiro_wilk(np.arange(n))
    with pytest.raises(UndefinedEstimate, match="for all 4"):
        shapiro_wilk([2, 2, 2, 2])


def test_refuses_impossible_result() -> None:
    """A test result with a P value that is none cannot be made."""
    for statistic, p_value in ((1.0, float("nan")), (float("inf"), 0.0), (None, 1.5)):
        with pytest.raises(UndefinedEstimate, match="impossible"):
            GroupTest("t", statistic, (), p_value, "t")
