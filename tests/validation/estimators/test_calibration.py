"""Calibration slope and observed over expected: equal to R, by hand, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import from_r, gbsg
from validation.estimators.calibration import cox_calibration_slope, observed_expected_ratio
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.intervals import quantile


def test_slope_equals_r() -> None:
    """Value and standard error are those of coxph on the linear predictor."""
    expected = from_r()["surv_cal"]["slope_cox"]
    estimate = cox_calibration_slope(gbsg().time, gbsg().status, gbsg().lpA)

    assert estimate.value == pytest.approx(expected["est"], abs=1e-9)
    assert (estimate.upper - estimate.value) / quantile(0.95) == pytest.approx(expected["se"], abs=1e-9)
    assert (estimate.n, estimate.events, estimate.horizon_months) == (686, 299, None)


def test_slope_of_a_scaled_linear_predictor() -> None:
    """A predictor twice as extreme has half the slope; a shift and another unit of time change nothing."""
    plain = cox_calibration_slope(gbsg().time, gbsg().status, gbsg().lpA)
    extreme = cox_calibration_slope(gbsg().time * 12, gbsg().status, 2 * gbsg().lpA - 5)

    assert extreme.value == pytest.approx(plain.value / 2, abs=1e-9)
    assert extreme.lower == pytest.approx(plain.lower / 2, abs=1e-9)


def test_slope_up_to_a_horizon() -> None:
    """Follow-up after the horizon has no influence."""
    data = gbsg()
    later = np.where(
        data.time > 3, 3 + (data.time - 3) * np.random.default_rng(0).uniform(0.5, 2, len(data)), data.time
    )
    estimates = [cox_calibration_slope(time, data.status, data.lpA, horizon_months=3) for time in (data.time, later)]

    assert estimates[0] == estimates[1]
    assert estimates[0].events == 224


@pytest.mark.parametrize("index", [0, 1, 2])
def test_ratio_equals_r(index: int) -> None:
    """O/E at 1, 3 and 5 years; the interval follows from R's standard error of the observed risk."""
    expected = from_r()["surv_cal"]["time"][index]
    year = expected["t"]
    estimate = observed_expected_ratio(gbsg().time, gbsg().status, gbsg()[f"pA{year}"], year)

    assert estimate.value == pytest.approx(expected["OE"], abs=1e-12)
    half_width = np.log(estimate.upper / estimate.lower) / 2 / quantile(0.95)
    assert half_width == pytest.approx(expected["obs_se"] / expected["obs"], abs=1e-12)
    assert estimate.scale == "log"


def test_ratio_without_censoring() -> None:
    """Three of ten by the horizon, mean risk 0.2: 1.5, and var(ln) = (1 - 0.3) / (10 * 0.3) as in Debray 2017."""
    estimate = observed_expected_ratio(np.arange(1, 11), np.ones(10), np.full(10, 0.2), 3.5)

    assert estimate.value == pytest.approx(1.5)
    half_width = np.log(estimate.upper / estimate.lower) / 2 / quantile(0.95)
    assert half_width == pytest.approx(np.sqrt(0.7 / 3))
    assert (estimate.n, estimate.events) == (10, 3)


@pytest.mark.parametrize(
    ("risk", "horizon", "reason"),
    [
        ([0.1, 0.2, 1.1, 0.3], 2.0, r"risk lies outside \[0, 1\] for 1 of 4"),
        ([0.1, 0.2, -0.1, 0.3], 2.0, "outside"),
        ([0.1, np.nan, 0.1, 0.3], 2.0, "risk is not finite for 1 of 4"),
        ([0.0, 0.0, 0.0, 0.0], 2.0, "predicted risk is 0 for all"),
        ([0.1, 0.2, 0.1, 0.3], 9.0, "beyond follow-up"),
        ([0.1, 0.2, 0.1, 0.3], 0.5, "survival at 0.5 months is 1"),
        ([0.1, 0.2, 0.1, 0.3], 4.0, "survival at 4 months is 0"),
    ],
)
def test_ratio_refuses(risk: list[float], horizon: float, reason: str) -> None:
    """A ratio needs risks, a horizon within follow-up, and some but not all events before it."""
    with pytest.raises(UndefinedEstimate, match=reason):
        observed_expected_ratio([1, 2, 3, 4], [1, 1, 0, 1], risk, horizon)


def test_slope_refuses_a_constant() -> None:
    """A model that predicts the same for all has no slope."""
    with pytest.raises(UndefinedEstimate, match="prediction is 1 for all"):
        cox_calibration_slope([1, 2, 3], [1, 0, 1], [1, 1, 1])
