"""Pearson's correlation: equal to R, by hand, invariances, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tests.reference import FOLDER, gbsg
from validation.estimators.association.pearson import pearson
from validation.estimators.estimate import UndefinedEstimate

R = json.loads((FOLDER / "descriptive.json").read_text(encoding="utf-8"))["pearson"]


@pytest.mark.parametrize(
    ("first", "second", "name", "level"),
    [
        ("lpA", "age", "age", 0.95),
        ("lpA", "nodes", "nodes", 0.95),
        ("lpA", "pgr", "pgr_90", 0.9),
        ("age", "er", "er", 0.95),
    ],
)
def test_equals_r_on_gbsg(first: str, second: str, name: str, level: float) -> None:
    """Value, limits and P value are cor.test's."""
    estimate, expected = pearson(gbsg()[first], gbsg()[second], level=level), R[name]

    assert estimate.value == pytest.approx(expected["r"], abs=1e-12)
    assert (estimate.lower, estimate.upper) == pytest.approx(expected["limits"], abs=1e-12)
    assert estimate.p_value == pytest.approx(expected["p"], rel=1e-9)
    assert (estimate.n, estimate.events, estimate.level) == (686, 0, level)


def test_by_hand() -> None:
    """Deviations -2 -1 0 1 2 and -1 -2 1 0 2: 8 / sqrt(10 * 10) = 0.8; t = 0.8 sqrt(3 / 0.36) has P 0.1041."""
    found = pearson([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])

    assert found.value == pytest.approx(0.8)
    assert found.p_value == pytest.approx(0.1041, abs=5e-5)
    half_width = 1.959964 / np.sqrt(2)
    assert (found.lower, found.upper) == pytest.approx(np.tanh(np.arctanh(0.8) + np.array([-1, 1]) * half_width))


def test_a_straight_scale_changes_nothing() -> None:
    """Another unit and origin change nothing, a reversed scale the sign; a curved scale does change it."""
    x, y = gbsg().lpA.to_numpy(), gbsg().pgr.to_numpy(dtype=float)
    value = pearson(x, y).value

    assert pearson(30 * x + 7, y).value == pytest.approx(value, abs=1e-12)
    assert pearson(-x, y).value == pytest.approx(-value, abs=1e-12)
    assert pearson(y, x).value == pytest.approx(value, abs=1e-12)
    assert abs(pearson(np.exp(x), y).value - value) > 1e-3


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([1, 2, 3], [1, 3, 2], "3 patients: a correlation needs at least 4"),
        ([1, 2, 3, 4], [1, 1, 1, 1], "the value is 1 for all 4 patients"),
        ([1, 2, 3, 4], [3, 5, 7, 9], "the correlation is 1, at the edge"),
        ([1, 2, 3, 4], [8, 7, 6, 5], "the correlation is -1, at the edge"),
        ([1, 2, 3, np.nan], [1, 2, 4, 3], "first is not finite"),
        ([1, 2, 3, 4], [1, 2, 3], "3 values for 4"),
    ],
)
def test_refusals(first: ArrayLike, second: ArrayLike, reason: str) -> None:
    """What cannot be estimated must be refused, with its reason."""
    with pytest.raises(UndefinedEstimate, match=reason):
        pearson(first, second)


def test_refuses_a_level_that_is_none() -> None:
    """Percent are not accepted for a share."""
    with pytest.raises(UndefinedEstimate, match="confidence level"):
        pearson([1, 2, 3, 4], [1, 3, 2, 4], level=95)
