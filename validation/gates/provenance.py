"""Gate on provenance: the evidence is there, whole, and about this model, this plan and these tables. Always runs."""

from __future__ import annotations

from validation.errors import InputError
from validation.evidence import check_evidence
from validation.gates.base import Answer, Case, Document, GateSpec, Side, State


def evidence_problem(case: Case, cohort: str) -> str | None:
    """Say why the evidence of a cohort cannot be used; None if it can."""
    evidence = case.evidence.get(cohort)
    if evidence is None:
        return f"no evidence on {cohort}, which the protocol declares"
    try:
        check_evidence(evidence, cohort)
    except InputError as error:
        return f"malformed evidence: {error}"
    expected = {"model": case.model, "architecture": case.architecture, "cohort": cohort, "role": "external"}
    for key, value in expected.items():
        if evidence[key] != value:
            return f"it is about {key} {evidence[key]}, not {value}"
    digests = {"artifact": case.artifact_digest, "analysis": case.estimates_digest, **_tables(case, cohort)}
    for name, digest in digests.items():
        if evidence["digests"][name] != digest:
            return f"stale: it is about {name} {_short(evidence['digests'][name])}, not {_short(digest)}"
    return None


def _tables(case: Case, cohort: str) -> Document:
    """Digests of the tables that the data checks looked at; the data gate fails where there are none."""
    digests = (case.cohort_checks.get(cohort) or {}).get("digests") or {}
    return {name: digests[name] for name in ("patients", "outcomes") if name in digests}


def _short(digest: object) -> str:
    return str(digest)[:12]


class ProvenanceGate:
    """PASS if the evidence on a declared cohort can be used at all; never declared, always blocking."""

    kind = "provenance"
    sides: tuple[Side, ...] = ()
    measures = None
    bounds = None
    spec = GateSpec(
        id="provenance",
        kind="provenance",
        blocking=True,
        hazard="The verdict rests on figures of another model, another plan or other patients.",
        source="Every declared cohort has evidence whose digests are those of the shipped folder, plan and tables.",
    )

    def judge(self, spec: GateSpec, case: Case) -> list[Answer]:
        """Return one answer per declared external cohort."""
        return [self._judge_cohort(case, cohort) for cohort in case.cohorts_of(spec)]

    @staticmethod
    def _judge_cohort(case: Case, cohort: str) -> Answer:
        problem = evidence_problem(case, cohort)
        if problem:
            return Answer(cohort, State.FAIL, problem)
        evidence = case.evidence[cohort] or {}
        reason = "evidence of the shipped folder, by the declared analysis"
        return Answer(cohort, State.PASS, reason, n=int(evidence["patients"]["declared"]))
