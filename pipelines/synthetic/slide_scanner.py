"""Staining and scanning at two centres: from concentrations of haematoxylin and eosin to the colours of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipelines.synthetic.slide_texture import TEXTURES, Array, Field

CELL_UM = 14.0  # side of the cells of which the tissue map of a slide consists: an eighth of a tile
PIECES_PER_CELL = 2  # along a side: slides are put together from these
CANVAS_CELLS = 56  # side of a canvas
LEVELS = 256  # of each stain on a canvas
CONCENTRATION_MAX = 1.6
STRENGTH_LOG_SD, LAMP_SD = 0.10, 0.01


@dataclass(frozen=True)
class SlideScanner:
    """The laboratory and the scanner of a centre.

    Attributes:
        cell_px: Pixels per side of a cell of `CELL_UM`, an even number; fixes the resolution.
        haematoxylin: Optical density (natural logarithm) of unit concentration in red, green and blue.
        eosin: The same of eosin.
        lamp: Colour of bare glass, 0 to 255.
        gamma: Exponent of the transmitted light.
        blur_um: Standard deviation of the optical blur.
        noise: Standard deviation of the sensor's noise, in units of concentration.
        jpeg_quality: 1 to 100.
        seed: Of the canvases, so that the centres share no pixel.
    """

    cell_px: int
    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    lamp: tuple[float, float, float]
    gamma: float
    blur_um: float
    noise: float
    jpeg_quality: int
    seed: int

    @property
    def piece_px(self) -> int:
        """Pixels per side of a piece of a cell."""
        return self.cell_px // PIECES_PER_CELL

    @property
    def mpp(self) -> float:
        """Micrometres per pixel of level 0."""
        return CELL_UM / self.cell_px


# Directions near Ruifrok and Johnston, Anal Quant Cytol Histol 2001;23:291, strengths ours.
SLIDE_SCANNERS: Mapping[str, SlideScanner] = {
    "WSI1": SlideScanner(
        cell_px=28,
        haematoxylin=(1.10, 1.18, 0.50),
        eosin=(0.13, 0.80, 0.35),
        lamp=(243.0, 243.0, 244.0),
        gamma=1.0,
        blur_um=0.35,
        noise=0.012,
        jpeg_quality=80,
        seed=1,
    ),
    "WSI2": SlideScanner(
        cell_px=30,
        haematoxylin=(1.12, 1.42, 0.86),
        eosin=(0.20, 0.92, 0.50),
        lamp=(249.0, 246.0, 238.0),
        gamma=0.92,
        blur_um=0.55,
        noise=0.020,
        jpeg_quality=70,
        seed=2,
    ),
}


@lru_cache(maxsize=2)  # both centres, 40 MB each
def canvases(scanner: SlideScanner) -> NDArray[np.uint16]:
    """Render every texture once: what a process cuts its slides from.

    Returns:
        Indices into `colours`, shape (texture, row, column, piece_px, piece_px), in the order of `TEXTURES`; row and
        column of the canvas in pieces of a cell, then pixels within the piece.
    """
    size, pieces = CANVAS_CELLS * scanner.cell_px, CANVAS_CELLS * PIECES_PER_CELL
    blocks = []
    for number, texture in enumerate(TEXTURES.values()):
        field = Field(size, scanner.mpp, np.random.default_rng([scanner.seed, number]))
        haematoxylin, eosin = (_seen(stain, field, scanner) for stain in texture(field))
        index = haematoxylin * np.uint16(LEVELS) + eosin
        blocks.append(index.reshape(pieces, scanner.piece_px, pieces, scanner.piece_px).swapaxes(1, 2))
    return np.ascontiguousarray(blocks)


def _seen(stain: Array, field: Field, scanner: SlideScanner) -> NDArray[np.uint16]:
    """Blur a concentration, add noise, round to the levels."""
    blurred = gaussian_filter(stain, scanner.blur_um / scanner.mpp, mode="wrap", truncate=2.5)
    blurred = blurred + scanner.noise * field.rng.standard_normal(stain.shape, dtype=np.float32)
    return np.clip(np.round(blurred * ((LEVELS - 1) / CONCENTRATION_MAX)), 0, LEVELS - 1).astype(np.uint16)


def colours(scanner: SlideScanner, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the colour of every pair of concentrations on one slide; each is stained and lit a little differently.

    Returns:
        RGB by `haematoxylin level * LEVELS + eosin level`, shape (LEVELS**2, 3).
    """
    strength = np.exp(rng.normal(0.0, STRENGTH_LOG_SD, 2))
    lamp = np.minimum(np.array(scanner.lamp) * (1 + rng.normal(0.0, LAMP_SD)), 255.0)
    concentration = np.arange(LEVELS) * (CONCENTRATION_MAX / (LEVELS - 1))
    density = strength[0] * concentration[:, None, None] * np.array(scanner.haematoxylin)
    density = density + strength[1] * concentration[None, :, None] * np.array(scanner.eosin)
    return np.asarray(np.round(lamp * np.exp(-scanner.gamma * density)).reshape(-1, 3), dtype=np.uint8)
