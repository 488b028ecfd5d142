"""Tests of covariates as functions of normals."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.synthetic.covariates import blend, category, known, lognormal, lognormal_above

NORMAL = np.random.default_rng(7).standard_normal(100_000)


def test_categories_have_their_shares() -> None:
    """Counts of 1, 0 and 3 give a quarter, nobody and three quarters."""
    names, counts = np.unique(category(NORMAL, {"a": 1, "b": 0, "c": 3}), return_counts=True)
    assert names.tolist() == ["a", "c"]
    assert counts[0] / len(NORMAL) == pytest.approx(0.25, abs=0.01)


def test_blend_keeps_the_distribution() -> None:
    """A blend of independent standard normals is standard normal and correlates as asked."""
    other = np.random.default_rng(8).standard_normal(len(NORMAL))
    mixed = blend(0.3, NORMAL, other)
    assert mixed.std() == pytest.approx(1, abs=0.01)
    assert np.corrcoef(mixed, NORMAL)[0, 1] == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("unknown", [0.0, 0.2])
def test_known_values_are_still_standard_normal(unknown: float) -> None:
    """The asked share is unknown; the values themselves are standard normal among known and unknown."""
    own, is_known = known(NORMAL, unknown)
    assert 1 - is_known.mean() == pytest.approx(unknown, abs=0.01)
    for group in (is_known, ~is_known):
        if group.any():
            assert own[group].mean() == pytest.approx(0, abs=0.03)
            assert own[group].std() == pytest.approx(1, abs=0.03)


def test_lognormal_values() -> None:
    """The share above the threshold, the mean and the standard deviation are those asked for."""
    assert (lognormal_above(NORMAL, 0.3, 5.0, 0.9) > 5).mean() == pytest.approx(0.3, abs=0.01)
    values = lognormal(NORMAL, 4.0, 2.0)
    assert values.mean() == pytest.approx(4.0, abs=0.05)
    assert values.std() == pytest.approx(2.0, abs=0.05)
