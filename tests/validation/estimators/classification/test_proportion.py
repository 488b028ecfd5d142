"""Proportions with exact intervals."""

from __future__ import annotations

import math

import pytest

from tests.reference import from_r
from validation.estimators.classification.proportion import exact_limits, patients_to_settle, proportion_exact
from validation.estimators.estimate import UndefinedEstimate


@pytest.mark.parametrize(("key", "events", "n"), [("sens", 63, 224), ("spec", 307, 331), ("ppv", 63, 87)])
def test_equals_r(key: str, events: int, n: int) -> None:
    """Limits are those of binom.test."""
    estimate = proportion_exact(events, n)

    assert [estimate.value, estimate.lower, estimate.upper] == pytest.approx(from_r()["bin"]["at_0.5"][key], abs=1e-12)


@pytest.mark.parametrize(("n", "upper"), [(400, 0.00918), (72, 0.04994), (65, 0.05516)])
def test_no_events(n: int, upper: float) -> None:
    """Nothing seen is not nothing: the upper limit is 1 - 0.025^(1/n)."""
    estimate = proportion_exact(0, n)

    assert (estimate.value, estimate.lower) == (0, 0)
    assert estimate.upper == pytest.approx(1 - 0.025 ** (1 / n))
    assert estimate.upper == pytest.approx(upper, abs=1e-4)


def test_all_events() -> None:
    """The mirror of no events."""
    estimate = proportion_exact(65, 65)

    assert (estimate.lower, estimate.upper) == (pytest.approx(0.025 ** (1 / 65)), 1)


def test_patients_to_settle_without_events() -> None:
    """With none seen, log(0.025) / log(0.95) patients bring the upper limit below 5 %."""
    assert patients_to_settle(0, 0.05, 0.95, 65) == math.ceil(math.log(0.025) / math.log(0.95))


@pytest.mark.parametrize("share", [0.02, 0.04, 0.08])
def test_patients_to_settle(share: float) -> None:
    """At the number returned the interval leaves the limit; one patient earlier it does not."""
    n = patients_to_settle(share, 0.05, 0.95, 100)
    assert n is not None

    def settled(patients: int) -> bool:
        lower, upper = exact_limits(share * patients, patients, 0.95)
        return upper <= 0.05 or lower > 0.05

    assert settled(n)
    assert not settled(n - 1)


def test_patients_to_settle_on_the_limit() -> None:
    """A share that equals the limit is never settled."""
    assert patients_to_settle(0.05, 0.05, 0.95, 100) is None


@pytest.mark.parametrize(("events", "n"), [(1, 0), (3, 2), (-1, 5)])
def test_refuses(events: int, n: int) -> None:
    """No patients, or impossible counts."""
    with pytest.raises(UndefinedEstimate, match="is no proportion"):
        proportion_exact(events, n)
