"""Volumes and masks as delivered: one NIfTI file or one folder with a DICOM series, brought to patient axes.

    volume = read_volume(folder / "images/P0001/t2w.nii.gz")
    volume.array.shape      # (slices, rows, columns), from inferior to superior, anterior to posterior, right to left

What cannot be read with certainty is refused; nothing is repaired.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.dicom import read_series
from validation.errors import InputError
from validation.itk import reason, simple_itk
from validation.nifti import plain_nifti

NIFTI = (".nii", ".nii.gz")
GRID_TOLERANCE_MM = 0.1


@dataclass(frozen=True, eq=False)
class Volume:
    """An image or a mask on its grid, axes nearest to patient axes (LPS).

    The centre of voxel (i, j, k) lies at origin_mm + i * spacing_mm[0] * direction[0] + j * ... + k * ... .

    Attributes:
        array: Voxels, axes (slice, row, column): float32 of an image, bool of a mask.
        spacing_mm: Distance between voxel centres along (slice, row, column).
        direction: Per axis (slice, row, column) its unit vector in patient coordinates (left, posterior, superior).
        origin_mm: Patient coordinates (left, posterior, superior) of voxel (0, 0, 0).
    """

    array: NDArray[Any]
    spacing_mm: tuple[float, float, float]
    direction: tuple[tuple[float, float, float], ...]
    origin_mm: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of (slices, rows, columns)."""
        slices, rows, columns = self.array.shape
        return slices, rows, columns

    def corners_mm(self) -> NDArray[np.float64]:
        """Return the patient coordinates of the eight corner voxels, shape (8, 3)."""
        corners = np.array(list(product(*((0, n - 1) for n in self.shape))), dtype=np.float64)
        at: NDArray[np.float64] = np.array(self.origin_mm) + (corners * self.spacing_mm) @ np.array(self.direction)
        return at


def read_volume(path: Path) -> Volume:
    """Read an image: a NIfTI-1 file (.nii, .nii.gz) or a folder with exactly one DICOM series.

    Args:
        path: The file or folder.

    Returns:
        The volume, float32, slope and intercept applied.

    Raises:
        InputError: Missing, truncated, corrupt, of another format, not three-dimensional, without a certain position of
            every voxel, several series, missing slices, or voxels that are not finite.
    """
    if path.is_dir():
        return _volume(read_series(path), str(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        found = f"nothing that can be read ({error.strerror})"
        raise InputError(str(path), found, "a NIfTI file or a DICOM folder", "Deliver the image.") from error
    return decode_nifti(content, path)


def decode_nifti(content: bytes, path: Path) -> Volume:
    """Decode the bytes of a NIfTI file, so that the bytes that were hashed are the bytes that are judged.

    Args:
        content: Bytes of the file.
        path: Where they come from; its name says whether it is NIfTI.

    Raises:
        InputError: As `read_volume`.
    """
    if not path.name.endswith(NIFTI):
        found = f"the ending {path.suffix!r}"
        raise InputError(str(path), found, f"{' or '.join(NIFTI)}, or a DICOM folder", "Convert the image to NIfTI.")
    sitk = simple_itk()
    with tempfile.NamedTemporaryFile(suffix=".nii") as file:
        file.write(plain_nifti(content, str(path)))
        file.flush()
        try:
            image = sitk.ReadImage(file.name, sitk.sitkFloat32, "NiftiImageIO")
        except RuntimeError as error:
            raise InputError(
                str(path), f"what ITK cannot read ({reason(error)})", "a NIfTI volume", "Export it again."
            ) from error
    return _volume(image, str(path))


def read_mask(path: Path) -> Volume:
    """Read a mask: a NIfTI file with the value 0 and at most one other.

    Returns:
        The mask, bool; it may be empty.

    Raises:
        InputError: As `read_volume`; a folder; more than one label, or a negative one.
    """
    if path.is_dir():
        raise InputError(str(path), "a folder", "a NIfTI file (masks are NIfTI only)", "Convert the mask to NIfTI.")
    return as_mask(read_volume(path), str(path))


def as_mask(volume: Volume, where: str) -> Volume:
    """Return a volume as a mask.

    Args:
        volume: Voxels of the mask as read.
        where: Path, for messages.

    Raises:
        InputError: More than one label, or a negative one.
    """
    label = volume.array.max()
    inside = volume.array == label if label > 0 else np.zeros(volume.shape, dtype=bool)
    if (volume.array[~inside] != 0).any():
        values = np.unique(volume.array)
        found = f"{len(values)} values ({', '.join(f'{value:g}' for value in values[:4])} ...)"
        raise InputError(where, found, "0 and one label above it", "Export one structure, without interpolation.")
    return Volume(inside, volume.spacing_mm, volume.direction, volume.origin_mm)


def same_grid(a: Volume, b: Volume, tolerance_mm: float = GRID_TOLERANCE_MM) -> str | None:
    """Return why two volumes are not on the same grid, None if they are.

    Args:
        a: One volume.
        b: The other.
        tolerance_mm: How far apart corresponding voxels may lie.
    """
    if a.shape != b.shape:
        return f"shape {_times(a.shape)} against {_times(b.shape)}"
    apart = float(np.linalg.norm(a.corners_mm() - b.corners_mm(), axis=1).max())
    if apart <= tolerance_mm:
        return None
    spacing = f"spacing {_times(a.spacing_mm)} mm against {_times(b.spacing_mm)} mm"
    same_spacing = np.allclose(a.spacing_mm, b.spacing_mm, rtol=1e-3)
    return f"voxels up to {apart:.3g} mm apart" + ("" if same_spacing else f" ({spacing})")


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)


def _volume(image: Any, where: str) -> Volume:
    """Bring an ITK image to the axes nearest to LPS."""
    sitk = simple_itk()
    if sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection()) != "LPS":
        image = sitk.DICOMOrient(image, "LPS")
    array = sitk.GetArrayFromImage(image)
    if not np.isfinite(array).all():
        raise InputError(where, "intensities beyond float32", "finite intensities", "Export the volume again, scaled.")
    column, row, along = image.GetSpacing()
    matrix = np.array(image.GetDirection()).reshape(3, 3)
    return Volume(
        array,
        (along, row, column),
        tuple((float(x), float(y), float(z)) for x, y, z in matrix.T[::-1]),
        image.GetOrigin(),
    )
