"""Pre-processing of one patient: CT, mask and table row to network inputs, alike for training, judging and serving."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.ct_chemo_response import BOX_PX, CLINICAL, FACTORS, NUMBERS, SLICES
from models.spec import PreprocessingError, VolumeLike

PIXEL_MM = 1.0
MARGIN_MM = 5.0
WINDOW_HU = (-115.0, 235.0)

PREPROCESSING = {
    "slices": "the slice with the largest tumour area and its two neighbours; at the end of the volume it is repeated",
    "resampling": f"bilinear to {PIXEL_MM:g} x {PIXEL_MM:g} mm in plane, no smoothing; slices are not resampled",
    "window": f"{WINDOW_HU[0]:g} to {WINDOW_HU[1]:g} HU, scaled to 0 to 1",
    "box": f"rectangle around the mask of the three slices and {MARGIN_MM:g} mm on every side, as far as the image "
    f"goes; bilinear to {BOX_PX} x {BOX_PX} pixels",
    "covariates": "numbers in the units of the table; every level of a factor but the reference is 1 or 0",
}

Image = NDArray[np.float32]


class CTVolume(VolumeLike, Protocol):
    """A volume that knows the size of its voxels; `validation.images.Volume` is one."""

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along (slice, row, column)."""


def prepare(volumes: Mapping[str, CTVolume], row: Mapping[str, Any]) -> dict[str, Image]:
    """Turn one patient into network inputs.

    Args:
        volumes: "ct" in HU, "ct_mask" on its grid.
        row: Columns `NUMBERS` and `FACTORS` of the patient table; None or NaN = missing.

    Returns:
        "ct", (3, 112, 112), intensities 0 to 1; "covariates", (29,), NaN = missing.

    Raises:
        PreprocessingError: Empty mask, another grid, constant image, unknown category, impossible number.
    """
    return {"ct": _tumour_box(volumes["ct"], volumes["ct_mask"]), "covariates": encode_covariates(row)}


def encode_covariates(row: Mapping[str, Any]) -> Image:
    """Return the covariates `CLINICAL`: numbers as they are, levels of factors as 1 = yes, 0 = no, NaN = missing.

    Raises:
        PreprocessingError: A category that the schema does not know, or a number that is none.
    """
    coded: dict[str, float] = {}
    for column in NUMBERS:
        value = row[column]
        if not _missing(value) and (isinstance(value, str) or not 0 <= value < np.inf):
            raise PreprocessingError(f"{column}: found {value!r}, expected a number, 0 or more")
        coded[column] = np.nan if _missing(value) else float(value)
    for column, levels in FACTORS.items():
        value = row[column]
        if not _missing(value) and value not in levels:
            raise PreprocessingError(f"{column}: found {value!r}, expected one of {', '.join(levels)}")
        for covariate in filter(None, levels.values()):
            coded[covariate] = np.nan if _missing(value) else float(levels[value] == covariate)
    return np.array([coded[name] for name in CLINICAL], dtype=np.float32)


def _missing(value: Any) -> bool:
    """Return whether a cell is empty: anything but text or a number, such as None or pandas.NA, and NaN."""
    if isinstance(value, str):
        return False
    return not isinstance(value, (int, float, np.number)) or bool(np.isnan(value))


def tumour_slices(tumour: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the indices of the slice with the largest tumour area and of its neighbours, in order.

    Of equal slices the one whose neighbours hold more tumour is taken, then the first. At an end of the volume the end
    slice is its own neighbour.
    """
    area = tumour.sum(axis=(1, 2))
    together = np.convolve(area, np.ones(SLICES, dtype=area.dtype), mode="full")[1:-1]
    largest = int(np.argmax(np.where(area == area.max(), together, -1)))
    return np.clip(np.arange(largest - 1, largest + 2), 0, len(area) - 1)


def _tumour_box(ct: CTVolume, mask: CTVolume) -> Image:
    """Return the windowed box around the tumour on three slices, (3, 112, 112)."""
    tumour = mask.array > 0
    if ct.array.shape != tumour.shape:
        raise PreprocessingError(f"ct: image of {ct.array.shape} voxels, mask of {tumour.shape}; expected one grid")
    if not tumour.any():
        raise PreprocessingError("ct: the mask is empty")
    chosen = tumour_slices(tumour)
    image, drawn = ct.array[chosen].astype(np.float32), tumour[chosen]
    if not np.isfinite(image).all():
        raise PreprocessingError("ct: a voxel on the slices of the tumour is not a finite number")
    rows = _millimetres(np.any(drawn, axis=(0, 2)), ct.spacing_mm[1])
    columns = _millimetres(np.any(drawn, axis=(0, 1)), ct.spacing_mm[2])
    box = rows @ image @ columns.T  # (3, rows, columns) of 1 mm
    low, high = WINDOW_HU
    windowed = np.clip((box - low) / (high - low), 0, 1)
    if windowed.min() == windowed.max():
        found = f"{box.min():g} to {box.max():g} HU"
        raise PreprocessingError(f"ct: the image is constant within {low:g} to {high:g} HU around the tumour ({found})")
    resized = _stretch(windowed.shape[1]) @ windowed @ _stretch(windowed.shape[2]).T
    return np.asarray(np.clip(resized, 0, 1), dtype=np.float32)  # weights add up to 1 only to rounding


def _millimetres(drawn: NDArray[np.bool_], spacing_mm: float) -> Image:
    """Return the matrix (mm, voxels) from voxels along one axis to the 1 mm pixels of the tumour with its margin."""
    voxels = np.flatnonzero(drawn)
    last = max(round(len(drawn) * spacing_mm / PIXEL_MM), 1)
    start = max(floor((voxels[0] * spacing_mm - MARGIN_MM) / PIXEL_MM), 0)
    stop = min(ceil(((voxels[-1] + 1) * spacing_mm + MARGIN_MM) / PIXEL_MM), last)
    centres = np.arange(min(start, last - 1), max(stop, start + 1)) + 0.5
    return _interpolation(centres * PIXEL_MM / spacing_mm - 0.5, len(drawn))


def _stretch(size: int) -> Image:
    """Return the matrix (112, size) that stretches pixels along one axis to 112."""
    return _interpolation((np.arange(BOX_PX) + 0.5) * size / BOX_PX - 0.5, size)


def _interpolation(position: NDArray[np.float64], size: int) -> Image:
    """Return the matrix (positions, size) of linear interpolation between pixel centres; beyond the outermost the edge.

    Args:
        position: Where to read, in pixels from the centre of the first one.
        size: Number of pixels.
    """
    inside = np.clip(position, 0, size - 1)
    lower = np.minimum(inside.astype(np.intp), max(size - 2, 0))
    weight = inside - lower
    matrix = np.zeros((len(position), size), dtype=np.float32)
    row = np.arange(len(position))
    matrix[row, lower] = 1 - weight
    if size > 1:
        matrix[row, lower + 1] = weight
    return matrix
