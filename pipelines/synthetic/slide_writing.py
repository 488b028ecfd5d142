"""A slide as a file: tiled pyramidal TIFF, JPEG-compressed, as scanners write it; same pixels, same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TILE_PX = 512
LEVEL_STEP = 4  # between levels of the pyramid
SMALLEST_LEVEL_PX = 256
UM_PER_CM = 10_000


def write_slide(pixels: NDArray[np.uint8], mpp: float, jpeg_quality: int, path: Path) -> None:
    """Write a slide with its pyramid and, in the resolution tags, its resolution.

    Args:
        pixels: RGB of level 0, shape (rows, columns, 3).
        mpp: Micrometres per pixel of level 0.
        jpeg_quality: 1 to 100.
        path: The file, written in place.
    """
    import tifffile

    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate(pyramid(pixels)):
            pixels_per_cm = UM_PER_CM / (mpp * LEVEL_STEP**number)
            file.write(
                level,
                subfiletype=1 if number else 0,  # a reduced copy of the first
                photometric="rgb",  # what is given; JPEG stores it as YCbCr
                subsampling=(2, 2),
                tile=(TILE_PX, TILE_PX),
                compression="jpeg",
                compressionargs={"level": jpeg_quality},
                resolution=(pixels_per_cm, pixels_per_cm),
                resolutionunit="CENTIMETER",
                software="",
                metadata=None,
                maxworkers=1,  # patients are written in parallel
            )


def pyramid(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return the levels, each a quarter of the one before along both sides, down to the smallest worth having."""
    levels = [pixels]
    while min(levels[-1].shape[:2]) >= LEVEL_STEP * SMALLEST_LEVEL_PX:
        levels.append(_reduced(levels[-1]))
    return levels


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a quarter of the size: the mean of four of every sixteen pixels."""
    rows, columns = (size // LEVEL_STEP * LEVEL_STEP for size in pixels.shape[:2])
    sample = [pixels[i:rows:LEVEL_STEP, j:columns:LEVEL_STEP] for i, j in ((0, 1), (1, 3), (2, 0), (3, 2))]
    total = sample[0].astype(np.uint16)
    for part in sample[1:]:
        total += part
    return ((total + 2) // 4).astype(np.uint8)
