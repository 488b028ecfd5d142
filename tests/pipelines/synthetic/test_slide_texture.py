"""Tests of textures, stains and scanners: tissues can be told apart, centres differ, canvases are seamless."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from models.histology_spatial_survival import TISSUES
from pipelines.synthetic.cohorts import COHORTS
from pipelines.synthetic.slide_noise import smooth_noise
from pipelines.synthetic.slide_scanner import CANVAS_CELLS, PIECES_PER_CELL, SLIDE_SCANNERS, canvases, colours
from pipelines.synthetic.slide_texture import BLANK, TEXTURES

Pixels = NDArray[np.uint8]
TILE_PIECES = 8 * PIECES_PER_CELL


def _tiles(scanner: str, slides: range) -> tuple[list[Pixels], list[str]]:
    """Return one tile of each texture per slide, each slide stained its own way, and the names."""
    canvas = canvases(SLIDE_SCANNERS[scanner])
    tiles, names = [], []
    for slide in slides:
        rng = np.random.default_rng(slide)
        colour = colours(SLIDE_SCANNERS[scanner], rng)
        for number, name in enumerate(TEXTURES):
            row, column = rng.integers(CANVAS_CELLS * PIECES_PER_CELL - TILE_PIECES, size=2)
            block = canvas[number, row : row + TILE_PIECES, column : column + TILE_PIECES].swapaxes(1, 2)
            side = TILE_PIECES * SLIDE_SCANNERS[scanner].piece_px
            tiles.append(colour[block.reshape(side, side)])
            names.append(name)
    return tiles, names


def _statistics(tile: Pixels) -> list[float]:
    """Return colour and texture by hand: mean and spread per channel, fine and coarse detail of the optical density."""
    density = -np.log((tile + 1.0) / 256)
    grey = density.mean(axis=2)
    fine, coarse = (grey - gaussian_filter(grey, sigma) for sigma in (1.5, 8.0))
    return [*density.mean(axis=(0, 1)), *density.std(axis=(0, 1)), fine.std(), coarse.std()]


@pytest.mark.parametrize("scanner", SLIDE_SCANNERS)
def test_simple_statistics_tell_the_tissues_apart(scanner: str) -> None:
    """A linear classifier of eight numbers, fitted on some slides, names more than 90 % of the tiles of others."""
    train, test = (_tiles(scanner, slides) for slides in (range(30), range(100, 120)))
    model = LinearDiscriminantAnalysis().fit([_statistics(tile) for tile in train[0]], train[1])
    assert model.score([_statistics(tile) for tile in test[0]], test[1]) > 0.9


def test_centres_differ_in_stain_and_light() -> None:
    """Mean colours of the same tissue lie about as far apart as the spreads of both centres together."""
    means = {name: {tissue: [] for tissue in TEXTURES} for name in SLIDE_SCANNERS}
    for scanner in SLIDE_SCANNERS:
        for tile, tissue in zip(*_tiles(scanner, range(10)), strict=True):
            means[scanner][tissue].append(tile.mean(axis=(0, 1)))
    for tissue in ("STR", "TUM", "HEP", BLANK):
        one, other = (np.array(means[scanner][tissue]) for scanner in SLIDE_SCANNERS)
        apart = abs(one.mean(axis=0) - other.mean(axis=0)) / (one.std(axis=0) + other.std(axis=0))
        assert apart.max() > 0.8, tissue


def test_glass_is_bright_and_fat_is_not_glass() -> None:
    """Glass is near white; the darkest channel of every tissue is darker on most pixels than what counts as blank."""
    for scanner in SLIDE_SCANNERS:
        for tile, tissue in zip(*_tiles(scanner, range(10)), strict=True):
            blank = (tile.min(axis=2) >= 206).mean()  # optical density 0.15 under a lamp of 240
            assert (blank > 0.99) if tissue == BLANK else (blank < 0.45), (scanner, tissue)


def test_lymphocytes_and_tumour_are_blue_and_stroma_is_pink() -> None:
    """Red exceeds blue in stroma and liver, blue exceeds red in lymphocytes, tumour and mucus, as on any H&E slide."""
    mean = {name: np.zeros(3) for name in TEXTURES}
    for tile, name in zip(*_tiles("WSI1", range(10)), strict=True):
        mean[name] += tile.mean(axis=(0, 1)) / 10
    for name in ("STR", "HEP"):
        assert mean[name][0] > mean[name][2] > mean[name][1]
    for name in ("LYM", "TUM", "MUC"):
        assert mean[name][2] > mean[name][0] > mean[name][1]
    assert mean["LYM"].mean() < mean["STR"].mean() - 20


def test_canvases_are_seamless() -> None:
    """Across the edge, pixels differ no more than across any other line."""
    for canvas in canvases(SLIDE_SCANNERS["WSI1"]):
        size = canvas.shape[0] * canvas.shape[2]
        eosin = (canvas.swapaxes(1, 2).reshape(size, size) % 256).astype(float)
        for axis in (0, 1):
            step = abs(np.diff(eosin, axis=axis)).mean()
            seam = abs(np.take(eosin, 0, axis) - np.take(eosin, -1, axis)).mean()
            assert seam < 2 * step + 1


def test_every_site_has_a_scanner() -> None:
    """Every slide scanner named by a cohort exists, and every one is used; every tissue has a texture."""
    sites = [site for definition in COHORTS if definition.disease.modality == "SM" for site in definition.sites]
    assert {site.scanner for site in sites} == set(SLIDE_SCANNERS)
    assert set(TEXTURES) == {*TISSUES, BLANK}


@pytest.mark.parametrize("wrap", [True, False])
def test_noise_has_unit_variance(wrap: bool) -> None:
    """Each element is a standard normal, whatever its place."""
    fields = [smooth_noise(np.random.default_rng(seed), (40, 30), 8.0, wrap=wrap) for seed in range(800)]
    np.testing.assert_allclose(np.std(fields, axis=0), 1.0, atol=0.15)
    np.testing.assert_allclose(np.mean(fields, axis=0), 0.0, atol=0.2)
