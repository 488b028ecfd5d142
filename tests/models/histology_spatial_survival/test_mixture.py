"""Gaussian mixtures of distances, and the cut between their components."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from models.histology_spatial_survival import DISTANCES_TILES, FARTHEST_TILES, ORGANISED
from models.histology_spatial_survival.mixture import (
    SMALLEST_SD_TILES,
    DistanceCut,
    distance_cut,
    distance_cuts,
    fit_mixture,
)

GRID = np.array(DISTANCES_TILES)


def counted(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tiles at each possible distance, each taken to the next one above."""
    return np.bincount(np.searchsorted(GRID, distances.clip(0, 64)), minlength=len(GRID)).astype(np.float64)


def two_groups(n: int = 4000, share: float = 0.4, seed: int = 0) -> NDArray[np.float64]:
    """Tiles around 3 and around 15 tiles from the tumour."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < share, rng.normal(3, 1, n), rng.normal(15, 4, n)).clip(0.5, 60)


def test_equals_scikit_learn_on_the_same_tiles() -> None:
    """Weighted counts give the mixture that scikit-learn fits to the tiles one by one."""
    count = counted(two_groups())
    ours = fit_mixture(GRID[count > 0], count[count > 0])
    tiles = np.repeat(GRID, count.astype(int))[:, None]
    theirs = GaussianMixture(
        2, tol=1e-10, max_iter=5000, reg_covar=0.0, means_init=[[2.0], [16.0]], weights_init=[0.5, 0.5]
    ).fit(tiles)

    assert ours.weights == pytest.approx(theirs.weights_.tolist(), abs=1e-5)
    assert ours.means_tiles == pytest.approx(theirs.means_[:, 0].tolist(), abs=1e-4)
    assert ours.sds_tiles == pytest.approx(np.sqrt(theirs.covariances_[:, 0, 0]).tolist(), abs=1e-4)
    assert ours.log_likelihood == pytest.approx(theirs.score(tiles), abs=1e-9)


def test_the_cut_is_where_both_components_are_equally_likely() -> None:
    """Between the means, density times weight is equal there; nearer, the nearer component is likelier."""
    count = counted(two_groups())
    cut = distance_cut("STR", GRID, count)
    assert cut.mixture is not None

    def difference(distance: float) -> float:
        near, far = (
            weight * norm.pdf(distance, mean, sd)
            for weight, mean, sd in zip(
                cut.mixture.weights, cut.mixture.means_tiles, cut.mixture.sds_tiles, strict=True
            )
        )
        return float(near - far)

    assert cut.cut_tiles == pytest.approx(brentq(difference, *cut.mixture.means_tiles), abs=1e-8)
    assert difference(cut.cut_tiles - 0.1) > 0 > difference(cut.cut_tiles + 0.1)
    assert (cut.tissue, cut.tiles, cut.reason) == ("STR", 4000, None)


def test_binned_tiles_are_the_tiles() -> None:
    """Distances of a map lose nothing by being counted: tile by tile the mixture is the same."""
    count = counted(two_groups(600))
    tiles = np.repeat(GRID, count.astype(int))

    binned = fit_mixture(GRID[count > 0], count[count > 0])
    unbinned = fit_mixture(tiles, np.ones_like(tiles))
    assert binned.means_tiles == pytest.approx(unbinned.means_tiles, abs=1e-4)
    assert binned.sds_tiles == pytest.approx(unbinned.sds_tiles, abs=1e-4)


def test_planted_components_are_found() -> None:
    """With many tiles, means, standard deviations and shares are those the tiles were drawn from."""
    rng = np.random.default_rng(1)
    tiles = np.concatenate([rng.normal(10, 2, 60_000), rng.normal(30, 5, 40_000)]).clip(0, 64)
    count = counted(tiles)
    found = fit_mixture(GRID[count > 0], count[count > 0])

    assert found.means_tiles == pytest.approx((10, 30), abs=0.15)
    assert found.sds_tiles == pytest.approx((2, 5), abs=0.1)
    assert found.weights == pytest.approx((0.6, 0.4), abs=0.01)


def test_twice_the_tiles_give_the_same_cut() -> None:
    """Only the shares of the distances matter."""
    count = counted(two_groups(500))

    assert distance_cut("STR", GRID, 2 * count).cut_tiles == pytest.approx(
        distance_cut("STR", GRID, count).cut_tiles, abs=1e-6
    )


@pytest.mark.parametrize("tiles", [0, 1, 500])
def test_fewer_than_two_distances_are_not_split(tiles: int) -> None:
    """No tile, one tile, or all at one distance: all of the tissue is infiltrating, and the reason is kept."""
    count = np.zeros(len(GRID))
    count[3] = tiles
    cut = distance_cut("MUC", GRID, count)

    assert cut == DistanceCut("MUC", tiles, 64.0, None, f"{tiles} tiles at {int(tiles > 0)} distances: two are needed")
    assert cut.cut_tiles == FARTHEST_TILES


def test_tiles_that_touch_the_tumour_do_not_collapse_a_component() -> None:
    """Most tiles lie at distance 1 exactly: their component keeps the width of a tile, and the cut lies above 1."""
    count = counted(two_groups(2000, share=0.0))
    count[1] += 3000
    cut = distance_cut("LYM", GRID, count)

    assert cut.mixture is not None
    assert cut.mixture.sds_tiles[0] == SMALLEST_SD_TILES
    assert cut.mixture.means_tiles[0] == pytest.approx(1, abs=0.05)
    assert 1 < cut.cut_tiles < 4


def test_components_that_do_not_part_are_no_split() -> None:
    """One bell-shaped group: if a component is likelier at both means, everything is infiltrating, with the reason."""
    distance = np.arange(1.0, 40.0)
    narrow_within_wide = 1000 * norm.pdf(distance, 20, 8) + 30 * norm.pdf(distance, 20.3, 0.4)
    cut = distance_cut("HEP", distance, narrow_within_wide)

    assert cut.reason == "one component is likelier than the other at both means"
    assert cut.cut_tiles == FARTHEST_TILES
    assert cut.mixture is not None


def test_mixture_that_has_not_converged_is_no_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut short, the tissue stays whole with the reason, and the mixture says that it did not converge."""
    count = counted(two_groups())
    whole = distance_cut("STR", GRID, count)
    monkeypatch.setattr("models.histology_spatial_survival.mixture.MAX_ITERATIONS", 3)
    short = distance_cut("STR", GRID, count)

    assert whole.mixture is not None
    assert short.mixture is not None
    assert (whole.mixture.converged, short.mixture.converged) == (True, False)
    assert (whole.reason, short.reason) == (None, "the mixture has not converged after 3 iterations")
    assert short.cut_tiles == FARTHEST_TILES


def test_two_distances_are_split_between_them() -> None:
    """The smallest case that can be split."""
    cut = distance_cut("DEB", np.array([2.0, 6.0]), np.array([10.0, 10.0]))

    assert cut.cut_tiles == pytest.approx(4.0, abs=1e-6)


def test_tiles_within_the_tumour_are_no_part_of_the_mixture() -> None:
    """However many lie at distance 0, the cut is that of the others, and they are infiltrating."""
    count = counted(two_groups())
    with_enclosed = count.copy()
    with_enclosed[0] = 3 * count.sum()
    cut, alone = distance_cut("DEB", GRID, with_enclosed), distance_cut("DEB", GRID, count)

    assert cut == alone
    assert cut.cut_tiles > 0
    assert distance_cut("MUC", GRID, np.eye(1, len(GRID))[0] * 50).reason == "0 tiles at 0 distances: two are needed"


def test_cuts_of_a_cohort_pool_its_slides() -> None:
    """A cut per tissue in their order, from the tiles of all slides; it goes through JSON."""
    slides = np.zeros((3, 5, len(GRID)))
    slides[0, 0], slides[2, 0] = counted(two_groups(500)), counted(two_groups(700, seed=1))
    slides[1, 4] = counted(two_groups(300, seed=2))
    cuts = distance_cuts(slides)

    assert tuple(cut.tissue for cut in cuts) == ORGANISED
    assert cuts[0] == distance_cut("STR", GRID, slides[:, 0].sum(axis=0))
    assert [cut.tiles for cut in cuts] == [1200, 0, 0, 0, 300]
    assert json.loads(json.dumps(cuts[0].to_dict(), allow_nan=False))["cut_tiles"] == cuts[0].cut_tiles
