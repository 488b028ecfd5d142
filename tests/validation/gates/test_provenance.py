"""Gate on provenance: declared cohorts have evidence, about this model, plan and tables."""

from __future__ import annotations

from typing import Any

import pytest

from tests.validation.specimens import COHORT, SECOND, judged, states
from validation.protocol import Protocol


def test_passes(plan: Protocol) -> None:
    """Sound evidence on both cohorts."""
    assert states(judged(plan), "provenance") == {COHORT: "PASS", SECOND: "PASS"}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ((), None, "no evidence on mri_external, which the protocol declares"),
        (("digests", "artifact"), "f" * 64, "stale: it is about artifact ffffffffffff, not aaaaaaaaaaaa"),
        (("digests", "analysis"), "f" * 64, "stale: it is about analysis"),
        (("digests", "patients"), "f" * 64, "stale: it is about patients ffffffffffff, not bbbbbbbbbbbb"),
        (("digests", "outcomes"), "f" * 64, "stale: it is about outcomes"),
        (("model",), "another", "it is about model another, not mri_challenger"),
        (("architecture",), "another", "it is about architecture another"),
        (("cohort",), SECOND, "it is about cohort mri_second, not mri_external"),
        (("role",), "development", "it is about role development, not external"),
        (("schema",), 2, "malformed evidence"),
        (("estimates",), {}, "malformed evidence"),
        (("patients", "predicted"), 400, "every declared patient once"),
        (("surplus",), 1, "unknown surplus"),
    ],
)
def test_fails(plan: Protocol, path: tuple[str, ...], value: Any, reason: str) -> None:
    """Every gate that needs the evidence fails with the reason; other cohorts are untouched."""
    verdict = judged(plan, "evidence", COHORT, *path, value=value)

    for gate in ("provenance", "concordance", "slope", "images"):
        assert states(verdict, gate) == {COHORT: "FAIL", SECOND: "PASS"}
    reasons = {g.answer.reason for g in verdict.gates if str(g.answer.state) == "FAIL"}
    assert all(reason in found for found in reasons)


@pytest.mark.parametrize("table", ["patients", "outcomes"])
@pytest.mark.parametrize("digest", [None, "", 7])
def test_checks_must_name_both_tables(plan: Protocol, table: str, digest: Any) -> None:
    """A report of the data checks without the digest of a table fails provenance and data; nothing is skipped."""
    verdict = judged(plan, "cohort_checks", COHORT, "digests", table, value=digest)
    reasons = {g.spec.id: g.answer.reason for g in verdict.gates if g.answer.cohort == COHORT}

    for gate in ("provenance", "checks"):
        assert states(verdict, gate)[COHORT] == "FAIL"
    assert "no report of the data checks with digests of both tables of mri_external" in reasons["provenance"]
    assert "no digests of the patients and outcomes tables" in reasons["checks"]


def test_absent_cohort_is_never_skipped(plan: Protocol) -> None:
    """A mapping without the declared cohort is the same as no evidence."""
    verdict = judged(plan, "evidence", value={})

    assert states(verdict, "provenance") == {COHORT: "FAIL", SECOND: "FAIL"}
    assert str(verdict.state) == "FAIL"
