"""Cox and Poisson calibration, observed over expected: equal to R, by hand, and what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.reference import FOLDER, from_r, gbsg
from validation.estimators.calibration.survival import (
    cox_calibration_slope,
    observed_expected_ratio,
    poisson_calibration_intercept,
    poisson_calibration_slope,
)
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.intervals import quantile


def test_slope_equals_r() -> None:
    """Value and standard error are those of coxph on the linear predictor."""
    expected = from_r()["surv_cal"]["slope_cox"]
    estimate = cox_calibration_slope(gbsg().time, gbsg().status, gbsg().lpA)

    assert estimate.value == pytest.approx(expected["est"], abs=1e-9)
    assert (estimate.upper - estimate.value) / quantile(0.95) == pytest.approx(expected["se"], abs=1e-9)
    assert estimate.standard_error == pytest.approx(expected["se"], abs=1e-9)
    assert (estimate.n, estimate.events, estimate.horizon) == (686, 299, None)


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
    estimates = [cox_calibration_slope(time, data.status, data.lpA, horizon=3) for time in (data.time, later)]

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
    assert estimate.standard_error == pytest.approx(expected["obs_se"] / expected["exp"], abs=1e-12)


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
        ([0.1, 0.2, 0.1, 0.3], 0.5, "survival at 0.5 is 1"),
        ([0.1, 0.2, 0.1, 0.3], 4.0, "survival at 4 is 0"),
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


def test_poisson_intercept_equals_r() -> None:
    """Log O/E of Crowson's model; refs.R stopped at glm's default tolerance, hence its standard error to 1e-7 only."""
    expected = from_r()["surv_cal"]["poisson_log_OE"]
    converged = json.loads((FOLDER / "calibration.json").read_text(encoding="utf-8"))["poisson"]
    estimate = poisson_calibration_intercept(gbsg().time, gbsg().status, gbsg().expA)

    assert estimate.value == pytest.approx(expected["est"], abs=1e-11)
    assert estimate.standard_error == pytest.approx(expected["se"], abs=1e-7)
    assert estimate.standard_error == pytest.approx(converged["intercept_se"], abs=1e-12)
    assert estimate.value == pytest.approx(np.log(expected["O"] / expected["E"]), abs=1e-12)
    assert (estimate.n, estimate.events) == (686 - expected["n_dropped_expected0"], 299)
    assert "7 patients without event and with expectation 0 left out" in estimate.method


def test_poisson_slope_equals_r() -> None:
    """Slope given the model's baseline hazard."""
    expected = from_r()["surv_cal"]["poisson_slope"]
    converged = json.loads((FOLDER / "calibration.json").read_text(encoding="utf-8"))["poisson"]
    estimate = poisson_calibration_slope(gbsg().time, gbsg().status, gbsg().expA, gbsg().lpA)

    assert estimate.value == pytest.approx(expected["est"], abs=1e-10)
    assert estimate.standard_error == pytest.approx(expected["se"], abs=1e-6)
    assert estimate.value == pytest.approx(converged["slope"], abs=1e-12)
    assert estimate.standard_error == pytest.approx(converged["slope_se"], abs=1e-12)


def test_poisson_of_a_changed_model() -> None:
    """Expectations doubled lower the log of O/E by log 2 and leave the slope; a shifted predictor changes nothing."""
    data = gbsg()
    plain = poisson_calibration_intercept(data.time, data.status, data.expA)
    doubled = poisson_calibration_intercept(data.time, data.status, 2 * data.expA)
    slopes = [
        poisson_calibration_slope(data.time, data.status, factor * data.expA, data.lpA + shift).value
        for factor, shift in ((1, 0), (2, 5))
    ]

    assert doubled.value == pytest.approx(plain.value - np.log(2))
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-9)


def test_poisson_intercept_by_hand() -> None:
    """Two events where four were expected: log 0.5, standard error sqrt(1 / 2)."""
    estimate = poisson_calibration_intercept([1, 2, 3, 4], [1, 0, 1, 0], [0.5, 1, 1.5, 1])

    assert estimate.value == pytest.approx(np.log(0.5))
    assert estimate.standard_error == pytest.approx(np.sqrt(0.5))
    assert "left out" not in estimate.method


@pytest.mark.parametrize(
    ("event", "expected", "predictor", "reason"),
    [
        ([1, 0, 1, 0], [0.5, 1, 0, 1], [1, 2, 3, 4], "1 patients had an event though 0 events were expected"),
        ([1, 0, 1, 0], [0.5, 1, -1, 1], [1, 2, 3, 4], "negative for 1 of 4"),
        ([0, 0, 0, 0], [0.5, 1, 1, 1], [1, 2, 3, 4], "no event among 4"),
        ([1, 0, 1, 0], [0.5, np.nan, 1, 1], [1, 2, 3, 4], "expected is not finite"),
        ([1, 0, 1, 0], [0.5, 1, 1, 1], [2, 2, 2, 2], "for all 4"),
        ([0, 0, 0, 1], [0.5, 1, 1, 1], [1, 2, 3, 4], "separate the outcomes"),
        ([1, 0, 1, 0], [0.5, 1, 1, 1], [1, 2, 3], "3 values for 4"),
    ],
)
def test_poisson_slope_refuses(event: list[int], expected: list[float], predictor: list[float], reason: str) -> None:
    """Impossible expectations, no event, no spread, all events at the highest predictor."""
    with pytest.raises(UndefinedEstimate, match=reason):
        poisson_calibration_slope([1, 2, 3, 4], event, expected, predictor)
