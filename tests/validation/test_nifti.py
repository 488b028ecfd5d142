"""NIfTI files: read as SimpleITK reads them, refused where it would forgive."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from tests.cohorts import rotation, write_nifti
from validation.errors import InputError
from validation.images import read_volume
from validation.nifti import decode_nifti

VOXELS = np.arange(6 * 8 * 10, dtype=np.int16).reshape(6, 8, 10)


def nifti(folder: Path) -> bytearray:
    """Return the bytes of an oblique volume written by SimpleITK."""
    path = write_nifti(folder / "a.nii", VOXELS, (3.0, 1.2, 1.0), rotation(20))
    return bytearray(path.read_bytes())


def patched(content: bytearray, form: str, offset: int, *values: Any) -> bytes:
    """Return the bytes with header fields overwritten."""
    struct.pack_into("<" + form, content, offset, *values)
    return bytes(content)


@pytest.mark.parametrize("keep", [0, 100, 400, 0.5, 0.9, -1])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, keep: float) -> None:
    """A file cut anywhere, even by its last byte, is refused and named; ITK alone would read most of these."""
    content = bytes(nifti(tmp_path))
    content = gzip.compress(content) if suffix.endswith(".gz") else content
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])

    with pytest.raises(InputError, match=rf"cut{suffix}.*(truncated|fewer than a header)"):
        read_volume(path)


def test_corrupt_gzip_is_refused(tmp_path: Path) -> None:
    """A flipped byte inside a compressed file is found by its checksum."""
    content = bytearray(gzip.compress(bytes(nifti(tmp_path))))
    content[-8] ^= 0xFF

    with pytest.raises(InputError, match="truncated or corrupt gzip file"):
        decode_nifti(bytes(content), "a.nii.gz")


@pytest.mark.parametrize(
    ("form", "offset", "values", "message"),
    [
        ("i", 0, (540,), "expected a single-file NIfTI-1"),
        ("4s", 344, (b"ni1\0",), "expected a single-file NIfTI-1"),
        ("8h", 40, (4, 10, 8, 3, 2, 1, 1, 1), r"dimensions \(10, 8, 3, 2\); expected three"),
        ("8h", 40, (2, 10, 8, 1, 1, 1, 1, 1), r"dimensions \(10, 8\); expected three"),
        ("8h", 40, (3, 10, 0, 6, 1, 1, 1, 1), "expected at least one voxel along each axis"),
        ("8h", 40, (3, 10, -8, 6, 1, 1, 1, 1), "expected at least one voxel along each axis"),
        ("2h", 70, (128, 24), "data type code 128 with 24 bits"),
        ("2h", 70, (32, 64), "data type code 32 with 64 bits"),
        ("2h", 70, (4, 8), "data type code 4 with 8 bits"),
        ("f", 80, (0.0,), "expected positive spacing"),
        ("f", 84, (-1.2,), "expected positive spacing"),
        ("f", 88, (float("nan"),), "expected positive spacing"),
        ("f", 108, (1e9,), "expected an offset in the file"),
        ("2f", 112, (0.0, -10.0), "scl_slope 0 with scl_inter -10"),
        ("2h", 252, (0, 0), "no orientation"),
        ("f", 292, (float("nan"),), "zero or non-finite entries"),
        ("f", 284, (0.9,), "axes that are not orthogonal"),
        ("f", 292, (50.0,), "two orientations"),
        ("B", 123, (5,), "unit code 5; expected positive spacing along each axis, in mm"),
    ],
)
def test_headers_that_leave_doubt_are_refused(
    tmp_path: Path, form: str, offset: int, values: tuple[Any, ...], message: str
) -> None:
    """Other formats, four dimensions, colour, zero spacing, no, sheared or two orientations: all are refused."""
    content = patched(nifti(tmp_path), form, offset, *values)

    with pytest.raises(InputError, match=rf"^P1/t2w\.nii: .*{message}"):
        decode_nifti(content, "P1/t2w.nii")


@pytest.mark.parametrize(("code", "factor"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)])
def test_lengths_come_out_in_mm(tmp_path: Path, code: int, factor: float) -> None:
    """The unit of length that the header states is converted, position and spacing alike."""
    volume = decode_nifti(patched(nifti(tmp_path), "B", 123, code), "a.nii")

    np.testing.assert_allclose(volume.spacing_mm, np.array([3.0, 1.2, 1.0]) * factor, rtol=1e-6)
    np.testing.assert_allclose(volume.origin_mm, np.array([-20.0, 15.0, -60.0]) * factor, rtol=1e-6)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "LPI", "PIL", "SAR", "IRA"])
@pytest.mark.parametrize("forms", [(1, 1), (1, 0), (0, 1)])
def test_position_is_that_of_simple_itk(tmp_path: Path, codes: str, forms: tuple[int, int]) -> None:
    """For all ways to store an oblique volume, voxels and their positions are those that SimpleITK reads."""
    nifti(tmp_path)
    image = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(tmp_path / "a.nii")), codes)
    SimpleITK.WriteImage(image, str(tmp_path / "b.nii"))
    content = bytearray((tmp_path / "b.nii").read_bytes())
    volume = decode_nifti(patched(content, "2h", 252, *forms), "b.nii")

    np.testing.assert_array_equal(volume.array, SimpleITK.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.spacing_mm[::-1], image.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(np.array(volume.direction)[::-1].T.ravel(), image.GetDirection(), atol=1e-3)
    last = [n - 1 for n in image.GetSize()]
    np.testing.assert_allclose(volume.corners_mm()[-1], image.TransformIndexToPhysicalPoint(last), atol=0.02)


def test_one_orientation_of_two_is_enough(tmp_path: Path) -> None:
    """A file with only a quaternion or only a matrix is read, at the same place."""
    path = tmp_path / "b.nii"
    corners = []
    for codes in ((1, 1), (1, 0), (0, 1)):
        path.write_bytes(patched(nifti(tmp_path), "2h", 252, *codes))
        corners.append(read_volume(path).corners_mm())

    np.testing.assert_allclose(corners[1], corners[0], atol=0.01)
    np.testing.assert_allclose(corners[2], corners[0], atol=0.01)


def test_trailing_single_dimension_is_three_dimensional(tmp_path: Path) -> None:
    """A fourth dimension of length one does not make a series."""
    path = tmp_path / "b.nii"
    path.write_bytes(patched(nifti(tmp_path), "8h", 40, 4, 10, 8, 6, 1, 1, 1, 1))

    assert read_volume(path).shape == VOXELS.shape


def test_big_endian_files_are_read(tmp_path: Path) -> None:
    """The byte order of the header does not matter."""
    content = nifti(tmp_path)
    swapped = bytearray(len(content))
    for form, offset in (("i", 0), ("8h", 40), ("2h", 70), ("8f", 76), ("3f", 108), ("2h", 252), ("18f", 256)):
        struct.pack_into(">" + form, swapped, offset, *struct.unpack_from("<" + form, content, offset))
    swapped[123], swapped[344:348] = content[123], content[344:348]
    swapped[352:] = VOXELS.astype(">i2").tobytes()
    (tmp_path / "big.nii").write_bytes(swapped)

    np.testing.assert_array_equal(read_volume(tmp_path / "big.nii").array, read_volume(tmp_path / "a.nii").array)
