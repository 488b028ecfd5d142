"""Harrell's C: equal to R, to pair counting by hand, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.reference import from_r, gbsg, rotterdam
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.bootstrap import resampling
from validation.estimators.discrimination.concordance import (
    concordance_influence,
    harrell_c,
    harrell_c_bootstrap,
    harrell_c_replicates,
    uno_c,
)
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import paired_difference
from validation.estimators.intervals import quantile


def counted_by_hand(cohort: Cohort) -> tuple[float, float]:
    """C and its standard error from the definition, looking at every pair; NaN without a comparable pair."""
    time, event, prediction = cohort
    n = len(time)
    comparable, credit = np.zeros(n), np.zeros(n)
    for i in range(n):
        for j in range(n):
            if event[i] and (time[j] > time[i] or (time[j] == time[i] and not event[j])):
                score = 1.0 if prediction[i] > prediction[j] else 0.5 if prediction[i] == prediction[j] else 0.0
                for k in (i, j):
                    comparable[k] += 1
                    credit[k] += score
    pairs = comparable.sum() / 2
    if not pairs:
        return np.nan, np.nan
    c = credit.sum() / 2 / pairs
    return c, float(np.sqrt((((credit - c * comparable) / pairs) ** 2).sum()))


@pytest.mark.parametrize(
    ("name", "column", "horizon"),
    [("harrell_A", "lpA", None), ("harrell_B", "lpB", None), ("harrell_A_ymax5", "lpA", 5.0)],
)
def test_equals_r(name: str, column: str, horizon: float | None) -> None:
    """Value and standard error are those of survival::concordance, with and without ymax."""
    data, expected = gbsg(), from_r()["C"][name]
    estimate = harrell_c(data.time, data.status, data[column], horizon=horizon, interval="wald")

    assert estimate.value == pytest.approx(expected["C"], abs=1e-12)
    assert (estimate.upper - estimate.value) / quantile(0.95) == pytest.approx(expected["se"], abs=1e-12)
    assert (686, 299 if horizon is None else 285) == (estimate.n, estimate.events)


def test_equals_r_on_the_development_cohort() -> None:
    """Also with 2982 patients and many ties."""
    data, expected = rotterdam(), from_r()["C"]["harrell_A_rotterdam"]
    estimate = harrell_c(data.time, data.status, data.lpA, interval="wald")

    assert estimate.value == pytest.approx(expected["C"], abs=1e-12)
    assert (estimate.upper - estimate.value) / quantile(0.95) == pytest.approx(expected["se"], abs=1e-12)


def test_tiny_cohort() -> None:
    """Event at 1 (highest) beats all three, event at 2 loses to the censored at 3 and ties with 4: C = 3.5 / 5."""
    estimate = harrell_c([1, 2, 3, 4], [1, 1, 0, 0], [9, 1, 2, 1])

    assert estimate.value == pytest.approx(3.5 / 5)
    assert (estimate.n, estimate.events) == (4, 2)


@pytest.mark.parametrize(("event_of_second", "expected"), [(0, 2 / 4), (1, 2 / 5)])
def test_ties_in_time(event_of_second: int, expected: float) -> None:
    """An event is comparable with a censoring at the same time and not with another event there."""
    estimate = harrell_c([1, 1, 2, 3], [1, event_of_second, 1, 0], [2, 1, 0, 3])

    assert estimate.value == pytest.approx(expected)


@given(cohorts())
@settings(max_examples=60, deadline=None)
def test_equals_the_definition(cohort: Cohort) -> None:
    """Divide and conquer counts the same pairs as the definition, ties included."""
    c, error = counted_by_hand(cohort)
    assume(0 < c < 1 and error > 1e-9)
    estimate = harrell_c(*cohort, interval="wald")

    assert estimate.value == pytest.approx(c, abs=1e-12)
    assert (estimate.upper - estimate.value) / quantile(0.95) == pytest.approx(error, abs=1e-12)


@given(cohorts(ties=False))
@settings(max_examples=40, deadline=None)
def test_reversed_prediction(cohort: Cohort) -> None:
    """C of the reversed prediction is 1 - C, its interval mirrored."""
    time, event, prediction = cohort
    assume(0 < counted_by_hand(cohort)[0] < 1 and counted_by_hand(cohort)[1] > 1e-9)
    estimate, reverse = harrell_c(time, event, prediction), harrell_c(time, event, -prediction)

    assert reverse.value == pytest.approx(1 - estimate.value, abs=1e-12)
    assert reverse.lower == pytest.approx(1 - estimate.upper, abs=1e-9)


@given(cohorts(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_units_order_and_scale_do_not_matter(cohort: Cohort, random: st.DataObject) -> None:
    """Time in other units, monotone predictions and another row order leave the estimate unchanged."""
    time, event, prediction = cohort
    c, error = counted_by_hand(cohort)
    assume(0 < c < 1 and error > 1e-9)
    order = list(range(len(time)))
    random.shuffle(order)
    plain = harrell_c(time, event, prediction)
    other = harrell_c(time[order] * 30.4375, event[order], np.exp(prediction[order] / 3) - 7)

    assert (plain.value, plain.lower) == pytest.approx((other.value, other.lower), abs=1e-12)


def test_logit_interval_stays_inside() -> None:
    """The default interval is symmetric on the logit scale and never leaves (0, 1)."""
    estimate = harrell_c([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 0, 0], [6, 5, 4, 3, 2, 4.5])

    assert 0 < estimate.lower < estimate.value < estimate.upper < 1
    assert estimate.scale == "logit"


@pytest.mark.parametrize(
    ("time", "event", "prediction", "reason"),
    [
        ([1, 2, 3], [0, 0, 0], [1, 2, 3], "no event among 3 patients"),
        ([1, 2, 3], [1, 0, 0], [1, np.nan, 3], "prediction is not finite for 1 of 3 patients"),
        ([0, 2, 3], [1, 0, 0], [1, 2, 3], "time is not positive for 1 of 3 patients"),
        ([1, 2, -3], [1, 0, 0], [1, 2, 3], "time is not positive"),
        ([1, np.nan, 3], [1, 0, 0], [1, 2, 3], "time is not finite"),
        ([1, 2, 3], [1, 2, 0], [1, 2, 3], "event holds other values"),
        ([1, 2, 3], [1, 0, 0], [2, 2, 2], "prediction is 2 for all 3 patients"),
        ([1, 2, 3], [1, 0], [1, 2, 3], "event has 2 values for 3 patients"),
        ([1], [1], [1], "at least 2"),
        ([[1, 2]], [1, 0], [1, 2], "shape"),
        ([3, 3, 2], [1, 1, 0], [1, 2, 3], "no comparable pair"),
        ([1, 2, 3], [1, 0, 0], [1, 2, 3], "1 event: its part in the error cannot be seen"),
        ([1, 2, 3], [1, 1, 0], [3, 2, 1], "edge of its range"),
    ],
)
def test_refuses(time: list[float], event: list[int], prediction: list[float], reason: str) -> None:
    """What is undefined has no number, only a reason."""
    with pytest.raises(UndefinedEstimate, match=reason):
        harrell_c(time, event, prediction)


def test_refuses_a_horizon_beyond_follow_up() -> None:
    """Nothing can be said about a time that nobody reached."""
    with pytest.raises(UndefinedEstimate, match="horizon 9 lies beyond follow-up, which ends at 4"):
        harrell_c([1, 2, 3, 4], [1, 1, 0, 0], [4, 1, 2, 1], horizon=9)


@pytest.mark.parametrize(("name", "horizon"), [("uno_A", None), ("uno_A_ymax5", 5.0)])
def test_uno_equals_r(name: str, horizon: float | None) -> None:
    """Uno's value and standard error are those of survival::concordance(timewt="n/G2"), with and without ymax."""
    data, expected = gbsg(), from_r()["C"][name]
    estimate = uno_c(data.time, data.status, data.lpA, horizon=horizon, interval="wald")

    assert estimate.value == pytest.approx(expected["C"], abs=1e-12)
    assert estimate.standard_error == pytest.approx(expected["se"], abs=1e-12)


def test_uno_is_near_survc1_with_another_censoring_curve() -> None:
    """SurvC1 takes G(T) instead of G(T-): the same to three digits."""
    data, expected = gbsg(), from_r()["C"]
    for column, name in (("lpA", "survC1_tau5_A"), ("lpB", "survC1_tau5_B")):
        estimate = uno_c(data.time, data.status, data[column], horizon=5)

        assert estimate.value == pytest.approx(expected[name], abs=5e-4)
    assert estimate.standard_error == pytest.approx(expected["survC1_tau5_A_inf"]["se_perturb"], rel=0.15)


def test_published_model_is_reproduced() -> None:
    """Harrell's and Uno's C of the two linear predictors are those of survival::concordance for both models."""
    data, expected = gbsg(), from_r()["C"]["paired_AB"]
    values = [harrell_c(data.time, data.status, data[column]).value for column in ("lpA", "lpB")]

    assert values == pytest.approx(expected["C"], abs=1e-12)


def test_paired_difference_equals_r() -> None:
    """Difference, standard error and P value are those of survival::concordance of two fits."""
    data, expected = gbsg(), from_r()["C"]["paired_AB"]
    first, second = (concordance_influence(data.time, data.status, data[column]) for column in ("lpA", "lpB"))
    difference = paired_difference(first, second)

    assert difference.value == pytest.approx(expected["diff"], abs=1e-12)
    assert difference.standard_error == pytest.approx(expected["se"], abs=1e-12)
    assert difference.p_value == pytest.approx(expected["p"], rel=1e-9)


def test_paired_difference_agrees_with_compare_c() -> None:
    """CompareC's variance is another estimate of the same: equal to one part in a thousand."""
    data, expected = gbsg(), from_r()["C"]["compareC"]
    first, second = (concordance_influence(data.time, data.status, data[column]) for column in ("lpA", "lpB"))
    difference = paired_difference(first, second)

    assert difference.value == pytest.approx(expected["diff"], abs=1e-12)
    assert difference.standard_error == pytest.approx(expected["varC"] ** 0.5, rel=2e-3)


@given(cohorts(), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_bootstrap_counts_repeated_patients(cohort: Cohort, seed: int) -> None:
    """The C of a bootstrap sample is the C of the cohort in which patients are repeated as often as drawn."""
    time, event, prediction = cohort
    plan = resampling(len(time), 100, seed)
    values = harrell_c_replicates(time, event, prediction, plan)

    for replicate in range(3):
        drawn = np.repeat(np.arange(len(time)), plan.counts(replicate))
        expected, _ = counted_by_hand((time[drawn], event[drawn], prediction[drawn]))
        assert values[replicate] == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_bootstrap_does_not_depend_on_threads_or_on_the_number_of_replicates() -> None:
    """Replicate r is the same however many there are and whoever computes it."""
    data = gbsg()
    few, many = (resampling(686, replicates, 3) for replicates in (100, 200))
    alone = harrell_c_replicates(data.time, data.status, data.lpA, many)

    np.testing.assert_array_equal(alone, harrell_c_replicates(data.time, data.status, data.lpA, many, threads=2))
    np.testing.assert_array_equal(alone[:100], harrell_c_replicates(data.time, data.status, data.lpA, few))


def test_bootstrap_agrees_with_r_boot() -> None:
    """Percentile limits lie within Monte-Carlo error of boot::boot.ci(type = "perc")."""
    data, expected = gbsg(), from_r()["boot_C"]
    estimate = harrell_c_bootstrap(data.time, data.status, data.lpA, replicates=4000, seed=1)

    assert [estimate.lower, estimate.upper] == pytest.approx(expected["perc"], abs=0.003)
    assert estimate.method.endswith("4000 bootstrap samples of patients, seed 1")


def test_clusters_widen_the_interval() -> None:
    """Every patient entered twice adds nothing: clustered intervals are those of the single entries."""
    data = gbsg()
    twice = np.tile(np.arange(686), 2)
    time, event, prediction = (data[name].to_numpy()[twice] for name in ("time", "status", "lpA"))
    single = concordance_influence(data.time, data.status, data.lpA)
    double = concordance_influence(time, event, prediction)
    bootstrap = harrell_c_bootstrap(time, event, prediction, replicates=1000, seed=1, cluster=twice)
    plain = harrell_c_bootstrap(data.time, data.status, data.lpA, replicates=1000, seed=1)

    assert double.standard_error(cluster=twice) == pytest.approx(single.standard_error(), rel=5e-3)
    assert double.standard_error() < 0.75 * single.standard_error()
    assert bootstrap.upper - bootstrap.lower == pytest.approx(plain.upper - plain.lower, rel=0.02)
    assert "686 clusters" in bootstrap.method
