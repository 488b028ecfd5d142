"""Small whole-slide images on disk, as scanners and image software write them, and ways to damage them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
WHITE = 240
STAINED = np.array([170, 90, 150])


def tissue(rows: int, columns: int, seed: int = 0) -> Picture:
    """Return a picture of stained tissue on a white background: an ellipse with texture of a few pixels, and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    inside = ((y - rows / 2) / (0.4 * rows)) ** 2 + ((x - columns / 2) / (0.35 * columns)) ** 2 < 1
    coarse = rng.normal(0, 25, (rows // 8 + 1, columns // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)[:rows, :columns]
    picture = np.where(inside[..., None], STAINED + coarse, WHITE) + rng.normal(0, 2, (rows, columns, 3))
    return picture.clip(0, 255).astype(np.uint8)


def ramps(rows: int, columns: int, mpp: float, per_um: float = 0.4) -> Picture:
    """Return a picture whose red is `per_um` grey levels per um from the left and whose green that from the top.

    A pixel has the value at its middle. Values above 255 are cut off.
    """
    x, y = ((np.arange(n) + 0.5) * mpp * per_um for n in (columns, rows))
    picture = np.zeros((rows, columns, 3))
    picture[..., 0], picture[..., 1] = x[None, :], y[:, None]
    return picture.round().clip(0, 255).astype(np.uint8)


def halved(picture: Picture) -> Picture:
    """Return a picture at half the resolution, as scanners make the next level."""
    return np.asarray(Image.fromarray(picture).reduce(2))


def aperio(picture: Picture, mpp: float | None = 0.25) -> str:
    """Return the description of an Aperio file."""
    rows, columns = picture.shape[:2]
    size = f"{columns}x{rows} [0,0 {columns}x{rows}] (128x128) JPEG/RGB Q=90"
    return f"Aperio Image Library v11.2.1\r\n{size}|AppMag = 40" + (f"|MPP = {mpp:.4f}" if mpp else "")


def write_slide(
    path: Path,
    picture: Picture,
    mpp: float | tuple[float, float] | None = 0.5,
    *,
    levels: int = 1,
    compression: str = "deflate",
    tile_px: int = 128,
    unit: str = "CENTIMETER",
    **tags: Any,
) -> Path:
    """Write a tiled TIFF, every further level at half the resolution.

    Args:
        path: Where.
        picture: Level 0.
        mpp: um per pixel, or that along (x, y), as resolution tags; None writes none.
        levels: Number of levels.
        compression: deflate (lossless) or jpeg.
        tile_px: Side of the tiles of the file.
        unit: Unit of the resolution tags.
        tags: Further arguments of tifffile for level 0, for instance `description`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    um = {"CENTIMETER": 1e4, "INCH": 25400.0}[unit]
    along = mpp if isinstance(mpp, tuple) else (mpp, mpp)
    with tifffile.TiffWriter(path) as tiff:
        for level in range(levels):
            resolution = None if mpp is None else tuple(um / (axis * 2**level) for axis in along if axis)
            tiff.write(
                picture,
                photometric="rgb",
                tile=(tile_px, tile_px),
                compression=compression,
                resolution=resolution,
                resolutionunit=unit if mpp else None,
                subfiletype=1 if level else 0,
                metadata=None,
                **(tags if level == 0 else {}),
            )
            picture = halved(picture)
    return path


def damage_tile(path: Path, tile: int, level: int = 0) -> None:
    """Overwrite the bytes of one tile of a level."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[level]
        offset, count = page.dataoffsets[tile], page.databytecounts[tile]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x5a" * count)


def truncate(path: Path, share: float) -> None:
    """Cut off the end of a file, keeping a share of it."""
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
