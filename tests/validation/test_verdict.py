"""The verdict: what follows from the gates, its digests, and its JSON."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.validation.specimens import ARTIFACT, COHORT, SECOND, documents, estimate, judged, protocol, undefined
from validation.digests import file_sha256
from validation.documents import write_json
from validation.errors import InputError
from validation.protocol import Protocol
from validation.verdict import Verdict, judge


@pytest.fixture
def plan(tmp_path: Path) -> Protocol:
    """The small sound protocol."""
    return protocol(tmp_path)


WIDE, LOW, FEW = estimate("c", 0.70, 0.60, 0.79), estimate("c", 0.55, 0.5, 0.6), undefined("c", "no event", True, 0)


@pytest.mark.parametrize(
    ("first", "second", "state", "code"),
    [
        (None, None, "PASS", 0),
        (WIDE, None, "INCONCLUSIVE", 3),
        (FEW, None, "INCONCLUSIVE", 3),
        (None, LOW, "FAIL", 1),
        (WIDE, LOW, "FAIL", 1),
    ],
)
def test_blocking_gates_decide(plan: Protocol, first: Any, second: Any, state: str, code: int) -> None:
    """Any FAIL is FAIL, else any INCONCLUSIVE is INCONCLUSIVE, else PASS; each has its exit code."""
    given = documents(plan)
    for cohort, entry in ((COHORT, first), (SECOND, second)):
        if entry:
            given["evidence"][cohort]["estimates"][0] = entry
    verdict = judge(plan, **given)

    assert (str(verdict.state), verdict.exit_code) == (state, code)


def test_descriptive_gates_never_block(plan: Protocol) -> None:
    """A descriptive FAIL is shown and decides nothing."""
    verdict = judged(plan, "evidence", COHORT, "estimates", 2, value=estimate("oe", 3.0, 2.0, 4.0))

    assert str(verdict.state) == "PASS"
    assert [r.spec.id for r in verdict.gates if str(r.answer.state) == "FAIL"] == ["in_the_large"]


def test_nothing_in_evidence_fails(plan: Protocol) -> None:
    """Without any document every gate fails, and nothing raises."""
    about: dict[str, Any] = {"model": "m", "artifact_digest": ARTIFACT, "development": {}, "outputs": ()}
    nothing: dict[str, Any] = {"evidence": {}, "cohort_checks": {}, "independence": {}, "parity": None, "custody": {}}
    verdict = judge(plan, **about, **nothing, lock_problem="the protocol is not locked")

    assert {str(result.answer.state) for result in verdict.gates} == {"FAIL"}
    assert verdict.digests["evidence"] == {COHORT: None, SECOND: None}


def test_undeclared_cohorts_are_not_looked_at(plan: Protocol) -> None:
    """Evidence left over from a cohort that the protocol no longer declares changes nothing."""
    given = documents(plan)
    given["evidence"]["mri_former"] = given["evidence"][COHORT]

    assert judge(plan, **given) == judged(plan)


def test_digests_are_those_of_the_files(plan: Protocol, tmp_path: Path) -> None:
    """The digests of the documents are those of the files that `write_json` makes of them."""
    given = documents(plan)
    write_json(tmp_path / "evidence.json", given["evidence"][COHORT])
    write_json(tmp_path / "parity.json", given["parity"])
    digests = judge(plan, **given).digests

    assert digests["evidence"][COHORT] == file_sha256(tmp_path / "evidence.json")
    assert digests["parity"] == file_sha256(tmp_path / "parity.json")
    assert (digests["artifact"], digests["analysis"]) == (ARTIFACT, plan.analysis.digest)
    assert set(digests["cohorts"]) == {COHORT, SECOND, "mri_development"}


def test_synthetic_is_said(plan: Protocol) -> None:
    """One synthetic cohort makes the verdict synthetic."""
    given = documents(plan)
    for document in (*given["evidence"].values(), *given["cohort_checks"].values()):
        document["synthetic"] = False
    assert not judge(plan, **given).synthetic
    given["evidence"][SECOND]["synthetic"] = True

    assert judge(plan, **given).synthetic


def test_survives_json(plan: Protocol) -> None:
    """A verdict is read back as it was written."""
    verdict = judged(plan, "evidence", COHORT, "estimates", 0, value=WIDE)

    assert Verdict.from_dict(verdict.to_dict()) == verdict


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("verdict",), "PASS", "INCONCLUSIVE, as its gates say"),
        (("schema",), 2, "found 2; expected 1"),
        (("note",), "hello", r"unknown key\(s\) note"),
        (("synthetic",), 1, "expected a bool"),
        (("digests",), None, "expected a dict"),
        (("gates", 0, "state"), "MAYBE", "MAYBE"),
        (("gates", 0), "provenance", "TypeError"),
        (("gates", 2, "limit"), {"around": 1}, "unknown limit"),
        (("gates", 2, "limit"), 0.65, "AttributeError"),
        (("gates", 2, "limit"), {"above": "0.65"}, "'0.65' is not a finite number"),
        (("gates", 2, "limit"), {"between": [0.65]}, "not enough values"),
        (("gates", 2, "value"), float("nan"), "nan is not a finite number"),
        (("gates", 2, "needed"), {"luck": 1}, "luck"),
        (("gates",), [{}], "KeyError"),
    ],
)
def test_refuses_what_was_not_written(plan: Protocol, path: tuple[Any, ...], value: Any, reason: str) -> None:
    """A verdict that was edited, or that its gates do not bear out, is refused."""
    raw = deepcopy(judged(plan, "evidence", COHORT, "estimates", 0, value=WIDE).to_dict())
    place = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    with pytest.raises(InputError, match=reason):
        Verdict.from_dict(raw)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lower": 0.6}, "its interval and events do not bear out"),
        ({"limit": {"above": 0.7}}, "its interval and events do not bear out"),
        ({"limit": {"between": [0.5, 0.75]}}, "its interval and events do not bear out"),
        ({"events": 49}, "its interval and events do not bear out"),
        ({"events": None}, "its interval and events do not bear out"),
        ({"lower": None, "upper": None}, "PASS without a value in its interval"),
        ({"value": None}, "PASS without a value in its interval"),
        ({"value": 0.8}, "PASS without a value in its interval"),
        ({"value": True}, "True is not a finite number"),
        ({"upper": float("inf")}, "inf is not a finite number"),
    ],
)
def test_refuses_a_pass_that_its_numbers_do_not_bear_out(plan: Protocol, changes: dict[str, Any], reason: str) -> None:
    """A gate edited to PASS must also lie on the good side of its limit, with the events it asks for."""
    raw = deepcopy(judged(plan).to_dict())
    gate = next(gate for gate in raw["gates"] if gate["id"] == "concordance")
    gate.update(changes)

    with pytest.raises(InputError, match=reason):
        Verdict.from_dict(raw)


def test_stale_for_the_challenger(plan: Protocol) -> None:
    """Evidence of another folder than the one that ships never passes."""
    verdict = judged(plan, "artifact_digest", value="f" * 64)

    assert str(verdict.state) == "FAIL"
