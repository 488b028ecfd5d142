"""Gates on data checks and on patients without prediction."""

from __future__ import annotations

from typing import Any

import pytest

from tests.validation.specimens import COHORT, DEVELOPMENT, SECOND, TRAINED_ON, check_report, evidence, judged, states
from validation.protocol import Protocol


def test_checks_pass(plan: Protocol) -> None:
    """All checks of both external cohorts and of the development cohort passed."""
    assert states(judged(plan), "checks") == {COHORT: "PASS", SECOND: "PASS", DEVELOPMENT: "PASS"}


@pytest.mark.parametrize("cohort", [COHORT, DEVELOPMENT])
@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ((), None, "the cohort was not checked"),
        (("checks", 1, "success"), False, "1 of 2 checks failed: t2w.readable"),
        (("checks", 1, "success"), None, "1 of 2 checks failed"),
        (("success",), False, "0 of 2 checks failed: see the report"),
        (("checks",), [], "the report checked nothing"),
        (("n",), 0, "the report checked nothing"),
        (("cohort",), "another", "the report is about"),
        (("role",), "internal", "the report is about internal"),
        (("digests",), None, "the report holds no digests"),
        (("checks",), ["all"], "malformed"),
    ],
)
def test_checks_fail(plan: Protocol, cohort: str, path: tuple[str, ...], value: Any, reason: str) -> None:
    """One failed check is enough; a missing or empty report is a FAIL too."""
    verdict = judged(plan, "cohort_checks", cohort, *path, value=value)
    (answer,) = (g.answer for g in verdict.gates if (g.spec.id, g.answer.cohort) == ("checks", cohort))

    assert str(answer.state) == "FAIL"
    assert reason in answer.reason


def test_development_cohort_must_be_checked(plan: Protocol) -> None:
    """Without any development cohort the gate fails."""
    reports = {cohort: check_report(cohort) for cohort in (COHORT, SECOND)}

    assert states(judged(plan, "cohort_checks", value=reports), "checks")[None] == "FAIL"


@pytest.mark.parametrize(
    ("development", "reason"),
    [
        ({**TRAINED_ON, "cohort": "mri_other"}, "was trained on mri_other, not on mri_development"),
        ({**TRAINED_ON, "patients_sha256": "f" * 64}, "trained on patients ffffffffffff, not bbbbbbbbbbbb"),
        ({**TRAINED_ON, "outcomes_sha256": "f" * 64}, "trained on outcomes ffffffffffff, not cccccccccccc"),
        ({"cohort": DEVELOPMENT}, "trained on patients None"),
        ({}, "was trained on None"),
    ],
)
def test_development_cohort_must_be_the_one_trained_on(
    plan: Protocol, development: dict[str, str], reason: str
) -> None:
    """A model trained on another cohort, or on another version of its tables, fails on data and on independence."""
    verdict = judged(plan, "development", value=development)

    assert states(verdict, "checks") == {COHORT: "PASS", SECOND: "PASS", DEVELOPMENT: "FAIL"}
    assert states(verdict, "independence") == {COHORT: "FAIL", SECOND: "FAIL"}
    assert all(reason in g.answer.reason for g in verdict.gates if str(g.answer.state) == "FAIL")


def failures(n: int) -> list[dict[str, str]]:
    """Patients without prediction."""
    return [{"patient_id": f"P{i}", "reason": "mask empty"} for i in range(n)]


@pytest.mark.parametrize(
    ("failed", "declared", "expected", "needed"),
    [
        (0, 400, "PASS", None),
        (10, 400, "PASS", None),
        (14, 400, "INCONCLUSIVE", (None, 818)),
        (0, 65, "INCONCLUSIVE", (None, 72)),
        (40, 400, "FAIL", None),
        (400, 400, "FAIL", None),
    ],
)
def test_image_failures(
    plan: Protocol, failed: int, declared: int, expected: str, needed: tuple[int | None, int] | None
) -> None:
    """The exact interval of the share decides: none of 65 may still be more than 5 %, ten of 400 are surely not."""
    patients = {"declared": declared, "predicted": declared - failed, "failed": failures(failed)}
    patients["with_missing_covariates"] = 0
    verdict = judged(plan, "evidence", COHORT, value={**evidence(plan), "patients": patients, "estimates": []})
    (answer,) = (g.answer for g in verdict.gates if (g.spec.id, g.answer.cohort) == ("images", COHORT))

    assert str(answer.state) == expected
    assert (answer.needed and (answer.needed.events, answer.needed.patients)) == needed
    assert (answer.value, answer.n, answer.events) == (failed / declared, declared, failed)


def test_image_failures_need_every_patient(plan: Protocol) -> None:
    """A patient neither predicted nor listed as failed makes the evidence unusable."""
    verdict = judged(plan, "evidence", COHORT, "patients", "declared", value=501)

    assert states(verdict, "images")[COHORT] == "FAIL"
