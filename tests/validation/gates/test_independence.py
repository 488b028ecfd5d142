"""Gate on independence of cohorts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.validation.specimens import COHORT, SECOND, judged, states
from validation.protocol import Protocol

PAIR = {"development": {"patient_id": "D1", "image": "t2w"}, "external": {"patient_id": "E9", "image": "t2w"}}


def test_passes(plan: Protocol) -> None:
    """Nothing is shared."""
    assert states(judged(plan), "independence") == {COHORT: "PASS", SECOND: "PASS"}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ((), None, "was not compared"),
        (("shared", "patients"), [PAIR], "shared with mri_development: 1 patients"),
        (("shared", "voxel_contents"), [PAIR, PAIR], "2 voxel contents"),
        (("success",), False, "see the record"),
        (("compared", "image_files"), [0, 500], "nothing to compare: image_files"),
        (("compared",), {}, "compares nothing"),
        (("shared",), None, "compares nothing"),
        (("model",), "another", "the record compares"),
        (("cohort",), SECOND, "the record compares mri_development with mri_second"),
        (("development",), "mri_other", "the record compares mri_other"),
    ],
)
def test_fails(plan: Protocol, path: tuple[str, ...], value: Any, reason: str) -> None:
    """One shared patient or image fails; so does a record that is missing, empty or about other cohorts."""
    verdict = judged(plan, "independence", COHORT, *path, value=value)
    (answer,) = (g.answer for g in verdict.gates if (g.spec.id, g.answer.cohort) == ("independence", COHORT))

    assert states(verdict, "independence") == {COHORT: "FAIL", SECOND: "PASS"}
    assert reason in answer.reason
