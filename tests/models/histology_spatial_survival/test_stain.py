"""Stain normalisation on stains put in by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.histology_spatial_survival import stain
from models.histology_spatial_survival.stain import REFERENCE_AMOUNTS, REFERENCE_STAINS, StainNormaliser, fit
from models.spec import PreprocessingError
from tests.models.histology_spatial_survival.slides import STAINS, stained, tissue_amounts

OTHER = np.array([[0.50, 0.30], [0.75, 0.75], [0.45, 0.60]])
AMOUNTS = tissue_amounts(200, 200).reshape(-1, 2)


def unit(stains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stain vectors of length 1."""
    return stains / np.linalg.norm(stains, axis=0)


def vectors_found(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The stain vectors of pixels."""
    return stain._stain_vectors(stain.optical_density(pixels).astype(np.float64))


def test_optical_density_by_hand() -> None:
    """0 where 239 + 1 = 240, ln 2 at half of it; 206 is the first transparent level: 240 exp(-0.15) - 1 = 205.6."""
    density = stain.optical_density(np.array([239, 119, 205, 206], dtype=np.uint8))

    assert density[:2].tolist() == pytest.approx([0, np.log(2)])
    assert density[2] >= 0.15 > density[3]
    assert stain.TRANSPARENT_FROM == 206


@pytest.mark.parametrize("stains", [STAINS, OTHER])
def test_finds_the_stains_put_in(stains: NDArray[np.float64]) -> None:
    """Pixels of two known stains, most of them nearly pure, give these back within 3.5 degrees, haematoxylin first."""
    found = vectors_found(stained(AMOUNTS, stains))
    degrees = np.degrees(np.arccos((found * unit(stains)).sum(axis=0)))

    assert degrees.max() < 3.5
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), 1)


def test_pure_stains_are_found_exactly() -> None:
    """Without mixtures the extremes are the stains themselves, but for rounding to grey levels."""
    rng = np.random.default_rng(0)
    pure = np.zeros((4000, 2))
    pure[:2000, 0], pure[2000:, 1] = rng.uniform(0.8, 1.5, 2000), rng.uniform(0.8, 1.5, 2000)

    np.testing.assert_allclose(vectors_found(stained(pure)), unit(STAINS), atol=0.01)


def test_matrix_by_hand() -> None:
    """Pure stains of known largest amounts become the reference's, scaled to its largest amounts."""
    pure = np.zeros((4000, 2))
    pure[:2000, 0], pure[2000:, 1] = 1.2, 0.9
    pure *= np.random.default_rng(0).uniform(0.7, 1.0, (4000, 1))
    matrix = fit(stained(pure)).matrix
    largest = np.percentile(pure, 99, axis=0)

    np.testing.assert_allclose(matrix @ unit(STAINS), REFERENCE_STAINS * REFERENCE_AMOUNTS / largest, atol=0.015)


def test_two_stainings_of_one_tissue_become_alike() -> None:
    """The same tissue in two laboratories: far apart before, a few grey levels after."""
    weak, strong = stained(0.7 * AMOUNTS, OTHER), stained(1.2 * AMOUNTS, STAINS)
    before = np.abs(weak.astype(float) - strong).mean()
    after = np.abs(fit(weak)(weak).astype(float) - fit(strong)(strong)).mean()

    assert before > 25
    assert after < 4


def test_tissue_in_the_reference_colours_hardly_changes() -> None:
    """A slide that has the reference's stains and amounts already stays as it is."""
    amounts = AMOUNTS * REFERENCE_AMOUNTS / np.percentile(AMOUNTS, 99, axis=0)
    pixels = stained(amounts, REFERENCE_STAINS)

    assert np.abs(fit(pixels)(pixels).astype(float) - pixels).mean() < 6


def test_equals_the_published_algorithm() -> None:
    """Against the published code written out pixel by pixel with its least squares; it cuts decimals, ours rounds."""
    pixels = stained(AMOUNTS[:5000])
    density = -np.log((pixels.astype(np.float64) + 1) / 240)
    kept = density[~(density < 0.15).any(axis=1)]
    axes = np.linalg.eigh(np.cov(kept.T))[1][:, [1, 2]]
    axes = axes * np.array([1, np.sign(axes[:, 1].sum())])
    angles = np.arctan2((kept @ axes)[:, 0], (kept @ axes)[:, 1])
    ends = [axes @ np.array([np.sin(a), np.cos(a)]) for a in np.percentile(angles, [1, 99])]
    first, second = ends if ends[0][0] > ends[1][0] else ends[::-1]
    stains = np.column_stack([first, second])
    all_amounts = np.linalg.lstsq(stains, density.T, rcond=None)[0]
    kept_amounts = np.linalg.lstsq(stains, kept.T, rcond=None)[0]
    scaled = all_amounts * (REFERENCE_AMOUNTS / np.percentile(kept_amounts, 99, axis=1))[:, None]
    expected = np.clip(240 * np.exp(-REFERENCE_STAINS @ scaled) - 1, 0, 255).T

    np.testing.assert_allclose(fit(pixels)(pixels), expected, atol=0.51)


@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_identity_gives_every_pixel_back(seed: int) -> None:
    """With the identity as matrix no grey level moves."""
    tile = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)

    np.testing.assert_array_equal(StainNormaliser(np.eye(3, dtype=np.float32))(tile), tile)


def test_glass_stays_bright_and_the_original_is_untouched() -> None:
    """White pixels stay nearly white; a view of a larger picture is not written to."""
    normalise = fit(stained(AMOUNTS))
    picture = np.full((8, 8, 3), 245, dtype=np.uint8)

    assert normalise(picture[:4, :4]).min() > 225
    assert (picture == 245).all()


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((5000, 3), 245, dtype=np.uint8), "0 stained pixels in the sample, expected at least 1000"),
        (stained(AMOUNTS[:999]), "stained pixels in the sample"),
        (np.full((5000, 3), 100, dtype=np.uint8), "one colour in different strengths"),
        (stained(AMOUNTS * [1, 0] + [0.5, 0]), "not two|degrees between the two stains"),
    ],
)
def test_refuses_what_shows_no_two_stains(pixels: NDArray[np.uint8], message: str) -> None:
    """Glass, a few pixels, one colour and one stain in different strengths are refused with the reason."""
    with pytest.raises(PreprocessingError, match=message):
        fit(pixels)


def test_grey_is_no_staining() -> None:
    """A picture in black and white, as of a slide that was never stained or is a photograph of text, is refused."""
    grey = np.random.default_rng(0).integers(20, 180, 5000, dtype=np.uint8)

    with pytest.raises(PreprocessingError, match="stain normalisation"):
        fit(np.repeat(grey[:, None], 3, axis=1))
