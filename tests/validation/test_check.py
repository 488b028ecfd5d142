"""A cohort checked as a whole: all findings at once, each with its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from tests.cohorts import (
    T2W_SHAPE,
    T2W_SPACING_MM,
    edit_rows,
    read_rows,
    replace_image,
    set_cell,
    write_cohort,
    write_nifti,
)
from validation.check import FEWEST_FOR_PROCESSES, CohortReport, check_cohort, check_images
from validation.cohort import load_cohort
from validation.digests import file_sha256
from validation.errors import InputError
from validation.tables import NOT_SHOWN

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # Great Expectations' own imports


def failed(report: CohortReport) -> set[str]:
    """Return the ids of the failed checks."""
    return {check.id for check in report.checks if not check.success}


def test_sound_cohort_passes(tmp_path: Path) -> None:
    """A sound cohort passes every check, and the report is plain JSON without paths of this machine."""
    folder = write_cohort(tmp_path / "mri_test")
    done: list[tuple[int, int]] = []
    report = check_cohort(folder, lambda *progress: done.append(progress))
    document = report.to_dict()

    assert report.success
    assert document["success"] is True
    assert {key: document[key] for key in ("cohort", "role", "synthetic", "n")} == {
        "cohort": "mri_test",
        "role": "external",
        "synthetic": True,
        "n": 6,
    }
    assert min(check["evaluated"] for check in document["checks"]) >= 1
    assert document["digests"]["patients"] == file_sha256(folder / "patients.csv")
    assert document["images"]["t2w"]["spacing_mm_slice"] == [4.0, 4.0]
    assert str(tmp_path) not in json.dumps(document, allow_nan=False)
    assert done == [(i, 6) for i in range(1, 7)]


def test_manifest_lists_every_image(tmp_path: Path) -> None:
    """The manifest has one row per patient and image with digests and hash, and tells masks, which have no hash."""
    folder = write_cohort(tmp_path / "mri_test", 4)
    (folder / read_rows(folder / "patients.csv")[1]["t2w_path"]).unlink()
    manifest = check_cohort(folder).manifest

    assert len(manifest) == 4 * 5
    assert manifest.groupby("image")["kind"].first().to_dict() == {
        "t2w": "image",
        "t2w_mask": "mask",
        "dwi_b0": "image",
        "dwi_b1000": "image",
        "dwi_mask": "mask",
    }
    missing = manifest[manifest["sha256"].isna()]
    assert missing[["patient_id", "image"]].to_numpy().tolist() == [["mri_test-0001", "t2w"]]
    assert missing["voxel_sha256"].isna().all()
    unhashed = manifest["perceptual_hash"].isna()
    assert unhashed.equals((manifest["kind"] == "mask") | manifest["sha256"].isna())


def test_changed_copy_of_another_patient_is_found(tmp_path: Path) -> None:
    """An image that is another patient's but for one voxel is named with its owner; a patient's own are not."""
    folder = write_cohort(tmp_path / "mri_test", 4)
    image = SimpleITK.ReadImage(str(folder / read_rows(folder / "patients.csv")[0]["dwi_b0_path"]))
    image.SetPixel(4, 4, 2, 395.0)
    row = read_rows(folder / "patients.csv")[2]
    SimpleITK.WriteImage(image, str(folder / row["dwi_b0_path"]))
    replace_image(folder, 4, "dwi_b0", folder / row["dwi_b0_path"])
    checks = {check.id: check for check in check_images(folder)[0]}
    near = checks["images.near_unique"]

    assert checks["images.unique"].success
    assert (near.evaluated, len(near.findings)) == (12, 1)
    assert near.findings[0].where == "patients.csv row 4 (mri_test-0002) column dwi_b0_path"
    assert near.findings[0].found.startswith("nearly the dwi_b0 of mri_test-0000 (row 2): ")


def test_images_are_checked_without_outcomes(tmp_path: Path) -> None:
    """Checks and manifest of the images are those of the whole report, though there is no outcome table to read."""
    folder = write_cohort(tmp_path / "mri_test", 4)
    report = check_cohort(folder)
    (folder / "outcomes.csv").unlink()
    done: list[tuple[int, int]] = []
    checks, manifest = check_images(folder, lambda i, n: done.append((i, n)))

    assert checks == tuple(check for check in report.checks if check.id.startswith("images."))
    assert manifest.equals(report.manifest)
    assert done == [(i, 4) for i in range(1, 5)]
    edit_rows(folder / "patients.csv", lambda rows: [{k: v for k, v in r.items() if k != "t2w_path"} for r in rows])
    with pytest.raises(InputError, match="t2w_path"):
        check_images(folder)


def test_processes_change_nothing(tmp_path: Path) -> None:
    """The report of many patients, made by several processes, is that of the same patients one by one."""
    folder = write_cohort(tmp_path / "mri_test", FEWEST_FOR_PROCESSES)
    set_cell(folder / "patients.csv", 9, "dwi_b0_path", "none.nii")
    many = check_cohort(folder)
    edit_rows(folder / "patients.csv", lambda rows: rows[:10])
    edit_rows(folder / "outcomes.csv", lambda rows: rows[:10])
    few = check_cohort(folder)

    assert many.manifest.iloc[: 10 * 5].equals(few.manifest)
    assert failed(many) == failed(few) == {"images.dwi_b0.file"}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> CohortReport:
    """The report of a cohort in which nearly everything is wrong somewhere."""
    folder = write_cohort(tmp_path_factory.mktemp("damaged") / "mri_test", 14)
    patients, outcomes = folder / "patients.csv", folder / "outcomes.csv"
    for line, column, text in (
        (2, "sex", "M"),
        (3, "age_years", "7"),
        (4, "age_years", "61,5"),
        (5, "patient_id", "mri_test-0002"),
        (6, "scanner", ""),
        (7, "clinical_stage", "II"),
        (8, "surgery_date", "03.05.2013"),
        (9, "t2w_path", "../t2w.nii.gz"),
        (10, "t2w_path", "images/none.nii.gz"),
        (11, "t2w_sha256", "0" * 64),
        (11, "centre", "C"),
    ):
        set_cell(patients, line, column, text)
    for line, column, text in (
        (2, "dmfs_time_months", "0"),
        (3, "os_time_months", "1095"),
        (4, "dmfs_time_months", "36 months"),
        (5, "os_time_months", "0.5"),
        (6, "dmfs_event", "2"),
        (7, "patient_id", "stranger"),
    ):
        set_cell(outcomes, line, column, text)
    cut = folder / read_rows(patients)[10]["dwi_b0_path"]
    cut.write_bytes(cut.read_bytes()[:-9])
    empty = write_nifti(folder / "empty.nii", np.zeros(T2W_SHAPE, np.uint8), T2W_SPACING_MM)
    replace_image(folder, 13, "t2w_mask", empty)
    copied = folder / "images" / "copy.nii"
    original = folder / read_rows(patients)[13]["t2w_path"]
    shutil.copy(original, copied.with_suffix(".nii.gz"))
    replace_image(folder, 14, "t2w", copied.with_suffix(".nii.gz"))
    return check_cohort(folder)


@pytest.mark.parametrize(
    ("check", "file", "row", "column", "found"),
    [
        ("patients.sex.category", "patients.csv", 2, "sex", "'M'"),
        ("patients.age_years.range", "patients.csv", 3, "age_years", "'7'"),
        ("patients.cells", "patients.csv", 4, "age_years", "'61,5' (a number with a comma"),
        ("patients.patient_id.unique", "patients.csv", 5, "patient_id", "'mri_test-0002'"),
        ("patients.scanner.missing", "patients.csv", 6, "scanner", "''"),
        ("patients.clinical_stage.matches_cn_stage", "patients.csv", 7, "clinical_stage, cn_stage", "'positive'"),
        ("patients.cells", "patients.csv", 8, "surgery_date", "not written YYYY-MM-DD"),
        ("patients.centre.declared", "patients.csv", 11, "centre", "'C'"),
        ("images.t2w.file", "patients.csv", 9, "t2w_path", "leaves the cohort folder"),
        ("images.t2w.file", "patients.csv", 10, "t2w_path", "no such file"),
        ("images.t2w.sha256", "patients.csv", 11, "t2w_path", ".nii.gz: sha256 "),
        ("images.dwi_b0.sha256", "patients.csv", 12, "dwi_b0_path", "sha256"),
        ("images.dwi_b0.readable", "patients.csv", 12, "dwi_b0_path", "truncated"),
        ("images.t2w_mask.voxels", "patients.csv", 13, "t2w_mask_path", "empty.nii: an empty mask"),
        ("images.t2w_mask.grid", "patients.csv", 13, "t2w_mask_path", "mm apart"),
        ("images.unique", "patients.csv", 15, "t2w_path", "the voxels of t2w of mri_test-0012 (row 14)"),
        ("outcomes.dmfs_time_months.range", "outcomes.csv", 2, "dmfs_time_months", NOT_SHOWN),
        ("outcomes.os_time_months.range", "outcomes.csv", 3, "os_time_months", NOT_SHOWN),
        ("outcomes.cells", "outcomes.csv", 4, "dmfs_time_months", "'36 months' (a number with text behind it)"),
        (
            "outcomes.dmfs_time_months.not_after_os_time_months",
            "outcomes.csv",
            5,
            "os_time_months, dmfs_time_months",
            NOT_SHOWN,
        ),
        ("outcomes.dmfs_event.category", "outcomes.csv", 6, "dmfs_event", NOT_SHOWN),
        ("outcomes.ids", "outcomes.csv", 7, "patient_id", "an outcome without patient"),
        ("outcomes.ids", "outcomes.csv", None, "patient_id", "no outcome for this patient"),
    ],
)
def test_every_damage_is_found_with_its_place(
    damaged: CohortReport, check: str, file: str, row: int | None, column: str, found: str
) -> None:
    """One run finds all damages, each under its own check with file, row, column and what was found."""
    findings = [f for c in damaged.checks if c.id == check for f in c.findings]

    assert any((f.file, f.row, f.column) == (file, row, column) and found in f.found for f in findings)


def test_broken_outcomes_are_not_shown(damaged: CohortReport) -> None:
    """Of an outcome that breaks a rule the report, kept in git, gives place and rule, never the value."""
    failures = [
        failure
        for check in damaged.to_dict()["checks"]
        if check["id"].startswith("outcomes.") and check["id"] not in ("outcomes.cells", "outcomes.ids")
        for failure in check["failures"]
    ]

    assert {failure["found"] for failure in failures} == {NOT_SHOWN}
    assert all(failure["row"] and failure["patient_id"] and failure["expected"] for failure in failures)


def test_nothing_else_is_reported(damaged: CohortReport) -> None:
    """Only the checks of what was damaged fail."""
    assert failed(damaged) == {
        mark.args[1][i][0]
        for mark in test_every_damage_is_found_with_its_place.pytestmark
        for i in range(len(mark.args[1]))
    }
    assert not damaged.success


def test_missing_column_is_a_finding_and_the_rest_is_checked(tmp_path: Path) -> None:
    """Without a column its own checks fail and all others are made."""
    folder = write_cohort(tmp_path / "mri_test")
    edit_rows(
        folder / "patients.csv", lambda rows: [{k: v for k, v in row.items() if k != "dwi_b0_path"} for row in rows]
    )
    report = check_cohort(folder)

    assert "patients.columns" in failed(report)
    assert {"images.dwi_b0.readable", "images.dwi_b1000.grid", "images.dwi_b1000.diffusion"} < failed(report)
    assert not {"images.t2w.readable", "images.dwi_b1000.readable"} & failed(report)


def test_outcome_in_the_patients_table_fails(tmp_path: Path) -> None:
    """An outcome in the patients table is a finding; other unknown columns are only listed."""
    folder = write_cohort(tmp_path / "mri_test")
    edit_rows(folder / "patients.csv", lambda rows: [{**row, "os_event": "1", "note": "x"} for row in rows])
    report = check_cohort(folder)

    assert failed(report) == {"patients.no_outcomes"}
    assert report.to_dict()["extra_columns"]["patients"] == ["os_event", "note"]


def test_empty_table_fails_everywhere(tmp_path: Path) -> None:
    """A cohort without patients passes no check that is made on patients."""
    folder = write_cohort(tmp_path / "mri_test")
    for name in ("patients.csv", "outcomes.csv"):
        (folder / name).write_text((folder / name).read_text().splitlines()[0] + "\n")
    report = check_cohort(folder)

    assert not report.success
    passed = {check.id for check in report.checks} - failed(report)
    assert passed == {"patients.columns", "outcomes.columns", "patients.no_outcomes"}


@pytest.mark.parametrize("name", ["patients.csv", "outcomes.csv"])
def test_table_without_ids_is_refused(tmp_path: Path, name: str) -> None:
    """A table whose rows cannot be told apart is an error, not a report."""
    folder = write_cohort(tmp_path / "mri_test")
    edit_rows(
        folder / name, lambda rows: [{k.replace("patient_id", "patientid"): v for k, v in r.items()} for r in rows]
    )

    with pytest.raises(InputError, match=f"mri_test/{name} column patient_id.*did you mean 'patientid'"):
        check_cohort(folder)


def test_loader_and_check_agree(tmp_path: Path) -> None:
    """What the check passes the loader loads: no rule is in one and not in the other."""
    folder = write_cohort(tmp_path / "mri_test", tables="parquet")

    assert check_cohort(folder).success
    assert len(load_cohort(folder).patients) == 6
