"""Gates on estimates: discrimination and calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.validation.specimens import (
    COHORT,
    SAID,
    SECOND,
    documents,
    estimate,
    judged,
    protocol,
    spoilt,
    states,
    undefined,
)
from validation.estimators.centres.between import between_centres
from validation.estimators.estimate import Estimate
from validation.gates.base import Answer, Needed, State
from validation.protocol import Protocol
from validation.verdict import judge

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
    assert (row["method"], row["needed"]) == ("M", None)
    assert (row["hazard"], row["source"]) == ("The wrong are treated.", "Made up for the tests.")


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


POOLED_GATE = (
    f"  - {{id: pooled, kind: calibration, estimate: oe, cohort: pooled, between: [0.5, 2.0], minimum_events: 300,\n"
    f"     blocking: false, {SAID}}}\n"
)


@pytest.fixture
def pooled(tmp_path: Path) -> Protocol:
    """A plan with a gate on O/E over both external cohorts."""
    return protocol(tmp_path, ("gates:\n", f"gates:\n{POOLED_GATE}"))


def answer_pooled(plan: Protocol, second: dict[str, Any] | None = None, **first: Any) -> Answer:
    """The pooled answer, from O/E of 1.1 at the first cohort and 0.9 at the second unless changed."""
    given = documents(plan)
    for cohort, sound, changes in ((COHORT, (1.1, 0.05, 500), first), (SECOND, (0.9, 0.04, 300), second or {})):
        value = changes.get("value", sound[0])
        numbers = {"value": value, "standard_error": sound[1], "n": sound[2], **changes}
        entry = {**estimate("oe", value, value - 0.1, value + 0.1), **numbers}
        given = spoilt(given, "evidence", cohort, "estimates", 2, value=entry)
    (answer,) = (g.answer for g in judge(plan, **given).gates if g.spec.id == "pooled")
    return answer


def test_pooled_is_the_summary_over_centres(pooled: Protocol) -> None:
    """One answer: the estimator's own summary on the log scale, patients and events summed, the method said."""
    answer = answer_pooled(pooled)
    parts = [
        Estimate(value, value - 0.1, value + 0.1, 0.95, n, 150, "M", "log", 36.0, cohort, error)
        for cohort, value, n, error in ((COHORT, 1.1, 500, 0.05), (SECOND, 0.9, 300, 0.04))
    ]
    summary = between_centres(parts, "log").summary

    assert (answer.cohort, answer.n, answer.events, answer.level) == ("pooled", 800, 300, 0.95)
    assert (answer.value, answer.lower, answer.upper) == (summary.value, summary.lower, summary.upper)
    assert answer.method == f"{summary.method}, over {COHORT}, {SECOND}"
    assert (answer.state, answer.needed) == (State.INCONCLUSIVE, Needed(None, None))


def test_pooled_alike_cohorts_pass(pooled: Protocol) -> None:
    """Two cohorts that agree leave an interval within the limits, by t with one degree of freedom."""
    answer = answer_pooled(pooled, {"value": 1.0, "standard_error": 0.04}, value=1.0)

    assert (answer.state, answer.reason) == (State.PASS, "the whole interval is within the limit")


def test_pooled_too_few_events(pooled: Protocol) -> None:
    """299 events in both cohorts are fewer than 300, wherever the interval lies."""
    answer = answer_pooled(pooled, {"value": 1.0, "standard_error": 0.04, "events": 149}, value=1.0)

    assert (answer.state, answer.events) == (State.INCONCLUSIVE, 299)
    assert answer.reason.startswith("299 events, fewer than the 300")
    assert answer.needed == Needed(300, 803)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"standard_error": None}, "centre mri_second: no standard error"),
        ({"level": 0.9}, "mri_second: the interval is at level 0.9, the protocol says 0.95"),
        ({"scale": "identity"}, "intervals symmetric on identity, log: no scale to pool on"),
    ],
)
def test_pooled_fails_where_a_cohort_cannot_be_pooled(pooled: Protocol, second: dict[str, Any], reason: str) -> None:
    """No cohort is left out: a summary of the others would be another quantity."""
    answer = answer_pooled(pooled, second)

    assert (answer.cohort, answer.state) == ("pooled", State.FAIL)
    assert reason in answer.reason


def test_pooled_fails_without_a_cohort(pooled: Protocol) -> None:
    """Evidence that is missing, or an estimate that is undefined, in one cohort."""
    missing = judged(pooled, "evidence", SECOND, value=None)
    undefined_entry = undefined("oe", "nobody died", too_few=True, events=0)
    without = judged(pooled, "evidence", SECOND, "estimates", 2, value=undefined_entry)
    answers = [g.answer for verdict in (missing, without) for g in verdict.gates if g.spec.id == "pooled"]

    assert [answer.state for answer in answers] == [State.FAIL, State.FAIL]
    assert answers[0].reason.startswith("mri_second: no evidence")
    assert answers[1].reason == "mri_second: undefined: nobody died"
