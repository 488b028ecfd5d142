"""Tests of the images: what shows the biology, what only the scanner changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.mri_distant_metastasis.inputs import prepare
from pipelines.synthetic.cohorts import COHORTS
from pipelines.synthetic.mr_scanner import SCANNERS
from pipelines.synthetic.randomness import patient_generator
from pipelines.synthetic.rectal_anatomy import Tumour, draw_tumour
from pipelines.synthetic.rectal_mri import Series, examine
from validation.images import Volume

COVARIATES = {"ct_stage": "cT3", "cea_ng_ml": 2.0, "ypn_stage": "ypN0"}
ROWS, COLUMNS = np.mgrid[:112, :112]
RADIUS = np.hypot(ROWS - 55.5, COLUMNS - 55.5) / 56
CORE, RIM = RADIUS < 0.45, (RADIUS > 0.62) & (RADIUS < 0.85)


def _tumour(position: int, z_t2: float, z_adc: float) -> Tumour:
    return draw_tumour(z_t2, z_adc, patient_generator(7, "test", position, "anatomy"))


def _examine(tumour: Tumour, scanner: str, position: int = 0, artefact: bool = False) -> tuple[Series, Series]:
    return examine(tumour, SCANNERS[scanner], artefact, patient_generator(7, "test", position, "acquisition"))


def _network_inputs(examination: tuple[Series, Series]) -> dict[str, NDArray[np.float32]]:
    volumes = {
        name: Volume(
            voxels,
            tuple(reversed(series.position.spacing_mm)),
            tuple(map(tuple, series.position.direction.tolist())),
            series.position.origin_mm,
        )
        for series in examination
        for name, voxels in series.images.items()
    }
    return prepare(volumes, COVARIATES)


def _core_against_rim(stack: NDArray[np.float32]) -> float:
    mean = stack[stack.any(axis=(1, 2))].mean(axis=0)
    return float(mean[CORE].mean() - mean[RIM].mean())


def test_biology_survives_the_pre_processing_on_every_scanner() -> None:
    """A simple contrast of each input correlates with its own latent variable over all scanners, not with the other."""
    rng = np.random.default_rng(7)
    latents = rng.standard_normal((72, 2))
    features = np.array(
        [
            [_core_against_rim(inputs["t2w"]), _core_against_rim(inputs["adc"])]
            for i, (z_t2, z_adc) in enumerate(latents)
            for inputs in [_network_inputs(_examine(_tumour(i, z_t2, z_adc), list(SCANNERS)[i % 6], i, i % 4 == 0))]
        ]
    )
    correlation = np.corrcoef(latents.T, features.T)[:2, 2:]
    assert correlation[0, 0] > 0.9
    assert correlation[1, 1] > 0.9
    assert abs(correlation[0, 1]) < 0.3
    assert abs(correlation[1, 0]) < 0.3


def test_the_scanner_changes_the_image_not_the_biology() -> None:
    """The same tumour on two scanners gives other grids and intensities but the same contrast."""
    tumour = _tumour(0, 1.5, -1.5)
    one, other = _examine(tumour, "A1"), _examine(tumour, "C2")
    assert one[0].position.spacing_mm != other[0].position.spacing_mm
    assert other[0].images["t2w"].mean() > 1.5 * one[0].images["t2w"].mean()
    first, second = _network_inputs(one), _network_inputs(other)
    for name in ("t2w", "adc"):
        assert _core_against_rim(first[name]) == pytest.approx(_core_against_rim(second[name]), rel=0.25)


def test_the_defect_shows_in_both_inputs() -> None:
    """With the defect the T2W box gets brighter spots and the ADC box darker ones, by more than noise."""
    tumour = _tumour(0, 0.0, 0.0)
    without, with_defect = (_network_inputs(_examine(tumour, "A2", artefact=defect)) for defect in (False, True))
    assert np.abs(without["t2w"] - with_defect["t2w"]).mean() > 0.1
    assert np.abs(without["adc"] - with_defect["adc"]).mean() > 0.1


@pytest.mark.parametrize("scanner", SCANNERS)
def test_masks_cover_the_tumour_on_some_slices(scanner: str) -> None:
    """Lesions have 4 to 20 slices on T2W, none on the first and last slice, and physiological ADC."""
    for position in range(4):
        t2w, dwi = _examine(_tumour(position, 0.0, 0.0), scanner, position)
        for series, name in ((t2w, "t2w_mask"), (dwi, "dwi_mask")):
            mask = series.images[name]
            drawn = mask.any(axis=(1, 2))
            assert mask.shape == next(iter(series.images.values())).shape
            assert 4 <= drawn.sum() <= 20
            assert not drawn[0]
            assert not drawn[-1]
        lesion = dwi.images["dwi_mask"] > 0
        b0, b1000 = dwi.images["dwi_b0"][lesion].astype(float), dwi.images["dwi_b1000"][lesion].astype(float)
        assert 0.7e-3 < np.median(np.log(b0 / np.maximum(b1000, 1)) / 1000) < 1.4e-3


def test_every_site_has_a_scanner() -> None:
    """Every scanner named by an MRI cohort exists."""
    sites = [site for definition in COHORTS if definition.disease.modality == "MR" for site in definition.sites]
    assert {site.scanner for site in sites} <= set(SCANNERS)


def test_size_of_the_tumour_does_not_depend_on_biology() -> None:
    """The same generator gives the same shape whatever the latent variables."""
    low, high = (_examine(_tumour(0, z, z), "A1") for z in (-2.0, 2.0))
    for name, (first, second) in {"t2w_mask": (low[0], high[0]), "dwi_mask": (low[1], high[1])}.items():
        np.testing.assert_array_equal(first.images[name], second.images[name])
