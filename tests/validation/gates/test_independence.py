"""Gate on independence of cohorts."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tests.validation.specimens import COHORT, SECOND, judged, states
from validation.gates.independence import COMPARISONS
from validation.independence import compare_manifests
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
        (("shared", "near_duplicates"), [{**PAIR, "bits": 7}], "shared with mri_development: 1 near duplicates"),
        (("shared",), {"patients": [], "image_files": [], "voxel_contents": []}, "malformed"),
        (("compared", "near_duplicates"), [300, 0], "nothing to compare: near_duplicates"),
        (("success",), False, "see the record"),
        (("compared", "image_files"), [0, 500], "nothing to compare: image_files"),
        (("compared", "image_files"), [], "malformed"),
        (("compared", "image_files"), ["many", "more"], "malformed"),
        (("compared", "image_files"), 5, "malformed"),
        (("compared",), {}, "malformed"),
        (("compared",), {"patients": [300, 500]}, "malformed"),
        (("shared",), None, "malformed"),
        (("shared", "patients"), 0, "malformed"),
        (("digests",), None, "stale"),
        (("digests", "development_patients"), "f" * 64, "stale: the record compares other patients of mri_development"),
        (("digests", "external_patients"), None, "stale: the record compares other patients of mri_external"),
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


def test_what_is_compared_is_what_is_demanded() -> None:
    """The gate demands exactly the comparisons that are made."""
    nobody = pd.DataFrame(columns=["patient_id", "image", "kind", "sha256", "voxel_sha256", "perceptual_hash"])
    record = compare_manifests(nobody, nobody)

    assert set(record["compared"]) == set(record["shared"]) == set(COMPARISONS)
