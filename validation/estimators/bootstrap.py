"""The bootstrap: patients drawn with replacement, as multiplicities; replicate r depends on the seed and r alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.estimators.compiled import compiled
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Floats, group_index, require_clusters
from validation.estimators.streams import STEP, output, stream

Counts = NDArray[np.uint8]
MAX_UNDEFINED = 0.05  # of the replicates; beyond, the interval would describe only the samples that behave


@compiled
def draw_replicate(seed: int, replicate: int, counts: Counts) -> None:
    """Fill `counts` with how often each of n patients is drawn in n draws with replacement.

    The chance of any patient is off by at most n / 2^32 of itself. No count exceeds 255: below 256 patients it cannot,
    above that the probability is less than 1e-500.
    """
    n = np.uint64(counts.size)
    counts[:] = 0
    state = stream(seed, replicate)
    for draw in range((counts.size + 1) // 2):
        state += STEP
        mixed = output(state)
        counts[((mixed & np.uint64(0xFFFFFFFF)) * n) >> np.uint64(32)] += np.uint8(1)
        if 2 * draw + 1 < counts.size:
            counts[((mixed >> np.uint64(32)) * n) >> np.uint64(32)] += np.uint8(1)


@dataclass(frozen=True, eq=False)
class Resampling:
    """What to draw, how often, from which seed.

    Attributes:
        n: Rows.
        replicates: Number of bootstrap samples.
        seed: Not negative.
        drawn: How many are drawn, of as many: rows, or clusters of rows.
        cluster: Shape (n,), which of the drawn each row belongs to: rows of a cluster (a patient's) are drawn together.
            The row itself if None.
        unit: Rows or clusters, in words.
    """

    n: int
    replicates: int
    seed: int
    drawn: int
    cluster: NDArray[np.int64] | None = None
    unit: str = "patients"

    def counts(self, replicate: int) -> Counts:
        """Return how often each row is drawn in one replicate, shape (n,)."""
        drawn = np.empty(self.drawn, dtype=np.uint8)
        draw_replicate(self.seed, replicate, drawn)
        return drawn if self.cluster is None else drawn[self.cluster]

    def describe(self) -> str:
        """Return the bootstrap in words, for an estimate's method."""
        return f"{self.replicates} bootstrap samples of {self.unit}, seed {self.seed}"


def resampling(n: int, replicates: int, seed: int, cluster: ArrayLike | None = None) -> Resampling:
    """Describe a bootstrap of n rows, or of the clusters of rows that share a label.

    Raises:
        UndefinedEstimate: As `group_index`; fewer than 100 replicates (no 95 % interval), a seed that
            is negative or needs more than 63 bits, fewer than 30 clusters.
    """
    if replicates < 100 or not 0 <= seed < 2**63:
        raise UndefinedEstimate(f"{replicates} bootstrap samples from seed {seed}: at least 100, seed of 63 bits")
    if cluster is None:
        return Resampling(n, replicates, seed, n)
    labels, index = group_index("cluster", cluster, n)
    require_clusters(len(labels))
    return Resampling(n, replicates, seed, len(labels), index, f"{len(labels)} clusters")


def replicated(statistic: Callable[[Floats], Floats], plan: Resampling) -> Floats:
    """Return the statistic of every replicate, shape (replicates, k).

    Args:
        statistic: Takes weights of shape (n,), whole numbers, and returns k numbers; NaN where the replicate defines
            none (no event drawn, say).
        plan: The bootstrap.
    """
    return np.stack([statistic(plan.counts(r).astype(np.float64)) for r in range(plan.replicates)])


def percentile_limits(value: float, replicates: Floats, level: float) -> tuple[float, float]:
    """Return the percentile interval (Efron 1979; R's quantile type 7), widened to the value where that lies outside.

    Statistics that are bounded below by zero (an integrated calibration index) are biased upwards in every replicate:
    there the plain percentile interval can miss the estimate itself.

    Args:
        value: The estimate.
        replicates: Shape (B,); NaN where undefined.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: More than 5 % of the replicates are undefined, or all of them equal.
    """
    defined = replicates[np.isfinite(replicates)]
    undefined = replicates.size - defined.size
    if undefined > MAX_UNDEFINED * replicates.size:
        raise UndefinedEstimate(f"{undefined} of {replicates.size} bootstrap replicates are undefined", too_few=True)
    if defined.min() == defined.max():
        raise UndefinedEstimate(f"all {defined.size} bootstrap replicates give {defined[0]:g}", too_few=True)
    lower, upper = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return min(float(lower), value), max(float(upper), value)
