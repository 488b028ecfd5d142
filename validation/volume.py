"""A volume: voxels and where they lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID_TOLERANCE_MM = 0.1
PATIENT_AXES = (2, 1, 0)  # the patient coordinate (of left, posterior, superior) that slice, row and column run along


@dataclass(frozen=True, eq=False)
class Volume:
    """An image or a mask on its grid.

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


def volume_of(array: NDArray[Any], spacing_mm: Any, direction: Any, origin_mm: Any) -> Volume:
    """Return a volume from array-likes, their numbers as plain floats."""
    rows = tuple((float(x), float(y), float(z)) for x, y, z in direction)
    (along, row, column), (left, posterior, superior) = spacing_mm, origin_mm
    spacing = (float(along), float(row), float(column))
    return Volume(array, spacing, rows, (float(left), float(posterior), float(superior)))


def to_patient_axes(volume: Volume) -> Volume:
    """Reorder and flip axes so that slices run to superior, rows to posterior, columns to left, as nearly as they can.

    No voxel is moved or resampled: oblique volumes stay oblique.
    """
    direction, spacing, origin = np.array(volume.direction), np.array(volume.spacing_mm), np.array(volume.origin_mm)

    def agreement(order: tuple[int, ...]) -> float:
        return round(float(sum(abs(direction[axis, PATIENT_AXES[i]]) for i, axis in enumerate(order))), 3)

    order = max(permutations(range(3)), key=agreement)  # of equals the first, which keeps the axes as they are
    array, direction, spacing = volume.array.transpose(order), direction[list(order)], spacing[list(order)]
    for axis, coordinate in enumerate(PATIENT_AXES):
        if direction[axis, coordinate] < 0:
            origin = origin + (array.shape[axis] - 1) * spacing[axis] * direction[axis]
            direction[axis] *= -1
            array = np.flip(array, axis)
    return volume_of(np.ascontiguousarray(array), spacing, direction, origin)


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
