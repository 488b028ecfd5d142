"""From a slide to its tissue map: read, normalise and classify at the same time, in memory that no slide size changes.

Reader threads work ahead of the classifier by a bounded number of blocks of tiles. Blocks come back in the order of the
grid, so that the batches, and with them every bit of the map, do not depend on the number of threads.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import TILE_PX, TISSUES, stain, tiling
from models.histology_spatial_survival.tile_map import DROPPED, TileMap
from models.spec import PreprocessingError

SOURCES = ("__init__.py", "reading.py", "stain.py", "tiling.py", "tile_map.py")
BATCH = 16  # tiles classified at once: of full width, no slower than 32 and half the memory
BLOCK = 4  # tiles along each side of what is read in one call: neighbours share the file's own tiles
AHEAD = 2  # blocks per reader thread that may wait for the classifier
STAIN_TILES, STAIN_PX = 128, 64  # squares of this side in the middle of tiles spread over the tissue fit the stains
STAIN_STEP = 4  # every so-manieth row of pixels of these: 130 000 pixels in all, 1 % of which still are many
INPUT, OUTPUT = "tiles", "probability"  # names in the ONNX graph of the classifier

Tile = NDArray[np.uint8]
Position = tuple[int, int]
In = TypeVar("In")
Out = TypeVar("Out")


class Slide(Protocol):
    """A slide that can be read at 0.5 micrometres per pixel; `validation.slides.Slide` is one."""

    @property
    def mpp(self) -> float:
        """Micrometres per pixel of the finest level of the file."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Rows and columns at 0.5 micrometres per pixel."""

    def region(self, row: int, column: int, rows: int, columns: int) -> Tile:
        """Return RGB (rows, columns, 3) at 0.5 micrometres per pixel; called from several threads at once."""

    def overview(self, px_um: float) -> Tile:
        """Return the whole slide, RGB, in pixels of that many micrometres from the upper left corner."""


class Classifier(Protocol):
    """The exported classifier of tiles; `models.runtime.OnnxModel` is one."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Return `OUTPUT` (n, 7) of `INPUT` (n, 224, 224, 3)."""


@dataclass(frozen=True, eq=False)
class ReadyTile:
    """A tile as the classifier takes it.

    Attributes:
        position: Row and column on the grid.
        pixels: (224, 224, 3) RGB, normalised.
    """

    position: Position
    pixels: Tile


def sources_sha256() -> str:
    """Return the digest of the sources that turn slide and classifier into a map."""
    folder = Path(__file__).parent
    digests = (hashlib.sha256((folder / name).read_bytes()).digest() for name in SOURCES)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def read_tiles(slide: Slide, classifier: Classifier, *, readers: int = 2) -> TileMap:
    """Classify the tiles of a slide.

    Args:
        slide: The slide.
        classifier: The exported classifier; it runs in the calling thread.
        readers: Threads that read and normalise.

    Returns:
        The map, the same bytes for any number of readers.

    Raises:
        PreprocessingError: The slide is too small, or has no tissue or no two stains to normalise.
        ValueError: What the slide itself raises where its file cannot be read.
    """
    held = tiling.tiles_with_tissue(tiling.tissue_mask(slide.overview(tiling.OVERVIEW_UM)), slide.size_px)
    if not held.any():
        raise PreprocessingError("no tissue on the slide: all of it lies outside the whole tiles")
    normaliser = fit_stain(slide, held)
    tissue = np.full(held.shape, DROPPED, dtype=np.int8)
    probability = np.full((*held.shape, len(TISSUES)), np.nan, dtype=np.float16)

    def ready(block: Sequence[Position]) -> list[ReadyTile]:
        return list(_normalised(slide, normaliser, block, drop_blank=True))

    tiles = (tile for block in in_order(ready, _blocks(held), readers) for tile in block)
    while batch := list(islice(tiles, BATCH)):
        found = classifier.run({INPUT: np.stack([tile.pixels for tile in batch])})[OUTPUT]
        if not np.isfinite(found).all():
            raise PreprocessingError("the classifier gave a probability that is not a number")
        row, column = np.array([tile.position for tile in batch]).T
        probability[row, column] = found
        tissue[row, column] = found.argmax(axis=1)  # not of the rounded ones: they tie
    return TileMap(tissue, probability)


def tiles_at(slide: Slide, positions: Sequence[Position]) -> Iterator[ReadyTile]:
    """Yield the normalised tiles at some positions of the grid, blank ones too: what a classifier is trained on.

    The stains are fitted on the slide's tissue, as when it is read.

    Raises:
        PreprocessingError: As `read_tiles`.
        ValueError: A position lies outside the grid.
    """
    held = tiling.tiles_with_tissue(tiling.tissue_mask(slide.overview(tiling.OVERVIEW_UM)), slide.size_px)
    for row, column in positions:
        if not (0 <= row < held.shape[0] and 0 <= column < held.shape[1]):
            raise ValueError(f"tile ({row}, {column}) on a grid of {held.shape[0]} x {held.shape[1]}")
    normaliser = fit_stain(slide, held)
    for position in positions:
        yield from _normalised(slide, normaliser, [position], drop_blank=False)


def fit_stain(slide: Slide, held: NDArray[np.bool_]) -> stain.StainNormaliser:
    """Fit the stain normalisation on the middles of tiles spread evenly over those that hold tissue.

    Raises:
        PreprocessingError: These hold too little stain, or not two stains.
    """
    positions, margin = _positions(held), (TILE_PX - STAIN_PX) // 2
    spread = np.linspace(0, len(positions) - 1, min(STAIN_TILES, len(positions))).astype(np.intp)
    corners = [(row * TILE_PX + margin, column * TILE_PX + margin) for row, column in (positions[k] for k in spread)]
    samples = [_pixels(slide, corner, (STAIN_PX, STAIN_PX))[::STAIN_STEP].reshape(-1, 3) for corner in corners]
    return stain.fit(np.concatenate(samples))


def in_order(function: Callable[[In], Out], items: Iterable[In], threads: int) -> Iterator[Out]:
    """Yield the function's results in the order of the items, computed by threads that work ahead by a bounded number.

    The first failure, in that order, is raised, and what has not begun by then never does.
    """
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="slide reader") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _positions(held: NDArray[np.bool_]) -> list[Position]:
    """Return the tiles that hold tissue, row by row."""
    return [(int(row), int(column)) for row, column in np.argwhere(held)]


def _blocks(held: NDArray[np.bool_]) -> Iterator[list[Position]]:
    """Yield the tiles that hold tissue in blocks of neighbours."""
    rows, columns = held.shape
    for row in range(0, rows, BLOCK):
        for column in range(0, columns, BLOCK):
            if inside := _positions(held[row : row + BLOCK, column : column + BLOCK]):
                yield [(row + r, column + c) for r, c in inside]


def _normalised(
    slide: Slide, normaliser: stain.StainNormaliser, block: Sequence[Position], *, drop_blank: bool
) -> Iterator[ReadyTile]:
    """Read a block of neighbouring tiles in one call and yield them normalised."""
    picture = _region(slide, block)
    top, left = np.min(block, axis=0)
    for row, column in block:
        y, x = (row - top) * TILE_PX, (column - left) * TILE_PX
        tile = picture[y : y + TILE_PX, x : x + TILE_PX]
        if not (drop_blank and tiling.mostly_blank(tile)):
            yield ReadyTile((row, column), normaliser(tile))


def _region(slide: Slide, block: Sequence[Position]) -> Tile:
    """Return the smallest rectangle of the slide that holds a block of tiles."""
    top, left = (int(value) for value in np.min(block, axis=0))
    bottom, right = (int(value) + 1 for value in np.max(block, axis=0))
    return _pixels(slide, (top * TILE_PX, left * TILE_PX), ((bottom - top) * TILE_PX, (right - left) * TILE_PX))


def _pixels(slide: Slide, corner: tuple[int, int], size: tuple[int, int]) -> Tile:
    """Return a rectangle of the slide from its upper left corner on, (row, column) and (rows, columns) in pixels."""
    picture, shape = slide.region(*corner, *size), (*size, 3)
    if picture.shape != shape or picture.dtype != np.uint8:
        raise PreprocessingError(
            f"row {corner[0]}, column {corner[1]}: found {picture.dtype} pixels of shape {picture.shape}, "
            f"expected uint8 of {shape}"
        )
    return picture
