"""Calibration: the estimators' distances, slopes and tests, points by group, and what a cohort cannot define."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.reference import from_r
from tests.validation.descriptive.specimens_curves import cohort, described, frame, line, row
from validation.descriptive.calibration import CalibrationCurves
from validation.errors import InputError
from validation.estimators.calibration.curves import calibration_curve_at_horizon
from validation.estimators.calibration.grouped import greenwood_nam_dagostino, hosmer_lemeshow
from validation.estimators.calibration.survival import cox_calibration_slope
from validation.estimators.classification.proportion import exact_limits
from validation.estimators.survival.kaplan_meier import kaplan_meier, survival_at_horizon

BINARY = CalibrationCurves(id="c", endpoint="early", predictions=("prob",), groups=10, replicates=200)
TIMED = CalibrationCurves(
    id="c",
    endpoint="dmfs",
    predictions=("risk_12m", "risk_36m"),
    horizons_months=(12.0, 36.0),
    groups=5,
    replicates=200,
)


def test_binary_endpoint() -> None:
    """Hosmer-Lemeshow with the degrees of freedom of external data, O/E of cases, slope and intercept."""
    result, data = described(BINARY), frame().dropna(subset="early")
    test = row(result, "calibration_test", "prob")
    expected = hosmer_lemeshow(data.early, data.prob, cohort="external", groups=10)

    assert (test["statistic"], test["p_value"]) == (expected.chi_square, expected.p_value)
    assert test["degrees_of_freedom"] == [10]
    assert row(result, "oe_ratio", "prob")["value"] == pytest.approx(data.early.sum() / data.prob.sum())
    assert {"calibration_slope", "calibration_intercept", "ici", "e50", "e90"} <= {
        r["quantity"] for r in result["rows"]
    }


def test_development_cohort() -> None:
    """Where the model was fitted two degrees of freedom are gone."""
    table = cohort()
    result = described(BINARY, replace(table, meta=replace(table.meta, role="development")))

    assert row(result, "calibration_test", "prob")["degrees_of_freedom"] == [8]


def test_with_time() -> None:
    """Distances, slope on log(-log(1 - risk)), O/E and test are the estimators', at each horizon."""
    result, data = described(TIMED), frame()
    time, event = data.dmfs_time_months, data.dmfs_event
    curve = calibration_curve_at_horizon(time, event, data.risk_36m, 36, replicates=200, seed=0)
    test = greenwood_nam_dagostino(time, event, data.risk_36m, 36, groups=5)
    slope = cox_calibration_slope(time, event, data.lp, horizon=36)
    ici = row(result, "ici", "risk_36m")

    expected = curve.integrated_calibration_index
    assert (ici["value"], ici["lower"], ici["upper"]) == (expected.value, expected.lower, expected.upper)
    assert row(result, "calibration_test", "risk_36m")["p_value"] == test.p_value
    assert row(result, "calibration_slope", "risk_36m")["value"] == pytest.approx(slope.value, rel=1e-6)
    assert row(result, "oe_ratio", "risk_36m")["value"] == pytest.approx(
        from_r()["surv_cal"]["time"][1]["OE"], abs=1e-6
    )
    assert row(result, "ici", "risk_12m")["horizon"] == 12


def test_smoothed_curve() -> None:
    """The line in the figure is every second point of the estimator's curve, with its band."""
    data = frame()
    curve = calibration_curve_at_horizon(
        data.dmfs_time_months, data.dmfs_event, data.risk_36m, 36, replicates=200, seed=0
    )
    drawn = line(described(TIMED), 0, "risk_36m")

    for name, values in (("x", curve.predicted), ("y", curve.observed), ("lower", curve.lower), ("upper", curve.upper)):
        np.testing.assert_allclose(drawn[name], values[::2], rtol=1e-3)


def test_points_of_groups() -> None:
    """Cases among patients with the exact interval; with time Kaplan-Meier risk with its own."""
    binary, timed, data = line(described(BINARY), 1, "prob"), line(described(TIMED), 1, "risk_36m"), frame()

    assert (sum(binary["n"]), sum(binary["events"])) == (555, 224)
    lower, upper = exact_limits(binary["events"][0], binary["n"][0], 0.95)
    assert (binary["lower"][0], binary["upper"][0]) == pytest.approx((lower, upper), rel=1e-3)
    assert sum(timed["n"]) == 686
    lowest = data[data.risk_36m <= data.risk_36m.quantile(0.2)]
    survival = survival_at_horizon(kaplan_meier(lowest.dmfs_time_months, lowest.dmfs_event), 36)
    limits = 1 - survival.value, 1 - survival.upper, 1 - survival.lower
    assert (timed["y"][0], timed["lower"][0], timed["upper"][0]) == pytest.approx(limits, rel=1e-3)


def test_certain_probabilities() -> None:
    """A probability of 1 has no logit: curve and slope say so, O/E and the test do not need it."""
    table = frame()
    table.loc[table.index[table.early == 1][0], "prob"] = 1.0
    result = described(BINARY, cohort(table))

    assert "exactly 0 or 1 for 1 of 555" in row(result, "ici", "prob")["reason"]
    assert "exactly 0 or 1" in row(result, "calibration_slope", "prob")["reason"]
    assert row(result, "oe_ratio", "prob")["value"] is not None
    assert result["figures"][0]["series"] == []


def test_scores_that_are_no_probabilities() -> None:
    """A linear predictor cannot be calibrated."""
    with pytest.raises(InputError, match="found lp; 386 of 686 values outside 0 to 1; expected a risk or probability"):
        described(replace(BINARY, predictions=("lp",)))


def test_one_horizon_per_prediction() -> None:
    """Anything else is an error when the protocol is read."""
    with pytest.raises(InputError, match="analysis c key horizons_months: found 1 horizons for 2 predictions"):
        replace(TIMED, horizons_months=(36.0,))
