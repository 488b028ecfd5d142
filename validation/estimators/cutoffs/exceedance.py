"""How likely the largest of correlated log-rank statistics is to exceed a bound."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_legendre

from validation.estimators.compiled import compiled
from validation.estimators.samples import Floats
from validation.estimators.streams import STEP, output, stream

Counts = NDArray[np.int64]
REACH = 9.0  # standard deviations beyond which a normal density counts as zero (1e-18)


def exceedance_probability(bound: float, n: int, low: Counts) -> float:
    """Return the probability that any of k standard normal variables exceeds the bound in absolute value.

    Two-sample statistics of nested groups of i < j of n patients have correlation sqrt(i (n - j) / ((n - i) j)): they
    form a Markov chain. The multivariate normal integral, which R's maxstat approximates by simulation, is therefore a
    chain of one-dimensional integrals, here by Gauss-Legendre quadrature. What leaves the bounds is added up
    directly, so that small probabilities keep their digits.

    Args:
        bound: Largest statistic observed, not negative.
        n: Patients.
        low: Sizes of the low groups, ascending, shape (k,).
    """
    if bound == 0:
        return 1.0
    i, j = low[:-1].astype(np.float64), low[1:].astype(np.float64)
    correlation = np.sqrt(i * (n - j) / ((n - i) * j))
    deviation = np.sqrt(n * (j - i) / ((n - i) * j))  # sqrt(1 - correlation^2) without cancellation
    narrowest = deviation.min() if deviation.size else 1.0
    nodes, weights = roots_legendre(32 + int(6 * bound / narrowest))
    return min(float(_leave(bound, correlation, deviation, bound * nodes, bound * weights)), 1.0)


@compiled
def _leave(bound: float, correlation: Floats, deviation: Floats, nodes: Floats, weights: Floats) -> float:
    """Probability that the chain leaves (-bound, bound): at the start, plus at each step from where it still was."""
    left = math.erfc(bound / math.sqrt(2.0))
    mass = weights * np.exp(-(nodes**2) / 2) / math.sqrt(2 * math.pi)
    for step in range(correlation.size):
        r, sd = correlation[step], deviation[step]
        after = np.zeros(nodes.size)
        first = 0
        for i in range(nodes.size):
            centre = r * nodes[i]
            scale = sd * math.sqrt(2.0)
            left += mass[i] * (math.erfc((bound - centre) / scale) + math.erfc((bound + centre) / scale)) / 2
            while first < nodes.size and nodes[first] < centre - REACH * sd:
                first += 1
            for j in range(first, nodes.size):
                distance = (nodes[j] - centre) / sd
                if distance > REACH:
                    break
                after[j] += mass[i] * math.exp(-distance * distance / 2)
        mass = after * weights / (sd * math.sqrt(2 * math.pi))
    return left


@compiled
def permutation_exceedances(
    scores: Floats, low: Counts, expected: Floats, deviation: Floats, bound: float, permutations: int, seed: int
) -> int:
    """Count the permutations of the scores whose largest absolute standardised sum reaches the bound.

    Scores are dealt to the low group one by one (Fisher and Yates), from one stream per permutation.

    Args:
        scores: Shape (n,).
        low: Sizes of the low groups, ascending, shape (k,).
        expected: Mean of the sum of each low group, shape (k,).
        deviation: Its standard deviation, shape (k,).
        bound: Statistic observed.
        permutations: How many.
        seed: Not negative.
    """
    count = 0
    for number in range(permutations):
        dealt = scores.copy()
        state = stream(seed, number)
        total, group = 0.0, 0
        for i in range(low[-1]):
            state += STEP
            j = i + np.int64(((output(state) >> np.uint64(32)) * np.uint64(scores.size - i)) >> np.uint64(32))
            dealt[i], dealt[j] = dealt[j], dealt[i]
            total += dealt[i]
            if i + 1 == low[group]:
                if abs(total - expected[group]) >= bound * deviation[group]:
                    count += 1
                    break
                group += 1
    return count
