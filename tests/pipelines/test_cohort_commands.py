"""`hallmark cohort fingerprint` and `compare`: two centres find what they share, and no id leaves a centre."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipelines.cli import app
from pipelines.stage import exit_code_of
from tests.cohorts import read_rows, replace_image, set_cell, write_cohort

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # Great Expectations' own imports
SALT = "0123456789abcdef0123456789abcdef\n"


def hallmark(*arguments: str | Path) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def message(*arguments: str | Path) -> str:
    """Return what bad input is told, and check that it exits with 2."""
    result = hallmark(*arguments)

    def again() -> None:
        assert result.exception is not None
        raise result.exception

    assert exit_code_of(again) == 2
    return str(result.exception)


@pytest.fixture
def salt(tmp_path: Path) -> Path:
    """A file with a salt."""
    path = tmp_path / "salt"
    path.write_text(SALT)
    return path


def fingerprinted(folder: Path, salt: Path) -> Path:
    """Write the fingerprint of a cohort beside it."""
    output = folder.with_suffix(".parquet")
    result = hallmark("cohort", "fingerprint", folder, "--salt-file", salt, "--output", output)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{output}: 4 patients, 12 images\n"
    return output


def test_disjoint_cohorts_share_nothing(tmp_path: Path, salt: Path) -> None:
    """Two centres without common patients: every comparison counted, exit 0; outcomes are not needed."""
    folders = [write_cohort(tmp_path / name, 4, seed=i) for i, name in enumerate(("mri_a", "mri_b"))]
    (folders[0] / "outcomes.csv").unlink()
    files = [fingerprinted(folder, salt) for folder in folders]
    result = hallmark("cohort", "compare", *files)

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "patients: 0 shared (4 against 4)",
        "image files: 0 shared (12 against 12)",
        "voxel contents: 0 shared (12 against 12)",
        "near duplicates: 0 shared (12 against 12)",
    ]
    assert b"mri_a-000" not in files[0].read_bytes()


def test_shared_patients_and_images_are_named_by_row(tmp_path: Path, salt: Path) -> None:
    """A patient whose id is written otherwise, and an image under another id: exit 1, with rows and hashes, no id."""
    first, second = (write_cohort(tmp_path / name, 4, seed=i) for i, name in enumerate(("mri_a", "mri_b")))
    for table in ("patients", "outcomes"):
        set_cell(second / f"{table}.csv", 2, "patient_id", "MRI_A-0003")
    for image in ("t2w", "t2w_mask"):
        leak = second / f"{image}.nii.gz"
        leak.write_bytes((first / read_rows(first / "patients.csv")[1][f"{image}_path"]).read_bytes())
        replace_image(second, 5, image, leak)
    files = [fingerprinted(folder, salt) for folder in (first, second)]
    result, as_json = hallmark("cohort", "compare", *files), hallmark("cohort", "compare", *files, "--json")
    record = json.loads(as_json.stdout)

    assert result.exit_code == as_json.exit_code == 1
    assert "patients: 1 shared (4 against 4)\n       first row 9 of patient " in result.stdout
    assert "image files: 1 shared (12 against 12)\n       first row 3 t2w of patient " in result.stdout
    assert [pair["second"]["row"] for pair in record["shared"]["patients"]] == [0]
    assert [pair["second"]["row"] for pair in record["shared"]["image_files"]] == [9]
    (pair,) = record["shared"]["patients"]
    assert pair["first"]["patient"] == pair["second"]["patient"]
    assert "mri_a" not in (result.stdout + as_json.stdout).lower().replace(str(tmp_path).lower(), "")


def test_nothing_to_compare_is_bad_input(tmp_path: Path, salt: Path) -> None:
    """A fingerprint without any row shares nothing with anybody, which proves nothing."""
    from validation.fingerprints import read_fingerprints, read_salt, write_fingerprint

    one = fingerprinted(write_cohort(tmp_path / "mri_a", 4), salt)
    table, _ = read_fingerprints(one, one)
    write_fingerprint(tmp_path / "empty.parquet", table.iloc[:0], read_salt(salt))

    assert "nothing to compare: patients" in message("cohort", "compare", one, tmp_path / "empty.parquet")


def test_other_salt_and_short_salt_are_bad_input(tmp_path: Path, salt: Path) -> None:
    """Another salt at the other centre is said so; a short one writes nothing."""
    folders = [write_cohort(tmp_path / name, 4, seed=i) for i, name in enumerate(("mri_a", "mri_b"))]
    other = tmp_path / "other"
    other.write_text("another salt, long enough")
    files = [fingerprinted(folders[0], salt), fingerprinted(folders[1], other)]
    assert "another salt than that of the first file" in message("cohort", "compare", *files)

    other.write_text("short")
    output = tmp_path / "none.parquet"
    said = message("cohort", "fingerprint", folders[0], "--salt-file", other, "--output", output)
    assert "a salt of 5 bytes" in said
    assert not output.exists()


def test_cohort_whose_images_fail_a_check_has_no_fingerprint(tmp_path: Path, salt: Path) -> None:
    """An image that is missing would be missing from the comparison: the finding is named, nothing written."""
    folder, output = write_cohort(tmp_path / "mri_a", 4), tmp_path / "a.parquet"
    (folder / read_rows(folder / "patients.csv")[2]["t2w_path"]).unlink()
    said = message("cohort", "fingerprint", folder, "--salt-file", salt, "--output", output)

    assert "mri_a/patients.csv row 4 (mri_a-0002) column t2w_path" in said
    assert not output.exists()
    assert "no such cohort" in message("cohort", "fingerprint", tmp_path / "x", "--salt-file", salt, "--output", output)
