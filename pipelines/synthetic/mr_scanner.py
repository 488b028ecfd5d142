"""MR scanners: how a centre turns the same anatomy into different voxels. Nothing here knows the biology."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Sampling of one sequence.

    Attributes:
        pixels: Rows and columns.
        pixel_mm: In-plane spacing.
        slice_mm: Distance between slices.
    """

    pixels: int
    pixel_mm: float
    slice_mm: float


@dataclass(frozen=True)
class Scanner:
    """One scanner with its protocol.

    Attributes:
        t2w: Grid of the T2-weighted series.
        dwi: Grid of the diffusion-weighted series (b0, b1000 and ADC).
        gain: Stored units per unit of signal, T2-weighted and diffusion-weighted.
        noise: Standard deviation of the receiver noise as a share of the brightest tissue, both series.
        bias: Size of the smooth receive field: log intensity per 60 mm, typical.
        tilt_degrees: Typical angle between the slices and the axial plane (slices lie across the rectum).
    """

    t2w: Grid
    dwi: Grid
    gain: tuple[float, float]
    noise: tuple[float, float]
    bias: float
    tilt_degrees: float


SCANNERS: dict[str, Scanner] = {
    "A1": Scanner(Grid(96, 0.70, 3.0), Grid(48, 1.60, 4.0), (520.0, 700.0), (0.030, 0.014), 0.15, 0.0),
    "A2": Scanner(Grid(112, 0.60, 3.5), Grid(44, 1.80, 5.0), (900.0, 420.0), (0.045, 0.018), 0.30, 12.0),
    "B1": Scanner(Grid(96, 0.75, 4.0), Grid(48, 1.70, 5.0), (300.0, 1100.0), (0.040, 0.016), 0.20, 20.0),
    "B2": Scanner(Grid(104, 0.65, 3.0), Grid(52, 1.50, 4.5), (680.0, 560.0), (0.030, 0.020), 0.25, 5.0),
    "C1": Scanner(Grid(88, 0.80, 3.5), Grid(40, 2.00, 5.0), (420.0, 850.0), (0.040, 0.018), 0.20, 25.0),
    "C2": Scanner(Grid(108, 0.62, 3.0), Grid(46, 1.75, 4.5), (1200.0, 300.0), (0.045, 0.020), 0.30, 0.0),
}


@dataclass(frozen=True)
class Position:
    """Where the voxels of a series lie.

    Attributes:
        slice_mm: Coordinates of the slices along the rectum, from the middle of the tumour, shape (S,).
        row_mm: Coordinates of the rows, from the middle of the tumour, shape (H,).
        column_mm: Coordinates of the columns, shape (W,).
        direction: Direction cosines (3 x 3; columns: along columns, rows, slices), patient axes LPS.
        centre_mm: Patient coordinates of the middle of the tumour.
    """

    slice_mm: Array
    row_mm: Array
    column_mm: Array
    direction: NDArray[np.float64]
    centre_mm: NDArray[np.float64]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Spacing along columns, rows and slices (SimpleITK's order)."""
        steps = (float(axis[1]) - float(axis[0]) for axis in (self.column_mm, self.row_mm, self.slice_mm))
        column, row, along = (round(step, 4) for step in steps)
        return column, row, along

    @property
    def origin_mm(self) -> tuple[float, ...]:
        """Patient coordinates of the first voxel."""
        first = np.array([self.column_mm[0], self.row_mm[0], self.slice_mm[0]], float)
        return tuple(float(x) for x in self.centre_mm + self.direction @ first)


def place(
    grid: Grid,
    half_length_mm: float,
    direction: NDArray[np.float64],
    centre_mm: NDArray[np.float64],
    rng: np.random.Generator,
) -> Position:
    """Lay the grid over the tumour, a few millimetres off, with two free slices at both ends."""
    slices = int(np.ceil(2 * half_length_mm / grid.slice_mm)) + 4
    shift = rng.uniform(-0.5, 0.5) * grid.slice_mm
    off_row, off_column = rng.normal(0.0, 2.5, 2)

    def axis(count: int, step: float, offset: float) -> Array:
        return ((np.arange(count) - (count - 1) / 2) * step + offset).astype(np.float32)

    return Position(
        axis(slices, grid.slice_mm, shift),
        axis(grid.pixels, grid.pixel_mm, off_row),
        axis(grid.pixels, grid.pixel_mm, off_column),
        direction,
        centre_mm,
    )


def slice_direction(tilt_degrees: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return direction cosines of slices tilted about the left-right axis and, if tilted, turned a little in-plane."""
    if tilt_degrees == 0.0:
        return np.eye(3)
    tilt, turn = np.deg2rad([rng.normal(tilt_degrees, 4.0), rng.normal(0.0, 3.0)])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    return np.asarray(about_x @ about_z)


def receive_field(position: Position, bias: float, rng: np.random.Generator) -> Array:
    """Return the smooth multiplicative field of the coil, shape (S, H, W)."""
    s, y, x = (axis / 60.0 for axis in (position.slice_mm, position.row_mm, position.column_mm))
    slope = rng.normal(0.0, bias, 3).astype(np.float32)
    bend = rng.normal(0.0, bias, 2).astype(np.float32)
    rows, columns = slope[1] * y + bend[0] * y**2, slope[2] * x + bend[1] * x**2
    return np.asarray(np.exp(slope[0] * s[:, None, None] + rows[None, :, None] + columns[None, None, :]))


def acquire(signal: Array, gain: float, noise: float, rng: np.random.Generator) -> NDArray[np.int16]:
    """Return stored magnitudes: Rician noise on the signal, times the gain, as whole numbers."""
    real = signal + noise * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = noise * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.asarray(np.rint(gain * np.sqrt(real**2 + imaginary**2)), dtype=np.int16)


def write_nifti(voxels: NDArray[Any], position: Position, path: Path) -> None:
    """Write voxels (S, H, W) as compressed NIfTI."""
    import SimpleITK

    image: Any = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing(position.spacing_mm)
    image.SetDirection(position.direction.ravel().tolist())
    image.SetOrigin(position.origin_mm)
    SimpleITK.WriteImage(image, str(path), useCompression=True)
