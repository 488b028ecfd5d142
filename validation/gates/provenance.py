"""Gate on provenance: the evidence is there, whole, and about this model, this plan and these tables. Always runs."""

from __future__ import annotations

from validation.errors import InputError
from validation.evidence import check_evidence
from validation.gates.base import Answer, Case, GateSpec, Side, State

TABLES = ("patients", "outcomes")


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
    checked = checked_tables(case, cohort)
    if checked is None:
        return f"no report of the data checks with digests of both tables of {cohort}"
    for name, digest in {"artifact": case.artifact_digest, "analysis": case.estimates_digest, **checked}.items():
        if evidence["digests"][name] != digest:
            return f"stale: it is about {name} {_short(evidence['digests'][name])}, not {_short(digest)}"
    custody = case.custody.get(cohort)
    return custody.problem if custody else f"nothing is known of how the outcomes of {cohort} were opened"


def checked_tables(case: Case, cohort: str) -> dict[str, str] | None:
    """Return the digests of the two tables that the data checks of a cohort looked at; None unless both are there."""
    digests = (case.cohort_checks.get(cohort) or {}).get("digests")
    if not isinstance(digests, dict) or not all(digests.get(n) and isinstance(digests[n], str) for n in TABLES):
        return None
    return {name: digests[name] for name in TABLES}


def development_problem(case: Case) -> str | None:
    """Say why the development cohort at hand is not the one the shipped folder was trained on; None if it is."""
    trained, at_hand = case.development.get("cohort"), case.checked_development
    if at_hand != (trained,):
        return (
            f"the shipped folder was trained on {trained}, not on {', '.join(at_hand) or 'a cohort that was checked'}"
        )
    checked = checked_tables(case, at_hand[0])
    if checked is None:
        return f"no report of the data checks with digests of both tables of {trained}"
    for name, digest in checked.items():
        stated = case.development.get(f"{name}_sha256")
        if stated != digest:
            return f"stale: the shipped folder was trained on {name} {_short(stated)}, not {_short(digest)}"
    return None


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
