"""What can be wrong with the images of one patient."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cohorts import DWI_SHAPE, DWI_SPACING_MM, T2W_SHAPE, T2W_SPACING_MM, box, write_images, write_nifti
from tests.validation.test_dicom import mr_series
from validation.digests import path_sha256
from validation.image_checks import ImageCheck, PatientImages, check_patient, demanded
from validation.images import read_volume
from validation.schema import load_schema

SCHEMA = load_schema("rectal_mri")
RNG = np.random.default_rng(0)
B0 = RNG.uniform(200, 400, DWI_SHAPE).astype(np.float32)
LABELS = np.broadcast_to(np.arange(6, dtype=np.uint8)[:, None, None], T2W_SHAPE)


@pytest.fixture
def cells(tmp_path: Path) -> dict[str, str]:
    """Path and digest columns of one patient whose images pass every check."""
    return write_images(tmp_path, "P1", np.random.default_rng(1))


def renewed(folder: Path, cells: dict[str, str], image: str, path: Path) -> dict[str, str]:
    """Return the cells with another file as an image, its digest in order."""
    return {**cells, f"{image}_path": path.relative_to(folder).as_posix(), f"{image}_sha256": path_sha256(path)}


def failures(result: PatientImages) -> list[ImageCheck]:
    """Return the failed checks."""
    return [check for check in result.checks if check.found]


def test_sound_images_pass_all_that_is_demanded(tmp_path: Path, cells: dict[str, str]) -> None:
    """Every demanded check is made once and passes; figures and digests are returned."""
    result = check_patient(tmp_path, SCHEMA, cells)

    assert failures(result) == []
    assert sorted((check.image, check.kind) for check in result.checks) == sorted(demanded(SCHEMA))
    files = {file.image: file for file in result.files}
    assert files["t2w"].sha256 == cells["t2w_sha256"]
    assert files["t2w"].observed["spacing_mm_slice"] == (4.0, 4.0)
    assert files["t2w_mask"].observed["voxels_inside"] == (box(T2W_SHAPE).sum(), box(T2W_SHAPE).sum())


def t2w(change: Callable[[NDArray[np.float32]], Any], spacing_mm: tuple[float, float, float] = T2W_SPACING_MM) -> Any:
    """Return (voxels, spacing) of a T2-weighted volume after a change."""
    voxels = np.random.default_rng(2).uniform(1, 900, T2W_SHAPE).astype(np.float32)
    return change(voxels), spacing_mm


@pytest.mark.parametrize(
    ("image", "volume", "kinds", "found"),
    [
        ("t2w", t2w(lambda v: v, (0.4, 0.07, 0.08)), {"spacing", "grid"}, r"0.4 mm along slice (is it in cm?)"),
        ("t2w", t2w(lambda v: v, (0.004, 0.0007, 0.0008)), {"spacing", "grid"}, "(is it in m?)"),
        ("t2w", t2w(lambda v: v, (4000.0, 700.0, 800.0)), {"spacing", "grid"}, "(is it in micrometres?)"),
        ("t2w", t2w(lambda v: v[:2]), {"shape", "grid"}, "2 voxels along slice"),
        ("t2w", t2w(lambda v: v - 500), {"intensity"}, "intensities from -"),
        ("t2w", t2w(lambda v: v * 1e4), {"intensity"}, "intensities from"),
        ("t2w", t2w(lambda v: v * 0 + 7), {"intensity"}, "7 everywhere"),
        ("t2w", t2w(lambda v: v * (v > 890)), {"intensity"}, "of voxels above 0"),
        ("t2w", t2w(lambda v: np.where(v > 5, v, np.nan)), {"readable"}, "NaN or infinite"),
        ("t2w_mask", (box(T2W_SHAPE) * 0, T2W_SPACING_MM), {"voxels"}, "an empty mask"),
        ("t2w_mask", (box((6, 12, 10)), T2W_SPACING_MM), {"grid"}, "shape 6 x 12 x 10"),
        ("t2w_mask", (LABELS, T2W_SPACING_MM), {"readable"}, "6 values (0, 1, 2, 3 ...)"),
        ("dwi_b1000", (B0 * 3, DWI_SPACING_MM), {"grid", "diffusion"}, "a median ADC of -0.00"),
        ("dwi_b1000", (B0 * 0.001, DWI_SPACING_MM), {"grid", "diffusion"}, "b-values swapped, or scales that differ?"),
        ("dwi_b1000", (B0 * (B0 > 380), DWI_SPACING_MM), {"grid", "diffusion"}, "fewer than half of the voxels"),
    ],
)
def test_damaged_image_is_found(
    tmp_path: Path, cells: dict[str, str], image: str, volume: Any, kinds: set[str], found: str
) -> None:
    """Wrong units, ranges, constants, gaps, empty or foreign masks and swapped b-values each fail their own check."""
    path = write_nifti(tmp_path / "new.nii.gz", volume[0], volume[1])
    failed = failures(check_patient(tmp_path, SCHEMA, renewed(tmp_path, cells, image, path)))

    assert {check.kind for check in failed} - {"grid"} == kinds - {"grid"}
    assert any(found in str(check.found) for check in failed)


def test_swapped_b_values_are_found(tmp_path: Path, cells: dict[str, str]) -> None:
    """b0 and b1000 delivered in each other's place give a negative ADC and nothing else."""
    names = ("dwi_b0", "dwi_b1000")
    swapped = {f"{a}_{c}": cells[f"{b}_{c}"] for a, b in (names, names[::-1]) for c in ("path", "sha256")}
    (failed,) = failures(check_patient(tmp_path, SCHEMA, {**cells, **swapped}))

    assert (failed.kind, failed.image) == ("diffusion", "dwi_b1000")
    assert "a median ADC of -0.0011 mm2/s" in str(failed.found)


def test_other_file_than_the_table_says_is_found(tmp_path: Path, cells: dict[str, str]) -> None:
    """A file changed after the table was written fails by its digest, here without any change of voxels."""
    path = tmp_path / cells["t2w_path"]
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    (failed,) = failures(check_patient(tmp_path, SCHEMA, cells))

    assert (failed.kind, failed.image) == ("sha256", "t2w")
    assert cells["t2w_sha256"] in failed.expected


def test_truncated_file_fails_by_digest_and_reading(tmp_path: Path, cells: dict[str, str]) -> None:
    """A truncated file fails by digest and by reading, and its voxels have no digest; the others are still checked."""
    path = tmp_path / cells["dwi_b0_path"]
    path.write_bytes(path.read_bytes()[:-20])
    result = check_patient(tmp_path, SCHEMA, cells)

    assert [(check.image, check.kind) for check in failures(result)] == [("dwi_b0", "sha256"), ("dwi_b0", "readable")]
    assert str(failures(result)[1].found).startswith("images/P1/dwi_b0.nii.gz: a truncated or corrupt gzip file")
    assert [file.voxel_sha256 is None for file in result.files] == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("images/none.nii.gz", "images/none.nii.gz: no such file or folder"),
        ("../secret.nii.gz", "leaves the cohort folder"),
        ("link.nii.gz", "a symbolic link that leads out"),
    ],
)
def test_path_outside_or_to_nothing_is_not_read(tmp_path: Path, cells: dict[str, str], text: str, found: str) -> None:
    """A path to nothing or out of the folder fails and is not opened."""
    (tmp_path / "link.nii.gz").symlink_to("/etc/hosts")
    result = check_patient(tmp_path, SCHEMA, {**cells, "t2w_path": text})

    assert [(check.image, check.kind) for check in failures(result)] == [("t2w", "file")]
    assert found in str(failures(result)[0].found)
    assert "t2w" not in {file.image for file in result.files}


def test_dicom_series_with_a_nifti_mask(tmp_path: Path, cells: dict[str, str]) -> None:
    """A DICOM folder is an image, its digest that of the folder, and a NIfTI mask drawn on it lies on its grid."""
    series = mr_series(tmp_path / "images" / "P1" / "t2w")
    volume = read_volume(series)
    direction = np.array(volume.direction)[::-1].T
    mask = write_nifti(tmp_path / "m.nii.gz", box(volume.shape), volume.spacing_mm, direction, volume.origin_mm)
    cells = renewed(tmp_path, renewed(tmp_path, cells, "t2w", series), "t2w_mask", mask)

    assert failures(check_patient(tmp_path, SCHEMA, cells)) == []

    next(series.iterdir()).unlink()
    assert {check.kind for check in failures(check_patient(tmp_path, SCHEMA, cells))} >= {"sha256", "grid"}


def test_mask_as_dicom_folder_is_refused(tmp_path: Path, cells: dict[str, str]) -> None:
    """Masks are NIfTI only."""
    series = mr_series(tmp_path / "m")
    (failed,) = failures(check_patient(tmp_path, SCHEMA, renewed(tmp_path, cells, "t2w_mask", series)))

    assert failed.kind == "readable"
    assert "masks are NIfTI only" in failed.expected
