"""Gates on data: every check of tables and images passed; few enough patients lack a prediction."""

from __future__ import annotations

from validation.estimators.classification.proportion import patients_to_settle, proportion_exact
from validation.gates.base import Answer, Case, GateSpec, Needed, Side, State
from validation.gates.provenance import checked_tables, development_problem, evidence_problem


class DataGate:
    """PASS if all checks of every declared external cohort and of the cohort the model was trained on passed."""

    kind = "data"
    sides: tuple[Side, ...] = ()
    measures = None
    bounds = None

    def judge(self, spec: GateSpec, case: Case) -> list[Answer]:
        """Return one answer per external cohort, then one per development cohort."""
        answers = [self._judge_cohort(case, cohort, "external") for cohort in case.cohorts_of(spec)]
        if spec.cohort:
            return answers
        if not case.checked_development:
            answers.append(Answer(None, State.FAIL, "no development cohort was checked"))
        return answers + [self._judge_cohort(case, cohort, "development") for cohort in case.checked_development]

    @staticmethod
    def _judge_cohort(case: Case, cohort: str, role: str) -> Answer:
        report = case.cohort_checks.get(cohort) or {}
        problem = _unusable(case, cohort, role)
        if problem is None and role == "development":
            problem = development_problem(case)
        if problem:
            return Answer(cohort, State.FAIL, problem)
        n, checks = report["n"], report["checks"]
        failed = [str(check.get("id")) for check in checks if check.get("success") is not True]
        if failed or report.get("success") is not True:
            reason = f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed[:5]) or 'see the report'}"
            return Answer(cohort, State.FAIL, reason, n=n)
        return Answer(cohort, State.PASS, f"all {len(checks)} checks passed", n=n, method="checks of tables and images")


def _unusable(case: Case, cohort: str, role: str) -> str | None:
    """Say why the report on a cohort proves nothing; None if it does."""
    report = case.cohort_checks.get(cohort)
    if report is None:
        return "the cohort was not checked"
    if report.get("cohort") != cohort or report.get("role") != role:
        return f"the report is about {report.get('role')} {report.get('cohort')}"
    if checked_tables(case, cohort) is None:
        return "the report holds no digests of the patients and outcomes tables"
    n, checks = report.get("n"), report.get("checks")
    if type(n) is not int or n < 1 or not isinstance(checks, list) or not checks:
        return "the report checked nothing"
    if not all(isinstance(check, dict) for check in checks):
        return "malformed: a check of the report is no mapping"
    return None


class ImageFailuresGate:
    """PASS if the share of patients without a prediction is surely no higher than the limit."""

    kind = "image_failures"
    sides: tuple[Side, ...] = ("at_most",)
    measures = None
    bounds = (0.0, 1.0)

    def judge(self, spec: GateSpec, case: Case) -> list[Answer]:
        """Return one answer per cohort."""
        return [self._judge_cohort(spec, case, cohort) for cohort in case.cohorts_of(spec)]

    @staticmethod
    def _judge_cohort(spec: GateSpec, case: Case, cohort: str) -> Answer:
        problem = evidence_problem(case, cohort)
        evidence = case.evidence.get(cohort)
        if problem or evidence is None or spec.limit is None:
            return Answer(cohort, State.FAIL, problem or "no evidence, or no limit")
        n, failed = evidence["patients"]["declared"], len(evidence["patients"]["failed"])
        share = proportion_exact(failed, n, level=case.level)
        state = spec.limit.state(share.lower, share.upper)
        needed = None
        if state is State.INCONCLUSIVE:
            needed = Needed(None, patients_to_settle(share.value, spec.limit.values[0], case.level, n))
        return Answer(
            cohort=cohort,
            state=state,
            reason=f"{failed} of {n} patients have no prediction",
            value=share.value,
            lower=share.lower,
            upper=share.upper,
            level=share.level,
            n=n,
            events=failed,
            method=share.method,
            needed=needed,
        )
