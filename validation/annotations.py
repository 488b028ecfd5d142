"""A pathologist's annotations: QuPath's GeoJSON, read strictly, and the tiles that lie in them.

    annotations = read_annotations(folder / "images/P0001/annotations.geojson", ("BACK", "DEB", ...))
    annotated_tiles(annotations, slide)     # (rows, columns) int8: index of the tissue, -1 for none

Coordinates are (x, y) in pixels of level 0 from the slide's upper left corner, as QuPath writes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from validation.errors import InputError
from validation.slides import MPP, TILE_PX

NONE = -1
INSIDE_MIN = 0.95  # share of a tile that must lie in its tissue; at most the rest may lie in another
SAMPLES = 32  # points per side of a tile at which it is decided what lies inside: 3.5 um apart
_DRAW = "Correct the annotation in QuPath and export it again as GeoJSON."

Ring = NDArray[np.float64]


class Extent(Protocol):
    """What annotations must know of their slide."""

    @property
    def mpp(self) -> float:
        """Micrometres per pixel of level 0."""

    @property
    def level0_px(self) -> tuple[int, int]:
        """(rows, columns) of level 0."""

    @property
    def size_px(self) -> tuple[int, int]:
        """(rows, columns) at 0.5 um/px."""


@dataclass(frozen=True, eq=False)
class Annotation:
    """One annotated area.

    Attributes:
        number: Its place among the features of the file, from 1.
        tissue: Name of its class.
        polygons: Per polygon its rings, the outer one first and then its holes; a ring is closed, shape (points, 2).
    """

    number: int
    tissue: str
    polygons: tuple[tuple[Ring, ...], ...]


@dataclass(frozen=True, eq=False)
class Annotations:
    """All annotated areas of a slide.

    Attributes:
        file: Path, for messages.
        tissues: Admissible classes; their order gives the index of each.
        areas: The areas, at least one.
    """

    file: str
    tissues: tuple[str, ...]
    areas: tuple[Annotation, ...]


def read_annotations(path: Path, tissues: tuple[str, ...], slide: Extent | None = None) -> Annotations:
    """Read the annotations of one slide.

    Args:
        path: GeoJSON as QuPath exports it: a FeatureCollection, or a list of features. Each feature is a polygon or
            several (holes allowed), its class in `properties.classification.name`.
        tissues: Admissible classes.
        slide: The slide they were drawn on, to hold their coordinates against its size.

    Raises:
        InputError: The file cannot be read or holds something else or nothing; a feature has no class or an unknown
            one, is no polygon, has a ring that is not closed, has no area or holds a coordinate that is not finite; or
            a coordinate lies outside the slide. The feature is named by its number, from 1.
    """
    features = _features(path)
    areas = [_annotation(feature, n, tissues, f"{path} feature {n}") for n, feature in enumerate(features, start=1)]
    annotations = Annotations(str(path), tissues, tuple(areas))
    if slide is not None and (found := outside(annotations, slide)):
        rows, columns = slide.level0_px
        expected = f"x from 0 to {columns} and y from 0 to {rows}, in pixels of level 0"
        raise InputError(str(path), found, expected, "Export the annotations of this slide, in pixels, not um.")
    return annotations


def outside(annotations: Annotations, slide: Extent) -> str | None:
    """Return which feature leaves the slide and where, None if all lie inside; the edge counts as inside."""
    rows, columns = slide.level0_px
    for area in annotations.areas:
        for polygon in area.polygons:
            points = np.concatenate(polygon)
            low, high = points.min(axis=0), points.max(axis=0)
            if low.min() < 0 or high[0] > columns or high[1] > rows:
                span = f"x {low[0]:g} to {high[0]:g} and y {low[1]:g} to {high[1]:g}"
                return f"feature {area.number} reaching over {span}, outside the slide of {columns} x {rows} pixels"
    return None


def annotated_tiles(annotations: Annotations, slide: Extent) -> NDArray[np.int8]:
    """Return the tissue of every tile that lies in the annotations of exactly one.

    A tile is 224 x 224 pixels at 0.5 um/px, counted from the slide's upper left corner; the partial ones at the right
    and lower edge are left out. It has a tissue if at least 95 % of it lies in areas of that tissue and at most 5 % in
    areas of any other, counted at 32 x 32 points of the tile: a line drawn a little too short costs no tile, and a tile
    on which two areas disagree is none. Areas of one tissue may overlap and are counted once; where the rings of one
    polygon overlap they cut each other out (even-odd rule), which is what makes holes.

    Returns:
        Index of the tissue in `annotations.tissues` or -1, shape (rows, columns) of whole tiles.
    """
    rows, columns = (size // TILE_PX for size in slide.size_px)
    point_px = TILE_PX * MPP / slide.mpp / SAMPLES
    tiles = np.full((rows, columns), NONE, np.int8)
    for row in range(rows):
        ys = np.asarray((row * SAMPLES + np.arange(SAMPLES) + 0.5) * point_px, np.float64)
        inside = np.zeros((len(annotations.tissues), SAMPLES, columns * SAMPLES), bool)
        for area in annotations.areas:
            for polygon in area.polygons:
                _fill(inside[annotations.tissues.index(area.tissue)], polygon, ys, point_px)
        share = inside.reshape(len(inside), SAMPLES, columns, SAMPLES).mean(axis=(1, 3))
        alone = (share >= INSIDE_MIN) & ((share > 1 - INSIDE_MIN + 1e-9).sum(axis=0) == 1)
        tiles[row] = np.where(alone.any(axis=0), alone.argmax(axis=0), NONE)
    return tiles


def _fill(inside: NDArray[np.bool_], polygon: tuple[Ring, ...], ys: NDArray[np.float64], point_px: float) -> None:
    """Mark the points of a polygon in place: lines at `ys`, points on each at (i + 0.5) * `point_px`."""
    start = np.concatenate([ring[:-1] for ring in polygon])
    end = np.concatenate([ring[1:] for ring in polygon])
    near = (np.maximum(start[:, 1], end[:, 1]) >= ys[0]) & (np.minimum(start[:, 1], end[:, 1]) <= ys[-1])
    start, end = start[near], end[near]
    for line, y in zip(inside, ys, strict=True):
        crossing = (start[:, 1] <= y) != (end[:, 1] <= y)
        (x0, y0), (x1, y1) = start[crossing].T, end[crossing].T
        x = np.sort(x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        first = np.clip(np.ceil(x / point_px - 0.5), 0, len(line)).astype(np.int64)
        for left, right in zip(first[::2], first[1::2], strict=True):
            line[left:right] = True


def _features(path: Path) -> list[Any]:
    """Return the features of a file, at least one."""
    expected, remedy = (
        "GeoJSON: a FeatureCollection, or a list of features",
        "Export the annotations from QuPath again.",
    )
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        found = f"nothing that can be read ({error.strerror})"
        raise InputError(str(path), found, expected, remedy) from error
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), f"text that is no JSON ({error})", expected, remedy) from error
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        document = document.get("features")
    if not isinstance(document, list):
        raise InputError(str(path), "no list of features", expected, remedy)
    if not document:
        raise InputError(str(path), "no feature", "at least one annotated area", remedy)
    return document


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _annotation(feature: Any, number: int, tissues: tuple[str, ...], where: str) -> Annotation:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise InputError(where, "something else", "a GeoJSON feature", _DRAW)
    tissue = _member(_member(feature, "properties"), "classification")
    name = _member(tissue, "name")
    if name not in tissues:
        found = "no class" if name is None else f"the class {str(name)[:60]!r}"
        raise InputError(where, found, f"one of {', '.join(tissues)}", _DRAW)
    geometry = feature.get("geometry")
    kind, coordinates = _member(geometry, "type"), _member(geometry, "coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        raise InputError(where, f"the geometry {kind!r}", "a Polygon or MultiPolygon", _DRAW)
    parts = _some([coordinates] if kind == "Polygon" else coordinates, "polygon", where)
    polygons = tuple(tuple(_ring(ring, where) for ring in _some(part, "ring", where)) for part in parts)
    return Annotation(number, name, polygons)


def _member(value: Any, key: str) -> Any:
    """Return a member of a JSON object; None if there is no such object or member."""
    return value.get(key) if isinstance(value, dict) else None


def _some(value: Any, what: str, where: str) -> list[Any]:
    """Return a list that is one and is not empty."""
    if not isinstance(value, list) or not value:
        raise InputError(where, f"no {what}", f"at least one {what}", _DRAW)
    return value


def _ring(positions: Any, where: str) -> Ring:
    """Return one ring: finite, closed, with an area."""
    pairs = _some(positions, "point", where)
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(value) in (int, float) for value in pair):
            raise InputError(where, f"the point {str(pair)[:60]}", "two numbers, x and y", _DRAW)
    try:
        ring = np.array(pairs, np.float64)
    except OverflowError:
        ring = np.full((1, 2), np.inf)
    if not np.isfinite(ring).all():
        raise InputError(where, "a coordinate that is not finite", "finite coordinates", _DRAW)
    if (ring[0] != ring[-1]).any():
        raise InputError(where, "a ring that is not closed", "its last point equal to its first", _DRAW)
    (x, y), (next_x, next_y) = (ring[:-1] - ring[0]).T, (ring[1:] - ring[0]).T
    if len(ring) < 4 or not abs(float((x * next_y - next_x * y).sum())) > 0:
        raise InputError(where, f"a ring of {len(ring)} points without area", "an outline around an area", _DRAW)
    return ring
