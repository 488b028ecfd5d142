"""Two-component Gaussian mixtures of the distances to the tumour: how far a tissue counts as infiltrating (Qi 2023).

The paper names a Gaussian mixture and no more. Ours has two components and is fitted once per tissue on the tiles of
all development slides together, so that a distance means the same on every slide. The components are those of largest
likelihood among standard deviations of at least that of a point known only to lie somewhere in its tile: without such a
limit the likelihood of tiles that lie at a few distances only, as those that touch the tumour do, has no maximum.

Tiles within a tumour region, at distance 0, are infiltrating by where they lie and no part of the mixture: in mucus and
debris they would be a component of their own, and part what the tumour encloses from what touches it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp

from models.histology_spatial_survival import DISTANCES_TILES, FARTHEST_TILES, ORGANISED

Array = NDArray[np.float64]

SMALLEST_SD_TILES = sqrt(1 / 12)  # of a uniform distribution over one tile
START_SHARES = (0.25, 0.5, 0.75)  # of the tiles in the nearer component at the start; the likeliest end is taken
CONVERGED = 1e-10  # gain in log-likelihood per tile
MAX_ITERATIONS = 5000


@dataclass(frozen=True)
class Mixture:
    """A fitted mixture, nearer component first.

    Attributes:
        weights: Shares of the two components.
        means_tiles: Their means.
        sds_tiles: Their standard deviations.
        log_likelihood: Per tile.
        iterations: Of the EM algorithm.
        converged: Whether it ended because the likelihood no longer rose, not after the most iterations.
    """

    weights: tuple[float, float]
    means_tiles: tuple[float, float]
    sds_tiles: tuple[float, float]
    log_likelihood: float
    iterations: int
    converged: bool

    def log_odds(self, distance: float) -> float:
        """Return the log odds that a tile at a distance belongs to the nearer component."""
        near, far = _log_joint(np.array([distance]), self)[0]
        return float(near - far)


@dataclass(frozen=True)
class DistanceCut:
    """Up to where the tiles of one tissue are infiltrating.

    Attributes:
        tissue: Its name.
        tiles: Development tiles of it outside the tumour.
        cut_tiles: A tile up to this distance is infiltrating, a farther one distal.
        mixture: Where the cut comes from; None if there is none.
        reason: Why the tissue cannot be split, all of it being infiltrating then; None if it is split.
    """

    tissue: str
    tiles: int
    cut_tiles: float
    mixture: Mixture | None
    reason: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def distance_cuts(tiles_by_distance: NDArray[Any]) -> tuple[DistanceCut, ...]:
    """Return the cut of each of `ORGANISED` from the tiles of N development slides, (N, 5, distances)."""
    pooled = np.asarray(tiles_by_distance, dtype=np.float64).sum(axis=0)
    distance = np.array(DISTANCES_TILES)
    return tuple(distance_cut(tissue, distance, count) for tissue, count in zip(ORGANISED, pooled, strict=True))


def distance_cut(tissue: str, distance: Array, count: Array) -> DistanceCut:
    """Cut where a tile, going away from the tumour, becomes likelier to belong to the farther component.

    That is the distance between the two means at which the components are equally likely. A tissue without such a
    distance (tiles at fewer than two distances, a mixture that has not converged, or one component likelier than the
    other at both means) is not split: all its tiles are infiltrating, its distal share is 0 for everyone, and no model
    can choose it.

    Args:
        tissue: Its name.
        distance: (K,) distances in tiles, ascending.
        count: (K,) tiles at each.
    """
    present = (count > 0) & (distance > 0)
    tiles = int(count[present].sum())
    if np.count_nonzero(present) < 2:
        reason = f"{tiles} tiles at {np.count_nonzero(present)} distances: two are needed"
        return DistanceCut(tissue, tiles, float(FARTHEST_TILES), None, reason)
    mixture = fit_mixture(distance[present], count[present])
    if not mixture.converged:
        reason = f"the mixture has not converged after {mixture.iterations} iterations"
        return DistanceCut(tissue, tiles, float(FARTHEST_TILES), mixture, reason)
    near, far = mixture.means_tiles
    if not mixture.log_odds(near) > 0 > mixture.log_odds(far):
        reason = "one component is likelier than the other at both means"
        return DistanceCut(tissue, tiles, float(FARTHEST_TILES), mixture, reason)
    return DistanceCut(tissue, tiles, float(brentq(mixture.log_odds, near, far)), mixture, None)


def fit_mixture(distance: Array, count: Array) -> Mixture:
    """Fit by the EM algorithm from the nearest quarter, half and three quarters of the tiles; return the likeliest.

    Args:
        distance: (K,) ascending, at least two.
        count: (K,) tiles at each, above 0.
    """
    share = np.cumsum(count) / count.sum()
    splits = {min(int(np.searchsorted(share, part)), len(distance) - 2) for part in START_SHARES}
    fitted = [_converge(distance, count, np.arange(len(distance)) <= split) for split in sorted(splits)]
    return max(fitted, key=lambda mixture: mixture.log_likelihood)


def _converge(distance: Array, count: Array, nearer: NDArray[np.bool_]) -> Mixture:
    mixture = _maximised(distance, count, np.column_stack([nearer, ~nearer]).astype(np.float64), -np.inf, 0)
    for iteration in range(1, MAX_ITERATIONS + 1):
        joint = _log_joint(distance, mixture)
        total = logsumexp(joint, axis=1)
        log_likelihood = float((count * total).sum() / count.sum())
        gain = log_likelihood - mixture.log_likelihood
        mixture = _maximised(distance, count, np.exp(joint - total[:, None]), log_likelihood, iteration)
        if gain < CONVERGED:
            mixture = replace(mixture, converged=True)
            break
    return mixture if mixture.means_tiles[0] <= mixture.means_tiles[1] else _swapped(mixture)


def _maximised(distance: Array, count: Array, posterior: Array, log_likelihood: float, iteration: int) -> Mixture:
    """Return the likeliest components given the posterior (K, 2); the log-likelihood is that which led to it."""
    tiles = np.maximum(
        count @ posterior, np.finfo(np.float64).tiny
    )  # a component that lost all its tiles stays defined
    mean = (count * distance) @ posterior / tiles
    variance = (count[:, None] * posterior * (distance[:, None] - mean) ** 2).sum(axis=0) / tiles
    sd = np.maximum(np.sqrt(variance), SMALLEST_SD_TILES)
    weight = tiles / tiles.sum()
    return Mixture(_pair(weight), _pair(mean), _pair(sd), log_likelihood, iteration, converged=False)


def _log_joint(distance: Array, mixture: Mixture) -> Array:
    """Return log(weight x density) of each component at each distance, (K, 2)."""
    sd = np.array(mixture.sds_tiles)
    z = (distance[:, None] - np.array(mixture.means_tiles)) / sd
    return np.asarray(np.log(mixture.weights) - np.log(sd) - np.log(2 * np.pi) / 2 - z**2 / 2)


def _swapped(mixture: Mixture) -> Mixture:
    weights, means, sds = (pair[::-1] for pair in (mixture.weights, mixture.means_tiles, mixture.sds_tiles))
    return replace(mixture, weights=weights, means_tiles=means, sds_tiles=sds)


def _pair(values: Array) -> tuple[float, float]:
    return float(values[0]), float(values[1])
