"""Spearman's rank correlation: equal to R, by hand, invariances, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tests.reference import FOLDER, gbsg
from validation.estimators.association.spearman import spearman
from validation.estimators.estimate import UndefinedEstimate

R = json.loads((FOLDER / "descriptive.json").read_text(encoding="utf-8"))["spearman"]


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [("lpA", "age", "age"), ("lpA", "nodes", "nodes"), ("lpA", "pgr", "pgr"), ("age", "er", "er")],
)
def test_equals_r_on_gbsg(first: str, second: str, name: str) -> None:
    """Value and P value are cor.test's, with ties; the limits are the formula's."""
    estimate, expected = spearman(gbsg()[first], gbsg()[second]), R[name]

    assert estimate.value == pytest.approx(expected["r"], abs=1e-12)
    assert (estimate.lower, estimate.upper) == pytest.approx(expected["limits"], abs=1e-12)
    assert estimate.p_value == pytest.approx(expected["p"], rel=1e-9)
    assert (estimate.n, estimate.events) == (686, 0)


def test_by_hand() -> None:
    """Ranks 1 2 3 4 5 against 2 1 4 3 5: 1 - 6 * 4 / (5 * 24) = 0.8."""
    assert spearman([1, 2, 3, 4, 5], [20, 10, 40, 30, 50]).value == pytest.approx(0.8)


def test_only_ranks_matter() -> None:
    """A monotone scale changes nothing, a reversed one the sign; the two numbers may be exchanged."""
    x, y = gbsg().lpA.to_numpy(), gbsg().pgr.to_numpy(dtype=float)
    value = spearman(x, y)

    assert spearman(np.exp(x), y) == value
    assert spearman(-x, y).value == pytest.approx(-value.value, abs=1e-12)
    assert spearman(y, x).value == pytest.approx(value.value, abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([1, 2, 3], [1, 3, 2], "3 patients"),
        ([1, 2, 3, 4], [1, 1, 1, 1], "the value is 1 for all 4 patients"),
        ([1, 2, 3, 4], [1, 2, 3, 5], "the correlation is 1, at the edge"),
        ([1, 2, 3, 4], [8, 7, 6, 5], "the correlation is -1, at the edge"),
        ([1, 2, 3, np.nan], [1, 2, 4, 3], "first is not finite"),
        ([1, 2, 3, 4], [1, 2, 3], "3 values for 4"),
    ],
)
def test_refusals(first: ArrayLike, second: ArrayLike, reason: str) -> None:
    """What cannot be estimated must be refused, with its reason."""
    with pytest.raises(UndefinedEstimate, match=reason):
        spearman(first, second)
