"""Tests of the CT images: what shows the biology, what only the scanner changes, how the mask lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from pipelines.synthetic.cohorts import COHORTS
from pipelines.synthetic.ct_examination import Tissue, examine, largest_and_neighbours
from pipelines.synthetic.ct_scanner import CT_SCANNERS, CTScanner, reconstruct
from pipelines.synthetic.ct_tissue import colorectal_hu, gastric_hu
from pipelines.synthetic.randomness import patient_generator
from pipelines.synthetic.rectal_anatomy import draw_tumour

Array = NDArray[np.float64]
COLON, STOMACH = {"z_stroma": 0.0, "z_front": 0.0}, {"z_response": 0.0}


def _examine(
    position: int, latents: Mapping[str, float], scanner: str, tissue: Tissue, gas_share: float = 0.0
) -> tuple[NDArray[np.int16], NDArray[np.uint8], float]:
    tumour = draw_tumour(0.0, 0.0, patient_generator(7, "test", position, "anatomy"))
    rng = patient_generator(7, "test", position, "acquisition")
    volume, mask, place = examine(tumour, latents, CT_SCANNERS[scanner], tissue, gas_share, rng)
    return volume, mask, place.spacing_mm[0]


def _features(hu: Array, mask: NDArray[np.bool_], pixel_mm: float) -> list[float]:
    """Return radiomic features by hand: mean, spread, gradient and fine texture inside, core against edge."""
    depth_mm = distance_transform_edt(mask) * pixel_mm
    window = np.clip(hu, -115, 235)
    inner, share = depth_mm > 4, depth_mm / depth_mm.max()
    core, edge = share > 0.65, (share < 0.45) & (depth_mm > 1.5)
    gradient = np.hypot(*np.gradient(gaussian_filter(window, 0.8 / pixel_mm), pixel_mm))
    fine = window - gaussian_filter(window, 3 / pixel_mm)
    spread = [np.log(values[inner].std()) for values in (window, fine)]
    contrast = np.median(window[core]) - np.median(window[edge])
    return [window[inner].mean(), *spread, np.log(gradient[inner].mean()), float(contrast)]


def _table(
    latents: Sequence[str], tissue: Tissue, scanners: Sequence[str], first: int, n: int, *, gas: float, slices: int
) -> tuple[Array, Array]:
    """Return features (n, 5), mean over the largest slice or over three, and latent variables (n, k)."""
    rng = np.random.default_rng(first)
    values, features = rng.standard_normal((n, len(latents))), []
    for i, row in enumerate(values):
        patient = dict(zip(latents, row.tolist(), strict=True))
        volume, mask, pixel_mm = _examine(first + i, patient, scanners[i % len(scanners)], tissue, gas)
        chosen = np.argsort(mask.sum(axis=(1, 2)))[-slices:]
        features.append(np.mean([_features(volume[k].astype(float), mask[k] > 0, pixel_mm) for k in chosen], axis=0))
    return np.array(features), values


def _transported_r2(latents: Sequence[str], tissue: Tissue, *, gas: float, slices: int) -> Array:
    """Regress the latents on features of centre I's scanners; return R2 on those of the other centres."""
    x, y = _table(latents, tissue, ["CT1", "CT2"], 0, 80, gas=gas, slices=slices)
    external = ["CT3", "CT4", "CT5", "CT6", "CT7"]
    x_new, y_new = _table(latents, tissue, external, 1000, 60, gas=gas, slices=slices)
    weights = np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), y, rcond=None)[0]
    residual = y_new - np.column_stack([np.ones(len(x_new)), x_new]) @ weights
    return np.asarray(1 - (residual**2).sum(axis=0) / ((y_new - y_new.mean(axis=0)) ** 2).sum(axis=0))


def test_stroma_and_front_show_on_one_slice_on_every_scanner() -> None:
    """Features by hand, fitted at one centre, explain both latent variables on one slice at the others."""
    stroma, front = _transported_r2(tuple(COLON), colorectal_hu, gas=0.5, slices=1)
    assert stroma > 0.6
    assert front > 0.8


def test_three_slices_tell_more_of_response_than_one() -> None:
    """The latent variable behind response is seen on three slices, less well on the largest alone."""
    (one,) = _transported_r2(tuple(STOMACH), gastric_hu, gas=0.0, slices=1)
    (three,) = _transported_r2(tuple(STOMACH), gastric_hu, gas=0.0, slices=3)
    assert three > 0.75
    assert three > one + 0.05


def test_the_two_scales_do_not_mix() -> None:
    """Fine texture follows the stroma, core against edge the front, neither the other."""
    features, latents = _table(tuple(COLON), colorectal_hu, list(CT_SCANNERS), 0, 80, gas=0.0, slices=1)
    correlation = np.corrcoef(features.T, latents.T)[:5, 5:]
    assert abs(correlation[3, 0]) > 0.7
    assert abs(correlation[3, 1]) < 0.35
    assert abs(correlation[4, 1]) > 0.9
    assert abs(correlation[4, 0]) < 0.3


@pytest.mark.parametrize("scanner", CT_SCANNERS)
@pytest.mark.parametrize(("tissue", "latents"), [(colorectal_hu, COLON), (gastric_hu, STOMACH)])
def test_the_mask_is_the_largest_slice_and_its_neighbours(
    scanner: str, tissue: Tissue, latents: Mapping[str, float]
) -> None:
    """Three slices in a row, the middle one the largest; inside is enhancing soft tissue, in HU."""
    for position in range(4):
        volume, mask, pixel_mm = _examine(position, latents, scanner, tissue, gas_share=0.5)
        areas = mask.sum(axis=(1, 2))
        drawn = np.flatnonzero(areas)
        assert len(drawn) == 3
        assert drawn[2] - drawn[0] == 2
        assert areas.argmax() == drawn[1]
        assert volume.dtype == np.int16
        assert mask.shape == volume.shape
        assert 60 < np.median(volume[mask > 0]) < 130
        assert pixel_mm == CT_SCANNERS[scanner].grid.pixel_mm


def test_ties_keep_the_first_largest_slice() -> None:
    """Of equal areas the first is the middle one."""
    drawn = np.zeros((7, 2, 2), np.uint8)
    drawn[1:6, 0, 0] = 1
    drawn[2:4, 1, 1] = 1
    assert np.flatnonzero(largest_and_neighbours(drawn).any(axis=(1, 2))).tolist() == [1, 2, 3]


@pytest.mark.parametrize("scanner", CT_SCANNERS.values())
def test_a_scanner_is_calibrated_up_to_its_stated_errors(scanner: CTScanner) -> None:
    """A uniform body is read with the stated offset, gain and noise."""
    voxels = reconstruct(np.full((8, 64, 64), 50.0, np.float32), scanner, np.random.default_rng(7))
    assert voxels.mean() == pytest.approx(scanner.gain * 1050 - 1000 + scanner.offset_hu, abs=0.5)
    assert voxels.std() == pytest.approx(scanner.noise_hu, rel=0.02)


def test_the_scanner_changes_the_image_not_the_tumour() -> None:
    """The same tumour on two scanners has other grids and enhancement, and the same area."""
    one, other = (_examine(0, COLON, scanner, colorectal_hu) for scanner in ("CT6", "CT7"))
    assert one[0].shape != other[0].shape
    assert np.median(other[0][other[1] > 0]) > np.median(one[0][one[1] > 0]) + 10
    areas_mm2 = [mask.sum(axis=(1, 2)).max() * pixel_mm**2 for _, mask, pixel_mm in (one, other)]
    assert areas_mm2[0] == pytest.approx(areas_mm2[1], rel=0.08)


def test_size_of_the_tumour_does_not_depend_on_biology() -> None:
    """The same generator gives the same mask whatever the latent variables."""
    low, high = (_examine(0, dict.fromkeys(COLON, z), "CT1", colorectal_hu)[1] for z in (-2.0, 2.0))
    np.testing.assert_array_equal(low, high)


def test_every_site_has_a_scanner() -> None:
    """Every scanner named by a CT cohort exists, and every scanner is used."""
    sites = [site for definition in COHORTS if definition.disease.modality == "CT" for site in definition.sites]
    assert {site.scanner for site in sites} == set(CT_SCANNERS)
