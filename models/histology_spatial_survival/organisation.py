"""Spatial organisation of the tissues around the tumour: what a tile map says before anything is fitted (Qi 2023).

The paper leaves open what we fix here, each time as the simplest reading that does not depend on how much glass a slide
shows or on where the tumour lies on it:

- Shares are among tiles with tissue: the classifier's BACK and dropped tiles are no part of any denominator.
- Tumour tiles are closed by a cross of five tiles and opened by reconstruction: of what hangs together by edges, that
  remains whole which holds a cross and at least ten tiles. (A plain opening would take the corners off every region.)
  Tiles of other tissues that the closing took in lie within the tumour, at distance 0; tumour tiles outside every
  region are no region, and have no distance.
- Distances are those between the centres of tiles, in tiles (0.112 mm).
- The neighbourhood of a tumour tile is the 3 x 3 tiles with itself; its shares are among those of them with tissue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.histology_spatial_survival import (
    FARTHEST_TILES,
    ORGANISED,
    SQUARED_DISTANCES,
    TISSUES,
    TUMOUR_TILES_MIN,
)
from models.spec import PreprocessingError

Counts = NDArray[np.int64]
Bools = NDArray[np.bool_]
Singles = NDArray[np.float32]

TUM = TISSUES.index("TUM")
ORGANISED_CLASSES = [TISSUES.index(tissue) for tissue in ORGANISED]
TISSUE_CLASSES = [index for index, tissue in enumerate(TISSUES) if tissue != "BACK"]
CROSS = ndimage.generate_binary_structure(2, 1)  # a tile and the four that share an edge with it
REGION_TILES_MIN = 10  # 0.13 mm2, two crosses: a cluster of misread tiles is no region
NEIGHBOURHOOD = np.ones((3, 3), dtype=np.int64)


class TissueMap(Protocol):
    """A map of the tiles of one slide; `tile_map.TileMap` is one."""

    @property
    def tissue(self) -> NDArray[np.int8]:
        """Index into `TISSUES`, (rows, columns); negative for tiles that were not classified."""


@dataclass(frozen=True, eq=False)
class Organisation:
    """What one slide shows, in numbers that depend on nothing fitted.

    Attributes:
        tiles_by_tissue: (7,) tiles of each of `TISSUES`.
        tiles_by_distance: (5, distances) tiles of each of `ORGANISED` at each of `DISTANCES_TILES` from the nearest
            tumour region; the last holds what lies farther, too. A row adds up to all tiles of its tissue.
        interaction: (5,) mean over the tumour tiles of the share of each of `ORGANISED` in the neighbourhood.
    """

    tiles_by_tissue: Counts
    tiles_by_distance: Counts
    interaction: NDArray[np.float64]

    def inputs(self) -> dict[str, Singles]:
        """Return the ONNX inputs of these names, without batch axis."""
        return {name: np.asarray(values, dtype=np.float32) for name, values in vars(self).items()}


def measure(tile_map: TissueMap) -> Organisation:
    """Measure the organisation of one slide.

    Raises:
        PreprocessingError: Fewer than 50 tumour tiles in the largest tumour region.
    """
    tissue = tile_map.tissue
    tumour = tissue == TUM
    regions = tumour_regions(tumour)
    largest = _largest(regions, tumour)
    if largest < TUMOUR_TILES_MIN:
        raise PreprocessingError(
            f"slide: the largest tumour region holds {largest} tumour tiles, expected at least {TUMOUR_TILES_MIN}"
        )
    place = _distance_index(regions > 0)
    by_distance = [np.bincount(place[tissue == index], minlength=len(SQUARED_DISTANCES)) for index in ORGANISED_CLASSES]
    return Organisation(
        tiles_by_tissue=np.bincount(tissue[tissue >= 0], minlength=len(TISSUES)),
        tiles_by_distance=np.stack(by_distance),
        interaction=_interaction(tissue, tumour),
    )


def tumour_regions(tumour: Bools) -> NDArray[np.int32]:
    """Return the number of the tumour region of each tile, from 1; 0 outside. Same shape as the tumour tiles."""
    padded = np.pad(tumour, 2)  # beyond the map there is no tumour: the closing must not see an edge
    closed = ndimage.binary_closing(padded, CROSS)
    opened = ndimage.binary_propagation(ndimage.binary_erosion(closed, CROSS), CROSS, mask=closed)
    labels, _ = ndimage.label(opened, CROSS)
    large = np.bincount(labels.ravel()) >= REGION_TILES_MIN
    return np.asarray(np.where(large[labels], labels, 0)[2:-2, 2:-2], dtype=np.int32)


def features(
    tiles_by_tissue: NDArray[Any],
    tiles_by_distance: NDArray[Any],
    interaction: NDArray[Any],
    cut_tiles: Sequence[float],
) -> Singles:
    """Return the spatial organisation features (N, 20), columns as `FEATURES`, of N slides.

    They are single-precision numbers: counts are exact and a quotient is rounded alike by numpy, torch and ONNX, so
    that no patient lies on another side of a cut-off where the model ships.

    Args:
        tiles_by_tissue: (N, 7).
        tiles_by_distance: (N, 5, distances).
        interaction: (N, 5).
        cut_tiles: For each of `ORGANISED`, the distance up to which a tile is infiltrating.
    """
    tissue = np.asarray(tiles_by_tissue, dtype=np.float32)
    by_distance = np.asarray(tiles_by_distance, dtype=np.float32)
    total = tissue[:, TISSUE_CLASSES].sum(axis=1, keepdims=True)
    infiltrating = np.where(infiltrating_distances(cut_tiles), by_distance, 0).sum(axis=2)
    distal = by_distance.sum(axis=2) - infiltrating
    counted = np.concatenate([tissue[:, ORGANISED_CLASSES], infiltrating, distal], axis=1)
    return np.concatenate([counted / total, np.asarray(interaction, dtype=np.float32)], axis=1)


def infiltrating_distances(cut_tiles: Sequence[float]) -> Bools:
    """Return whether a tile of each tissue at each distance is infiltrating, (5, distances): at most its cut away."""
    return np.sqrt(SQUARED_DISTANCES) <= np.array(cut_tiles)[:, None]


def _largest(regions: NDArray[np.int32], tumour: Bools) -> int:
    """Return the tumour tiles of the region that has most of them; 0 without region."""
    return int(np.bincount(regions[tumour], minlength=2)[1:].max())


def _distance_index(region: Bools) -> NDArray[np.intp]:
    """Return the place in `SQUARED_DISTANCES` of each tile's distance to the nearest region tile; exact integers."""
    nearest = ndimage.distance_transform_edt(~region, return_distances=False, return_indices=True)
    squared = ((nearest - np.indices(region.shape)) ** 2).sum(axis=0)
    return np.asarray(np.searchsorted(SQUARED_DISTANCES, np.minimum(squared, FARTHEST_TILES**2)))


def _interaction(tissue: NDArray[np.int8], tumour: Bools) -> NDArray[np.float64]:
    """Return the mean share (5,); sums are exact, as tumour tiles are counted by the size of their neighbourhood."""

    def around(chosen: Bools) -> Counts:
        """Count the chosen tiles in the neighbourhood of each tumour tile."""
        return np.asarray(ndimage.correlate(chosen.astype(np.int64), NEIGHBOURHOOD, mode="constant")[tumour])

    size = around(np.isin(tissue, TISSUE_CLASSES))
    found = [np.bincount(size, around(tissue == index), minlength=10)[1:] for index in ORGANISED_CLASSES]
    return np.asarray((np.stack(found) / np.arange(1, 10)).sum(axis=1) / tumour.sum())
