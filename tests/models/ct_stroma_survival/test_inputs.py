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

from models.ct_stroma_survival import SPEC
from models.ct_stroma_survival.inputs import encode_covariates, prepare, tumour_box
from models.spec import PreprocessingError

ROW = {"age_years": 71, "cea_ng_ml": 3.0, "pn_stage": "pN1", "lymphovascular_invasion": "no"}


@dataclass(frozen=True)
class Grid:
    """An image on its grid."""

    array: NDArray[Any]
    spacing_mm: tuple[float, float, float] = (5.0, 0.7, 0.8)


def volumes(slices: int = 5, shape: tuple[int, int] = (60, 70), **changes: NDArray[Any]) -> dict[str, Grid]:
    """A patient with a rectangular tumour, rows 10 to 29 and columns 20 to 44 of slice 2, smaller on its neighbours."""
    rng = np.random.default_rng(0)
    mask = np.zeros((slices, *shape), dtype=bool)
    mask[1:4, 12:25, 25:40] = True
    mask[2, 10:30, 20:45] = True
    arrays = {"ct": rng.uniform(-200, 300, mask.shape).astype(np.float32), "ct_mask": mask}
    return {name: Grid(array) for name, array in {**arrays, **changes}.items()}


def interpolated(image: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """SciPy's linear interpolation at the centres of so many rows and columns, edge repeated."""
    places = (
        (np.arange(wanted) + 0.5) * size / wanted - 0.5
        for wanted, size in zip((rows, columns), image.shape, strict=True)
    )
    return map_coordinates(image, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")


def test_output_is_what_the_spec_says() -> None:
    """Names, shapes and types are those of the spec, through the spec's own dotted path; values are 0 to 1."""
    prepared = SPEC.prepare(volumes(), ROW)

    assert {tensor.name: tensor.shape for tensor in SPEC.inputs} == {name: x.shape for name, x in prepared.items()}
    assert {array.dtype for array in prepared.values()} == {np.dtype(np.float32)}
    assert prepared["ct"].min() == 0
    assert 0.8 < prepared["ct"].max() <= 1


def test_box_is_windowed_padded_and_resized() -> None:
    """Slice 2, -115 to 235 HU as 0 to 1, 7 rows and 6 columns (5 mm) of zeros around it, 1 mm pixels, 112 x 112."""
    patient = volumes()
    tumour = (patient["ct"].array[2, 10:30, 20:45].clip(-115, 235) + 115) / 350
    padded = np.pad(tumour, [(7, 7), (6, 6)])
    expected = interpolated(interpolated(padded, round(34 * 0.7), round(37 * 0.8)), 112, 112)

    np.testing.assert_allclose(prepare(patient, ROW)["ct"][0], expected, atol=1e-5)


def test_pixels_of_another_size_show_the_same() -> None:
    """A smooth tumour sampled at half the spacing gives nearly the same box."""

    def sampled(pixel_mm: float) -> dict[str, Grid]:
        size = round(80 / pixel_mm)
        at = (np.arange(size) + 0.5) * pixel_mm - 40  # mm from the centre
        distance = np.hypot(at[:, None], 1.3 * at)
        image = (60 + 80 * np.cos(distance / 6))[None].astype(np.float32)
        spacing = (5.0, pixel_mm, pixel_mm)
        return {"ct": Grid(image, spacing), "ct_mask": Grid((distance < 20)[None], spacing)}

    coarse, fine = (prepare(sampled(pixel_mm), ROW)["ct"] for pixel_mm in (0.8, 0.4))
    assert np.abs(coarse - fine).mean() < 0.02


def test_tumour_at_the_border_has_its_margin_too() -> None:
    """Beyond the image there is nothing: zeros, as anywhere outside the mask."""
    inside = volumes()
    border = {
        name: Grid(np.ascontiguousarray(grid.array[:, 10:30, 20:45]), grid.spacing_mm) for name, grid in inside.items()
    }

    np.testing.assert_array_equal(prepare(inside, ROW)["ct"], prepare(border, ROW)["ct"])


def test_only_the_tumour_of_the_largest_slice_matters() -> None:
    """Voxels outside the mask and on other slices change nothing, not even if they are no numbers; those inside do."""
    plain, outside, inside = volumes(), volumes(), volumes()
    outside["ct"].array[~outside["ct_mask"].array] = np.nan
    outside["ct"].array[[0, 1, 3, 4]] = 1000
    inside["ct"].array[2, 20, 30] += 60

    np.testing.assert_array_equal(prepare(plain, ROW)["ct"], prepare(outside, ROW)["ct"])
    assert not np.allclose(prepare(plain, ROW)["ct"], prepare(inside, ROW)["ct"])


def test_values_beyond_the_window_do_not_matter() -> None:
    """-1000 HU looks like -115 HU and 3000 HU like 235 HU."""
    gas, clipped = volumes(), volumes()
    gas["ct"].array[2, 12, 22], gas["ct"].array[2, 13, 23] = -1000, 3000
    clipped["ct"].array[2, 12, 22], clipped["ct"].array[2, 13, 23] = -115, 235

    np.testing.assert_array_equal(prepare(gas, ROW)["ct"], prepare(clipped, ROW)["ct"])


def test_of_equal_slices_the_lowest_is_taken() -> None:
    """Two slices with the same area: the first one counts."""
    patient = volumes()
    patient["ct_mask"].array[3] = patient["ct_mask"].array[2]
    first = prepare(patient, ROW)["ct"]
    patient["ct"].array[3] += 20

    np.testing.assert_array_equal(first, prepare(patient, ROW)["ct"])


@pytest.mark.parametrize("place", [np.s_[2, 15, 25:27], np.s_[2, 15:16, 21:34], np.s_[2, 11:29, 25:26]])
def test_tumour_of_two_pixels_row_or_column(place: tuple[Any, ...]) -> None:
    """The smallest masks are tumours too."""
    patient = volumes()
    patient["ct_mask"].array[:] = False
    patient["ct_mask"].array[place] = True

    assert np.isfinite(tumour_box(patient["ct"], patient["ct_mask"])).all()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (ROW, [1, 0, 1, 0]),
        ({**ROW, "age_years": 60, "pn_stage": "pN2"}, [1, 0, 1, 0]),
        ({**ROW, "age_years": 59.9, "cea_ng_ml": 5.1, "pn_stage": "pN0"}, [0, 1, 0, 0]),
        ({**ROW, "cea_ng_ml": np.int64(5), "lymphovascular_invasion": "yes"}, [1, 0, 1, 1]),
        (dict.fromkeys(ROW), [np.nan] * 4),
        ({"age_years": np.nan, "cea_ng_ml": pd.NA, "pn_stage": "pN0", "lymphovascular_invasion": None}, None),
    ],
)
def test_covariates_are_coded(row: dict[str, Any], expected: list[float] | None) -> None:
    """age_60, cea_elevated (above 5 ng/mL), n_positive, lymphovascular_invasion; empty cells of every kind are NaN."""
    wanted = [np.nan, np.nan, 0, np.nan] if expected is None else expected

    np.testing.assert_array_equal(encode_covariates(row), np.array(wanted, dtype=np.float32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pn_stage": "N1"}, "pn_stage: found 'N1', expected one of pN0, pN1, pN2"),
        ({"lymphovascular_invasion": ""}, "lymphovascular_invasion: found '', expected one of no, yes"),
        ({"cea_ng_ml": "3,5"}, "cea_ng_ml: found '3,5', expected a number of ng/mL"),
        ({"age_years": -1}, "age_years: found -1, expected a number of years"),
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
        (spoilt("ct_mask", False), "ct: the mask is empty"),
        (volumes(ct=np.zeros((5, 60, 71))), r"ct: image of \(5, 60, 71\) voxels, mask of \(5, 60, 70\)"),
        (spoilt("ct", np.nan, np.s_[2, 15, 25]), "ct: a voxel of the tumour is not a finite number"),
        (spoilt("ct", 40.0), r"ct: the tumour is constant within -115 to 235 HU \(40\)"),
        (volumes(ct=np.random.default_rng(0).uniform(900, 1200, (5, 60, 70))), r"constant .* \(235\)"),
    ],
)
def test_refuses_what_cannot_be_processed(patient: dict[str, Grid], message: str) -> None:
    """Each reason says what is wrong; values that are not Hounsfield units leave nothing within the window."""
    with pytest.raises(PreprocessingError, match=message):
        prepare(patient, ROW)


def test_is_fast() -> None:
    """A patient of realistic size takes milliseconds; the limit is generous, for machines that are busy."""
    patient = volumes(slices=80, shape=(512, 512))
    prepare(patient, ROW)
    durations = []
    for _ in range(5):
        start = time.perf_counter()
        prepare(patient, ROW)
        durations.append(time.perf_counter() - start)

    assert min(durations) < 0.1
