"""A pathologist's annotations: outlines of homogeneous areas, as QuPath exports them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from models.histology_spatial_survival import TISSUES
from pipelines.synthetic.liver_layout import Cells, Mask

DIRECTIONS = 64  # of the rays that find an outline; among them the corners of a tile
PURE_FROM = 0.9  # share of a tile that is of the tissue: six cells of 64 may be of another
STEP_CELLS = 0.25  # along a ray
REACH_CELLS = 12.0  # 0.17 mm: of the commonest tissue not much more is outlined than of the others
AREAS_PER_TISSUE = 8
HAND_SHRINKS = 0.15  # a hand stays inside the border by up to this share of the way beyond the tile it must hold


@dataclass(frozen=True, eq=False)
class Area:
    """An outline drawn around one tissue.

    Attributes:
        tissue: Its name.
        outline: Closed polygon, (x, y) in cells, shape (vertices + 1, 2).
    """

    tissue: str
    outline: NDArray[np.float64]


def annotate(cells: Cells, cells_per_tile: int, rng: np.random.Generator) -> list[Area]:
    """Outline the largest pure areas of every tissue; they do not overlap, and each holds a whole tile of the grid.

    Args:
        cells: Index into `TISSUES`, negative for glass; (rows, columns) of cells.
        cells_per_tile: Cells along the side of a tile.
        rng: The hand.
    """
    areas = []
    for index, tissue in enumerate(TISSUES):
        free = cells == index
        for _ in range(AREAS_PER_TISSUE):
            tile = _best_tile(free, cells_per_tile)
            if tile is None:
                break
            middle = np.array([tile[1], tile[0]]) + cells_per_tile / 2
            outline = _outline(free, middle, cells_per_tile, rng)
            areas.append(Area(tissue, outline))
            free &= ~_inside(outline, middle, free.shape)
    return areas


def _best_tile(free: Mask, size: int) -> tuple[int, int] | None:
    """Return the cell at the upper left corner of the pure tile that lies deepest in its tissue; None without one."""
    rows, columns = free.shape[0] // size, free.shape[1] // size
    whole = free[: rows * size, : columns * size]
    pure = whole.reshape(rows, size, columns, size).mean(axis=(1, 3)) >= PURE_FROM
    if not pure.any():
        return None
    depth = distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1]
    middle = depth[size // 2 : rows * size : size, size // 2 : columns * size : size]
    row, column = np.unravel_index(np.where(pure, middle, -1).argmax(), pure.shape)
    return int(row) * size, int(column) * size


def _outline(free: Mask, middle: NDArray[np.float64], size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Go from the tile's middle in every direction until the tissue ends; return the outline around the tile."""
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    direction = np.column_stack([np.cos(angle), np.sin(angle)])
    edge = size / 2 / np.abs(direction).max(axis=1)  # where the ray leaves the tile
    steps = np.arange(0, REACH_CELLS, STEP_CELLS)
    places = np.floor(middle + steps[:, None, None] * direction).astype(int)
    within = ((places >= 0) & (places < [free.shape[1], free.shape[0]])).all(axis=2)
    seen = within & free[tuple(np.clip(places[..., k], 0, free.shape[1 - k] - 1) for k in (1, 0))]
    reach = np.where(seen.all(axis=0), steps[-1], steps[seen.argmin(axis=0)] - STEP_CELLS)
    shrink = 1 - HAND_SHRINKS * rng.uniform(0, 1, DIRECTIONS)
    length = edge + np.maximum(reach - edge, 0) * shrink
    outline = middle + length[:, None] * direction
    return np.concatenate([outline, outline[:1]])


def _inside(outline: NDArray[np.float64], middle: NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """Return the cells whose middle lies within an outline around `middle`, or less than a cell outside it."""
    row, column = np.indices(shape) + 0.5
    rays = outline - middle
    angle = np.arctan2(row - middle[1], column - middle[0]) % (2 * np.pi)
    place = angle / (2 * np.pi) * DIRECTIONS
    reach = np.interp(place, np.arange(DIRECTIONS + 1), np.hypot(rays[:, 0], rays[:, 1]))
    return np.asarray(np.hypot(row - middle[1], column - middle[0]) < reach + 1)


def write_annotations(areas: list[Area], cell_px: int, path: Path) -> None:
    """Write areas as GeoJSON in pixels of level 0.

    Args:
        areas: What was drawn.
        cell_px: Pixels of level 0 along the side of a cell.
        path: The file, written in place.
    """
    features: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "id": f"{number:04d}",
            "geometry": {"type": "Polygon", "coordinates": [np.round(area.outline * cell_px, 2).tolist()]},
            "properties": {"objectType": "annotation", "classification": {"name": area.tissue}},
        }
        for number, area in enumerate(areas, start=1)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")
