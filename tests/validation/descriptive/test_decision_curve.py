"""Decision curves: R's net benefit, the strategies beside it, and what a cohort cannot define."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.validation.descriptive.specimens_curves import cohort, described, frame, line, row
from validation.descriptive.decision_curve import DecisionCurves
from validation.errors import InputError
from validation.estimators.classification.at_horizon import classification_at_horizon
from validation.estimators.utility.decision_curve import clinical_impact, decision_curve_at_horizon
from validation.estimators.utility.net_benefit import net_benefit_at_horizon_influence, net_benefit_influence

BINARY = DecisionCurves(id="d", endpoint="early", predictions=("prob", "prob_other"), thresholds=(0.1, 0.3, 0.5))
TIMED = replace(BINARY, endpoint="dmfs", predictions=("risk_36m",), horizon_months=36.0)


def test_rows_at_the_thresholds() -> None:
    """Net benefit of each prediction and of treating all, at each threshold declared."""
    result, data = described(BINARY), frame().dropna(subset="early")
    model = net_benefit_influence(data.early, data.prob, threshold=0.3)
    prevalence = float(data.early.mean())

    assert len(result["rows"]) == 3 * 3
    assert row(result, "net_benefit", "prob", group="threshold 0.3")["value"] == model.value
    everybody = row(result, "net_benefit", "treat all", group="threshold 0.3")
    assert everybody["value"] == pytest.approx(prevalence - (1 - prevalence) * 0.3 / 0.7)
    assert (everybody["n"], everybody["events"]) == (555, 224)


def test_with_time() -> None:
    """Rows and line are the estimator's, from the Kaplan-Meier risk of those treated."""
    result, data = described(TIMED), frame()
    time, event = data.dmfs_time_months, data.dmfs_event
    expected = net_benefit_at_horizon_influence(time, event, data.risk_36m, threshold=0.3, horizon=36)
    curve = decision_curve_at_horizon(time, event, data.risk_36m, np.linspace(0.1, 0.5, 51), horizon=36)
    drawn = line(result, 0, "risk_36m")

    assert row(result, "net_benefit", "risk_36m", group="threshold 0.3")["value"] == expected.value
    np.testing.assert_allclose(drawn["y"], curve.model.value, rtol=1e-3)
    np.testing.assert_allclose(drawn["lower"], curve.model.lower, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(line(result, 0, "treat all")["y"], curve.treat_all.value, rtol=1e-3, atol=1e-9)
    assert set(line(result, 0, "treat none")["y"]) == {0}


def test_standardized() -> None:
    """Divided by the prevalence, treating all cases and nobody else would be worth 1."""
    result = described(replace(BINARY, standardized=True))
    plain = described(BINARY)
    chosen = {"group": "threshold 0.1"}

    ratio = row(plain, "net_benefit", "prob", **chosen)["value"] / (224 / 555)
    assert row(result, "standardized_net_benefit", "prob", **chosen)["value"] == pytest.approx(ratio)
    assert result["figures"][0]["y"] == "standardized net benefit"


def test_impact() -> None:
    """Patients at high risk of 1000 as the estimator's; sensitivity and its complement against the threshold."""
    result, data = described(replace(BINARY, impact=True)), frame().dropna(subset="early")
    impact = clinical_impact(data.early, data.prob, np.linspace(0.1, 0.5, 51))

    np.testing.assert_allclose(line(result, 1, "prob: high risk")["y"], impact.high_risk.value, rtol=1e-3)
    np.testing.assert_allclose(line(result, 1, "prob: high risk with event")["y"], impact.with_event.value, rtol=1e-3)
    spared = line(result, 2, "prob: 1 - specificity")
    share = float(((data.prob >= 0.1) & (data.early == 0)).sum() / (data.early == 0).sum())
    assert (spared["x"][0], spared["y"][0]) == pytest.approx((0.1, share), rel=1e-3)


def test_components_with_time() -> None:
    """With censoring weights, as the estimator at the same threshold; a gap where it is undefined."""
    result, data = described(replace(TIMED, impact=True)), frame()
    drawn = line(result, 2, "risk_36m: sensitivity")
    expected = classification_at_horizon(
        "sensitivity", data.dmfs_time_months, data.dmfs_event, data.risk_36m, threshold=0.5, horizon=36
    )

    assert drawn["y"][-1] == pytest.approx(expected.value, rel=1e-3)
    assert (drawn["lower"][-1], drawn["upper"][-1]) == pytest.approx((expected.lower, expected.upper), rel=1e-3)


def test_nobody_treated() -> None:
    """Beyond the largest probability the benefit is 0 without interval: a row with the reason, no limits."""
    result = described(replace(BINARY, thresholds=(0.1, 0.99)))
    found = row(result, "net_benefit", "prob", group="threshold 0.99")

    assert (found["value"], found["too_few"]) == (None, True)
    assert line(result, 0, "prob")["lower"][-1] is None


def test_no_probability() -> None:
    """A linear predictor has no threshold."""
    with pytest.raises(InputError, match="found lp; 386 of 686 values outside 0 to 1; expected a risk or probability"):
        described(replace(BINARY, predictions=("lp", "prob")))


@pytest.mark.parametrize("thresholds", [(0.3,), (0.5, 0.1), (0.0, 0.5), (0.2, 1.2)])
def test_refuses_thresholds(thresholds: tuple[float, ...]) -> None:
    """Fewer than two, not ascending, or not between 0 and 1."""
    with pytest.raises(InputError, match="analysis d key thresholds"):
        replace(BINARY, thresholds=thresholds)


def test_one_class() -> None:
    """Without a case treating all is only harm; with time there is no event to weigh."""
    result = described(BINARY, cohort(frame().assign(early=0.0)))

    assert row(result, "net_benefit", "prob", group="threshold 0.3")["value"] < 0
    assert "no event" in described(TIMED, cohort(frame().assign(dmfs_event=0)))["rows"][0]["reason"]
