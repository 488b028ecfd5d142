"""Distributions in two cohorts: equal to R, by hand, invariances, refusals."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from tests.reference import FOLDER, from_r, gbsg, rotterdam
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.shift.differences import kolmogorov_smirnov, level_counts
from validation.estimators.shift.stability import population_stability

SHIFT: dict[str, Any] = json.loads((FOLDER / "shift.json").read_text(encoding="utf-8"))
samples = st.lists(st.integers(-5, 5), min_size=10, max_size=40)


def test_kolmogorov_smirnov_equals_r() -> None:
    """ks.test of age and of the linear predictor: D and, for age, the limiting P value (R stops its series at 1e-6)."""
    expected = from_r()["drift"]
    age = kolmogorov_smirnov(rotterdam().age, gbsg().age)
    predictor = kolmogorov_smirnov(rotterdam().lpA, gbsg().lpA)

    assert age.statistic == pytest.approx(expected["ks_age"]["D"], abs=1e-14)
    assert age.p_value == pytest.approx(expected["ks_age"]["p_asym"], rel=2e-6)
    assert predictor.statistic == pytest.approx(expected["ks_lp"]["D"], abs=1e-14)
    assert predictor.p_value == pytest.approx(SHIFT["ks_lp"]["p"], abs=1e-12)


def test_stability_equals_r() -> None:
    """Deciles of age and linear predictor; of nodes, where deciles coincide and a bin is empty; of age above 45."""
    age = population_stability(rotterdam().age, gbsg().age)
    nodes = population_stability(rotterdam().lnodes, gbsg().lnodes)
    older = population_stability(rotterdam().age, gbsg().age[gbsg().age > 45])

    assert age.value == pytest.approx(from_r()["drift"]["psi_age_dec"], abs=1e-13)
    assert population_stability(rotterdam().lpA, gbsg().lpA).value == pytest.approx(SHIFT["psi_lp"], abs=1e-13)
    assert nodes.value == pytest.approx(SHIFT["psi_lnodes"], abs=1e-13)
    assert older.value == pytest.approx(SHIFT["psi_empty"], abs=1e-13)
    assert (len(age.edges), len(nodes.development)) == (9, len(nodes.edges) + 1)
    assert "10 bins" in age.method
    assert "0 empty" in age.method
    assert "1 empty" in nodes.method


def test_stability_by_hand() -> None:
    """Ten values against four that all lie in the first bin: nine empty bins count as half a patient each."""
    index = population_stability(np.arange(10), [0.0, 0, 0, 0])
    expected = (1 - 0.1) * math.log(1 / 0.1) + 9 * (0.125 - 0.1) * math.log(0.125 / 0.1)

    assert index.value == pytest.approx(expected, abs=1e-14)
    assert index.expected_without_shift == pytest.approx(9 * (0.1 + 0.25), abs=1e-15)
    assert index.external == (1.0, *[0.0] * 9)


def test_stability_of_a_binary_value_and_of_chance() -> None:
    """0 and 1 make two bins, whatever decile lies between; samples of one distribution differ as chance foresees."""
    binary = population_stability([0.0] * 6 + [1.0] * 4, [0.0] * 5 + [1.0] * 5)
    rng = np.random.default_rng(2)
    values = [population_stability(rng.normal(size=2000), rng.normal(size=500)).value for _ in range(200)]

    assert binary.edges == (0.0,)
    assert binary.value == pytest.approx(-0.1 * math.log(5 / 6) + 0.1 * math.log(5 / 4), abs=1e-14)
    assert np.mean(values) == pytest.approx(9 * (1 / 2000 + 1 / 500), rel=0.1)


@settings(deadline=None, max_examples=60)
@given(samples, samples)
def test_distribution_tests_do_not_see_units_or_order(first: list[int], second: list[int]) -> None:
    """D is scipy's and, like the stability index, unchanged by a monotone map and by order; it is symmetric."""
    before = kolmogorov_smirnov(first, second)
    mapped = [np.exp(np.array(x[::-1], dtype=float)) for x in (first, second)]

    assert before.statistic == pytest.approx(ks_2samp(first, second, method="asymp").statistic, abs=1e-12)
    assert kolmogorov_smirnov(*mapped) == before
    assert kolmogorov_smirnov(second, first).statistic == pytest.approx(before.statistic, abs=1e-15)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: level_counts(["a"], ["a", "a"]), "is a for all"),
        (lambda: level_counts(np.array(["a", None]), ["b", "a"]), "missing for 1 of 4"),
        (lambda: level_counts([], ["b"]), "an empty cohort"),
        (lambda: kolmogorov_smirnov([1, math.inf], [1, 2]), "not finite"),
        (lambda: kolmogorov_smirnov([1, 2], [2]), "external has 1 values"),
        (lambda: population_stability(range(9), range(9)), "no deciles"),
        (lambda: population_stability([1.0] * 20, range(9)), "one bin"),
    ],
)
def test_refusals(call: Any, reason: str) -> None:
    """Missing values, constants and cohorts that are too small are named."""
    with pytest.raises(UndefinedEstimate, match=reason):
        call()
