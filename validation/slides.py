"""Whole-slide images: opened strictly, and read at 0.5 um per pixel whatever the resolution of the scan.

    with open_slide(folder / "images/P0001/slide.tiff") as slide:
        slide.size_px                          # (rows, columns) at 0.5 um/px
        slide.region(0, 224, 224, 224)         # RGB of the second tile of the first row

What cannot be read with certainty is refused; no resolution is guessed. Memory does not grow with the slide: nothing is
decoded but what is asked for, in blocks, and OpenSlide's cache is limited. Any number of threads may read one slide.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from validation.errors import InputError

if TYPE_CHECKING:
    from openslide import OpenSlide
    from PIL.Image import Image

MPP = 0.5  # um per pixel of the grid on which slides are read: 20x
TILE_PX = 224  # side of a tile of that grid
MPP_RANGE = (0.1, 1.0)  # scans of tissue: 100x to 10x; what lies outside is not a resolution, or in another unit
COARSEST = MPP * 1.1  # a coarser scan holds no 20x picture
ANISOTROPY_MAX = 0.01  # by which share the resolutions along x and y may differ
CONTRADICTION_MAX = 0.05  # by which share a resolution that is given may differ from the file's
PRINTED_UM = (
    10.0  # a tag coarser than this (2540 dpi) is the paper resolution that image software writes, not the scan's
)
LONGEST_MM = 200.0  # longer than any glass slide
CACHE_BYTES = 64 * 2**20
READ_PX = 2048  # side of what is decoded at once, in pixels of a level
LEVEL_SLACK = 0.01  # by which share a level may be coarser than what is asked of it: resolutions are rounded
OVERVIEW_RANGE = (1.0, 112.0)  # um per pixel: from what still fits in memory to the side of a tile
PROBES, PROBE_PX = 8, 64  # squares per side of a slide, and pixels per side of each, that make its content digest
SEVERAL_FILES = (".mrxs", ".dcm", ".vms", ".vmu")  # their digest would say nothing about the pixels
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_UNITS_UM = {"inch": 25400.0, "centimeter": 10000.0}
_AGAIN = "Copy the file again from its source, or scan the slide again."


class Slide:
    """A whole-slide image that is open for reading; close it, or use it in a `with` statement.

    Attributes:
        mpp: Micrometres per pixel of level 0, along both axes.
        level0_px: (rows, columns) of level 0, without the margin that some scanners declare empty.
        size_px: (rows, columns) at 0.5 um/px, whole pixels only.
    """

    def __init__(self, path: Path, handle: OpenSlide, mpp: float) -> None:
        """Take over an open handle; `open_slide` checks first what is assumed here."""
        self._path, self._handle = path, handle
        self._broken: str | None = None
        self._closed = False
        self._downsamples = handle.level_downsamples
        self._origin, self.level0_px = _extent(handle)
        self.mpp = mpp
        self.size_px = (_whole(self.level0_px[0] * mpp / MPP), _whole(self.level0_px[1] * mpp / MPP))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be read afterwards. Closing again does nothing."""
        if not self._closed:
            self._closed = True
            self._handle.close()

    def region(self, row: int, column: int, rows: int, columns: int) -> NDArray[np.uint8]:
        """Return a region at 0.5 um/px.

        Read from the coarsest level that is not coarser and lies a whole number of pixels of level 0 apart (OpenSlide
        would interpolate others differently in each region), then resampled once with a Hamming kernel: nearly the mean
        of the area of a pixel, and smooth in position and resolution, so that regions join without seams. At 0.5 um/px
        the pixels are those of the file.

        Args:
            row: Upper edge, in pixels at 0.5 um/px from that of the slide; may lie outside, as all of the region may.
            column: Left edge, likewise.
            rows: Height in these pixels.
            columns: Width.

        Returns:
            RGB, shape (rows, columns, 3), white beyond the slide and where it was not scanned.

        Raises:
            InputError: The file is damaged there, or was found to be damaged before.
        """
        level = self._level(MPP, aligned=True)
        return self._resampled(level, MPP, (row, column), (rows, columns))

    def overview(self, px_um: float) -> NDArray[np.uint8]:
        """Return the whole slide at a coarse resolution, from the coarsest level that is finer.

        Args:
            px_um: Micrometres per pixel, 1 to 112.

        Returns:
            RGB, shape (rows, columns, 3); a last row or column that the slide fills in part is white in the rest.

        Raises:
            InputError: The file is damaged.
            ValueError: `px_um` is out of range.
        """
        if not OVERVIEW_RANGE[0] <= px_um <= OVERVIEW_RANGE[1]:
            raise ValueError(f"an overview has {OVERVIEW_RANGE[0]:g} to {OVERVIEW_RANGE[1]:g} um/px, not {px_um:g}")
        rows, columns = (max(1, math.ceil(n * self.mpp / px_um - 1e-6)) for n in self.level0_px)
        return self._resampled(self._level(px_um, aligned=False), px_um, (0, 0), (rows, columns))

    def content_sha256(self) -> str:
        """Return the digest of 8 x 8 evenly spread squares of 64 x 64 pixels of level 0, preceded by its size.

        Another name, other tags (the resolution's included), another container and other coarse levels leave it
        unchanged; compressing the pixels again does not. It is made of few pixels because a slide has billions.

        Raises:
            InputError: The file is damaged at one of the squares.
        """
        height, width = self.level0_px
        digest = hashlib.sha256(repr((height, width)).encode())
        for y in _spread(height):
            for x in _spread(width):
                digest.update(np.asarray(self._read(0, x, y, PROBE_PX, PROBE_PX)).tobytes())
        return digest.hexdigest()

    def _level(self, px_um: float, *, aligned: bool) -> int:
        """Return the coarsest level that is not coarser than `px_um`; `aligned`: by a whole downsample."""
        fit = [
            level
            for level, downsample in enumerate(self._downsamples)
            if self.mpp * downsample <= px_um * (1 + LEVEL_SLACK) and (not aligned or downsample.is_integer())
        ]
        return fit[-1] if fit else 0

    def _resampled(self, level: int, px_um: float, start: tuple[int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return pixels of `px_um` from (row, column) `start` on, block by block."""
        scale = px_um / (self.mpp * self._downsamples[level])
        step = max(1, int(READ_PX / scale))
        out = np.empty((*size, 3), np.uint8)
        for top in range(0, size[0], step):
            for left in range(0, size[1], step):
                rows, columns = min(step, size[0] - top), min(step, size[1] - left)
                block = self._block(level, scale, (start[0] + top, start[1] + left), (rows, columns))
                out[top : top + rows, left : left + columns] = np.asarray(block)
        return out

    def _block(self, level: int, scale: float, start: tuple[int, int], size: tuple[int, int]) -> Image:
        """Return one block; pixels beyond its edge, as far as the kernel reaches, are read with it."""
        from PIL.Image import Resampling

        margin = math.ceil(scale / 2) + 2
        y, x = start[0] * scale, start[1] * scale
        first_y, first_x = math.floor(y) - margin, math.floor(x) - margin
        height = math.ceil(y + size[0] * scale) + margin - first_y
        width = math.ceil(x + size[1] * scale) + margin - first_x
        box = (x - first_x, y - first_y, x - first_x + size[1] * scale, y - first_y + size[0] * scale)
        read = self._read(level, first_x, first_y, width, height)
        return read.resize((size[1], size[0]), Resampling.HAMMING, box=box)

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> Image:
        """Return pixels of a level as stored, transparent ones as white.

        OpenSlide refuses every read after the first that failed; the place of the first is kept for the message.
        """
        from openslide import OpenSlideError

        downsample = self._downsamples[level]
        place = (self._origin[0] + round(x * downsample), self._origin[1] + round(y * downsample))
        try:
            read = self._handle.read_region(place, level, (width, height))
        except OpenSlideError as error:
            if self._broken is None:
                around = f"within {width} x {height} pixels of level {level} at x {place[0]}, y {place[1]} of level 0"
                self._broken = f"pixels that cannot be decoded {around} ({_message(error, self._path)})"
            raise InputError(str(self._path), self._broken, "a slide that can be read throughout", _AGAIN) from error
        return _on_white(read)


def open_slide(path: Path, mpp_given: float | None = None) -> Slide:
    """Open a slide: Aperio svs, tiled pyramidal TIFF, and what else OpenSlide reads from one file.

    The resolution is that of the scanner (`openslide.mpp-x` and `-y`), else that of the TIFF resolution tags, else the
    one given. A tag coarser than 10 um/px counts as none: image software writes 72 or 300 dpi where it knows nothing.

    Args:
        path: The file.
        mpp_given: Micrometres per pixel of level 0 for a file that does not say it.

    Returns:
        The slide, open.

    Raises:
        InputError: Missing, empty, truncated, of another format or one of several files; its resolution unknown and not
            given, contradicting the one given by more than 5 %, different along x and y by more than 1 %, outside 0.1
            to 1 um/px, or too coarse for 20x tiles (above 0.55); longer than a glass slide.
    """
    from openslide import OpenSlideCache

    _refuse_no_slide(path)
    handle = _opened(path)
    try:
        _refuse_truncated(path)
        slide = Slide(path, handle, _resolution(handle.properties, mpp_given, str(path)))
        if (longest := max(slide.level0_px) * slide.mpp / 1000) > LONGEST_MM:
            remedy = "Correct the resolution, or deliver the slide itself."
            raise InputError(str(path), f"{longest:.3g} mm along one side", f"at most {LONGEST_MM:g} mm", remedy)
        handle.set_cache(OpenSlideCache(CACHE_BYTES))
    except InputError:
        handle.close()
        raise
    return slide


def _refuse_no_slide(path: Path) -> None:
    expected, remedy = "one file with a slide", "Deliver the slide as svs or tiled pyramidal TIFF."
    if not path.is_file():
        raise InputError(str(path), "a folder" if path.is_dir() else "no such file", expected, remedy)
    if path.stat().st_size == 0:
        raise InputError(str(path), "an empty file", expected, remedy)
    if path.suffix.lower() in SEVERAL_FILES:
        raise InputError(str(path), f"{path.suffix}, a slide in several files", expected, remedy)


def _opened(path: Path) -> OpenSlide:
    """Return OpenSlide's handle of a file."""
    from openslide import OpenSlide, OpenSlideError, OpenSlideUnsupportedFormatError

    try:
        return OpenSlide(path)
    except OpenSlideUnsupportedFormatError as error:
        found, remedy = "a file that is no slide, or a damaged one", "Deliver the slide as svs or tiled pyramidal TIFF."
        raise InputError(str(path), found, "a format that OpenSlide reads (a TIFF must be tiled)", remedy) from error
    except OpenSlideError as error:
        found = f"a damaged slide ({_message(error, path)})"
        raise InputError(str(path), found, "a slide that can be read throughout", _AGAIN) from error


def _refuse_truncated(path: Path) -> None:
    """Refuse a TIFF that promises pixels behind the end of the file; OpenSlide looks at the last level only."""
    with path.open("rb") as file:
        if file.read(4) not in _TIFF:
            return
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            ends = [
                offset + count
                for page in tiff.pages
                for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
            ]
    except (tifffile.TiffFileError, struct.error, ValueError, IndexError, KeyError) as error:
        found = f"broken TIFF directories ({error})"
        raise InputError(str(path), found, "a slide that can be read throughout", _AGAIN) from error
    if (size := path.stat().st_size) < max(ends, default=0):
        found = f"{size} bytes: truncated"
        raise InputError(str(path), found, f"{max(ends)} bytes, as its directories say", _AGAIN)


def _resolution(properties: Mapping[str, str], given: float | None, where: str) -> float:
    """Return the resolution of level 0 in um/px, certain and fit for 20x."""
    stated = _stated(properties)
    if stated and max(stated) > min(stated) * (1 + ANISOTROPY_MAX):
        found = f"{stated[0]:.4g} x {stated[1]:.4g} um/px"
        raise InputError(where, found, "square pixels", "Resample the slide, or correct its resolution tags.")
    mpp = sum(stated) / 2 if stated else given
    if mpp is None:
        remedy = "Add it to the patients table (column mpp_given), from the scanner's record."
        raise InputError(where, "no resolution", "um per pixel, in the file or given", remedy)
    if stated and given is not None and not abs(given / mpp - 1) <= CONTRADICTION_MAX:
        found = f"{mpp:.4g} um/px in the file and {given:.4g} given"
        raise InputError(where, found, "one resolution", "Find out which is right; give none if it is the file's.")
    if not MPP_RANGE[0] <= mpp <= MPP_RANGE[1]:
        found, expected = f"{mpp:.4g} um/px", f"{MPP_RANGE[0]:g} to {MPP_RANGE[1]:g} um/px"
        raise InputError(where, found, expected, "Correct the resolution: is it in another unit?")
    if mpp > COARSEST:
        found, expected = f"{mpp:.4g} um/px: too coarse for 20x tiles", f"at most {COARSEST:g} um/px"
        raise InputError(where, found, expected, "Scan the slide again at 20x or finer.")
    return mpp


def _stated(properties: Mapping[str, str]) -> tuple[float, float] | None:
    """Return the resolution along x and y that a file states, in um/px; None if it states none that can be meant."""
    unit = _UNITS_UM.get(properties.get("tiff.ResolutionUnit", ""))
    tags = [_positive(properties.get(f"tiff.{axis}Resolution")) for axis in "XY"]
    candidates = [[_positive(properties.get(f"openslide.mpp-{axis}")) for axis in "xy"]]
    candidates += [[unit / tag if tag else None for tag in tags]] if unit else []
    for x, y in candidates:
        if x and y and min(x, y) <= PRINTED_UM:
            return x, y
    return None


def _positive(text: str | None) -> float | None:
    """Return a number above zero; None for anything else."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < math.inf else None


def _extent(handle: OpenSlide) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (x, y) of the scan in level 0, and its (rows, columns): OpenSlide's bounds, as QuPath counts; else all."""
    bounds = [handle.properties.get(f"openslide.bounds-{name}") for name in ("x", "y", "height", "width")]
    if None in bounds:
        width, height = handle.dimensions
        return (0, 0), (height, width)
    x, y, rows, columns = (int(str(value)) for value in bounds)
    return (x, y), (rows, columns)


def _on_white(read: Image) -> Image:
    from PIL import Image

    if read.getchannel("A").getextrema()[0] == 255:
        return read.convert("RGB")
    white = Image.new("RGB", read.size, "white")
    white.paste(read, None, read)
    return white


def _spread(length: int) -> list[int]:
    """Return the first pixel of each of `PROBES` evenly spread squares."""
    return [(2 * k + 1) * length // (2 * PROBES) - PROBE_PX // 2 for k in range(PROBES)]


def _whole(pixels: float) -> int:
    """Return the whole pixels of a length, not one fewer for a rounding error."""
    return math.floor(pixels + 1e-6)


def _message(error: Exception, path: Path) -> str:
    """Return OpenSlide's words without the folders of this machine."""
    return str(error).replace(str(path), path.name)
