"""Calibration curves: equal to R, what the bootstrap adds, and what they refuse."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from tests.reference import FOLDER, from_r, gbsg
from validation.estimators.calibration.curves import (
    CalibrationCurve,
    _distances,
    calibration_curve,
    calibration_curve_at_horizon,
)
from validation.estimators.calibration.smoothers import cox_spline, logistic_spline, lowess
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.regression.logistic import fit_logistic
from validation.estimators.regression.splines import restricted_cubic_spline
from validation.estimators.samples import Floats
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.weighted_cox import cox_rows

GBSG = gbsg()
BINARY = GBSG[GBSG.known3 == 1]
CURVES = json.loads((FOLDER / "calibration.json").read_text(encoding="utf-8"))["curve"]


def _values(curve: CalibrationCurve) -> list[float]:
    return [e.value for e in (curve.integrated_calibration_index, curve.e50, curve.e90, curve.e_max)]


def test_spline_equals_r() -> None:
    """ICI, E50, E90, knots and the curve of glm on rcs(logit, 3)."""
    expected = from_r()["bin"]["logit_rcs3"]
    curve = calibration_curve(BINARY.y3, BINARY.pA3, replicates=100)

    assert _values(curve)[:3] == pytest.approx([expected["ICI"], expected["E50"], expected["E90"]], abs=1e-12)
    assert curve.knots == pytest.approx(expected["knots"], abs=1e-12)
    np.testing.assert_allclose(curve.observed, CURVES["spline"], atol=1e-12)


def test_lowess_equals_r() -> None:
    """Distances and the curve of lowess(iter = 0); rms::val.prob calls the ICI Eavg."""
    expected = from_r()["bin"]["lowess_iter0_f2_3"]
    curve = calibration_curve(BINARY.y3, BINARY.pA3, smoother="lowess", replicates=100)

    assert _values(curve) == pytest.approx([expected[k] for k in ("ICI", "E50", "E90", "Emax")], abs=1e-10)
    assert _values(curve)[0] == pytest.approx(from_r()["bin"]["val_prob_A"]["Eavg"], abs=1e-10)
    np.testing.assert_allclose(curve.observed, CURVES["lowess"], atol=1e-10)
    assert curve.knots == ()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_horizon_equals_r(index: int) -> None:
    """ICI, E50, E90, Emax and knots at 1, 3 and 5 years."""
    expected = from_r()["surv_cal"]["time"][index]
    year = expected["t"]
    curve = calibration_curve_at_horizon(GBSG.time, GBSG.status, GBSG[f"pA{year}"], year, replicates=100)

    assert _values(curve) == pytest.approx([expected[k] for k in ("ICI", "E50", "E90", "Emax")], abs=1e-10)
    assert curve.knots == pytest.approx(expected["knots"], abs=1e-12)
    assert (curve.e50.n, curve.e50.events, curve.e50.horizon, curve.e50.standard_error) == (
        686,
        {1: 56, 3: 224, 5: 285}[year],
        year,
        None,
    )


def test_horizon_curve_equals_r() -> None:
    """The curve at 5 years is that of coxph and survfit."""
    curve = calibration_curve_at_horizon(GBSG.time, GBSG.status, GBSG.pA5, 5, replicates=100)

    np.testing.assert_allclose(curve.observed, CURVES["cox"], atol=1e-10)


def test_unit_of_time_and_order_do_not_matter() -> None:
    """Months instead of years, patients shuffled: the same curve."""
    shuffled = GBSG.sample(frac=1, random_state=1)
    first = calibration_curve_at_horizon(GBSG.time, GBSG.status, GBSG.pA3, 3, replicates=100)
    second = calibration_curve_at_horizon(12 * shuffled.time, shuffled.status, shuffled.pA3, 36, replicates=100)

    np.testing.assert_allclose(first.observed, second.observed, atol=1e-12)
    assert _values(first) == pytest.approx(_values(second), abs=1e-12)


ROWS = BINARY.iloc[:150]
TIME, EVENT = ROWS.time.to_numpy(), ROWS.status.to_numpy() == 1
CASE, RISK = ROWS.y3.to_numpy() == 1, ROWS.pA3.to_numpy()
AT: Floats = np.linspace(0.2, 0.6, 5)
WEIGHTS: Floats = np.asarray(np.arange(150) % 3, dtype=np.float64)
REPEATED = np.repeat(np.arange(150), WEIGHTS.astype(int))


def test_weights_of_the_logistic_spline_are_repetitions() -> None:
    """The knots of the cohort, the coefficients of the repeated rows."""
    smoother = logistic_spline(CASE, RISK, AT)
    fit = fit_logistic(CASE[REPEATED], restricted_cubic_spline(logit(RISK[REPEATED]), smoother.knots))
    expected = expit(fit.coefficients[0] + restricted_cubic_spline(logit(AT), smoother.knots) @ fit.coefficients[1:])

    np.testing.assert_allclose(smoother.observed(WEIGHTS), expected, atol=1e-10)


def test_weights_of_lowess_are_repetitions() -> None:
    """A patient drawn twice is two points."""
    repeated = lowess(CASE[REPEATED], RISK[REPEATED], AT).observed(np.ones(REPEATED.size))

    np.testing.assert_allclose(lowess(CASE, RISK, AT).observed(WEIGHTS), repeated, atol=1e-12)


def test_weights_of_the_cox_spline_are_repetitions() -> None:
    """The knots of the cohort; coefficients and baseline hazard of the repeated rows."""
    smoother = cox_spline(TIME, EVENT, RISK, 3.0, AT)
    basis, at = (restricted_cubic_spline(np.log(-np.log(1 - risk)), smoother.knots) for risk in (RISK[REPEATED], AT))
    fit = fit_cox(TIME[REPEATED], EVENT[REPEATED], basis)
    rows = cox_rows(TIME[REPEATED], EVENT[REPEATED], basis)
    baseline = rows.cumulative_hazard(fit.coefficients, np.ones(REPEATED.size), 3.0)

    expected = 1 - np.exp(-baseline * np.exp(at @ fit.coefficients))
    np.testing.assert_allclose(smoother.observed(WEIGHTS), expected, atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(5, 60))
@settings(deadline=None, max_examples=40)
def test_distances_are_those_of_repeated_rows(seed: int, n: int) -> None:
    """Mean, quantiles of type 7 and maximum, each row counted as often as its weight."""
    rng = np.random.default_rng(seed)
    observed, risk, weights = rng.random(n), rng.random(n), rng.integers(0, 4, n).astype(np.float64)
    weights[0] = 1
    repeated = np.repeat(np.abs(observed - risk), weights.astype(int))

    expected = [repeated.mean(), *np.quantile(repeated, [0.5, 0.9, 1])]
    assert _distances(observed, risk, weights) == pytest.approx(expected, abs=1e-12)


def test_bootstrap_is_reproducible_and_encloses_the_curve() -> None:
    """The seed decides; limits enclose the values and stay probabilities; another seed differs."""
    first, again, other = (
        calibration_curve(BINARY.y3, BINARY.pA3, replicates=200, seed=seed, level=0.9) for seed in (3, 3, 4)
    )

    np.testing.assert_array_equal(first.lower, again.lower)
    assert first.e90 == again.e90
    assert first.e90.lower != other.e90.lower
    assert np.all((first.lower >= 0) & (first.lower <= first.observed))
    assert np.all((first.upper <= 1) & (first.upper >= first.observed))
    assert "200 bootstrap samples of patients, widened to hold the estimate, knots of the cohort" in first.e90.method


def test_undefined_samples_are_counted() -> None:
    """Of 40 patients 4 are followed up to the horizon: 1 to 2 % of the samples hold none of them."""
    risk = np.random.default_rng(1).uniform(0.1, 0.9, 40)
    curve = calibration_curve_at_horizon(np.arange(1, 41), np.arange(40) % 2, risk, 37, replicates=500)

    found = re.search("of 500 bootstrap samples.*, ([0-9]+) samples undefined and left out", curve.e50.method)
    assert found is not None
    assert 1 <= int(found[1]) <= 20
    assert "undefined" not in calibration_curve(BINARY.y3, BINARY.pA3, replicates=100).e50.method


def test_standard_deviation_of_the_bootstrap_is_that_of_the_model() -> None:
    """In the middle of 1500 patients the limits are as wide as those of a logistic model with three terms."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=1500)
    case = rng.random(1500) < expit(log_odds)
    curve = calibration_curve(case, expit(log_odds), replicates=400)
    middle = np.searchsorted(curve.predicted, 0.5)

    width = (curve.upper - curve.lower)[middle] / 2 / 1.96
    assert 0.01 < width < 0.03
    assert abs(curve.observed[middle] - 0.5) < 3 * width


def test_correction_removes_the_mean_optimism() -> None:
    """Corrected = twice the curve less the mean of the bootstrap curves: close to the curve, inside [0, 1]."""
    curve = calibration_curve(BINARY.y3, BINARY.pA3, replicates=300)

    assert np.abs(curve.corrected - curve.observed).max() < 0.02
    assert np.abs(curve.corrected - curve.observed).max() > 0
    assert np.all((curve.corrected >= 0) & (curve.corrected <= 1))


def test_clusters_are_drawn_together() -> None:
    """Every patient twice in one cluster: the same curve, with the wider limits of half as many patients."""
    twice = BINARY.loc[BINARY.index.repeat(2)]
    rows = calibration_curve(twice.y3, twice.pA3, replicates=400)
    clusters = calibration_curve(twice.y3, twice.pA3, replicates=400, cluster=twice.pid)

    np.testing.assert_array_equal(rows.observed, clusters.observed)
    ratio = np.median((clusters.upper - clusters.lower) / (rows.upper - rows.lower))
    assert ratio == pytest.approx(np.sqrt(2), rel=0.15)


def test_a_perfect_model_has_small_distances() -> None:
    """Outcomes drawn from the predictions: the index is far below that of predictions shifted by one logit."""
    rng = np.random.default_rng(5)
    log_odds = rng.normal(size=1000)
    case = rng.random(1000) < expit(log_odds)
    right = calibration_curve(case, expit(log_odds), replicates=100).integrated_calibration_index
    wrong = calibration_curve(case, expit(log_odds + 1), replicates=100).integrated_calibration_index

    assert right.value < 0.04
    assert wrong.value > 0.15
    assert right.upper < wrong.lower


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"probability": np.r_[0.0, np.linspace(0.1, 0.9, 39)]}, "exactly 0 or 1 for 1 of 40"),
        ({"probability": np.full(40, 0.3)}, "for all 40"),
        ({"probability": np.tile([0.2, 0.4, 0.6, 0.8], 10)}, "too few distinct values"),
        ({"probability": np.linspace(0.1, 1.1, 40)}, "outside"),
        ({"probability": np.r_[np.full(30, 0.1), np.linspace(0.2, 0.9, 10)], "smoother": "lowess"}, "more than half"),
        ({"case": np.zeros(40)}, "0 cases and 40 controls"),
        ({"case": np.arange(40) >= 20}, "separate the outcomes"),
        ({"replicates": 50}, "at least 100"),
        ({"cluster": np.zeros(40)}, "1 clusters: an interval needs at least 30"),
    ],
)
def test_refuses(change: dict[str, Any], reason: str) -> None:
    """Certain, constant or impossible predictions, one outcome, separation, no bootstrap."""
    sample = {"case": np.arange(40) % 2, "probability": np.linspace(0.1, 0.9, 40), "replicates": 100}
    with pytest.raises(UndefinedEstimate, match=reason):
        calibration_curve(**{**sample, **change})


def test_lowess_accepts_certain_predictions() -> None:
    """Without a logit, 0 and 1 are predictions like any other."""
    probability = np.r_[0.0, np.linspace(0.1, 0.9, 38), 1.0]
    curve = calibration_curve(np.arange(40) % 2, probability, smoother="lowess", replicates=100)

    assert curve.integrated_calibration_index.value > 0.1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"risk": np.r_[1.0, np.linspace(0.1, 0.9, 39)]}, "exactly 0 or 1 for 1 of 40"),
        ({"horizon": 41}, "beyond follow-up"),
        ({"event": np.arange(40) >= 20}, "no event"),
        ({"horizon": 40}, "replicates are undefined"),
    ],
)
def test_horizon_refuses(change: dict[str, Any], reason: str) -> None:
    """Certain risks, a horizon beyond follow-up or at its very end, no event by the horizon."""
    rng = np.random.default_rng(1)
    sample = {"time": np.arange(1, 41), "event": np.ones(40), "risk": rng.uniform(0.1, 0.9, 40), "horizon": 20}
    with pytest.raises(UndefinedEstimate, match=reason):
        calibration_curve_at_horizon(**{**sample, **change}, replicates=100)
