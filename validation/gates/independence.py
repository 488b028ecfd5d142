"""Gate on independence: no patient and no image of an external cohort was seen in development."""

from __future__ import annotations

from validation.gates.base import Answer, Case, GateSpec, Side, State


class IndependenceGate:
    """PASS if development and external cohort share no patient and no image."""

    kind = "independence"
    sides: tuple[Side, ...] = ()
    measures = None
    bounds = None

    def judge(self, spec: GateSpec, case: Case) -> list[Answer]:
        """Return one answer per cohort."""
        return [self._judge_cohort(case, cohort) for cohort in case.cohorts_of(spec)]

    @staticmethod
    def _judge_cohort(case: Case, cohort: str) -> Answer:
        record = case.independence.get(cohort)
        if record is None:
            return Answer(cohort, State.FAIL, "the cohort was not compared with the development cohort")
        about = (record.get("model"), record.get("cohort"))
        if about != (case.model, cohort) or record.get("development") not in case.development:
            return Answer(cohort, State.FAIL, f"the record compares {record.get('development')} with {about[1]}")
        compared, shared = record.get("compared"), record.get("shared")
        if (
            not isinstance(compared, dict)
            or not isinstance(shared, dict)
            or not compared
            or set(compared) != set(shared)
        ):
            return Answer(cohort, State.FAIL, "the record compares nothing")
        empty = sorted(what for what, sizes in compared.items() if not sizes or min(sizes) < 1)
        if empty:
            return Answer(cohort, State.FAIL, f"nothing to compare: {', '.join(empty)}")
        found = ", ".join(f"{len(pairs)} {what.replace('_', ' ')}" for what, pairs in sorted(shared.items()) if pairs)
        count = float(sum(len(pairs) for pairs in shared.values()))
        if found or record.get("success") is not True:
            reason = f"shared with {record['development']}: {found or 'see the record'}"
            return Answer(cohort, State.FAIL, reason, value=count)
        reason = f"shares nothing with {record['development']}"
        return Answer(cohort, State.PASS, reason, value=count, method="ids, file digests and voxel digests compared")
