"""What each tissue of a liver metastasis looks like under haematoxylin and eosin: seamless canvases of stain.

A canvas holds two concentrations per pixel, of haematoxylin (nuclei) and of eosin (cytoplasm and fibres); it continues
at the opposite edge, so that a slide can be cut out of it anywhere. All sizes are in micrometres: two scanners of
different resolution see the same kind of tissue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from pipelines.synthetic.slide_noise import smooth_noise

Array = NDArray[np.float32]
Stains = tuple[Array, Array]
BLANK = "blank"


@dataclass(frozen=True)
class Field:
    """A square of tissue that continues at its edges.

    Attributes:
        size_px: Its side.
        mpp: Micrometres per pixel.
        rng: Source of everything random in it.
    """

    size_px: int
    mpp: float
    rng: np.random.Generator

    @property
    def size_um(self) -> float:
        """Its side in micrometres."""
        return self.size_px * self.mpp

    def noise(self, scale_um: float | tuple[float, float]) -> Array:
        """Return smooth standard normals whose structures are about `scale_um` large, shape (size, size)."""
        scales = scale_um if isinstance(scale_um, tuple) else (scale_um, scale_um)
        return smooth_noise(
            self.rng, (self.size_px, self.size_px), (scales[0] / self.mpp, scales[1] / self.mpp), wrap=True
        )

    def grain(self, scale_um: float) -> Array:
        """Return fine standard normals, smooth over `scale_um`, shape (size, size)."""
        white = self.rng.standard_normal((self.size_px, self.size_px), dtype=np.float32)
        fine = gaussian_filter(white, scale_um / self.mpp, mode="wrap", truncate=2.5)
        return np.asarray(fine / fine.std())

    def points_um(self, spacing_um: float, jitter: float) -> NDArray[np.float64]:
        """Return places (row, column) about `spacing_um` apart: a staggered lattice, shaken; shape (n, 2)."""
        n = max(2 * round(self.size_um / spacing_um / 2), 2)  # even: the stagger must fit the opposite edge
        row, column = np.mgrid[0:n, 0:n].reshape(2, -1)
        lattice = np.column_stack([row, column + 0.5 * (row % 2)]) + self.rng.uniform(-jitter, jitter, (n * n, 2))
        return np.asarray(lattice * (self.size_um / n)) % self.size_um

    def at(self, values: Array, places_um: NDArray[np.float64]) -> Array:
        """Return the values at places, shape (n,)."""
        index = np.minimum((places_um / self.mpp).astype(int), self.size_px - 1)
        return np.asarray(values[index[:, 0], index[:, 1]])


def _nuclei(
    field: Field, places_um: NDArray[np.float64], half_axes_um: tuple[float, float], angle: Array | None = None
) -> Array:
    """Return 1 inside nuclei and 0 outside, each of its own size, brightness and direction; shape (size, size).

    Args:
        field: Where they lie.
        places_um: Their centres, shape (n, 2).
        half_axes_um: Mean half length and half width.
        angle: Direction of the length, radians from the rows' direction, shape (n,); any direction by default.
    """
    n, rng = len(places_um), field.rng
    angle = rng.uniform(0, np.pi, n).astype(np.float32) if angle is None else angle
    size = (np.exp(rng.normal(0, 0.15, (n, 2))) * half_axes_um / field.mpp).astype(np.float32)
    centre = places_um / field.mpp
    corner = np.floor(centre).astype(int)
    reach = int(np.ceil(1.3 * max(half_axes_um) / field.mpp))
    offset = np.arange(-reach, reach + 1)
    rows = (offset[None, :, None] - (centre - corner)[:, :1, None] + 0.5).astype(np.float32)
    columns = (offset[None, None, :] - (centre - corner)[:, 1:, None] + 0.5).astype(np.float32)
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    depth = ((rows * cos + columns * sin) / size[:, :1, None]) ** 2
    depth += ((columns * cos - rows * sin) / size[:, 1:, None]) ** 2
    shade = rng.uniform(0.75, 1.0, n).astype(np.float32)[:, None, None]
    value = shade * np.clip(2.5 * (1 - depth), 0, 1) * (0.8 + 0.2 * np.minimum(depth, 1))  # darker at the membrane
    place = ((corner[:, :1] + offset) % field.size_px)[:, :, None] * field.size_px
    place = place + ((corner[:, 1:] + offset) % field.size_px)[:, None, :]
    painted = np.zeros(field.size_px**2, np.float32)
    np.maximum.at(painted, place.ravel(), value.ravel())
    return painted.reshape(field.size_px, field.size_px)


def _step(values: Array, edge: float, softness: float) -> Array:
    """Return 0 below the edge, 1 above it, with a soft transition."""
    return np.asarray(np.clip((values - edge) / softness + 0.5, 0, 1), dtype=np.float32)


def _walls(field: Field, spacing_um: float, width_um: float, jitter: float) -> tuple[Array, NDArray[np.float64]]:
    """Return cell walls (1 on the wall) of a mosaic of cells, and the cells' centres."""
    centres, coarse = field.points_um(spacing_um, jitter), 2
    grid = (np.mgrid[0 : field.size_px : coarse, 0 : field.size_px : coarse].reshape(2, -1).T + 0.5) * field.mpp
    near = np.asarray(cKDTree(centres, boxsize=np.full(2, field.size_um)).query(grid % field.size_um, k=2)[0])
    gap = (near[:, 1] - near[:, 0]).astype(np.float32).reshape(-(-field.size_px // coarse), -1)
    gap = np.repeat(np.repeat(gap, coarse, axis=0), coarse, axis=1)[: field.size_px, : field.size_px]
    return np.asarray(np.exp(-((gap / width_um) ** 2)), dtype=np.float32), centres


def fat(field: Field) -> Stains:
    """BACK: large pale cells with thin walls, small nuclei squeezed against them; not as empty as bare glass."""
    walls, _ = _walls(field, 56.0, 4.0, 0.35)
    places = field.points_um(40.0, 0.45)
    places = places[field.at(walls, places) > 0.2]
    nuclei = _nuclei(field, places, (4.0, 1.8))
    haze = field.noise(90.0)
    eosin = 0.25 + 0.02 * haze + 0.35 * walls + 0.01 * field.grain(2.0)
    return np.maximum(0.08 + 0.05 * walls, 0.7 * nuclei), eosin


def debris(field: Field) -> Stains:
    """DEB: smudged eosinophilic ghosts of cells, powdered with fragments of nuclei."""
    patch, ghost = field.noise(60.0), field.noise(9.0)
    dust = _nuclei(field, field.points_um(6.5, 0.5), (1.4, 1.0)) * _step(patch, -0.2, 1.5)
    haematoxylin = 0.20 + 0.05 * patch + 0.04 * ghost + 0.03 * field.grain(1.0) + 0.55 * dust
    eosin = 0.62 - 0.08 * patch + 0.10 * ghost + 0.05 * field.grain(1.2)
    return haematoxylin, eosin


def hepatocytes(field: Field) -> Stains:
    """HEP: polygonal granular cells with round central nuclei, in plates between pale sinusoids."""
    walls, centres = _walls(field, 21.0, 1.6, 0.28)
    sinusoid = 1 - _step(np.abs(field.noise((26.0, 34.0))), 0.10, 0.12)
    centres = centres[field.at(sinusoid, centres) < 0.6]
    nuclei = _nuclei(field, centres[field.rng.random(len(centres)) < 0.85], (3.6, 3.4))
    lining = field.points_um(17.0, 0.45)
    nuclei = np.maximum(nuclei, _nuclei(field, lining[field.at(sinusoid, lining) > 0.7], (4.5, 1.4)))
    eosin = 0.70 + 0.05 * field.noise(80.0) + 0.07 * field.grain(0.9) - 0.18 * walls
    eosin = eosin * (1 - 0.80 * sinusoid) + 0.06 * sinusoid
    haematoxylin = (0.16 + 0.03 * field.grain(0.9)) * (1 - 0.8 * sinusoid)
    return np.maximum(haematoxylin, 0.75 * nuclei), eosin


def lymphocytes(field: Field) -> Stains:
    """LYM: small dark round nuclei, nearly touching."""
    crowd = field.noise(45.0)
    places = field.points_um(7.2, 0.40)
    places = places[field.at(crowd, places) > -2.0]
    nuclei = _nuclei(field, places, (2.9, 2.7))
    haematoxylin = np.maximum(0.24 + 0.03 * field.grain(1.0), 1.05 * nuclei)
    return haematoxylin, 0.30 + 0.05 * field.noise(12.0) + 0.03 * field.grain(1.0)


def mucus(field: Field) -> Stains:
    """MUC: pale blue-grey pools with streaks and few floating cells."""
    bend = 3.0 * field.noise(110.0)
    streak = np.sin(bend + 2.2 * field.noise((16.0, 60.0)))
    places = field.points_um(60.0, 0.5)
    nuclei = _nuclei(field, places[field.rng.random(len(places)) < 0.5], (3.5, 2.5))
    haematoxylin = 0.25 + 0.06 * streak + 0.03 * field.noise(40.0) + 0.015 * field.grain(1.5)
    return np.maximum(haematoxylin, 0.7 * nuclei), 0.08 + 0.03 * streak + 0.01 * field.grain(1.5)


def stroma(field: Field) -> Stains:
    """STR: wavy bundles of pink fibres with spindle-shaped nuclei along them."""
    position = 2 * np.pi * np.arange(field.size_px, dtype=np.float32) * np.float32(field.mpp / field.size_um)
    bundles, waves = round(field.size_um / 9.0), round(field.size_um / 140.0)
    course = bundles * position[:, None] + 7.0 * field.noise(90.0) + 1.5 * np.sin(waves * position)[None, :]
    fibre = 0.6 * np.sin(course) + 0.4 * np.sin(2 * course + 2.0 * field.noise(30.0))
    places = field.points_um(19.0, 0.5)
    slope = np.arctan2(*(np.roll(course, -1, axis) - np.roll(course, 1, axis) for axis in (0, 1)))
    nuclei = _nuclei(field, places, (6.0, 1.5), field.at(-slope.astype(np.float32), places))
    gap = _step(field.noise((9.0, 45.0)), 1.2, 0.5)
    eosin = (0.56 + 0.15 * fibre + 0.05 * field.noise(70.0) + 0.04 * field.grain(0.9)) * (1 - 0.6 * gap)
    return np.maximum(0.09 + 0.03 * fibre, 0.85 * nuclei), eosin


def tumour(field: Field) -> Stains:
    """TUM: glands with pale lumina, long dark nuclei side by side across the epithelium, thin stroma between."""
    gland = field.noise(34.0)
    lumen, between = _step(gland, 1.05, 0.12), 1 - _step(gland, -0.75, 0.12)
    across = np.arctan2(*(np.roll(gland, -2, axis) - np.roll(gland, 2, axis) for axis in (1, 0))).astype(np.float32)
    places = field.points_um(6.6, 0.35)
    depth = field.at(gland, places)
    places = places[(depth > -0.68) & (depth < 0.85)]
    nuclei = _nuclei(field, places, (4.8, 2.5), field.at(across, places))
    spindles = field.points_um(18.0, 0.5)
    nuclei = np.maximum(nuclei, _nuclei(field, spindles[field.at(gland, spindles) < -0.9], (5.0, 1.4)))
    remains = _nuclei(field, field.points_um(9.0, 0.5), (1.5, 1.2)) * lumen * _step(field.noise(50.0), 0.3, 0.4)
    haematoxylin = (0.30 + 0.04 * field.grain(0.9)) * (1 - lumen) * (1 - 0.6 * between)
    haematoxylin = np.maximum(haematoxylin, np.maximum(0.95 * nuclei, 0.6 * remains)) + 0.04 * lumen
    eosin = 0.42 + 0.12 * between + 0.05 * field.grain(0.9) - 0.33 * lumen
    return haematoxylin, eosin


def glass(field: Field) -> Stains:
    """Return bare glass, with a trace of stain."""
    return 0.012 + 0.004 * field.grain(0.8), 0.012 + 0.004 * field.grain(0.8)


TEXTURES: Mapping[str, Callable[[Field], Stains]] = {
    "BACK": fat,
    "DEB": debris,
    "HEP": hepatocytes,
    "LYM": lymphocytes,
    "MUC": mucus,
    "STR": stroma,
    "TUM": tumour,
    BLANK: glass,
}
