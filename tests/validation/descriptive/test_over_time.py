"""Performance over time: R's AUCs and Brier scores at each horizon, their means, and the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.reference import from_r
from tests.validation.descriptive.specimens_curves import cohort, described, frame, line, row
from validation.descriptive.over_time import REFERENCE, PerformanceOverTime
from validation.errors import InputError
from validation.estimators.discrimination.time_dependent import auc_t, iauc
from validation.estimators.overall.brier_survival import integrated_brier, prediction_error_curve

HORIZONS = (12.0, 36.0, 60.0)
ANALYSIS = PerformanceOverTime(
    id="t",
    endpoint="dmfs",
    predictions=("lp", "lp_other"),
    horizons_months=(12.0, 24.0, 36.0, 48.0),
    risks=("risk",),
    risk_horizons_months=HORIZONS,
)


def test_auc() -> None:
    """Each AUC is the estimator's, and so is their mean."""
    result, data = described(ANALYSIS), frame()
    time, event = data.dmfs_time_months, data.dmfs_event
    expected, mean = auc_t(time, event, data.lp, 24), iauc(time, event, data.lp_other, [12, 24, 36, 48])
    found = row(result, "auc_t", "lp", horizon=24)

    assert (found["value"], found["lower"], found["upper"]) == (expected.value, expected.lower, expected.upper)
    averaged = row(result, "iauc", "lp_other")
    assert (averaged["value"], averaged["lower"]) == (mean.value, mean.lower)
    assert line(result, 0, "lp")["x"] == [12, 24, 36, 48]
    assert line(result, 0, "lp")["y"][1] == pytest.approx(expected.value, rel=1e-3)


def test_prediction_error_and_its_reference() -> None:
    """Brier scores of the risks and of Kaplan-Meier are those of pec's curve; means over time the estimator's."""
    result, data = described(ANALYSIS), frame()
    time, event = data.dmfs_time_months, data.dmfs_event
    risks = data[["risk_12m", "risk_36m", "risk_60m"]].to_numpy()
    curve = prediction_error_curve(time, event, risks, HORIZONS)

    for name, quantity, expected in (("risk", "brier_t", curve.brier), (REFERENCE, "null_brier_t", curve.null_brier)):
        found = [row(result, quantity, name, horizon=horizon)["value"] for horizon in HORIZONS]
        assert found == pytest.approx(expected.tolist(), abs=1e-12)
        assert line(result, 1, name)["y"] == pytest.approx(expected.tolist(), rel=1e-3)
    assert row(result, "ibs", "risk")["value"] == integrated_brier(time, event, risks, HORIZONS).value
    weight = np.array([36, 48, 24]) / 2 / 60  # of the trapezoid rule from 0
    assert row(result, "null_ibs", REFERENCE)["value"] == pytest.approx(float(weight @ curve.null_brier), abs=1e-9)


def test_equals_r() -> None:
    """AUC, Brier score and reference at three years are timeROC's and riskRegression's."""
    result = described(ANALYSIS)
    scores = {r["model"]: r["Brier"] for r in from_r()["brier"]["Score"] if r["times"] == 3}

    assert row(result, "auc_t", "lp", horizon=36)["value"] == pytest.approx(from_r()["tdAUC"]["timeROC_A"][1], abs=1e-9)
    assert row(result, "brier_t", "risk", horizon=36)["value"] == pytest.approx(scores["A"], abs=1e-9)
    assert row(result, "null_brier_t", REFERENCE, horizon=36)["value"] == pytest.approx(scores["Null model"], abs=1e-9)


def test_horizon_beyond_follow_up() -> None:
    """That horizon and the mean are undefined, the line has a gap, the others stay."""
    result = described(replace(ANALYSIS, horizons_months=(12.0, 36.0, 200.0)))
    last = row(result, "auc_t", "lp", horizon=200)

    assert "beyond follow-up" in last["reason"]
    assert "beyond follow-up" in row(result, "iauc", "lp")["reason"]
    assert line(result, 0, "lp")["y"][2] is None
    assert line(result, 0, "lp")["y"][1] is not None


def test_risks_that_fall_with_time() -> None:
    """Scores at single horizons stand; their mean over time is refused."""
    table = frame()
    table["risk_60m"] = table["risk_36m"] / 2
    result = described(ANALYSIS, cohort(table))

    assert "falls over time for 686 of 686" in row(result, "ibs", "risk")["reason"]
    assert row(result, "brier_t", "risk", horizon=60)["value"] is not None


def test_no_event() -> None:
    """Every row says so, with its horizon."""
    result = described(ANALYSIS, cohort(frame().assign(dmfs_event=0)))

    assert all(r["value"] is None and r["horizon"] for r in result["rows"])


def test_unknown_risk() -> None:
    """The column is named by risk and horizon; one that does not exist is bad input."""
    with pytest.raises(InputError, match="risk_18m"):
        replace(ANALYSIS, risk_horizons_months=(12.0, 18.0)).describe(cohort())


@pytest.mark.parametrize("horizons", [(36.0,), (36.0, 12.0), (0.0, 12.0)])
def test_refuses_horizons(horizons: tuple[float, ...]) -> None:
    """Fewer than two, not ascending, or not positive."""
    with pytest.raises(InputError, match="analysis t key risk_horizons_months"):
        replace(ANALYSIS, risk_horizons_months=horizons)
