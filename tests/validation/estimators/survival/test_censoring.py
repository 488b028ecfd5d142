"""The censoring curve: events leave the risk set before censorings, weights are repetition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.survival.censoring import censoring_curve


def test_by_hand() -> None:
    """At 2 one of three is censored once the event there has left; at 4 the one who is left."""
    curve = censoring_curve(np.array([1.0, 2, 2, 3, 4]), np.array([True, True, False, True, False]))

    assert curve.time.tolist() == [2, 4]
    assert curve.followed == pytest.approx([2 / 3, 0])
    assert curve.before([2, 2.5, 4]) == pytest.approx([1, 2 / 3, 2 / 3])
    assert curve.at([1, 2, 4]) == pytest.approx([1, 2 / 3, 0])


def test_without_censoring_everybody_is_followed() -> None:
    """All weights are one."""
    curve = censoring_curve(np.array([1.0, 2, 3]), np.ones(3, dtype=bool))

    assert curve.at([0.5, 3, 9]).tolist() == [1, 1, 1]


@given(cohorts(), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_weights_are_repetition(cohort: Cohort, seed: int) -> None:
    """A weighted curve is the curve of the patients repeated so often."""
    time, event, _ = cohort
    counts = np.random.default_rng(seed).integers(0, 4, len(time))
    counts[0] = 1
    weighted = censoring_curve(time, event, counts.astype(float))
    repeated = censoring_curve(np.repeat(time, counts), np.repeat(event, counts))

    np.testing.assert_array_equal(weighted.time, repeated.time)
    np.testing.assert_allclose(weighted.followed, repeated.followed, atol=1e-12)
