"""Population stability index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import finite_vector

BINS = 10


@dataclass(frozen=True)
class StabilityIndex:
    """A population stability index and the table it was computed from.

    Attributes:
        value: Sum over bins of (external - development share) log(external / development share), never negative.
        expected_without_shift: What chance alone gives, (bins - 1) (1 / n + 1 / m) (Yurdakul and Naranjo, J Risk Model
            Valid 2020;14(4):89): the usual limits of 0.1 and 0.25 mean nothing where this comes near them.
        edges: Between the bins, ascending; a value on an edge belongs to the bin below.
        development: Share of each bin.
        external: Share of each bin.
        method: In words; says how many bins were empty.
    """

    value: float
    expected_without_shift: float
    edges: tuple[float, ...]
    development: tuple[float, ...]
    external: tuple[float, ...]
    method: str


def population_stability(development: ArrayLike, external: ArrayLike) -> StabilityIndex:
    """Compare two distributions over the deciles of the development cohort (R's quantile type 7, bins open below).

    Deciles that coincide are one edge, and a bin that is empty in both cohorts (between two values of a score with few)
    is none. A bin that is empty in one cohort has no logarithm: there it counts as half a patient; the other bins stay
    as they are.

    Args:
        development: Shape (n,), values without missing ones.
        external: Shape (m,).

    Raises:
        UndefinedEstimate: Values not finite, fewer than ten in the development cohort, or a single bin.
    """
    first, second = finite_vector("development", development), finite_vector("external", external)
    if first.size < BINS:
        raise UndefinedEstimate(f"{first.size} patients in the development cohort have no deciles", too_few=True)
    edges = np.unique(np.quantile(first, np.arange(1, BINS) / BINS))
    edges = edges[edges < first.max()]  # beyond the last decile there must be somebody
    if not edges.size:
        raise UndefinedEstimate("the deciles of the development cohort coincide: one bin")
    counts = np.stack(
        [np.bincount(np.searchsorted(edges, x, side="left"), minlength=edges.size + 1) for x in (first, second)]
    )
    filled = counts.sum(axis=0) > 0
    edges, counts = edges[filled[:-1]], counts[:, filled]
    size = counts.sum(axis=1, keepdims=True)
    expected, actual = np.where(counts == 0, 0.5, counts) / size
    shares = counts / size
    empty = int(np.count_nonzero(counts == 0))
    method = f"population stability index, {edges.size + 1} bins at development deciles, {empty} empty (half a patient)"
    return StabilityIndex(
        float(((actual - expected) * np.log(actual / expected)).sum()),
        edges.size * (1 / first.size + 1 / second.size),
        tuple(edges.tolist()),
        tuple(shares[0].tolist()),
        tuple(shares[1].tolist()),
        method,
    )
