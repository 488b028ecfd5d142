"""Volumes on their grids."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from tests.cohorts import rotation
from validation.volume import Volume, same_grid, to_patient_axes, volume_of

SHAPE = (6, 8, 10)


def volume(
    shape: tuple[int, int, int] = SHAPE,
    spacing_mm: tuple[float, float, float] = (4.0, 1.0, 1.0),
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    degrees: float = 0.0,
) -> Volume:
    """Return a volume on a grid, every voxel different."""
    voxels = np.arange(np.prod(shape)).reshape(shape)
    return volume_of(voxels, spacing_mm, rotation(degrees).T[::-1], origin_mm)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (volume(shape=(6, 8, 11)), "shape 6 x 8 x 10 against 6 x 8 x 11"),
        (volume(spacing_mm=(4.0, 1.0, 1.1)), "spacing 4 x 1 x 1 mm against 4 x 1 x 1.1 mm"),
        (volume(origin_mm=(0.0, 0.2, 0.0)), "voxels up to 0.2 mm apart"),
        (volume(degrees=1.0), "mm apart"),
    ],
)
def test_other_grids_are_told_apart(other: Volume, reason: str) -> None:
    """Another shape, spacing, position or direction is another grid, and the reason says which."""
    assert reason in str(same_grid(volume(), other))


def test_rounding_of_the_position_is_the_same_grid() -> None:
    """Differences below the tolerance, as file formats make them, do not matter."""
    assert same_grid(volume(), volume(origin_mm=(0.0, 0.05, 0.0), degrees=1e-4)) is None


@pytest.mark.parametrize("degrees", [0.0, 30.0])
@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product((False, True), repeat=3)))
def test_axes_come_out_the_same_however_stored(order: tuple[int, ...], flips: tuple[bool, ...], degrees: float) -> None:
    """All 48 ways to store a volume give the same voxels at the same places, to the bit for the voxels."""
    original = volume(spacing_mm=(4.0, 1.5, 0.7), origin_mm=(3.0, -2.0, 9.0), degrees=degrees)
    direction, spacing = np.array(original.direction)[list(order)], np.array(original.spacing_mm)[list(order)]
    array, origin = original.array.transpose(order), np.array(original.origin_mm)
    for axis in np.flatnonzero(flips):
        origin = origin + (array.shape[axis] - 1) * spacing[axis] * direction[axis]
        direction[axis] *= -1
        array = np.flip(array, axis)
    restored = to_patient_axes(volume_of(array, spacing, direction, origin))

    np.testing.assert_array_equal(restored.array, original.array)
    np.testing.assert_allclose(restored.corners_mm(), original.corners_mm(), atol=1e-9)
    assert restored.array.flags.c_contiguous
