"""Standardised differences: equal to R, by hand, their standard error, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import from_r, gbsg
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.balance import (
    standardised_category_difference,
    standardised_mean_difference,
    standardised_mean_difference_influence,
)


def test_equals_r() -> None:
    """Age by hormone therapy, as refs.R computes it."""
    estimate = standardised_mean_difference(gbsg().age, gbsg().hormon)

    assert estimate.value == pytest.approx(from_r()["table1"]["smd_age"], abs=1e-13)
    assert (estimate.n, estimate.events) == (686, 246)


def test_standard_error_is_that_of_the_jackknife() -> None:
    """Leaving out one patient at a time gives the same standard error to 2 % for a skewed variable."""
    nodes, hormon = gbsg().nodes.to_numpy(float), gbsg().hormon.to_numpy()
    estimate = standardised_mean_difference(nodes, hormon)
    keep = ~np.eye(nodes.size, dtype=bool)
    left_out = np.array([standardised_mean_difference_influence(nodes[k], hormon[k]).value for k in keep])

    error = np.sqrt((nodes.size - 1) / nodes.size * np.sum((left_out - np.mean(left_out)) ** 2))
    assert estimate.standard_error == pytest.approx(error, rel=0.02)


def test_tiny_samples() -> None:
    """Means 1 and 4 with variances 2 and 8; shares 1/4 and 3/4 of two categories; three categories by hand."""
    assert standardised_mean_difference([0, 2, 2, 6], ["a", "a", "b", "b"]).value == pytest.approx(3 / np.sqrt(5))
    assert standardised_category_difference([[1, 3], [3, 1]]) == pytest.approx(0.5 / np.sqrt(0.25 * 0.75))
    covariance = (np.array([[3, -1], [-1, 3]]) / 16 + np.array([[3, -2], [-2, 4]]) / 16) / 2  # diag(p) - pp'
    expected = np.sqrt(np.array([0, 0.25]) @ np.linalg.inv(covariance) @ np.array([0, 0.25]))
    assert standardised_category_difference([[2, 1], [1, 1], [1, 2]]) == pytest.approx(expected)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_invariances(seed: int) -> None:
    """Unit, origin and order do not matter; swapping the groups turns the sign; repeating patients changes nothing."""
    generator = np.random.default_rng(seed)
    table = generator.integers(1, 9, size=(4, 2))
    expected = standardised_category_difference(table)
    assert standardised_category_difference(table[[2, 0, 3, 1]]) == pytest.approx(expected)
    assert standardised_category_difference(5 * table[:, ::-1]) == pytest.approx(expected)

    values, group = generator.normal(size=12), np.arange(12) % 2
    estimate = standardised_mean_difference(values, group)
    order = generator.permutation(12)
    again = standardised_mean_difference(7 + 3 * values[order], group[order])
    assert (again.value, again.standard_error) == pytest.approx((estimate.value, estimate.standard_error))
    assert standardised_mean_difference(values, 1 - group).value == pytest.approx(-estimate.value)


def test_refusals() -> None:
    """No difference without variance, from three groups, or between groups that share no category."""
    with pytest.raises(UndefinedEstimate, match="do not vary"):
        standardised_mean_difference([1, 1, 2, 2], [0, 0, 1, 1])
    with pytest.raises(UndefinedEstimate, match="3 groups"):
        standardised_mean_difference([1, 2, 3, 4, 5, 7], [0, 0, 1, 1, 2, 2])
    with pytest.raises(UndefinedEstimate, match="3 groups"):
        standardised_category_difference([[1, 2, 3], [3, 2, 1]])
    with pytest.raises(UndefinedEstimate, match="no category in common"):
        standardised_category_difference([[4, 0], [0, 4]])
