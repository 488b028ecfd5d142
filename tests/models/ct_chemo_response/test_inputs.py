"""Pre-processing of one patient."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from models.ct_chemo_response import CLINICAL, FACTORS, NUMBERS, SPEC
from models.ct_chemo_response.inputs import encode_covariates, prepare, tumour_slices
from models.spec import PreprocessingError

SCHEMA = Path(__file__).parents[3] / "validation/schemas/gastric_ct/patients.yaml"
ROW: dict[str, Any] = {
    **dict.fromkeys(NUMBERS, 5.0),
    "age_years": 61,
    "tumour_diameter_cm": 6.5,
    "sex": "female",
    "tumour_location": "whole",
    "borrmann": "IV",
    "ct_stage": "cT2",
    "cn_stage": "cN3",
    "cm_stage": "M1",
    "differentiation": "poor",
    "histology": "signet_ring",
    "signet_ring_component": "yes",
    "cea": "negative",
    "ca125": "positive",
    "afp": "negative",
}


@dataclass(frozen=True)
class Grid:
    """An image on its grid."""

    array: NDArray[Any]
    spacing_mm: tuple[float, float, float] = (5.0, 1.0, 1.0)


def volumes(spacing_mm: float = 1.0, **changes: NDArray[Any]) -> dict[str, Grid]:
    """A patient with a tumour in rows 20 to 29 and columns 30 to 49 of slices 2 to 4, largest on slice 3."""
    rng = np.random.default_rng(0)
    mask = np.zeros((7, 60, 70), dtype=bool)
    mask[2:5, 22:28, 32:48] = True
    mask[3, 20:30, 30:50] = True
    arrays = {"ct": rng.integers(-300, 400, mask.shape).astype(np.int16), "ct_mask": mask}
    return {name: Grid(array, (5.0, spacing_mm, spacing_mm)) for name, array in {**arrays, **changes}.items()}


def stretched(box: NDArray[Any]) -> NDArray[Any]:
    """SciPy's linear interpolation of (rows, columns) at 112 x 112 pixel centres, edge repeated."""
    rows, columns = ((np.arange(112) + 0.5) * size / 112 - 0.5 for size in box.shape)
    return map_coordinates(box, np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest")


def windowed(hu: NDArray[Any]) -> NDArray[Any]:
    """-115 to 235 HU as 0 to 1."""
    return np.clip((hu.astype(float) + 115) / 350, 0, 1)


def test_output_is_what_the_spec_says() -> None:
    """Names, shapes and types are those of the spec, through the spec's own dotted path."""
    prepared = SPEC.prepare(volumes(), ROW)

    assert {tensor.name: tensor.shape for tensor in SPEC.inputs} == {name: x.shape for name, x in prepared.items()}
    assert {array.dtype for array in prepared.values()} == {np.dtype(np.float32)}
    assert prepared["ct"].min() >= 0
    assert prepared["ct"].max() <= 1


def test_box_is_the_mask_with_five_millimetres_windowed() -> None:
    """On 1 mm pixels: rows 15 to 34 and columns 25 to 54 of slices 2, 3, 4, windowed, then stretched to 112 x 112."""
    patient = volumes()
    expected = [stretched(windowed(patient["ct"].array[index, 15:35, 25:55])) for index in (2, 3, 4)]

    np.testing.assert_allclose(prepare(patient, ROW)["ct"], expected, atol=1e-5)


@pytest.mark.parametrize("spacing_mm", [0.5, 0.8, 1.3])
def test_other_pixels_are_resampled_to_one_millimetre_first(spacing_mm: float) -> None:
    """Pixel j of the 1 mm grid has its centre j + 0.5 mm from the edge; the margin is of 5 mm, not of 5 pixels."""
    patient = volumes(spacing_mm)
    rows = np.arange(np.floor(20 * spacing_mm - 5), np.ceil(30 * spacing_mm + 5)) + 0.5
    columns = np.arange(np.floor(30 * spacing_mm - 5), np.ceil(50 * spacing_mm + 5)) + 0.5
    at = np.meshgrid(rows / spacing_mm - 0.5, columns / spacing_mm - 0.5, indexing="ij")
    image = patient["ct"].array[3].astype(float)
    expected = stretched(windowed(map_coordinates(image, at, order=1, mode="nearest")))

    np.testing.assert_allclose(prepare(patient, ROW)["ct"][1], expected, atol=1e-4)


def test_same_anatomy_on_other_pixels_gives_the_same_input() -> None:
    """A smooth image sampled at 0.6 and at 0.9 mm gives nearly the same box."""

    def patient(spacing_mm: float) -> dict[str, Grid]:
        size = round(72 / spacing_mm)
        y, x = np.meshgrid(*[(np.arange(size) + 0.5) * spacing_mm] * 2, indexing="ij")
        plane = 60 + 80 * np.sin(y / 9) * np.cos(x / 11)
        mask = (abs(y - 36) < 14.4) & (abs(x - 30) < 10.8)
        return {
            "ct": Grid(np.stack([plane] * 3), (5.0, spacing_mm, spacing_mm)),
            "ct_mask": Grid(np.stack([mask] * 3), (5.0, spacing_mm, spacing_mm)),
        }

    np.testing.assert_allclose(prepare(patient(0.6), ROW)["ct"], prepare(patient(0.9), ROW)["ct"], atol=0.02)


def test_margin_ends_at_the_border() -> None:
    """A tumour in the corner keeps what margin there is; nothing is made up outside the image."""
    patient = volumes()
    patient["ct_mask"].array[:] = False
    patient["ct_mask"].array[2:5, 0:4, 62:70] = True
    expected = stretched(windowed(patient["ct"].array[3, 0:9, 57:70]))

    np.testing.assert_allclose(prepare(patient, ROW)["ct"][1], expected, atol=1e-5)


def test_only_the_box_on_three_slices_matters() -> None:
    """Voxels outside the box or on other slices change nothing; voxels of the margin do."""
    plain, outside, margin = volumes(), volumes(), volumes()
    outside["ct"].array[:, :15], outside["ct"].array[:, :, 55:], outside["ct"].array[:2] = 5, 5, 5
    margin["ct"].array[3, 16, 26] += 900

    np.testing.assert_array_equal(prepare(plain, ROW)["ct"], prepare(outside, ROW)["ct"])
    assert not np.array_equal(prepare(plain, ROW)["ct"], prepare(margin, ROW)["ct"])


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        ([0, 1, 5, 3, 0], [1, 2, 3]),
        ([0, 4, 4, 4, 0], [1, 2, 3]),
        ([4, 0, 0, 4, 1], [2, 3, 4]),
        ([2, 1, 0, 0, 0], [0, 0, 1]),
        ([0, 0, 0, 1, 2], [3, 4, 4]),
        ([3], [0, 0, 0]),
        ([1, 3], [0, 1, 1]),
        ([0, 2, 0, 2, 0], [0, 1, 2]),
    ],
)
def test_largest_slice_and_its_neighbours(area: list[int], expected: list[int]) -> None:
    """The slice with the largest area between its neighbours; ties by the neighbours' area; ends are repeated."""
    tumour = np.arange(6) < np.array(area)[:, None, None]

    assert tumour_slices(tumour).tolist() == expected


@pytest.mark.parametrize("place", [np.s_[3, 25:26, 35:36], np.s_[3, 25:26, 31:49], np.s_[3, 21:29, 35:36]])
def test_tumour_of_one_pixel_row_or_column(place: tuple[Any, ...]) -> None:
    """The smallest masks have a box too, on any pixels."""
    for spacing_mm in (0.3, 1.0, 2.0):
        patient = volumes(spacing_mm)
        patient["ct_mask"].array[:] = False
        patient["ct_mask"].array[place] = True

        assert np.isfinite(prepare(patient, ROW)["ct"]).all()


def test_covariates_are_coded() -> None:
    """Numbers stay as they are; of each factor the level's column is 1 and its others 0."""
    coded = dict(zip(CLINICAL, encode_covariates(ROW).tolist(), strict=True))
    ones = {name for name in set(CLINICAL) - set(NUMBERS) if coded[name] == 1}

    assert (coded["age_years"], coded["tumour_diameter_cm"], coded["albumin_g_l"]) == (61, 6.5, 5)
    assert ones == {
        "female",
        "location_whole",
        "borrmann_iv",
        "ct1_2",
        "m1",
        "poorly_differentiated",
        "signet_ring_type",
        "signet_ring_component",
        "ca125_positive",
    }
    assert all(coded[name] == 0 for name in set(CLINICAL) - set(NUMBERS) - ones)


@pytest.mark.parametrize("empty", [None, np.nan, pd.NA, float("nan")])
def test_empty_cells_are_missing_in_every_column_of_the_factor(empty: Any) -> None:
    """Empty cells of every kind are NaN: one number, or all columns of a factor."""
    coded = encode_covariates({**ROW, "borrmann": empty, "glucose_mmol_l": empty})
    missing = {name for name, value in zip(CLINICAL, coded, strict=True) if np.isnan(value)}

    assert missing == {"borrmann_i", "borrmann_ii", "borrmann_iv", "glucose_mmol_l"}


def test_covariates_are_the_columns_of_the_schema() -> None:
    """The 22 features of the paper: each a column of the table, with all of its categories."""
    columns = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["columns"]

    assert len(SPEC.covariates) == len(set(SPEC.covariates)) == 22
    for name, levels in FACTORS.items():
        assert set(columns[name]["categories"]) == set(levels), name
    assert all(columns[name]["type"] == "number" and columns[name].get("min", 0) >= 0 for name in NUMBERS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"borrmann": "V"}, "borrmann: found 'V', expected one of I, II, III, IV"),
        ({"cea": ""}, "cea: found '', expected one of negative, positive"),
        ({"cm_stage": 1}, "cm_stage: found 1, expected one of M0, M1"),
        ({"glucose_mmol_l": "5,4"}, "glucose_mmol_l: found '5,4', expected a number"),
        ({"age_years": -1}, "age_years: found -1, expected a number"),
        ({"albumin_g_l": np.inf}, "albumin_g_l: found inf, expected a number"),
    ],
)
def test_covariates_refuse_the_unknown(change: dict[str, Any], message: str) -> None:
    """An unknown category or impossible number is an error, never a silent reference category."""
    with pytest.raises(PreprocessingError, match=message):
        encode_covariates({**ROW, **change})


@pytest.mark.parametrize(
    ("patient", "message"),
    [
        (volumes(ct_mask=np.zeros((7, 60, 70), dtype=bool)), "ct: the mask is empty"),
        (volumes(ct=np.zeros((7, 60, 71))), r"ct: image of \(7, 60, 71\) voxels, mask of \(7, 60, 70\)"),
        (
            volumes(ct=np.full((7, 60, 70), -800.0)),
            r"constant within -115 to 235 HU .*\(-800 to -800 HU\)",
        ),
        (volumes(ct=np.full((7, 60, 70), np.nan)), "ct: a voxel on the slices of the tumour is not a finite number"),
    ],
)
def test_refuses_what_cannot_be_processed(patient: dict[str, Grid], message: str) -> None:
    """Each reason says what is wrong."""
    with pytest.raises(PreprocessingError, match=message):
        prepare(patient, ROW)


def test_is_fast() -> None:
    """A patient of realistic size takes milliseconds; the limit is generous, for machines that are busy."""
    rng = np.random.default_rng(0)
    mask = np.zeros((30, 512, 512), dtype=bool)
    mask[14:17, 200:300, 220:310] = True
    patient = volumes(0.7, ct=rng.integers(-300, 400, mask.shape).astype(np.int16), ct_mask=mask)
    durations = []
    for _ in range(3):
        start = time.perf_counter()
        prepare(patient, ROW)
        durations.append(time.perf_counter() - start)

    assert min(durations) < 0.2
