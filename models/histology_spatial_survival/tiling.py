"""Where on a slide tissue lies: the mask on an overview, the grid of tiles, and which tiles hold enough of it.

Both rules rest on one limit, the optical density below which a pixel counts as transparent (`stain.TRANSPARENT_OD`).
They are made to keep too much rather than too little: a tile of glass that is read all the same becomes background,
a tissue of the classifier, while a tile of pale mucus that is never read is lost to every share of the slide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import BLANK_SHARE_MAX, TILE_PX, TILE_UM
from models.histology_spatial_survival.stain import TRANSPARENT_FROM, optical_density
from models.spec import PreprocessingError

PER_TILE = 8  # pixels of the overview along a tile
OVERVIEW_UM = TILE_UM / PER_TILE
TISSUE_OD_MIN = 0.05  # clean glass varies by less, and Otsu's limit is never below: on an empty slide it splits noise
LEVELS = 256

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def grid_shape(size_px: tuple[int, int]) -> tuple[int, int]:
    """Return the (rows, columns) of whole tiles on a slide of (rows, columns) pixels.

    Raises:
        PreprocessingError: The slide is smaller than one tile.
    """
    rows, columns = size_px[0] // TILE_PX, size_px[1] // TILE_PX
    if rows < 1 or columns < 1:
        raise PreprocessingError(f"slide of {size_px[0]} x {size_px[1]} pixels, smaller than one tile of {TILE_PX}")
    return rows, columns


def tissue_mask(overview: Picture) -> Mask:
    """Return where an overview (rows, columns, 3) shows tissue, (rows, columns).

    A pixel is as dark as its darkest colour. The limit is Otsu's between the two classes of pixels, but not above
    `stain.TRANSPARENT_OD`: on a slide full of tissue Otsu would part dark tissue from pale.

    Raises:
        PreprocessingError: No pixel is darker than clean glass.
    """
    darkest = _darkest(overview)
    counts = np.bincount(darkest.ravel(), minlength=LEVELS)
    limit = min(max(otsu_level(counts), TRANSPARENT_FROM), _glass_from())
    tissue: Mask = darkest < limit
    if not tissue.any():
        raise PreprocessingError("no tissue on the slide: no pixel of the overview is darker than clean glass")
    return tissue


def otsu_level(counts: NDArray[np.intp]) -> int:
    """Return the level that parts a histogram with the largest variance between classes (Otsu 1979).

    Args:
        counts: (levels,) number of pixels at each grey level.

    Returns:
        The lowest level of the brighter class; 0 if there is only one class.
    """
    level = np.arange(len(counts))
    below = np.cumsum(counts)
    moment = np.cumsum(counts * level)
    total, mean = below[-1], moment[-1] / max(below[-1], 1)
    parted = (below > 0) & (below < total)
    if not parted.any():
        return 0
    between = np.zeros(len(counts))
    between[parted] = (mean * below[parted] - moment[parted]) ** 2 / (
        below[parted].astype(np.float64) * (total - below[parted])
    )
    best = np.flatnonzero(between == between.max())
    return int(best[len(best) // 2]) + 1  # in the middle of an empty stretch between the classes


def tiles_with_tissue(mask: Mask, size_px: tuple[int, int]) -> Mask:
    """Return which tiles of the grid hold any tissue of the mask, (rows, columns).

    Args:
        mask: Tissue on an overview of the whole slide, pixels of `OVERVIEW_UM`.
        size_px: Rows and columns of the slide at the resolution of the tiles.

    Raises:
        PreprocessingError: The slide is smaller than one tile.
        ValueError: The overview does not cover the grid.
    """
    rows, columns = grid_shape(size_px)
    whole = mask[: rows * PER_TILE, : columns * PER_TILE]
    if whole.shape != (rows * PER_TILE, columns * PER_TILE):
        raise ValueError(f"overview of {mask.shape} pixels, expected {PER_TILE} along each of {rows} x {columns} tiles")
    return np.asarray(whole.reshape(rows, PER_TILE, columns, PER_TILE).any(axis=(1, 3)))


def blank_share(tile: Picture) -> float:
    """Return the share of pixels of a tile that are transparent in every colour."""
    return float(np.mean(_darkest(tile) >= TRANSPARENT_FROM))


def mostly_blank(tile: Picture) -> bool:
    """Return whether a tile is dropped, being more than half blank."""
    return blank_share(tile) > BLANK_SHARE_MAX


def _darkest(picture: Picture) -> Picture:
    """Return the darkest colour of every pixel; thrice as fast as `min` over the short axis."""
    return np.minimum(np.minimum(picture[..., 0], picture[..., 1]), picture[..., 2])


def _glass_from() -> int:
    """Return the lowest grey level of clean glass."""
    return int(np.argmax(optical_density(np.arange(LEVELS, dtype=np.uint8)) < TISSUE_OD_MIN))
