"""Width reached and size needed: the square-root law on every scale."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.estimators.classification.proportion import proportion_exact
from validation.estimators.discrimination.auc import auc
from validation.estimators.estimate import Estimate, Scale, UndefinedEstimate
from validation.estimators.intervals import confidence_limits
from validation.estimators.sample_size.achieved import achieved_width, size_for_width


def _estimate(value: float, error: float, scale: Scale, n: int = 100) -> Estimate:
    lower, upper = confidence_limits(value, error, scale, 0.95)
    return Estimate(value, lower, upper, 0.95, n, 30, "test", scale, standard_error=error)


def test_wald_by_hand() -> None:
    """On the identity scale half the width needs four times the patients and events."""
    estimate = _estimate(0.9, 0.1, "identity")
    needed = size_for_width(estimate, achieved_width(estimate) / 2)

    assert achieved_width(estimate) == pytest.approx(2 * 1.959963984540054 * 0.1, abs=1e-12)
    assert (needed.n, needed.events) == (400, 120)
    assert size_for_width(estimate, achieved_width(estimate)).n == 100
    assert size_for_width(estimate, 100).n == 2


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["logit", "log", "log_log", "identity"]),
    st.floats(0.1, 0.9),
    st.floats(0.01, 0.1),
    st.floats(0.1, 3),
)
def test_the_interval_then_has_the_width(scale: Scale, value: float, error: float, factor: float) -> None:
    """With the patients asked for the interval is as narrow as asked for, with one less it is not."""
    estimate = _estimate(value, error, scale, 500)
    width = factor * achieved_width(estimate)
    needed = size_for_width(estimate, width)
    lower, upper = confidence_limits(value, error * math.sqrt(500 / needed.n), scale, 0.95)
    less, more = confidence_limits(value, error * math.sqrt(500 / max(needed.n - 1, 1)), scale, 0.95)

    assert upper - lower <= width * (1 + 1e-8)
    assert needed.n == 2 or more - less > width * (1 - 1e-8)


def test_exact_interval() -> None:
    """Without standard error the width itself follows the law; twice the sample agrees to a few per cent."""
    estimate = proportion_exact(60, 100)
    twice = achieved_width(proportion_exact(120, 200))

    assert size_for_width(estimate, achieved_width(estimate) / 3).n == 900
    assert size_for_width(estimate, twice).n == pytest.approx(200, rel=0.05)


def test_auc() -> None:
    """The number that an AUC of 200 patients asks for is met by repeating the cohort that often."""
    rng = np.random.default_rng(1)
    case = np.arange(200) < 80
    prediction = rng.normal(size=200) + case
    target = achieved_width(auc(np.tile(case, 4), np.tile(prediction, 4)))

    assert size_for_width(auc(case, prediction), target).n == pytest.approx(800, rel=0.02)


def test_group_and_refusals() -> None:
    """The centre is named; a width of 0 is refused, as is an interval without width."""
    estimate = _estimate(0.8, 0.05, "logit")

    assert size_for_width(replace(estimate, group="north"), 0.1).quantity == "estimate at north"
    with pytest.raises(UndefinedEstimate, match="width 0"):
        size_for_width(estimate, 0)
    with pytest.raises(UndefinedEstimate, match="width at hand 0"):
        size_for_width(replace(estimate, lower=0.8, upper=0.8), 0.1)
