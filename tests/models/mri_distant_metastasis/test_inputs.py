"""Pre-processing of one patient."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from models import MODELS
from models.mri_distant_metastasis.inputs import encode_covariates, lesion_slices, prepare
from models.spec import PreprocessingError

ROW = {"ct_stage": "cT4", "cea_ng_ml": 3.0, "ypn_stage": "ypN1"}


@dataclass(frozen=True)
class Grid:
    """An image on its grid."""

    array: NDArray[Any]
    spacing_mm: tuple[float, float, float] = (3.0, 0.7, 0.7)


def volumes(slices: int = 6, shape: tuple[int, int] = (40, 50), **changes: NDArray[Any]) -> dict[str, Grid]:
    """A patient with a rectangular lesion, rows 10 to 29 and columns 20 to 34, on all slices but the outer two."""
    rng = np.random.default_rng(0)
    size = (slices, *shape)
    mask = np.zeros(size, dtype=bool)
    mask[1:-1, 10:30, 20:35] = True
    b0 = rng.uniform(500, 600, size)
    arrays = {
        "t2w": rng.uniform(100, 900, size),
        "t2w_mask": mask,
        "dwi_b0": b0,
        "dwi_b1000": b0 * np.exp(-1000 * rng.uniform(0.8e-3, 1.4e-3, size)),
        "dwi_mask": mask.copy(),
    }
    return {name: Grid(array) for name, array in {**arrays, **changes}.items()}


def bounding_box(values: NDArray[Any]) -> NDArray[Any]:
    """The lesion rectangle of `volumes`."""
    return values[..., 10:30, 20:35]


def resized(box: NDArray[Any]) -> NDArray[Any]:
    """SciPy's linear interpolation of (rows, columns) at 112 x 112 pixel centres, edge repeated."""
    rows, columns = ((np.arange(112) + 0.5) * size / 112 - 0.5 for size in box.shape)
    return map_coordinates(box, np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest")


def test_output_is_what_the_spec_says() -> None:
    """Names, shapes and types are those of the spec, through the spec's own dotted path."""
    spec = MODELS["mri_distant_metastasis"]
    prepared = spec.prepare(volumes(), ROW)

    assert {tensor.name: tensor.shape for tensor in spec.inputs} == {name: x.shape for name, x in prepared.items()}
    assert {array.dtype for array in prepared.values()} == {np.dtype(np.float32)}


def test_t2w_is_resized_scored_and_padded() -> None:
    """The four lesion slices are the z-scored linear interpolation of their boxes; the other sixteen are zero."""
    patient = volumes()
    stack = prepare(patient, ROW)["t2w"]
    boxes = np.stack([resized(bounding_box(patient["t2w"].array[index])) for index in range(1, 5)])

    np.testing.assert_allclose(stack[:4], (boxes - boxes.mean()) / boxes.std(), atol=1e-4)
    assert abs(stack[:4].mean()) < 1e-5
    assert abs(stack[:4].std() - 1) < 1e-5
    assert not stack[4:].any()


def test_adc_is_the_z_score_of_the_log_ratio() -> None:
    """ADC = ln(b0 / b1000) / 1000 of the boxes, resized and z-scored; the mask of the DWI grid is used."""
    patient = volumes()
    patient["t2w_mask"] = Grid(np.ones_like(patient["t2w_mask"].array))
    stack = prepare(patient, ROW)["adc"]
    adc = np.log(patient["dwi_b0"].array / patient["dwi_b1000"].array) / 1000
    boxes = np.stack([resized(bounding_box(adc[index])) for index in range(1, 5)])

    np.testing.assert_allclose(stack[:4], (boxes - boxes.mean()) / boxes.std(), atol=1e-3)


def test_scanner_gain_and_offset_do_not_matter() -> None:
    """Another intensity scale, or for T2W another offset, gives the same input."""
    plain, scaled = volumes(), volumes()
    scaled["t2w"] = Grid(3.0 * plain["t2w"].array + 40)
    scaled["dwi_b0"], scaled["dwi_b1000"] = (Grid(7.0 * plain[name].array) for name in ("dwi_b0", "dwi_b1000"))

    for name in ("t2w", "adc"):
        np.testing.assert_allclose(prepare(plain, ROW)[name], prepare(scaled, ROW)[name], atol=1e-3)


def test_only_the_rectangle_around_the_mask_matters() -> None:
    """Voxels outside the lesion's rectangle change nothing; voxels in its corners do."""
    plain, outside, corner = volumes(), volumes(), volumes()
    outside["t2w"].array[:, :10], outside["t2w"].array[0], outside["t2w"].array[:, :, 35:] = 5, 5, 5
    for patient in (plain, corner):
        patient["t2w_mask"].array[:, 10, 20] = False
    corner["t2w"].array[2, 10, 20] = 5000

    np.testing.assert_array_equal(prepare(plain, ROW)["t2w"], prepare(outside, ROW)["t2w"])
    assert not np.allclose(prepare(plain, ROW)["t2w"], prepare(corner, ROW)["t2w"])


@pytest.mark.parametrize("place", [np.s_[2, 15, 25:26], np.s_[2, 15:16, 21:34], np.s_[2, 11:29, 25:26]])
def test_lesion_of_one_pixel_row_or_column(place: tuple[Any, ...]) -> None:
    """The smallest masks are boxes too; a slice of one pixel is constant, the sequence is not."""
    patient = volumes()
    mask = patient["t2w_mask"].array
    mask[2] = False
    mask[place] = True

    assert np.isfinite(prepare(patient, ROW)["t2w"]).all()


def test_more_than_twenty_slices_keep_the_largest_run() -> None:
    """Of 30 lesion slices the 20 contiguous ones with the largest area stay; of equal runs the first."""
    area = np.zeros((30, 8, 8), dtype=bool)
    area[:, 0, 0] = True
    assert lesion_slices(area).tolist() == list(range(20))
    area[28, :4, :4] = True
    assert lesion_slices(area).tolist() == list(range(9, 29))
    area[15] = False
    assert lesion_slices(area).tolist() == [*range(9, 15), *range(16, 29)]


def test_twenty_lesion_slices_far_apart_all_stay() -> None:
    """Gaps do not count: only slices with lesion use up the 20."""
    area = np.zeros((45, 4, 4), dtype=bool)
    area[::4, 1, 1] = True

    assert lesion_slices(area).tolist() == list(range(0, 45, 4))


def test_voxels_without_positive_signal_have_no_diffusion() -> None:
    """Zero and negative signals give 0, noise that inverts the ratio gives 0, an extreme ratio 0.004: never NaN."""
    patient = volumes()
    b0, b1000 = patient["dwi_b0"].array, patient["dwi_b1000"].array
    b0[2, 12, 22], b1000[2, 13, 22], b0[2, 14, 22], b1000[2, 15, 22] = 0, -3, 1e-30, 1e-30

    assert np.isfinite(prepare(patient, ROW)["adc"]).all()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (ROW, [1, 0, 1, 0]),
        ({"ct_stage": "cT3", "cea_ng_ml": 5.1, "ypn_stage": "ypN2"}, [0, 1, 0, 1]),
        ({"ct_stage": "cT3", "cea_ng_ml": 5.0, "ypn_stage": "ypN0"}, [0, 0, 0, 0]),
        ({"ct_stage": "cT3", "cea_ng_ml": np.int64(6), "ypn_stage": "ypN0"}, [0, 1, 0, 0]),
        ({"ct_stage": None, "cea_ng_ml": np.nan, "ypn_stage": pd.NA}, [np.nan] * 4),
        ({"ct_stage": np.nan, "cea_ng_ml": None, "ypn_stage": "ypN1"}, [np.nan, np.nan, 1, 0]),
    ],
)
def test_covariates_are_coded(row: dict[str, Any], expected: list[float]) -> None:
    """ct4, cea_elevated (above 5 ng/mL), ypn1, ypn2; empty cells of every kind are NaN."""
    np.testing.assert_array_equal(encode_covariates(row), np.array(expected, dtype=np.float32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ct_stage": "cT5"}, "ct_stage: found 'cT5', expected one of cT3, cT4"),
        ({"ypn_stage": ""}, "ypn_stage: found '', expected one of ypN0, ypN1, ypN2"),
        ({"cea_ng_ml": "3,5"}, "cea_ng_ml: found '3,5', expected a number"),
        ({"cea_ng_ml": -1.0}, r"cea_ng_ml: found -1\.0, expected a number"),
    ],
)
def test_covariates_refuse_the_unknown(change: dict[str, Any], message: str) -> None:
    """An unknown category or impossible number is an error, never a silent reference category."""
    with pytest.raises(PreprocessingError, match=message):
        encode_covariates({**ROW, **change})


def spoilt(name: str, value: float, place: Any = np.s_[:]) -> dict[str, Grid]:
    """The patient of `volumes` with some voxels replaced."""
    patient = volumes()
    patient[name].array[place] = value
    return patient


@pytest.mark.parametrize(
    ("patient", "message"),
    [
        (spoilt("t2w_mask", False), "t2w: the mask is empty"),
        (spoilt("dwi_mask", False), "adc: the mask is empty"),
        (volumes(t2w=np.zeros((6, 40, 51))), r"t2w: image of \(6, 40, 51\) voxels, mask of \(6, 40, 50\)"),
        (volumes(dwi_b1000=np.zeros((5, 40, 50))), r"adc: image of \(5, 40, 50\) voxels, mask of \(6, 40, 50\)"),
        (spoilt("t2w", 7.0), r"t2w: the image is constant \(7\) around the lesion"),
        (spoilt("t2w", np.nan, np.s_[2, 15, 25]), "t2w: a voxel around the lesion is not a finite number"),
        (spoilt("dwi_b0", np.inf, np.s_[2, 15, 25]), "adc: a voxel around the lesion is not a finite number"),
        (spoilt("dwi_b1000", 0.0), "adc: only 0% of voxels around the lesion have positive"),
    ],
)
def test_refuses_what_cannot_be_processed(patient: dict[str, Grid], message: str) -> None:
    """Each reason names the sequence and what is wrong with it."""
    with pytest.raises(PreprocessingError, match=message):
        prepare(patient, ROW)


def test_whole_numbers_are_images_too() -> None:
    """Stored magnitudes come as integers; they give what the same floats give."""
    patient = volumes()
    whole = {name: Grid(grid.array.astype(np.int16)) for name, grid in patient.items()}
    floats = {name: Grid(grid.array.astype(np.float64)) for name, grid in whole.items()}

    for name in ("t2w", "adc"):
        np.testing.assert_array_equal(prepare(whole, ROW)[name], prepare(floats, ROW)[name])


def test_is_fast() -> None:
    """A patient of realistic size takes milliseconds; the limit is generous, for machines that are busy."""
    patient = volumes(slices=24, shape=(112, 112))
    prepare(patient, ROW)
    durations = []
    for _ in range(5):
        start = time.perf_counter()
        prepare(patient, ROW)
        durations.append(time.perf_counter() - start)

    assert min(durations) < 0.05
