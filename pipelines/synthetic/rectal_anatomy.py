"""A rectal tumour and what lies around it, in millimetres and tissue parameters; shows the latent biology."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from pipelines.synthetic.mr_scanner import Position

Array = NDArray[np.float32]
ANGLES = 128  # a power of two
HARMONICS = np.arange(2, 5, dtype=np.float32)
LATTICE_MM = {"fine": (5.0, 2.5), "coarse": (9.0, 7.0)}
LATTICE_EXTENT_MM = (42.0, 34.0)


@dataclass(frozen=True)
class Tumour:
    """One tumour: shape and texture (nuisance), and the two latent variables.

    Attributes:
        z_t2: Stromal to mucinous composition, seen on T2-weighted images.
        z_adc: Cellularity gradient, seen on the ADC map.
        semi_axes_mm: In-plane half diameters (row, column) at the widest section.
        half_length_mm: Half extent along the rectum.
        amplitudes: Size of the waves (2, 3, 4 per turn) of the outline.
        phases: Their angles.
        twists: Their turn along the rectum, radians per mm.
        drift: Sideways shift of the centre (row, column) per mm along the rectum.
        lumen_angle: Side on which the lumen lies.
        lumen_mm: Radius of the lumen.
        fine: Texture on a fine lattice, standard normals.
        coarse: Texture on a coarse lattice, standard normals.
    """

    z_t2: float
    z_adc: float
    semi_axes_mm: tuple[float, float]
    half_length_mm: float
    amplitudes: Array
    phases: Array
    twists: Array
    drift: tuple[float, float]
    lumen_angle: float
    lumen_mm: float
    fine: Array
    coarse: Array


def draw_tumour(z_t2: float, z_adc: float, rng: np.random.Generator) -> Tumour:
    """Draw shape and texture, independent of the latent variables."""
    lattices = {
        name: rng.standard_normal(_lattice_shape(steps), dtype=np.float32) for name, steps in LATTICE_MM.items()
    }
    return Tumour(
        z_t2=z_t2,
        z_adc=z_adc,
        semi_axes_mm=(float(rng.uniform(12, 21)), float(rng.uniform(12, 21))),
        half_length_mm=float(rng.uniform(15, 29)),
        amplitudes=rng.normal(0, (0.09, 0.06, 0.04)).astype(np.float32),
        phases=rng.uniform(0, 2 * np.pi, 3).astype(np.float32),
        twists=rng.normal(0, 0.02, 3).astype(np.float32),
        drift=(float(rng.normal(0, 0.08)), float(rng.normal(0, 0.08))),
        lumen_angle=float(rng.uniform(0, 2 * np.pi)),
        lumen_mm=float(rng.uniform(6, 10)),
        fine=lattices["fine"],
        coarse=lattices["coarse"],
    )


def _lattice_shape(steps: tuple[float, float]) -> tuple[int, int, int]:
    along, across = (int(2 * extent / step) + 2 for extent, step in zip(LATTICE_EXTENT_MM, steps, strict=True))
    return along, across, across


def _interpolation(coordinates: Array, extent_mm: float, step_mm: float, nodes: int) -> Array:
    """Return linear interpolation weights from lattice nodes to coordinates, shape (len(coordinates), nodes)."""
    place = np.clip((coordinates + extent_mm) / step_mm, 0, nodes - 1.001)
    return np.asarray(np.clip(1 - np.abs(place[:, None] - np.arange(nodes)[None]), 0, 1), dtype=np.float32)


def _texture(lattice: Array, steps: tuple[float, float], position: Position) -> Array:
    """Interpolate a lattice fixed in the patient to voxels, shape (S, H, W)."""
    along, rows, columns = (
        _interpolation(axis, extent, step, nodes)
        for axis, extent, step, nodes in zip(
            (position.slice_mm, position.row_mm, position.column_mm),
            (LATTICE_EXTENT_MM[0], LATTICE_EXTENT_MM[1], LATTICE_EXTENT_MM[1]),
            (steps[0], steps[1], steps[1]),
            lattice.shape,
            strict=True,
        )
    )
    return np.asarray(rows @ np.tensordot(along, lattice, 1) @ columns.T)


@dataclass(frozen=True)
class Section:
    """The tumour on the voxels of a series.

    Attributes:
        depth: 0 in the centre line, 1 on the outline, above 1 outside, shape (S, H, W).
        angle: Index of the direction from the centre line, 0 to ANGLES - 1, shape (S, H, W).
        size: In-plane size of the section as a share of the widest one, 0 beyond the ends, shape (S,).
        lumen_depth: 0 in the middle of the lumen, 1 on its surface, shape (S, H, W).
        lumen_mm: Radius of the lumen.
        axis_mm: Distance from the middle of the rectum, shape (S, H, W).
        texture: Mixture of fine and coarse texture, coarser with z_t2, shape (S, H, W).
        fine: The fine texture alone, shape (S, H, W).
        coarse: The coarse texture alone, shape (S, H, W).
    """

    depth: Array
    angle: NDArray[np.intp]
    size: Array
    lumen_depth: Array
    lumen_mm: float
    axis_mm: Array
    texture: Array
    fine: Array
    coarse: Array


def section(tumour: Tumour, position: Position) -> Section:
    """Cut the tumour by the slices of a series."""
    s = position.slice_mm
    size = np.maximum(0.0, 1 - np.abs(s / tumour.half_length_mm) ** 2.5) ** 0.4
    y = position.row_mm[None, :] - tumour.drift[0] * s[:, None]
    x = position.column_mm[None, :] - tumour.drift[1] * s[:, None]
    v, u = (y / tumour.semi_axes_mm[0])[:, :, None], (x / tumour.semi_axes_mm[1])[:, None, :]
    angle = ((np.arctan2(v, u) + np.float32(np.pi)) * np.float32(ANGLES / (2 * np.pi))).astype(np.intp) & (ANGLES - 1)
    outline = np.maximum(size, 1e-3)[:, None] * _waves(tumour, s)
    radius = np.sqrt(v * v + u * u)
    depth = radius / outline[np.arange(len(s))[:, None, None], angle]

    offset = (
        0.85 * tumour.semi_axes_mm[0] * sin(tumour.lumen_angle),
        0.85 * tumour.semi_axes_mm[1] * cos(tumour.lumen_angle),
    )
    lumen = np.sqrt((y - offset[0])[:, :, None] ** 2 + (x - offset[1])[:, None, :] ** 2)
    middle = np.sqrt((y - offset[0] / 2)[:, :, None] ** 2 + (x - offset[1] / 2)[:, None, :] ** 2)
    fine = _texture(tumour.fine, LATTICE_MM["fine"], position)
    coarse = _texture(tumour.coarse, LATTICE_MM["coarse"], position)
    share = float(ndtr(tumour.z_t2))
    return Section(
        depth=depth.astype(np.float32),
        angle=angle,
        size=size.astype(np.float32),
        lumen_depth=(lumen / tumour.lumen_mm).astype(np.float32),
        lumen_mm=tumour.lumen_mm,
        axis_mm=middle.astype(np.float32),
        texture=np.asarray(np.sqrt(1 - share) * fine + np.sqrt(share) * coarse, np.float32),
        fine=fine,
        coarse=coarse,
    )


def _waves(tumour: Tumour, s: Array) -> Array:
    """Return the relative outline radius by slice and angle, shape (S, ANGLES)."""
    turn = np.linspace(-np.pi, np.pi, ANGLES, endpoint=False, dtype=np.float32)
    waves = HARMONICS[:, None, None] * turn + tumour.phases[:, None, None] + tumour.twists[:, None, None] * s[:, None]
    return np.asarray(1 + np.tensordot(tumour.amplitudes, np.cos(waves), 1))
