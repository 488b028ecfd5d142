"""Drawing with replacement: fair, repeatable, by clusters; percentile limits that do not hide failures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.estimators.bootstrap import percentile_limits, replicated, resampling
from validation.estimators.estimate import UndefinedEstimate


@given(n=st.integers(2, 300), seed=st.integers(0, 2**62), replicate=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_as_many_are_drawn_as_there_are(n: int, seed: int, replicate: int) -> None:
    """A bootstrap sample has the size of the cohort, and the same seed draws it again."""
    plan = resampling(n, 100, seed)
    counts = plan.counts(replicate)

    assert counts.sum() == n
    np.testing.assert_array_equal(counts, resampling(n, 100, seed).counts(replicate))


def test_every_patient_is_drawn_alike() -> None:
    """Multiplicities have mean 1, variance 1 - 1/n and correlation -1/(n - 1), within Monte-Carlo error."""
    plan = resampling(10, 100, seed=5)
    counts = np.stack([plan.counts(replicate) for replicate in range(20_000)]).astype(float)
    correlation = np.corrcoef(counts.T)[np.triu_indices(10, 1)]

    assert counts.mean(axis=0) == pytest.approx(np.ones(10), abs=0.03)
    assert counts.var(axis=0) == pytest.approx(np.full(10, 0.9), abs=0.05)
    assert correlation == pytest.approx(np.full(45, -1 / 9), abs=0.03)


def test_neighbouring_replicates_and_seeds_are_unrelated() -> None:
    """Replicates of one seed, and the same replicate of neighbouring seeds, are uncorrelated."""
    plans = [resampling(1000, 100, seed) for seed in (1, 2)]
    first, next_replicate, next_seed = plans[0].counts(0), plans[0].counts(1), plans[1].counts(0)

    assert abs(np.corrcoef(first, next_replicate)[0, 1]) < 0.1
    assert abs(np.corrcoef(first, next_seed)[0, 1]) < 0.1


def test_rows_of_a_cluster_are_drawn_together() -> None:
    """Each row has the multiplicity of its cluster."""
    cluster = np.arange(70) % 35
    plan = resampling(70, 100, 1, cluster)

    for replicate in range(20):
        counts = plan.counts(replicate)
        np.testing.assert_array_equal(counts[:35], counts[35:])
        assert counts[:35].sum() == 35


def test_replicated_statistic() -> None:
    """A statistic of weights is evaluated once per replicate."""
    plan = resampling(50, 100, 1)
    values = np.arange(50.0)
    means = replicated(lambda weights: np.array([weights @ values / weights.sum(), weights.sum()]), plan)

    assert means.shape == (100, 2)
    assert means[7, 0] == pytest.approx(np.repeat(values, plan.counts(7)).mean())
    assert (means[:, 1] == 50).all()


def test_percentile_limits_are_quantiles() -> None:
    """Without undefined replicates the limits are R's type-7 quantiles, widened where they miss the value."""
    replicates = np.arange(1001.0)

    assert percentile_limits(500, replicates, 0.95) == pytest.approx((25, 975))
    assert percentile_limits(10, replicates, 0.95) == pytest.approx((10, 975))


@pytest.mark.parametrize(
    ("replicates", "reason"),
    [
        (np.append(np.arange(94.0), np.full(6, np.nan)), "6 of 100 bootstrap replicates are undefined"),
        (np.full(100, 2.0), "all 100 bootstrap replicates give 2"),
        (np.full(100, np.nan), "100 of 100 bootstrap replicates are undefined"),
    ],
)
def test_failed_replicates_are_not_passed_over(replicates: np.ndarray, reason: str) -> None:
    """An interval of the samples that happened to work would be too narrow."""
    with pytest.raises(UndefinedEstimate, match=reason):
        percentile_limits(1.0, replicates, 0.95)


@pytest.mark.parametrize(
    ("replicates", "seed", "cluster", "reason"),
    [
        (99, 1, None, "99 bootstrap samples"),
        (1000, -1, None, "from seed -1"),
        (1000, 1, ["a", "a", "a"], "1 clusters: an interval needs at least 30"),
        (1000, 1, ["a", "b"], "cluster has shape"),
        (1000, 1, ["a", None, "b"], "cluster is missing for 1 of 3"),
    ],
)
def test_refuses(replicates: int, seed: int, cluster: list[str | None] | None, reason: str) -> None:
    """Too few replicates, a negative seed or clusters that say nothing are refused."""
    with pytest.raises(UndefinedEstimate, match=reason):
        resampling(3, replicates, seed, cluster)
