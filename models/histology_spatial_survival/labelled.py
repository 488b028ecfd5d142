"""Tiles whose tissue a pathologist has named, their split by slide, and how a classifier does on them.

Tiles of one slide share stain, scanner and patient: a split by tile would test on what was trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import TILE_PX, TISSUES
from models.histology_spatial_survival.reading import BATCH, INPUT, OUTPUT, Classifier

HASHED = 256  # tiles read at once for their digest
DRAWS = 1000  # of a split by slide, until every tissue lies on both sides

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class LabelledTiles:
    """Tiles with their tissues.

    Attributes:
        pixels: (N, 224, 224, 3) uint8 RGB, normalised; an `np.memmap` where they do not fit in memory.
        tissue: (N,) index into `TISSUES`.
        slide: Slide of each tile, N of them.
    """

    pixels: NDArray[np.uint8]
    tissue: NDArray[np.int8]
    slide: Sequence[str]

    def __post_init__(self) -> None:
        """Refuse what does not fit together.

        Raises:
            ValueError: Another shape or type than above, another number of tissues or slides, an unknown tissue.
        """
        n = len(self.pixels)
        if self.pixels.shape[1:] != (TILE_PX, TILE_PX, 3) or self.pixels.dtype != np.uint8:
            raise ValueError(
                f"tiles: {self.pixels.dtype} of shape {self.pixels.shape}, expected uint8 (N, {TILE_PX}, {TILE_PX}, 3)"
            )
        if (len(self.tissue), len(self.slide)) != (n, n) or not n:
            raise ValueError(f"{n} tiles, {len(self.tissue)} tissues and {len(self.slide)} slides, expected one each")
        if not np.isin(self.tissue, np.arange(len(TISSUES))).all():
            raise ValueError(f"tiles of tissues other than 0 to {len(TISSUES) - 1}, which are {', '.join(TISSUES)}")

    def digest(self) -> str:
        """Return the sha256 of pixels, tissues and slides; read a part at a time."""
        digest = hashlib.sha256(repr((len(self.slide), list(self.slide))).encode())
        digest.update(self.tissue.astype(np.int8).tobytes())
        for start in range(0, len(self.pixels), HASHED):
            digest.update(np.ascontiguousarray(self.pixels[start : start + HASHED]).data)
        return digest.hexdigest()

    def counts(self, rows: Rows | None = None) -> dict[str, dict[str, int]]:
        """Return for every tissue the number of tiles and of slides that have any, of all tiles or of some."""
        chosen = np.arange(len(self.tissue)) if rows is None else rows
        found = {}
        for index, name in enumerate(TISSUES):
            of_tissue = chosen[self.tissue[chosen] == index]
            found[name] = {"tiles": len(of_tissue), "slides": len({self.slide[row] for row in of_tissue})}
        return found


@dataclass(frozen=True, eq=False)
class Confusion:
    """How a classifier does on tiles whose tissue is known.

    Attributes:
        probability: (n, 7) probability of every tissue.
        matrix: (7, 7) number of tiles by true (row) and most probable (column) tissue.
    """

    probability: NDArray[np.float32]
    matrix: NDArray[np.intp]

    @property
    def accuracy(self) -> float:
        """Share of tiles whose most probable tissue is the true one."""
        return float(np.trace(self.matrix) / self.matrix.sum())


def split_by_slide(tiles: LabelledTiles, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Split tiles into those to train on and those to validate on, all tiles of a slide on the same side.

    Slides are drawn at random; a draw that leaves a tissue without slides on either side is drawn again.

    Args:
        tiles: The tiles, in any order: the split does not depend on it.
        fraction: Share of the slides to validate on, at least one slide.
        seed: Of the draws.

    Returns:
        Row numbers of either part, ascending.

    Raises:
        ValueError: A tissue has tiles on fewer than two slides, or no draw put every tissue on both sides.
    """
    for name, count in tiles.counts().items():
        if count["slides"] < 2:
            raise ValueError(
                f"tissue {name}: labelled tiles on {count['slides']} slides, expected at least two, "
                "one to train on and one to validate on; annotate it on more slides"
            )
    slides, of_tile = np.unique(np.asarray(tiles.slide), return_inverse=True)
    holds = np.zeros((len(slides), len(TISSUES)), dtype=np.bool_)
    holds[of_tile, tiles.tissue] = True
    kept_apart = min(max(round(fraction * len(slides)), 1), len(slides) - 1)
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        apart = np.isin(np.arange(len(slides)), rng.permutation(len(slides))[:kept_apart])
        if holds[apart].any(axis=0).all() and holds[~apart].any(axis=0).all():
            return np.flatnonzero(~apart[of_tile]), np.flatnonzero(apart[of_tile])
    raise ValueError(
        f"no split of {len(slides)} slides with {kept_apart} to validate on has every tissue on both sides "
        f"({DRAWS} draws); annotate more slides: {_slides_by_tissue(tiles)}"
    )


def evaluate(classifier: Classifier, tiles: LabelledTiles, rows: Rows | None = None) -> Confusion:
    """Classify labelled tiles with the exported classifier, a batch at a time.

    Args:
        classifier: The exported classifier.
        tiles: Of slides that were not trained on.
        rows: Which of them; None for all.
    """
    chosen = np.arange(len(tiles.tissue)) if rows is None else rows
    parts = [
        classifier.run({INPUT: np.asarray(tiles.pixels[chosen[start : start + BATCH]])})[OUTPUT]
        for start in range(0, len(chosen), BATCH)
    ]
    probability = np.concatenate(parts)
    matrix = np.zeros((len(TISSUES), len(TISSUES)), dtype=np.intp)
    np.add.at(matrix, (tiles.tissue[chosen], probability.argmax(axis=1)), 1)
    return Confusion(probability, matrix)


def _slides_by_tissue(tiles: LabelledTiles) -> str:
    return ", ".join(f"{name} on {count['slides']}" for name, count in tiles.counts().items())
