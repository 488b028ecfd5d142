"""Intervals on a scale."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.estimators.estimate import Estimate, Scale, UndefinedEstimate
from validation.estimators.intervals import confidence_limits, derivative, from_scale, inside, on_scale, quantile


@pytest.mark.parametrize("scale", ["identity", "logit", "log", "log_log"])
@settings(deadline=None)
@given(value=st.floats(0.05, 0.95), error=st.floats(1e-4, 0.05))
def test_symmetric_on_the_scale(scale: Scale, value: float, error: float) -> None:
    """The value lies midway between the limits on the scale, and within them."""
    lower, upper = confidence_limits(value, error, scale, 0.95)

    assert lower < value < upper
    if inside(lower, scale) and inside(upper, scale):
        middle = (on_scale(lower, scale) + on_scale(upper, scale)) / 2
        assert middle == pytest.approx(on_scale(value, scale), abs=1e-6)


@pytest.mark.parametrize("scale", ["identity", "logit", "log", "log_log"])
@settings(deadline=None)
@given(value=st.floats(0.05, 0.95))
def test_scales(scale: Scale, value: float) -> None:
    """There and back is where one was; the derivative is the limit of the differences."""
    assert from_scale(on_scale(value, scale), scale) == pytest.approx(value, abs=1e-12)
    difference = (on_scale(value + 1e-6, scale) - on_scale(value - 1e-6, scale)) / 2e-6
    assert derivative(value, scale) == pytest.approx(difference, rel=1e-5)


def test_small_errors_agree_with_wald() -> None:
    """All scales give the Wald interval where the standard error is small."""
    for scale in ("logit", "log", "log_log"):
        assert confidence_limits(0.7, 1e-5, scale, 0.9) == pytest.approx(
            confidence_limits(0.7, 1e-5, "identity", 0.9), abs=1e-9
        )


def test_quantile() -> None:
    """1.96 at level 0.95."""
    assert quantile(0.95) == pytest.approx(1.959963984540054)


@pytest.mark.parametrize(
    ("value", "error", "scale", "level", "reason"),
    [
        (1.0, 0.1, "logit", 0.95, "edge of its range"),
        (0.0, 0.1, "log", 0.95, "edge of its range"),
        (0.7, 0.0, "logit", 0.95, "standard error 0: no interval"),
        (0.7, math.nan, "identity", 0.95, "standard error nan"),
        (0.7, 0.1, "logit", 1.0, "level 1 does not lie"),
    ],
)
def test_refuses(value: float, error: float, scale: Scale, level: float, reason: str) -> None:
    """No interval at the edge of the scale or without variance."""
    with pytest.raises(UndefinedEstimate, match=reason):
        confidence_limits(value, error, scale, level)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": math.nan}, "not finite"),
        ({"upper": math.inf}, "not finite"),
        ({"value": 0.9}, "lies outside"),
        ({"level": 95}, "impossible"),
        ({"n": 0}, "impossible"),
        ({"events": 11}, "impossible"),
    ],
)
def test_estimate_refuses_numbers_that_only_look_fine(changes: dict[str, float], reason: str) -> None:
    """An estimate is finite, within its interval, and has a sample."""
    sound = {"value": 0.7, "lower": 0.6, "upper": 0.8, "level": 0.95, "n": 10, "events": 5, "method": "C"}
    with pytest.raises(UndefinedEstimate, match=reason):
        Estimate(**{**sound, **changes})


def test_a_limit_beyond_floating_point_is_no_limit() -> None:
    """A hazard ratio whose upper limit overflows is undefined for want of patients, no crash."""
    with pytest.raises(UndefinedEstimate, match="the interval has no end") as undefined:
        confidence_limits(2.0, 2.0 * 500, "log", 0.95)
    assert undefined.value.too_few
