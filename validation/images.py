"""Volumes and masks as delivered: one NIfTI file or one folder with a DICOM series, brought to patient axes.

    volume = read_volume(folder / "images/P0001/t2w.nii.gz")
    volume.array.shape      # (slices, rows, columns), from inferior to superior, anterior to posterior, right to left

What cannot be read with certainty is refused; nothing is repaired.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from validation.dicom import read_series
from validation.errors import InputError
from validation.nifti import decode_nifti
from validation.volume import Volume, same_grid, to_patient_axes, volume_of

__all__ = ["Volume", "as_mask", "read_mask", "read_volume", "same_grid", "volume_from_bytes"]

NIFTI = (".nii", ".nii.gz")


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
        return to_patient_axes(read_series(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        found = f"nothing that can be read ({error.strerror})"
        raise InputError(str(path), found, "a NIfTI file or a DICOM folder", "Deliver the image.") from error
    return volume_from_bytes(content, path)


def volume_from_bytes(content: bytes, path: Path) -> Volume:
    """Read an image from the bytes of its NIfTI file, so that the bytes that were hashed are the bytes that are judged.

    Args:
        content: Bytes of the file.
        path: Where they come from; its name says whether it is NIfTI.

    Raises:
        InputError: As `read_volume`.
    """
    if not path.name.endswith(NIFTI):
        found = f"the ending {path.suffix!r}"
        raise InputError(str(path), found, f"{' or '.join(NIFTI)}, or a DICOM folder", "Convert the image to NIfTI.")
    return to_patient_axes(decode_nifti(content, str(path)))


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
    return volume_of(inside, volume.spacing_mm, volume.direction, volume.origin_mm)
