"""The verdict: read strictly, refused when it is better than its gates."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.verdict import read_verdict
from tests.registry.specimens import make_artefact, make_judged
from tests.validation import specimens as judge_specimens
from validation.digests import file_sha256
from validation.errors import InputError
from validation.evidence import write_json
from validation.verdict import judge

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """One verdict of each kind."""
    folder = tmp_path_factory.mktemp("verdicts")
    artefact = make_artefact(folder / "artifact")
    return {state: make_judged(folder / state, artefact, state)[0] for state in ("PASS", "FAIL", "INCONCLUSIVE")}


@pytest.mark.parametrize("state", ["PASS", "FAIL", "INCONCLUSIVE"])
def test_read(verdicts: dict[str, dict[str, Any]], state: str) -> None:
    """A verdict in the form of the contract is read whole."""
    document = verdicts[state]
    verdict = read_verdict(document)

    assert (state, True, 3) == (verdict.verdict, verdict.synthetic, len(verdict.gates))
    assert {"evidence/mri_external", "cohorts/mri_external", "parity"} == set(verdict.files)
    assert ([] if state == "PASS" else ["discrimination_survival"]) == [gate.id for gate in verdict.not_passed()]


def test_digest_is_that_of_the_file(verdicts: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """The digest of a verdict is what sha256sum prints for verdict.json as the gate writes it."""
    write_json(tmp_path / "verdict.json", verdicts["PASS"])

    assert file_sha256(tmp_path / "verdict.json") == read_verdict(verdicts["PASS"]).sha256


def test_gate_in_one_line(verdicts: dict[str, dict[str, Any]]) -> None:
    """A gate says which cohort, which number with its interval, which limit, and what would settle it."""
    gates = read_verdict(verdicts["INCONCLUSIVE"]).gates

    assert gates[0].describe() == (
        "discrimination_survival on mri_external: INCONCLUSIVE; 0.685 (0.6 to 0.77), demanded above 0.65; "
        "needed: 310 events, 1400 patients"
    )
    assert gates[1].describe() == "onnx_parity on the model: PASS; 1e-06, demanded at most 0.0001"


@pytest.mark.parametrize(
    ("limits", "state"), [((0.7, 0.79), "PASS"), ((0.6, 0.79), "INCONCLUSIVE"), ((0.5, 0.6), "FAIL")]
)
def test_what_the_judge_writes_can_be_read(tmp_path: Path, limits: tuple[float, float], state: str) -> None:
    """A verdict of the judge is read with every gate and every document, and has the digest of its file."""
    lower, upper = limits
    estimate = judge_specimens.estimate("c", (lower + upper) / 2, lower, upper)
    place = ("evidence", judge_specimens.COHORT, "estimates", 0)
    judged = judge_specimens.judged(judge_specimens.protocol(tmp_path), *place, value=estimate)
    write_json(tmp_path / "verdict.json", judged.to_dict())
    verdict = read_verdict(judged.to_dict())

    assert (verdict.verdict, len(verdict.gates)) == (state, len(judged.gates))
    assert {slot.split("/")[0] for slot in verdict.files} == {"evidence", "cohorts", "independence", "parity"}
    assert verdict.sha256 == file_sha256(tmp_path / "verdict.json")


def test_nothing_in_evidence_can_be_read(tmp_path: Path) -> None:
    """The judge's verdict on a model without any document is a FAIL that names every gate."""
    nothing: dict[str, Any] = {"evidence": {}, "cohort_checks": {}, "independence": {}, "parity": None}
    plan = judge_specimens.protocol(tmp_path)
    verdict = read_verdict(judge(plan, model="m", artifact_digest="a" * 64, **nothing).to_dict())

    assert (verdict.verdict, verdict.files) == ("FAIL", {})
    assert all(gate.describe() for gate in verdict.not_passed())


def set_gate(index: int, **values: object) -> Change:
    """Change fields of one gate."""
    return lambda verdict: verdict["gates"][index].update(values)


def set_digest(**values: object) -> Change:
    """Change the digests."""
    return lambda verdict: verdict["digests"].update(values)


@pytest.mark.parametrize(
    ("state", "change", "message"),
    [
        ("FAIL", lambda v: v.update(verdict="PASS"), "found PASS; expected FAIL, as its gates say"),
        ("FAIL", lambda v: v.update(verdict="INCONCLUSIVE"), "found INCONCLUSIVE; expected FAIL"),
        ("INCONCLUSIVE", lambda v: v.update(verdict="PASS"), "found PASS; expected INCONCLUSIVE"),
        ("PASS", lambda v: v.update(verdict="GOOD"), "found GOOD"),
        ("PASS", set_gate(0, state="GOOD"), "state 'GOOD'"),
        ("PASS", set_gate(0, lower=0.6), "expected a PASS wholly on the good side"),
        ("PASS", set_gate(0, lower=None, upper=None), "expected a PASS wholly on the good side"),
        ("PASS", set_gate(0, limit={"below": 0.7}), "expected a PASS wholly on the good side"),
        ("PASS", set_gate(0, limit={"between": [0.5, 0.75]}), "expected a PASS wholly on the good side"),
        ("PASS", set_gate(0, limit={"between": [0.72, 0.9]}), "expected a PASS wholly on the good side"),
        ("PASS", set_gate(1, value=2e-4), "expected a PASS wholly on the good side"),
        ("PASS", set_gate(1, value=None), "expected a PASS wholly on the good side"),
        ("PASS", set_gate(0, limit={"between": 0.5}), "limit"),
        ("PASS", set_gate(0, limit={"above": "0.65"}), "limit"),
        ("PASS", set_gate(0, limit={"roughly": 0.65}), "limit"),
        ("PASS", set_gate(0, limit=0.65), "limit 0.65"),
        ("PASS", set_gate(0, value=float("nan")), "value nan"),
        ("PASS", set_gate(0, upper=float("inf")), "upper inf"),
        ("PASS", set_gate(0, lower="0.7"), "lower '0.7'"),
        ("PASS", set_gate(0, value=True), "value True"),
        ("PASS", set_gate(0, blocking="no"), "blocking 'no'"),
        ("PASS", lambda v: v["gates"][0].pop("id"), "id None"),
        ("PASS", lambda v: v.update(gates=[]), "no blocking gate"),
        ("PASS", lambda v: v.update(gates=v["gates"][2:]), "no blocking gate"),
        ("PASS", lambda v: v.update(gates=["discrimination"]), "'discrimination'; expected objects"),
        ("PASS", lambda v: v.update(gates=None), "gates None"),
        ("PASS", lambda v: v.update(schema=2), "schema: found 2"),
        ("PASS", lambda v: v.update(synthetic=1), "synthetic 1"),
        ("PASS", lambda v: v.update(digests=None), "digests None"),
        ("PASS", set_digest(artifact="abc"), "digests.artifact: found 'abc'"),
        ("PASS", set_digest(artifact=None), "digests.artifact: found None"),
        ("PASS", set_digest(parity=None), "PASS without parity"),
        ("PASS", set_digest(evidence={"mri_external": None}), "PASS without evidence/mri_external"),
        ("PASS", set_digest(evidence={}), "PASS without evidence"),
        ("PASS", set_digest(evidence={"../up": "0" * 64}), "'evidence/../up'"),
        ("PASS", set_digest(evidence={"mri_external": "x"}), "digests.evidence/mri_external: found 'x'"),
    ],
)
def test_refused(verdicts: dict[str, dict[str, Any]], state: str, change: Change, message: str) -> None:
    """A verdict that was edited, is incomplete or contradicts itself is bad input."""
    document = copy.deepcopy(verdicts[state])
    change(document)

    with pytest.raises(InputError, match=message):
        read_verdict(document)


def test_worse_than_its_gates_is_in_order(verdicts: dict[str, dict[str, Any]]) -> None:
    """The judge may cap a verdict, for instance after an amendment of the gates."""
    assert read_verdict({**verdicts["PASS"], "verdict": "INCONCLUSIVE"}).verdict == "INCONCLUSIVE"


def test_missing_evidence_may_fail(verdicts: dict[str, dict[str, Any]]) -> None:
    """A declared cohort without evidence is a FAIL that can be read and registered."""
    document = copy.deepcopy(verdicts["FAIL"])
    document["digests"]["evidence"]["mri_other"] = None

    assert "evidence/mri_other" not in read_verdict(document).files
