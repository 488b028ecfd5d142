"""Gate on the protocol: it was locked before outcomes were opened, and is what it was then. Always runs."""

from __future__ import annotations

from validation.gates.base import Answer, Case, GateSpec, Side, State


class ProtocolGate:
    """PASS if plan, lock and ledger hold together; never declared, always blocking.

    INCONCLUSIVE where gates were changed after outcomes of the same patients had been opened, or a cohort was taken out
    of the plan after it had been: who has seen a result can move a limit to its good side.
    """

    kind = "protocol"
    sides: tuple[Side, ...] = ()
    measures = None
    bounds = None
    spec = GateSpec(
        id="protocol",
        kind="protocol",
        blocking=True,
        hazard="Limits or analyses are chosen after the result is known.",
        source="The protocol is locked, every opening of outcomes stands in the ledger, and no gate was changed since.",
    )

    def judge(self, spec: GateSpec, case: Case) -> list[Answer]:
        """Return one answer on plan, lock and ledger, then one per declared external cohort."""
        if case.lock_problem:
            return [Answer(None, State.FAIL, case.lock_problem)]
        whole = Answer(None, State.PASS, "the plan is the locked one, and the ledger is whole")
        cohorts = (*case.external, *sorted(set(case.custody) - set(case.external)))
        return [whole, *(self._judge_cohort(case, cohort) for cohort in cohorts)]

    @staticmethod
    def _judge_cohort(case: Case, cohort: str) -> Answer:
        custody = case.custody.get(cohort)
        if custody is None or custody.problem:
            return Answer(cohort, State.FAIL, custody.problem if custody and custody.problem else "never opened")
        if custody.amended:
            return Answer(cohort, State.INCONCLUSIVE, f"{custody.amended}; a signed waiver is needed")
        return Answer(cohort, State.PASS, f"opened under these gates (opening {str(custody.opening)[:12]})")
