"""Gate on independence: no patient and no image of an external cohort was seen in development."""

from __future__ import annotations

from typing import Any, TypeGuard

from validation.gates.base import Answer, Case, Document, GateSpec, Side, State
from validation.gates.provenance import checked_tables, development_problem

COMPARISONS = ("patients", "image_files", "voxel_contents", "near_duplicates")


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
        if problem := development_problem(case) or _problem(case, cohort, record):
            return Answer(cohort, State.FAIL, problem)
        compared, shared = record.get("compared"), record.get("shared")
        if not _sizes(compared) or not _pairs(shared):
            reason = f"malformed: not two sizes and a list for each of {', '.join(COMPARISONS)}"
            return Answer(cohort, State.FAIL, reason)
        if empty := [what for what in COMPARISONS if min(compared[what]) < 1]:
            return Answer(cohort, State.FAIL, f"nothing to compare: {', '.join(empty)}")
        found = ", ".join(f"{len(pairs)} {what.replace('_', ' ')}" for what, pairs in sorted(shared.items()) if pairs)
        count = float(sum(len(pairs) for pairs in shared.values()))
        if found or record.get("success") is not True:
            reason = f"shared with {record['development']}: {found or 'see the record'}"
            return Answer(cohort, State.FAIL, reason, value=count)
        reason = f"shares nothing with {record['development']}"
        return Answer(
            cohort,
            State.PASS,
            reason,
            value=count,
            method="ids, file digests, voxel digests and perceptual hashes compared",
        )


def _problem(case: Case, cohort: str, record: Document) -> str | None:
    """Say why the record is not about this model and the patients that were checked; None if it is."""
    about = tuple(record.get(key) for key in ("model", "development", "cohort"))
    if about != (case.model, *case.checked_development, cohort):
        return f"the record compares {about[1]} with {about[2]}, for {about[0]}"
    stated = record.get("digests")
    for side, name in (("development", record["development"]), ("external", cohort)):
        checked = checked_tables(case, name)
        compared = stated.get(f"{side}_patients") if isinstance(stated, dict) else None
        if checked is None or compared != checked["patients"]:
            return f"stale: the record compares other patients of {name} than those that were checked"
    return None


def _sizes(compared: Any) -> TypeGuard[dict[str, list[int]]]:
    """Whether there are two counts, development and external, for exactly the four comparisons."""
    return (
        isinstance(compared, dict)
        and set(compared) == set(COMPARISONS)
        and all(isinstance(sizes, list) and [type(size) for size in sizes] == [int, int] for sizes in compared.values())
    )


def _pairs(shared: Any) -> TypeGuard[dict[str, list[Any]]]:
    """Whether there is a list of shared pairs for exactly the four comparisons."""
    return (
        isinstance(shared, dict)
        and set(shared) == set(COMPARISONS)
        and all(isinstance(pairs, list) for pairs in shared.values())
    )
