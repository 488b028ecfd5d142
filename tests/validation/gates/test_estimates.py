"""Gates on estimates: discrimination and calibration."""

from __future__ import annotations

from typing import Any

import pytest

from tests.validation.specimens import COHORT, SECOND, estimate, judged, protocol, states, undefined
from validation.gates.base import Needed, State
from validation.protocol import Protocol

PLACE = {"concordance": ("c", 0), "slope": ("slope", 1), "in_the_large": ("oe", 2)}


@pytest.mark.parametrize(
    ("gate", "numbers", "expected"),
    [
        ("concordance", (0.75, 0.70, 0.79), "PASS"),
        ("concordance", (0.70, 0.65, 0.75), "INCONCLUSIVE"),
        ("concordance", (0.60, 0.55, 0.65), "FAIL"),
        ("slope", (1.0, 0.7, 1.4), "PASS"),
        ("slope", (0.8, 0.69, 0.91), "INCONCLUSIVE"),
        ("slope", (0.6, 0.5, 0.69), "FAIL"),
        ("slope", (1.6, 1.45, 1.8), "FAIL"),
        ("in_the_large", (1.0, 0.9, 1.1), "PASS"),
        ("in_the_large", (1.4, 1.2, 1.7), "INCONCLUSIVE"),
        ("in_the_large", (1.9, 1.6, 2.2), "FAIL"),
    ],
)
def test_interval_decides(plan: Protocol, gate: str, numbers: tuple[float, ...], expected: str) -> None:
    """The interval, never the value, decides; each cohort for itself."""
    name, place = PLACE[gate]
    verdict = judged(plan, "evidence", COHORT, "estimates", place, value=estimate(name, *numbers))

    assert states(verdict, gate) == {COHORT: expected, SECOND: "PASS"}


def test_result_carries_the_numbers(plan: Protocol) -> None:
    """A row holds value, interval, level, n, events, limit, method, hazard and source."""
    (row,) = (g.to_dict() for g in judged(plan).gates if (g.spec.id, g.answer.cohort) == ("concordance", COHORT))

    numbers = {"value": 0.75, "lower": 0.70, "upper": 0.79, "level": 0.95, "n": 500, "events": 150}
    assert numbers.items() <= row.items()
    assert row["limit"] == {"above": 0.65}
    assert (row["method"], row["hazard"], row["source"], row["needed"]) == ("M", "H", "S", None)


def test_inconclusive_says_what_would_settle_it(plan: Protocol) -> None:
    """0.70 with lower limit 0.64 needs the half-width to shrink from 0.2720 to 0.2283 on the logit scale."""
    verdict = judged(plan, "evidence", COHORT, "estimates", 0, value=estimate("c", 0.70, 0.64, 0.75))
    (answer,) = (g.answer for g in verdict.gates if (g.spec.id, g.answer.cohort) == ("concordance", COHORT))

    assert answer.needed == Needed(events=213, patients=710)


def test_too_few_events(plan: Protocol) -> None:
    """Below the minimum the answer is INCONCLUSIVE wherever the interval lies, and at least the minimum is needed."""
    for numbers in ((0.75, 0.70, 0.79), (0.5, 0.4, 0.6)):
        entry = estimate("c", *numbers, n=65, events=19)
        verdict = judged(plan, "evidence", COHORT, "estimates", 0, value=entry)
        (answer,) = (g.answer for g in verdict.gates if (g.spec.id, g.answer.cohort) == ("concordance", COHORT))

        assert answer.state is State.INCONCLUSIVE
        assert answer.needed == Needed(events=50, patients=172)
        assert answer.reason.startswith("19 events, fewer than the 50 the protocol asks for")


@pytest.mark.parametrize(
    ("too_few", "events", "expected"),
    [
        (True, 0, "INCONCLUSIVE"),
        (True, 49, "INCONCLUSIVE"),
        (True, 50, "FAIL"),
        (False, 0, "FAIL"),
        (False, 60, "FAIL"),
    ],
)
def test_undefined(plan: Protocol, too_few: bool, events: int, expected: str) -> None:
    """Undefined is INCONCLUSIVE only for want of events below the declared minimum; otherwise FAIL."""
    entry = undefined("c", "no reason", too_few, events)
    verdict = judged(plan, "evidence", COHORT, "estimates", 0, value=entry)

    assert states(verdict, "concordance")[COHORT] == expected
    assert str(verdict.state) == expected


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (estimate("renamed", 0.75, 0.70, 0.79), "holds no estimate c"),
        (estimate("c", 0.9, 0.70, 0.79), "0.9 outside its interval, 0.7 to 0.79"),
        (estimate("c", 1.2, 0.70, 1.3), "1.2, which is impossible; expected 0 to 1"),
        (estimate("c", 0.75, 0.70, 0.79, n=5000), "150 events among 5000 of 500 predicted patients"),
        (estimate("c", 0.75, 0.70, 0.79, n=100), "150 events among 100 of 500 predicted patients"),
        (estimate("c", 0.75, 0.70, 0.79, level=0.9), "the interval is at level 0.9, the protocol says 0.95"),
        (estimate("c", 0.75, float("nan"), 0.79), "finite number"),
        (estimate("c", 0.75, 0.7, 0.79, n="500"), "a count"),
        ({"id": "c", "value": 0.75}, "malformed evidence"),
        (estimate("c", 0.75, 0.70, 0.79, scale="linear"), "malformed evidence"),
        ({**estimate("c", 0.75, 0.70, 0.79), "id": ["c"]}, "malformed evidence"),
    ],
)
def test_missing_or_malformed_fails(plan: Protocol, entry: dict[str, Any], reason: str) -> None:
    """An estimate that is absent, impossible, at another level or not a number is a FAIL."""
    verdict = judged(plan, "evidence", COHORT, "estimates", 0, value=entry)
    (answer,) = (g.answer for g in verdict.gates if (g.spec.id, g.answer.cohort) == ("concordance", COHORT))

    assert answer.state is State.FAIL
    assert reason in answer.reason


def test_gate_on_one_cohort(tmp_path: Any) -> None:
    """A gate that names a cohort looks at no other."""
    plan = protocol(tmp_path, ("kind: discrimination,", f"kind: discrimination, cohort: {SECOND},"))

    assert states(judged(plan), "concordance") == {SECOND: "PASS"}
