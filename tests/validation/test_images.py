"""Volumes and masks as delivered."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from tests.cohorts import box, rotation, write_nifti
from validation.errors import InputError
from validation.images import read_mask, read_volume, same_grid

SHAPE = (6, 8, 10)
VOXELS = np.arange(480, dtype=np.float32).reshape(SHAPE)


@pytest.mark.parametrize("degrees", [0.0, 20.0, -35.0])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_oblique_anisotropic_nifti(tmp_path: Path, suffix: str, degrees: float) -> None:
    """A volume that SimpleITK wrote comes back with its voxels, spacing and position, axes as (slice, row, column)."""
    direction = rotation(degrees)
    path = write_nifti(tmp_path / f"a{suffix}", VOXELS, (4.0, 1.5, 0.7), direction, (-20.0, 15.0, -60.0))
    volume = read_volume(path)

    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, VOXELS)
    np.testing.assert_allclose(volume.spacing_mm, (4.0, 1.5, 0.7), rtol=1e-6)
    np.testing.assert_allclose(np.array(volume.direction), direction.T[::-1], atol=1e-4)
    image = SimpleITK.ReadImage(str(path))
    np.testing.assert_allclose(volume.corners_mm()[-1], image.TransformIndexToPhysicalPoint((9, 7, 5)), atol=1e-3)


@pytest.mark.parametrize("codes", ["RAS", "LPI", "PIL", "SAR"])
def test_volumes_are_brought_to_patient_axes(tmp_path: Path, codes: str) -> None:
    """However voxels are stored, axes come out as slice, row, column to superior, posterior, left; no voxel moves."""
    path = write_nifti(tmp_path / "a.nii", VOXELS, (4.0, 1.5, 0.7), rotation(20))
    turned = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), codes)
    SimpleITK.WriteImage(turned, str(tmp_path / "b.nii"))
    a, b = read_volume(path), read_volume(tmp_path / "b.nii")

    np.testing.assert_array_equal(a.array, b.array)
    assert same_grid(a, b, 0.01) is None


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_every_scalar_type_is_read(tmp_path: Path, dtype: str) -> None:
    """Integers and floats of all sizes come out as the same float32."""
    voxels = (VOXELS % 100).astype(dtype)

    np.testing.assert_array_equal(read_volume(write_nifti(tmp_path / "a.nii", voxels)).array, voxels)


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    """Stored integers become intensities by slope and intercept of the header."""
    path = write_nifti(tmp_path / "a.nii", VOXELS.astype(np.int16))
    content = bytearray(path.read_bytes())
    struct.pack_into("<2f", content, 112, 0.5, -3.0)
    path.write_bytes(content)

    np.testing.assert_allclose(read_volume(path).array, VOXELS * 0.5 - 3)


def test_voxels_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """NaN and infinity are counted and refused."""
    voxels = VOXELS.copy()
    voxels[0, 0, :2] = np.nan, np.inf

    with pytest.raises(InputError, match=r"a\.nii: found 2 of 480 voxels that are NaN or infinite"):
        read_volume(write_nifti(tmp_path / "a.nii", voxels))


def test_intensities_beyond_float32_are_refused(tmp_path: Path) -> None:
    """A finite number that float32 cannot hold does not become infinite unseen."""
    with pytest.raises(InputError, match="intensities beyond float32"):
        read_volume(write_nifti(tmp_path / "a.nii", VOXELS.astype(np.float64) * 1e300))


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    """A file that is not there or of another format is an input error that names it."""
    (tmp_path / "a.png").write_bytes(b"\x89PNG")

    with pytest.raises(InputError, match=r"none\.nii: found nothing that can be read \(No such file"):
        read_volume(tmp_path / "none.nii")
    with pytest.raises(InputError, match=r"a\.png: found the ending '\.png'"):
        read_volume(tmp_path / "a.png")


def test_mask_of_any_one_label(tmp_path: Path) -> None:
    """A mask is true where its one label is, whatever its value; an empty mask is all false."""
    for label in (1, 7, 255):
        mask = read_mask(write_nifti(tmp_path / "m.nii.gz", box(SHAPE) * np.uint8(label)))
        np.testing.assert_array_equal(mask.array, box(SHAPE) == 1)

    assert not read_mask(write_nifti(tmp_path / "e.nii", np.zeros(SHAPE, np.uint8))).array.any()


@pytest.mark.parametrize(("value", "count"), [(2.0, 3), (0.5, 3), (-1.0, 3)])
def test_mask_of_two_labels_is_refused(tmp_path: Path, value: float, count: int) -> None:
    """A second label, an interpolated edge or a negative value is refused."""
    voxels = box(SHAPE).astype(np.float32)
    voxels[0, 0, 0] = value

    with pytest.raises(InputError, match=rf"m\.nii: found {count} values .*expected 0 and one label"):
        read_mask(write_nifti(tmp_path / "m.nii", voxels))


def test_mask_of_negative_values_only_is_refused(tmp_path: Path) -> None:
    """A mask of 0 and -1 is not an empty mask."""
    with pytest.raises(InputError, match="expected 0 and one label"):
        read_mask(write_nifti(tmp_path / "m.nii", -box(SHAPE).astype(np.int16)))


def test_mask_folder_is_refused(tmp_path: Path) -> None:
    """Masks are NIfTI only."""
    with pytest.raises(InputError, match="masks are NIfTI only"):
        read_mask(tmp_path)
