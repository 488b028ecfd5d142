"""The verdict on a model: every gate of the protocol, answered from the documents in evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from validation.documents import document_sha256, require_keys
from validation.errors import InputError
from validation.gates import GATES
from validation.gates.base import Case, Custody, Document, Gate, GateResult, GateSpec, State
from validation.gates.protocol import ProtocolGate
from validation.gates.provenance import ProvenanceGate
from validation.protocol import Protocol

SCHEMA = 1
EXIT_CODES: Mapping[State, int] = {State.PASS: 0, State.FAIL: 1, State.INCONCLUSIVE: 3}
_KEYS = {
    "schema": int,
    "model": str,
    "verdict": str,
    "synthetic": bool,
    "gates": list,
    "digests": dict,
    "openings": dict,
}
_REMEDY = "Run the gate again; a verdict is never edited."


@dataclass(frozen=True)
class Verdict:
    """Every gate of a model, and what follows from the blocking ones.

    Attributes:
        model: Name of the model.
        synthetic: Whether any cohort behind it is synthetic.
        gates: One result per gate and cohort: provenance and protocol first, then in the order of the protocol.
        digests: What was judged: artifact, protocol_gates, analysis, parity, and by cohort evidence, cohorts and
            independence; null where a document was missing.
        openings: By external cohort the opening in the ledger that the evidence rests on; null without one.
    """

    model: str
    synthetic: bool
    gates: tuple[GateResult, ...]
    digests: Mapping[str, Any]
    openings: Mapping[str, Any]

    @property
    def state(self) -> State:
        """Any blocking FAIL is FAIL; else any blocking INCONCLUSIVE is INCONCLUSIVE; else PASS. No gate is FAIL."""
        states = {result.answer.state for result in self.gates if result.spec.blocking}
        for state in (State.FAIL, State.INCONCLUSIVE):
            if state in states:
                return state
        return State.PASS if states else State.FAIL

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0 PASS, 1 FAIL, 3 INCONCLUSIVE."""
        return EXIT_CODES[self.state]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "verdict": str(self.state),
            "synthetic": self.synthetic,
            "gates": [result.to_dict() for result in self.gates],
            "digests": dict(self.digests),
            "openings": dict(self.openings),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], where: str = "verdict.json") -> Verdict:
        """Read what `to_dict` wrote, and make sure that the verdict follows from its gates.

        Args:
            raw: The document.
            where: Its file, for the message.

        Raises:
            InputError: Another schema version, a missing or unknown key, a value of another type, a PASS that the
                numbers of its gate do not bear out, or a verdict that its gates do not.
        """
        if raw.get("schema") != SCHEMA:
            raise InputError(f"{where} key schema", repr(raw.get("schema")), str(SCHEMA), _REMEDY)
        require_keys(raw, _KEYS, where)
        try:
            gates = tuple(GateResult.from_dict(gate) for gate in raw["gates"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(where, f"{type(error).__name__}: {error}", "a verdict as written", _REMEDY) from error
        verdict = cls(raw["model"], raw["synthetic"], gates, raw["digests"], raw["openings"])
        if verdict.to_dict() != dict(raw):
            raise InputError(where, str(raw["verdict"]), f"{verdict.state}, as its gates say", _REMEDY)
        return verdict


def _sha256(document: Document | None) -> str | None:
    try:
        return None if document is None else document_sha256(document)
    except ValueError:  # NaN inside: the gate that reads it fails
        return None


def _digests(protocol: Protocol, case: Case) -> dict[str, Any]:
    return {
        "artifact": case.artifact_digest,
        "protocol_gates": protocol.gates_digest,
        "analysis": protocol.analysis.digest,
        "evidence": {cohort: _sha256(case.evidence.get(cohort)) for cohort in case.external},
        "cohorts": {cohort: _sha256(report) for cohort, report in case.cohort_checks.items()},
        "independence": {cohort: _sha256(case.independence.get(cohort)) for cohort in case.external},
        "parity": _sha256(case.parity),
    }


def _opening(custody: Custody | None) -> dict[str, Any] | None:
    known = custody is not None and custody.opening is not None
    return {"id": custody.opening, "content": custody.content} if custody and known else None


ALWAYS: tuple[tuple[Gate, GateSpec], ...] = (
    (ProvenanceGate(), ProvenanceGate.spec),
    (ProtocolGate(), ProtocolGate.spec),
)


def judge(
    protocol: Protocol,
    *,
    model: str,
    artifact_digest: str,
    development: Document,
    outputs: tuple[str, ...],
    evidence: Mapping[str, Document | None],
    cohort_checks: Mapping[str, Document | None],
    independence: Mapping[str, Document | None],
    parity: Document | None,
    custody: Mapping[str, Custody],
    lock_problem: str | None,
) -> Verdict:
    """Answer every gate of the protocol on every cohort it looks at.

    A document that is missing, malformed or about something else fails the gates that need it; nothing is skipped, and
    cohorts that the protocol does not declare are not looked at.

    Args:
        protocol: The plan.
        model: Name of the model judged.
        artifact_digest: Digest of the folder that ships.
        development: Block `development` of its contract: the cohort it was trained on, and the digests of its tables.
        outputs: Names of its outputs, as its contract states them, and of its further ONNX files.
        evidence: Per external cohort.
        cohort_checks: Per external cohort and for the development cohort.
        independence: Per external cohort.
        parity: Parity record of the model.
        custody: Per external cohort, how the outcomes behind its evidence were opened.
        lock_problem: Why protocol, lock and ledger do not hold together; None if they do.

    Returns:
        The verdict. Its digests are those of the files, if these were written by `validation.evidence.write_json`.
    """
    case = Case(
        model=model,
        architecture=protocol.model,
        artifact_digest=artifact_digest,
        development=development,
        outputs=outputs,
        level=protocol.analysis.level,
        external=protocol.analysis.external,
        estimates_digest=protocol.analysis.estimates_digest,
        evidence=evidence,
        cohort_checks=cohort_checks,
        independence=independence,
        parity=parity,
        custody=custody,
        lock_problem=lock_problem,
    )
    plan = [*ALWAYS, *((GATES[spec.kind], spec) for spec in protocol.gates)]
    results = tuple(GateResult(spec, answer) for gate, spec in plan for answer in gate.judge(spec, case))
    documents = [*evidence.values(), *cohort_checks.values()]
    synthetic = any(bool(document.get("synthetic")) for document in documents if document is not None)
    openings = {cohort: _opening(case.custody.get(cohort)) for cohort in case.external}
    return Verdict(model, synthetic, results, _digests(protocol, case), openings)
