"""Pre-processing of one patient: CT, mask and table row to network inputs, alike for training, judging and serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.ct_stroma_survival import BOX_PX, CLINICAL
from models.spec import PreprocessingError, VolumeLike

WINDOW_HU = (-115.0, 235.0)  # of Hu, Int J Surg 2023 (ct_chemo_response); Cui 2024 prints none in its main text
SPACING_MM = 1.0  # of the same paper
MARGIN_MM = 5.0  # of the same paper
AGE_FROM_YEARS = 60
CEA_ELEVATED_ABOVE_NG_ML = 5.0

PREPROCESSING = {
    "slice": "the slice with the largest tumour area; of equal ones the lowest",
    "intensity": f"{WINDOW_HU[0]:g} to {WINDOW_HU[1]:g} HU to 0 to 1, values beyond clipped; outside the mask 0",
    "box": f"rectangle around the mask and {MARGIN_MM:g} mm on every side, 0 beyond the image",
    "size": f"bilinear to {SPACING_MM:g} mm pixels, then bilinear to {BOX_PX} x {BOX_PX} pixels, no smoothing",
    "covariates": (
        f"age_60: {AGE_FROM_YEARS} years or more; cea_elevated: CEA above {CEA_ELEVATED_ABOVE_NG_ML:g} ng/mL; "
        "n_positive: pN1 or pN2; lymphovascular_invasion: yes"
    ),
}

Image = NDArray[np.float32]


class SpacedVolume(VolumeLike, Protocol):
    """An image or mask that knows its spacing."""

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along (slice, row, column)."""


def prepare(volumes: Mapping[str, SpacedVolume], row: Mapping[str, Any]) -> dict[str, Image]:
    """Turn one patient into network inputs.

    Args:
        volumes: "ct" in Hounsfield units and "ct_mask" on its grid.
        row: Columns "age_years", "cea_ng_ml", "pn_stage", "lymphovascular_invasion"; None or NaN = missing.

    Returns:
        "ct", (1, 112, 112), 0 to 1; "covariates", (4,), NaN = missing.

    Raises:
        PreprocessingError: Empty mask, another grid, no contrast within the window, unknown category.
    """
    return {"ct": tumour_box(volumes["ct"], volumes["ct_mask"])[None], "covariates": encode_covariates(row)}


def tumour_box(ct: SpacedVolume, mask: VolumeLike) -> Image:
    """Return the largest section of the tumour, windowed, masked, cropped and resized: (112, 112), 0 to 1.

    Raises:
        PreprocessingError: As `prepare`.
    """
    tumour = mask.array > 0
    if ct.array.shape != tumour.shape:
        raise PreprocessingError(f"ct: image of {ct.array.shape} voxels, mask of {tumour.shape}; expected one grid")
    if not tumour.any():
        raise PreprocessingError("ct: the mask is empty")
    largest = int(tumour.sum(axis=(1, 2)).argmax())
    section = tumour[largest]
    rectangle = _rectangle(section)
    hounsfield, inside = ct.array[largest][rectangle].astype(np.float32), section[rectangle]
    if not np.isfinite(hounsfield[inside]).all():
        raise PreprocessingError("ct: a voxel of the tumour is not a finite number")
    low, high = WINDOW_HU
    scaled = np.where(inside, (hounsfield.clip(low, high) - low) / (high - low), 0).astype(np.float32)
    if np.ptp(scaled[inside]) == 0:
        value = float(scaled[inside][0]) * (high - low) + low
        raise PreprocessingError(f"ct: the tumour is constant within {low:g} to {high:g} HU ({value:g})")
    spacing_mm = ct.spacing_mm[1:]
    padded = np.pad(scaled, [(round(MARGIN_MM / size), round(MARGIN_MM / size)) for size in spacing_mm])
    rows, columns = (max(1, round(n * size / SPACING_MM)) for n, size in zip(padded.shape, spacing_mm, strict=True))
    return _resized(_resized(padded, rows, columns), BOX_PX, BOX_PX)


def encode_covariates(row: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return age_60, cea_elevated, n_positive, lymphovascular_invasion as 1 = yes, 0 = no, NaN = missing.

    Raises:
        PreprocessingError: A category or number that the schema does not know.
    """
    age = _number(row, "age_years", "years")
    cea = _number(row, "cea_ng_ml", "ng/mL")
    pn = _category(row, "pn_stage", ("pN0", "pN1", "pN2"))
    invasion = _category(row, "lymphovascular_invasion", ("no", "yes"))
    coded = {
        "age_60": None if age is None else age >= AGE_FROM_YEARS,
        "cea_elevated": None if cea is None else cea > CEA_ELEVATED_ABOVE_NG_ML,
        "n_positive": None if pn is None else pn != "pN0",
        "lymphovascular_invasion": None if invasion is None else invasion == "yes",
    }
    return np.array([np.nan if coded[name] is None else float(bool(coded[name])) for name in CLINICAL], np.float32)


def _missing(value: Any) -> bool:
    """Return whether a cell is empty: anything but text or a number, such as None or pandas.NA, and NaN."""
    if isinstance(value, str):
        return False
    return not isinstance(value, (int, float, np.number)) or bool(np.isnan(value))


def _number(row: Mapping[str, Any], column: str, unit: str) -> float | None:
    value = row[column]
    if _missing(value):
        return None
    if isinstance(value, str) or value < 0:
        raise PreprocessingError(f"{column}: found {value!r}, expected a number of {unit}, 0 or more")
    return float(value)


def _category(row: Mapping[str, Any], column: str, known: tuple[str, ...]) -> str | None:
    value = row[column]
    if _missing(value):
        return None
    if value not in known:
        raise PreprocessingError(f"{column}: found {value!r}, expected one of {', '.join(known)}")
    return str(value)


def _rectangle(section: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns of the smallest rectangle around a section."""
    rows, columns = np.flatnonzero(section.any(axis=1)), np.flatnonzero(section.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _resized(image: Image, rows: int, columns: int) -> Image:
    """Return an image interpolated to so many rows and columns."""
    return np.asarray(_interpolation(image.shape[0], rows) @ image @ _interpolation(image.shape[1], columns).T)


def _interpolation(size: int, wanted: int) -> Image:
    """Return the matrix (wanted, size) of linear interpolation between pixel centres; the edge beyond the outermost."""
    centre = np.clip((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0, size - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(centre[:, None] - np.arange(size))), dtype=np.float32)
