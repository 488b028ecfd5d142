"""Limits: which side an interval lies on, and how many events would move it there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.estimators.estimate import Estimate, Scale
from validation.estimators.intervals import confidence_limits, on_scale
from validation.gates.base import Limit, Side, limit_from_dict


@pytest.mark.parametrize(
    ("side", "values", "lower", "upper", "expected"),
    [
        ("above", (0.65,), 0.66, 0.8, "PASS"),
        ("above", (0.65,), 0.65, 0.8, "INCONCLUSIVE"),
        ("above", (0.65,), 0.5, 0.8, "INCONCLUSIVE"),
        ("above", (0.65,), 0.5, 0.65, "FAIL"),
        ("above", (0.65,), 0.5, 0.6, "FAIL"),
        ("below", (0.2,), 0.1, 0.19, "PASS"),
        ("below", (0.2,), 0.1, 0.2, "INCONCLUSIVE"),
        ("below", (0.2,), 0.2, 0.3, "FAIL"),
        ("between", (0.7, 1.4), 0.7, 1.4, "PASS"),
        ("between", (0.7, 1.4), 0.6, 1.0, "INCONCLUSIVE"),
        ("between", (0.7, 1.4), 1.0, 1.5, "INCONCLUSIVE"),
        ("between", (0.7, 1.4), 0.6, 1.5, "INCONCLUSIVE"),
        ("between", (0.7, 1.4), 0.3, 0.69, "FAIL"),
        ("between", (0.7, 1.4), 1.41, 1.9, "FAIL"),
        ("at_most", (0.05,), 0.0, 0.05, "PASS"),
        ("at_most", (0.05,), 0.05, 0.06, "INCONCLUSIVE"),
        ("at_most", (0.05,), 0.06, 0.1, "FAIL"),
    ],
)
def test_state(side: Side, values: tuple[float, ...], lower: float, upper: float, expected: str) -> None:
    """Wholly good passes, wholly bad fails, anything else is inconclusive; strict for above and below."""
    assert str(Limit(side, values).state(lower, upper)) == expected


def with_events(value: float, scale: Scale, events: int, spread: float) -> Estimate:
    """An estimate whose standard error shrinks with the square root of its events."""
    error = spread / events**0.5
    lower, upper = confidence_limits(value, error, scale, 0.95)
    return Estimate(value, lower, upper, 0.95, 4 * events, events, "M", scale)


@pytest.mark.parametrize(
    ("scale", "value", "limit"),
    [
        ("logit", 0.70, Limit("above", (0.65,))),
        ("logit", 0.62, Limit("above", (0.65,))),
        ("identity", 1.05, Limit("between", (0.7, 1.4))),
        ("identity", 0.60, Limit("between", (0.7, 1.4))),
        ("log", 1.20, Limit("between", (0.67, 1.5))),
        ("log", 1.60, Limit("between", (0.67, 1.5))),
        ("log_log", 0.70, Limit("above", (0.65,))),
    ],
)
def test_events_needed(scale: Scale, value: float, limit: Limit) -> None:
    """With the events needed the same value is no longer inconclusive; with a twentieth fewer it still is."""
    estimate = with_events(value, scale, 20, 1.2)
    assert str(limit.state(estimate.lower, estimate.upper)) == "INCONCLUSIVE"
    needed = limit.events_needed(estimate)
    assert needed is not None

    enough, few = with_events(value, scale, needed, 1.2), with_events(value, scale, int(0.95 * needed) - 1, 1.2)
    assert str(limit.state(enough.lower, enough.upper)) in {"PASS", "FAIL"}
    assert str(limit.state(few.lower, few.upper)) == "INCONCLUSIVE"


def test_limits_at_the_edge_of_the_scale() -> None:
    """An interval that reaches the edge of its scale raises nothing: no number of events is known to do."""
    estimate = Estimate(0.7, 0.0, 1.4, 0.95, 20, 3, "M", "log")

    assert Limit("above", (0.65,)).events_needed(estimate) is None


@settings(deadline=None)
@given(st.floats(0.05, 0.95))
def test_no_number_settles_a_value_on_the_limit(value: float) -> None:
    """A value that equals the limit would stay inconclusive for ever."""
    assert Limit("above", (value,)).events_needed(with_events(value, "logit", 50, 0.5)) is None
    assert on_scale(value, "identity") == value


@pytest.mark.parametrize("limit", [Limit("above", (0.65,)), Limit("between", (0.7, 1.4)), Limit("at_most", (0.05,))])
def test_limit_survives_json(limit: Limit) -> None:
    """A limit is written as the protocol writes it, and read back."""
    assert limit_from_dict(limit.to_dict()) == limit


def test_unknown_limit() -> None:
    """A side that no gate knows is refused."""
    with pytest.raises(ValueError, match="unknown limit around"):
        limit_from_dict({"around": 1})
