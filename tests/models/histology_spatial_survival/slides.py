"""Slides in memory, stained by hand: a tissue of round nuclei on pink ground, on glass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import MPP, TILE_PX, TISSUES
from models.histology_spatial_survival.reading import INPUT, OUTPUT

STAINS = np.array([[0.62, 0.25], [0.70, 0.85], [0.35, 0.45]])  # red, green, blue x haematoxylin, eosin
GLASS = 245


def stained(amounts: NDArray[np.float64], stains: NDArray[np.float64] = STAINS) -> NDArray[np.uint8]:
    """Pixels (..., 3) of amounts (..., 2) of haematoxylin and eosin, the stain vectors scaled to length 1."""
    vectors = stains / np.linalg.norm(stains, axis=0)
    return np.clip(np.round(240 * np.exp(-amounts @ vectors.T) - 1), 0, 255).astype(np.uint8)


def tissue_amounts(rows: int, columns: int, seed: int = 0) -> NDArray[np.float64]:
    """Amounts (rows, columns, 2): everywhere eosin, and haematoxylin in a third of the pixels."""
    rng = np.random.default_rng(seed)
    eosin = rng.uniform(0.5, 1.2, (rows, columns))
    nuclei = rng.random((rows, columns)) < 1 / 3
    haematoxylin = np.where(nuclei, rng.uniform(0.8, 2.0, (rows, columns)), 0.0)
    return np.stack([haematoxylin, np.where(nuclei, 0.1, 1.0) * eosin], axis=-1)


class MemorySlide:
    """A slide that lies in memory at 0.5 micrometres per pixel."""

    mpp = MPP

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        """Take the pixels (rows, columns, 3)."""
        self.picture = picture
        self.read: list[tuple[int, int, int, int]] = []

    @property
    def size_px(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.picture.shape[0], self.picture.shape[1]

    def region(self, row: int, column: int, rows: int, columns: int) -> NDArray[np.uint8]:
        """Pixels, white beyond the slide."""
        self.read.append((row, column, rows, columns))
        found = np.full((rows, columns, 3), 255, dtype=np.uint8)
        part = self.picture[row : row + rows, column : column + columns]
        found[: part.shape[0], : part.shape[1]] = part
        return found

    def overview(self, px_um: float) -> NDArray[np.uint8]:
        """Means of squares of pixels; a rest at the edge is left out."""
        step = round(px_um / MPP)
        rows, columns = self.picture.shape[0] // step, self.picture.shape[1] // step
        whole = self.picture[: rows * step, : columns * step].reshape(rows, step, columns, step, 3)
        return whole.mean(axis=(1, 3)).round().astype(np.uint8)


def slide_with_tissue(tiles: NDArray[np.bool_], seed: int = 0) -> MemorySlide:
    """A slide of glass with stained tissue on some tiles of the grid, and a strip of glass below and to the right."""
    rows, columns = tiles.shape[0] * TILE_PX, tiles.shape[1] * TILE_PX
    picture = np.full((rows + 100, columns + 50, 3), GLASS, dtype=np.uint8)
    for row, column in np.argwhere(tiles):
        y, x = row * TILE_PX, column * TILE_PX
        amounts = tissue_amounts(TILE_PX, TILE_PX, seed + 97 * row + column)
        picture[y : y + TILE_PX, x : x + TILE_PX] = stained(amounts)
    return MemorySlide(picture)


class MeanColour:
    """A classifier without a network: the probabilities are fixed functions of a tile's mean colour."""

    def __init__(self) -> None:
        """Start without having seen any tile."""
        self.batches: list[int] = []

    def run(self, inputs: dict[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        """Softmax of seven mixtures of red, green and blue."""
        tiles = inputs[INPUT]
        self.batches.append(len(tiles))
        mean = tiles.astype(np.float64).mean(axis=(1, 2)) / 255
        logits = mean @ np.random.default_rng(0).normal(size=(3, len(TISSUES))) * 5
        odds = np.exp(logits)
        return {OUTPUT: (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)}
