"""Pre-processing for training, judging and serving: every patient with inputs or with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.mri_distant_metastasis import SPEC
from pipelines.patients import prepared_patients
from tests.cohorts import (
    DWI_SHAPE,
    DWI_SPACING_MM,
    T2W_SHAPE,
    T2W_SPACING_MM,
    box,
    replace_image,
    write_cohort,
    write_nifti,
)
from validation.cohort import load_cohort

pytestmark = pytest.mark.usefixtures("varied_diffusion")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cohort of four."""
    return write_cohort(tmp_path / "cohort", n=4)


def reasons(folder: Path) -> list[str | None]:
    """Why patients could not be processed, in table order."""
    return [patient.reason for patient in prepared_patients(load_cohort(folder), SPEC)]


def test_every_patient_of_a_sound_cohort_is_processed(folder: Path) -> None:
    """Images on the grids of their masks give inputs and no reason."""
    patients = list(prepared_patients(load_cohort(folder), SPEC))

    assert [patient.reason for patient in patients] == [None] * 4
    assert all(set(patient.inputs or {}) == {tensor.name for tensor in SPEC.inputs} for patient in patients)


@pytest.mark.parametrize(("image", "mask"), [("t2w", "t2w_mask"), ("dwi_b0", "dwi_mask"), ("dwi_b1000", "dwi_mask")])
def test_an_image_off_the_grid_of_its_mask_is_refused(folder: Path, image: str, mask: str) -> None:
    """The same number of voxels elsewhere in the patient is another place: a reason, for that patient only."""
    shape, spacing = (T2W_SHAPE, T2W_SPACING_MM) if image == "t2w" else (DWI_SHAPE, DWI_SPACING_MM)
    signal = np.random.default_rng(0).uniform(100, 200, shape).astype(np.float32)
    moved = write_nifti(folder / "images" / f"{image}.nii.gz", signal, spacing, origin_mm=(5.0, 5.0, 5.0))
    replace_image(folder, 3, image, moved)

    found = reasons(folder)

    assert found[0] is found[2] is found[3] is None
    assert f"images/{image}.nii.gz: found voxels up to" in str(found[1])
    assert f"expected the grid of {mask}" in str(found[1])


def test_another_file_than_the_table_names_is_refused(folder: Path) -> None:
    """A mask that was replaced after the table was written is found by its digest."""
    path = next((folder / "images").glob("*0002/t2w_mask.nii.gz"))
    write_nifti(path, box(T2W_SHAPE) * 2, T2W_SPACING_MM)

    found = reasons(folder)

    assert found[0] is found[1] is found[3] is None
    assert "as in the patient table" in str(found[2])


def test_a_missing_file_is_a_reason(folder: Path) -> None:
    """What is not there is said, and the others go on."""
    cohort = load_cohort(folder)
    next((folder / "images").glob("*0001/dwi_b0.nii.gz")).unlink()

    found = [patient.reason for patient in prepared_patients(cohort, SPEC)]

    assert "nothing that can be read" in str(found[1])
    assert found[0] is found[2] is found[3] is None
