"""Observed over expected, intercept and slope of a binary outcome: equal to R, by hand, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from tests.reference import FOLDER, from_r, gbsg
from validation.estimators.calibration.binary import (
    calibration_intercept,
    calibration_slope,
    observed_expected_cases,
    observed_expected_influence,
)
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import paired_difference
from validation.estimators.intervals import quantile
from validation.estimators.regression.logistic import fit_logistic

BINARY = gbsg()[gbsg().known3 == 1]
EXPECTED = from_r()["bin"]["cal"]
CONVERGED = json.loads((FOLDER / "calibration.json").read_text(encoding="utf-8"))["binary"]


def test_ratio_equals_r() -> None:
    """O/E, and the log interval from (1 - O / n) / O."""
    estimate = observed_expected_cases(BINARY.y3, BINARY.pA3)

    assert estimate.value == pytest.approx(EXPECTED["OE"], abs=1e-12)
    half_width = np.log(estimate.upper / estimate.lower) / 2 / quantile(0.95)
    assert half_width == pytest.approx(np.sqrt((1 - 224 / 555) / 224), abs=1e-12)
    assert estimate.standard_error == pytest.approx(estimate.value * half_width, abs=1e-12)
    assert (estimate.n, estimate.events) == (EXPECTED["O"] + 331, EXPECTED["O"])
    assert estimate.events / estimate.value == pytest.approx(EXPECTED["E"])


def test_intercept_equals_r() -> None:
    """Calibration in the large; refs.R stopped at glm's default tolerance, hence its standard error to 1e-9 only."""
    estimate = calibration_intercept(BINARY.y3, BINARY.pA3)

    assert estimate.value == pytest.approx(EXPECTED["citl"], abs=1e-12)
    assert estimate.standard_error == pytest.approx(EXPECTED["citl_se"], abs=1e-9)
    assert estimate.standard_error == pytest.approx(CONVERGED["citl_se"], abs=1e-12)


def test_slope_equals_r() -> None:
    """Slope and the intercept fitted with it."""
    estimate = calibration_slope(BINARY.y3, BINARY.pA3)

    assert estimate.value == pytest.approx(EXPECTED["slope"], abs=1e-11)
    assert estimate.standard_error == pytest.approx(EXPECTED["slope_se"], abs=1e-7)
    assert estimate.standard_error == pytest.approx(CONVERGED["slope_se"], abs=1e-12)
    joint = fit_logistic(BINARY.y3, logit(BINARY.pA3.to_numpy())[:, None])
    assert joint.coefficients[0] == pytest.approx(EXPECTED["intercept_joint"], abs=1e-11)


def test_slope_equals_val_prob() -> None:
    """rms::val.prob gives the same slope and intercept, to its own tolerance."""
    expected = from_r()["bin"]["val_prob_A"]
    fit = fit_logistic(BINARY.y3, logit(BINARY.pA3.to_numpy())[:, None])

    assert fit.coefficients == pytest.approx([expected["Intercept"], expected["Slope"]], abs=1e-8)


@given(st.floats(0.2, 3), st.floats(-1, 1))
@settings(deadline=None, max_examples=20)
def test_a_known_distortion_is_found(slope: float, shift: float) -> None:
    """Log odds divided by a factor multiply the slope by it; log odds shifted down raise the intercept as much."""
    log_odds = logit(BINARY.pA3.to_numpy())
    plain = calibration_slope(BINARY.y3, BINARY.pA3)

    assert calibration_slope(BINARY.y3, expit(log_odds / slope + shift)).value == pytest.approx(plain.value * slope)
    lowered = calibration_intercept(BINARY.y3, expit(log_odds - shift)).value
    assert lowered == pytest.approx(calibration_intercept(BINARY.y3, BINARY.pA3).value + shift)


def test_order_does_not_matter() -> None:
    """Shuffled patients give the same estimates."""
    shuffled = BINARY.sample(frac=1, random_state=0)
    for estimator in (observed_expected_cases, calibration_intercept, calibration_slope):
        estimates = [estimator(data.y3, data.pA3) for data in (BINARY, shuffled)]
        assert estimates[0].value == pytest.approx(estimates[1].value, rel=1e-12)
        assert estimates[0].lower == pytest.approx(estimates[1].lower, rel=1e-10)


def test_ratios_of_two_models_can_be_compared() -> None:
    """The paired difference of two O/E is the difference of the values."""
    first, second = (observed_expected_influence(BINARY.y3, BINARY[name]) for name in ("pA3", "pB3"))

    assert paired_difference(first, second).value == pytest.approx(first.value - second.value)


@pytest.mark.parametrize(
    ("estimator", "case", "probability", "reason"),
    [
        (observed_expected_cases, [0, 0, 0], [0.1, 0.2, 0.3], "no case among 3"),
        (observed_expected_cases, [1, 1, 1], [0.1, 0.2, 0.3], "standard error 0"),
        (observed_expected_cases, [0, 1, 0], [0, 0, 0], "probability is 0 for all 3"),
        (observed_expected_cases, [0, 1, 0], [0.1, 1.2, 0.3], r"outside \[0, 1\] for 1 of 3"),
        (observed_expected_cases, [0, 1], [0.1, 0.2, 0.3], "3 values for 2"),
        (calibration_intercept, [0, 1, 0], [0.1, 1, 0], "exactly 0 or 1 for 2 of 3"),
        (calibration_slope, [0, 1, 0], [0.1, 1, 0.3], "exactly 0 or 1 for 1 of 3"),
        (calibration_slope, [0, 1, 0], [0.2, 0.2, 0.2], "for all 3"),
        (calibration_slope, [0, 0, 1], [0.1, 0.2, 0.3], "separate the outcomes"),
        (calibration_intercept, [0, 0, 0], [0.1, 0.2, 0.3], "0 cases and 3 controls"),
        (calibration_slope, [0, 1, 0], [0.1, np.nan, 0.3], "not finite"),
    ],
)
def test_refuses(estimator: Callable[..., Estimate], case: list[int], probability: list[float], reason: str) -> None:
    """One outcome, certain or impossible probabilities, no spread, missing values."""
    with pytest.raises(UndefinedEstimate, match=reason):
        estimator(case, probability)
