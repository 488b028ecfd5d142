"""Distribution of the largest of correlated statistics: against integrals done otherwise, and permutations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import norm

from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.cutoffs.exceedance import exceedance_probability, permutation_exceedances


def moments(scores: NDArray[np.float64], low: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of the sum of `low` scores drawn without replacement."""
    n = scores.size
    return low * scores.mean(), np.sqrt(low * (n - low) / (n - 1) * scores.var())


def test_equals_r() -> None:
    """Four dimensions: mvtnorm::pmvnorm with Miwa's numerical integration."""
    expected = survival_reference()["joint_normal"]
    for bound, p_value in zip(expected["bound"], expected["p"], strict=True):
        found = exceedance_probability(bound, expected["n"], np.array(expected["low"]))
        assert found == pytest.approx(p_value, abs=1e-9)


def test_one_cutoff_is_the_normal_distribution() -> None:
    """Without a search there is nothing to correct."""
    assert exceedance_probability(2.5, 100, np.array([40])) == pytest.approx(2 * norm.sf(2.5), rel=1e-12)


@pytest.mark.parametrize(("bound", "low"), [(0.3, (10, 90)), (2, (49, 50)), (6, (20, 60))])
def test_two_cutoffs(bound: float, low: tuple[int, int]) -> None:
    """One integral by adaptive quadrature, also for very small probabilities and nearly equal cut-offs."""
    r = np.sqrt(low[0] * (100 - low[1]) / ((100 - low[0]) * low[1]))
    sd = np.sqrt(1 - r**2)

    def leaves(z: float) -> float:
        return float(norm.pdf(z) * (norm.sf((bound - r * z) / sd) + norm.cdf((-bound - r * z) / sd)))

    points = sorted({-bound, 0.0, bound, *(s * min(r * bound, bound) for s in (-1, 1))})
    inside = sum(quad(leaves, a, b, epsabs=0, epsrel=1e-12, limit=200)[0] for a, b in itertools.pairwise(points))
    expected = 2 * norm.sf(bound) + inside
    assert exceedance_probability(bound, 100, np.array(low)) == pytest.approx(expected, rel=1e-9)


def test_between_one_test_and_bonferroni() -> None:
    """More cut-offs cost more, but never more than independent tests; a bound of 0 is always exceeded."""
    previous = 0.0
    for step in (60, 30, 10, 1):
        low = np.arange(20, 181, step)
        p_value = exceedance_probability(3, 200, low)
        assert max(previous, 2 * norm.sf(3)) <= p_value <= low.size * 2 * norm.sf(3)
        previous = p_value
    assert exceedance_probability(0, 200, np.array([50, 100])) == 1


def test_permutations_approach_all_orders() -> None:
    """Six patients: 2000 random orders against all 720."""
    scores, low = np.array([0.1, -0.8, 1.2, 0.4, -0.3, -0.6]), np.array([2, 3, 4])
    expected, deviation = moments(scores, low)

    def largest(order: tuple[float, ...]) -> float:
        return float(np.abs((np.cumsum(order)[low - 1] - expected) / deviation).max())

    exact = np.mean([largest(order) >= 1.2 for order in itertools.permutations(scores.tolist())])
    found = permutation_exceedances(scores, low, expected, deviation, 1.2, 2000, 1) / 2000
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 2000))


def test_permutations_repeat() -> None:
    """The same seed counts the same, another one another; the scores are left alone."""
    scores = np.random.default_rng(0).standard_normal(50)
    before, low = scores.copy(), np.arange(5, 46)
    arguments = (scores, low, *moments(scores, low), 2.0, 1000)
    counts = [permutation_exceedances(*arguments, seed) for seed in (1, 1, 2)]

    assert counts[0] == counts[1] != counts[2]
    assert scores.tolist() == before.tolist()
