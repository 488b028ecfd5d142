"""Restricted cubic splines: equal to Hmisc, and what makes them restricted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import FOLDER, from_r, gbsg
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.regression.splines import default_knots, restricted_cubic_spline

EXPECTED = json.loads((FOLDER / "calibration.json").read_text(encoding="utf-8"))["rcs"]


@pytest.mark.parametrize("count", [3, 4, 5])
@pytest.mark.parametrize(("sample", "n"), [("gbsg", 686), ("first60", 60)])
def test_equals_hmisc(sample: str, n: int, count: int) -> None:
    """Knots and basis of rcspline.eval; below 100 values the outer knots are the fifth from either end."""
    values = gbsg().lpA.to_numpy()[:n]
    expected = EXPECTED[sample][count - 3]
    knots = default_knots(values, count)

    np.testing.assert_allclose(knots, expected["knots"], atol=1e-13)
    np.testing.assert_allclose(restricted_cubic_spline(values, knots)[:5], expected["basis"], atol=1e-12)


def test_given_knots_equal_hmisc() -> None:
    """Knots 1, 3 and 9 lymph nodes."""
    basis = restricted_cubic_spline(gbsg().nodes[:20], [1, 3, 9])

    np.testing.assert_allclose(basis, EXPECTED["given"], atol=1e-12)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_knots_of_the_calibration_curves(index: int) -> None:
    """The knots that R used for calibration at 1, 3 and 5 years."""
    expected = from_r()["surv_cal"]["time"][index]
    risk = gbsg()[f"pA{expected['t']}"]

    np.testing.assert_allclose(default_knots(np.log(-np.log(1 - risk))), expected["knots"], atol=1e-12)


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=5, unique=True), st.floats(1, 100))
@settings(deadline=None)
def test_linear_outside_the_knots_and_smooth_at_them(places: list[int], width: float) -> None:
    """Beyond the outer knots second differences vanish; the first column is the value; shift and unit cancel out."""
    knots = np.sort(places) * 1.0
    above = knots[-1] + width * np.arange(4)
    below = knots[0] - width * np.arange(4)
    scale = np.abs(restricted_cubic_spline(above, knots)).max()

    for outside in (above, below):
        basis = restricted_cubic_spline(outside, knots)
        np.testing.assert_array_equal(basis[:, 0], outside)
        np.testing.assert_allclose(np.diff(basis, 2, axis=0), 0, atol=1e-9 * (1 + scale))
    moved = restricted_cubic_spline(3 * above + 7, 3 * knots + 7)[:, 1:]
    np.testing.assert_allclose(moved, 3 * restricted_cubic_spline(above, knots)[:, 1:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("knots", [[1, 2], [1, 2, 2], [3, 2, 1], [1, np.nan, 3]])
def test_refuses_knots(knots: list[float]) -> None:
    """At least three, ascending and finite."""
    with pytest.raises(UndefinedEstimate, match="knots"):
        restricted_cubic_spline([1.0, 2.0, 3.0], knots)


@pytest.mark.parametrize(
    ("values", "count", "reason"),
    [
        ([1, 2, 3, 4, 5] * 20, 3, "too few distinct values"),
        ([1] * 95 + [2, 3, 4, 5, 6], 3, "too few distinct values"),
        (list(range(9)), 3, "too few distinct values"),
        (list(range(100)), 6, "3, 4 or 5"),
    ],
)
def test_refuses_to_place_knots(values: list[float], count: int, reason: str) -> None:
    """Distinct knots need distinct values."""
    with pytest.raises(UndefinedEstimate, match=reason):
        default_knots(values, count)
