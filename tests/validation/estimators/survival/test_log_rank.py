"""Log-rank tests: equal to R, by hand, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.log_rank import Correction, LogRank, log_rank, pairwise_log_rank


@pytest.mark.parametrize(("name", "degrees"), [("hormon", 1), ("grade", 2)])
def test_equals_r(name: str, degrees: int) -> None:
    """Statistic, P value, observed and expected events of survdiff, for two and three groups."""
    expected = from_r()["logrank"][name]
    test = log_rank(gbsg().time, gbsg().status, gbsg()[name])

    assert (test.chi_square, test.p_value) == pytest.approx((expected["chisq"], expected["p"]), abs=1e-10)
    assert test.degrees_of_freedom == degrees
    assert list(test.observed) == expected["obs"]
    assert list(test.expected) == pytest.approx(expected["exp"], abs=1e-9)
    assert test.method == "log-rank test"


def test_peto_equals_r() -> None:
    """survdiff(rho=1): events weighted by survival, also in the observed and expected numbers."""
    expected = from_r()["logrank"]["hormon_peto"]
    test = log_rank(gbsg().time, gbsg().status, gbsg().hormon, rho=1)

    assert (test.chi_square, test.p_value) == pytest.approx((expected["chisq"], expected["p"]), abs=1e-10)
    assert list(test.observed) == pytest.approx(expected["obs"], abs=1e-9)
    assert list(test.expected) == pytest.approx(expected["exp"], abs=1e-9)
    assert test.method == "Fleming-Harrington test, rho 1"


def test_stratified_equals_r() -> None:
    """Two strata, as survdiff has them with strata(meno)."""
    expected = from_r()["logrank"]["hormon_strat_meno"]
    test = log_rank(gbsg().time, gbsg().status, gbsg().hormon, stratum=gbsg().meno)

    assert (test.chi_square, test.p_value) == pytest.approx((expected["chisq"], expected["p"]), abs=1e-10)
    assert test.method == "log-rank test, 2 strata"


@pytest.mark.parametrize(
    ("name", "group", "options"),
    [
        ("grade_peto", "grade", {"rho": 1}),
        ("grade_strat_meno", "grade", {"stratum": "meno"}),
        ("hormon_strat_grade_peto", "hormon", {"stratum": "grade", "rho": 1}),
        ("hormon_rho_half", "hormon", {"rho": 0.5}),
    ],
)
def test_variants_equal_r(name: str, group: str, options: dict[str, Any]) -> None:
    """Three groups, strata and weights together as survdiff has them."""
    expected, data = survival_reference()["log_rank"][name], gbsg()
    options = {key: data[value] if key == "stratum" else value for key, value in options.items()}
    test = log_rank(data.time, data.status, data[group], **options)

    assert (test.chi_square, test.p_value) == pytest.approx((expected["chisq"], expected["p"]), abs=1e-10)
    assert test.degrees_of_freedom == expected["df"]


@pytest.mark.parametrize("correction", ["holm", "bonferroni", "benjamini_hochberg"])
def test_pairwise_equals_r(correction: Correction) -> None:
    """Six pairs of four age groups: survdiff of each pair, p.adjust."""
    expected = survival_reference()["pairwise"]
    pairs = pairwise_log_rank(gbsg().time, gbsg().status, expected["quarter"], correction=correction)

    assert [(pair.first, pair.second) for pair in pairs][:4] == [("1", "2"), ("1", "3"), ("1", "4"), ("2", "3")]
    raw = [pair.test.p_value for pair in pairs if isinstance(pair.test, LogRank)]
    assert raw == pytest.approx(expected["raw"], abs=1e-12)
    assert [pair.adjusted_p_value for pair in pairs] == pytest.approx(expected[correction], abs=1e-12)


def test_by_hand() -> None:
    """Events at 1 (one of four at risk) and 2 (one of three): Peto weighs the second by 3/4."""
    time, event, group = [1, 2, 3, 4], [1, 1, 0, 0], ["a", "b", "a", "b"]
    plain, peto = log_rank(time, event, group), log_rank(time, event, group, rho=1)

    assert plain.expected == pytest.approx((1 / 2 + 1 / 3, 1 / 2 + 2 / 3))
    assert plain.chi_square == pytest.approx((1 / 6) ** 2 / (1 / 4 + 2 / 9))
    assert peto.observed == pytest.approx((1, 3 / 4))
    assert peto.expected == pytest.approx((1 / 2 + 1 / 4, 1 / 2 + 1 / 2))
    assert peto.chi_square == pytest.approx((1 / 4) ** 2 / (1 / 4 + 9 / 16 * 2 / 9))


@given(cohorts(), st.sampled_from([0.0, 1.0]))
@settings(deadline=None, max_examples=50)
def test_invariant(cohort: Cohort, rho: float) -> None:
    """Order of the rows, unit of time and names of the groups do not matter; one stratum is none."""
    time, event, prediction = cohort
    group = prediction >= np.median(prediction)
    try:
        plain = log_rank(time, event, group, rho=rho)
    except UndefinedEstimate:
        return
    other = log_rank(time[::-1] * 30, event[::-1], ~group[::-1], stratum=np.ones(time.size), rho=rho)

    assert other.chi_square == pytest.approx(plain.chi_square, abs=1e-12)
    assert other.observed[::-1] == pytest.approx(plain.observed)


@pytest.mark.parametrize(
    ("time", "event", "group", "reason"),
    [
        ([1, 2], [1, 1], ["a", "a"], "all patients belong to one group"),
        ([1, 2], [1, 1], [0, 1, 1], r"group has shape \(3,\) for 2 patients"),
        ([1, 2, 3], [1, 1, 0], [0, 1, np.nan], "group is missing for 1 of 3 patients"),
        ([1, 1, 5, 6], [0, 0, 1, 1], [0, 0, 1, 1], "never at risk together"),
    ],
)
def test_refuses(time: list[float], event: list[int], group: list[Any], reason: str) -> None:
    """Every patient has a group, there are two, and a risk set with members of both."""
    with pytest.raises(UndefinedEstimate, match=reason):
        log_rank(time, event, group)


def test_refuses_weights_and_strata() -> None:
    """Weights that grow with time and patients without stratum."""
    with pytest.raises(UndefinedEstimate, match="rho of at least 0, not -1"):
        log_rank([1, 2], [1, 1], [0, 1], rho=-1)
    with pytest.raises(UndefinedEstimate, match="stratum is missing for 1 of 2 patients"):
        log_rank([1, 2], [1, 1], [0, 1], stratum=["x", None])
    with pytest.raises(UndefinedEstimate, match="never at risk together"):
        log_rank([1, 2, 3, 4], [1, 1, 1, 0], [0, 0, 1, 1], stratum=[0, 0, 1, 1])


def test_pairwise_refuses() -> None:
    """One group has no pairs; a weight that cannot be is the reason of every pair."""
    with pytest.raises(UndefinedEstimate, match="all patients belong to one group"):
        pairwise_log_rank([1, 2], [1, 1], [0, 0])
    (pair,) = pairwise_log_rank([1, 2], [1, 1], [0, 1], rho=-1)
    assert (str(pair.test), pair.adjusted_p_value) == ("the weights need a rho of at least 0, not -1", None)


def test_a_pair_without_test() -> None:
    """Without events between them two groups have none: two P values are left, the smaller one doubled."""
    time, event, group = [5, 6, 7, 8, 1, 4, 5, 6], [0, 0, 0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 2, 2, 2, 2]
    none, *pairs = pairwise_log_rank(time, event, group)
    tests = [
        log_rank(*(np.array(part)[np.isin(group, chosen)] for part in (time, event, group)))
        for chosen in ([0, 2], [1, 2])
    ]
    smaller, larger = sorted(test.p_value for test in tests)

    assert str(none.test) == "no event among 4 patients"
    assert none.adjusted_p_value is None
    assert [pair.test for pair in pairs] == tests
    assert sorted(pair.adjusted_p_value or 0 for pair in pairs) == [min(2 * smaller, 1), max(2 * smaller, larger)]
