"""Pre-processing of one patient: images and table row to network inputs, alike for training, judging and serving."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.mri_distant_metastasis import BOX_PX, CLINICAL, SLICES
from models.spec import PreprocessingError, VolumeLike

B_VALUE_S_MM2 = 1000.0
ADC_LARGEST_MM2_S = 4e-3
LEAST_POSITIVE_SHARE = 0.5
CEA_ELEVATED_ABOVE_NG_ML = 5.0

PREPROCESSING = {
    "slices": f"slices with lesion, in order; above {SLICES}: the contiguous {SLICES} with the largest area",
    "box": f"smallest rectangle around the mask of a slice, bilinear to {BOX_PX} x {BOX_PX} pixels, no smoothing",
    "adc": f"ln(b0 / b1000) / {B_VALUE_S_MM2:g}, 0 to {ADC_LARGEST_MM2_S:g} mm2/s; 0 where a signal is not positive",
    "normalisation": "z-score over all lesion boxes of the sequence; slices without lesion are 0",
    "covariates": f"ct4: cT4; cea_elevated: CEA above {CEA_ELEVATED_ABOVE_NG_ML:g} ng/mL; ypn1: ypN1; ypn2: ypN2",
}

Image = NDArray[np.float32]


def prepare(volumes: Mapping[str, VolumeLike], row: Mapping[str, Any]) -> dict[str, Image]:
    """Turn one patient into network inputs.

    Args:
        volumes: "t2w", "t2w_mask", "dwi_b0", "dwi_b1000", "dwi_mask"; a mask lies on its image's grid.
        row: Columns "ct_stage", "cea_ng_ml", "ypn_stage" of the patient table; None or NaN = missing.

    Returns:
        "t2w" and "adc", (20, 112, 112); "covariates", (4,), NaN = missing.

    Raises:
        PreprocessingError: Empty mask, another grid, signal not positive, constant image, unknown category.
    """
    (t2w,) = _lesion_boxes("t2w", [volumes["t2w"]], volumes["t2w_mask"])
    b0, b1000 = _lesion_boxes("adc", [volumes["dwi_b0"], volumes["dwi_b1000"]], volumes["dwi_mask"])
    return {
        "t2w": _normalised("t2w", t2w),
        "adc": _normalised("adc", apparent_diffusion(b0, b1000)),
        "covariates": encode_covariates(row),
    }


def encode_covariates(row: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return ct4, cea_elevated, ypn1, ypn2 as 1 = yes, 0 = no, NaN = missing.

    Raises:
        PreprocessingError: A category or number that the schema does not know.
    """
    ct = _category(row, "ct_stage", ("cT3", "cT4"))
    ypn = _category(row, "ypn_stage", ("ypN0", "ypN1", "ypN2"))
    cea = row["cea_ng_ml"]
    if not _missing(cea) and (isinstance(cea, str) or cea < 0):
        raise PreprocessingError(f"cea_ng_ml: found {cea!r}, expected a number of ng/mL, 0 or more")
    coded = {
        "ct4": None if ct is None else ct == "cT4",
        "cea_elevated": None if _missing(cea) else cea > CEA_ELEVATED_ABOVE_NG_ML,
        "ypn1": None if ypn is None else ypn == "ypN1",
        "ypn2": None if ypn is None else ypn == "ypN2",
    }
    return np.array(
        [np.nan if coded[name] is None else float(bool(coded[name])) for name in CLINICAL], dtype=np.float32
    )


def _missing(value: Any) -> bool:
    """Return whether a cell is empty: anything but text or a number, such as None or pandas.NA, and NaN."""
    if isinstance(value, str):
        return False
    return not isinstance(value, (int, float, np.number)) or bool(np.isnan(value))


def _category(row: Mapping[str, Any], column: str, known: tuple[str, ...]) -> str | None:
    value = row[column]
    if _missing(value):
        return None
    if value not in known:
        raise PreprocessingError(f"{column}: found {value!r}, expected one of {', '.join(known)}")
    return str(value)


def _lesion_boxes(name: str, images: list[VolumeLike], mask: VolumeLike) -> list[list[Image]]:
    """Return, for each image, the smallest rectangle around the mask of each lesion slice."""
    lesion = mask.array > 0
    for image in images:
        if image.array.shape != lesion.shape:
            raise PreprocessingError(
                f"{name}: image of {image.array.shape} voxels, mask of {lesion.shape}; expected one grid"
            )
    if not lesion.any():
        raise PreprocessingError(f"{name}: the mask is empty")
    slices = lesion_slices(lesion)
    places = [(index, *_rectangle(lesion[index])) for index in slices]
    boxes = [[image.array[place].astype(np.float32) for place in places] for image in images]
    if not all(np.isfinite(box).all() for image_boxes in boxes for box in image_boxes):
        raise PreprocessingError(f"{name}: a voxel around the lesion is not a finite number")
    return boxes


def lesion_slices(lesion: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the indices of the slices with lesion; above 20, of the 20 contiguous slices with the largest lesion area.

    Of several equal windows the first is taken; within the window slices without lesion are left out.
    """
    area = lesion.sum(axis=(1, 2))
    slices = np.flatnonzero(area)
    if len(slices) <= SLICES:
        return slices
    window = np.convolve(area, np.ones(SLICES, dtype=area.dtype), mode="valid")
    first = int(np.argmax(window))
    return slices[(slices >= first) & (slices < first + SLICES)]


def apparent_diffusion(b0: list[Image], b1000: list[Image]) -> list[Image]:
    """Return the ADC in mm2/s of boxes of both signals: ln(b0 / b1000) / 1000, within 0 and 4e-3, 0 where undefined.

    Raises:
        PreprocessingError: More than half of the voxels have a signal that is not positive: these are not DWI signals.
    """
    positive = [(low > 0) & (high > 0) for low, high in zip(b0, b1000, strict=True)]
    share = sum(int(p.sum()) for p in positive) / sum(p.size for p in positive)
    if share < LEAST_POSITIVE_SHARE:
        raise PreprocessingError(
            f"adc: only {share:.0%} of voxels around the lesion have positive b0 and b1000 signals"
        )
    boxes = []
    for low, high, valid in zip(b0, b1000, positive, strict=True):
        adc = (np.log(np.where(valid, low, 1)) - np.log(np.where(valid, high, 1))) / np.float32(B_VALUE_S_MM2)
        boxes.append(adc.clip(0.0, ADC_LARGEST_MM2_S))
    return boxes


def _rectangle(lesion: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns of the smallest rectangle around the lesion of one slice."""
    rows, columns = np.flatnonzero(lesion.any(axis=1)), np.flatnonzero(lesion.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _resize(crop: Image) -> Image:
    """Return a crop (rows, columns) interpolated to 112 x 112."""
    return np.asarray(_interpolation(crop.shape[0]) @ crop @ _interpolation(crop.shape[1]).T)


@lru_cache(maxsize=1024)
def _interpolation(size: int) -> Image:
    """Return the matrix (112, size) of linear interpolation between pixel centres; the edge beyond the outermost."""
    centre = np.clip((np.arange(BOX_PX) + 0.5) * size / BOX_PX - 0.5, 0, size - 1)
    lower = np.minimum(centre.astype(np.intp), max(size - 2, 0))
    weight = centre - lower
    matrix = np.zeros((BOX_PX, size), dtype=np.float32)
    matrix[np.arange(BOX_PX), lower] = 1 - weight
    if size > 1:
        matrix[np.arange(BOX_PX), lower + 1] = weight
    return matrix


def _normalised(name: str, boxes: list[Image]) -> Image:
    """Return lesion boxes resized to 112 x 112, z-scored together and zero-padded to 20 slices."""
    stack = np.stack([_resize(box) for box in boxes])
    mean, spread = float(stack.mean(dtype=np.float64)), float(stack.std(dtype=np.float64))
    if spread <= 1e-6 * abs(mean) or spread == 0:
        raise PreprocessingError(f"{name}: the image is constant ({mean:g}) around the lesion")
    padded = np.zeros((SLICES, BOX_PX, BOX_PX), dtype=np.float32)
    padded[: len(stack)] = (stack - mean) / spread
    return padded
