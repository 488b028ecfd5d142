"""Decision and clinical impact curves: the single estimates threshold by threshold, bands, and what stays undefined."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import from_r, gbsg
from validation.estimators.classification.proportion import proportion_exact
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import paired_difference
from validation.estimators.utility.decision_curve import (
    clinical_impact,
    clinical_impact_at_horizon,
    decision_curve,
    decision_curve_at_horizon,
)
from validation.estimators.utility.net_benefit import net_benefit_at_horizon_influence, net_benefit_influence

THRESHOLDS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def _expected(table: str, variable: str, column: str = "net_benefit") -> list[float]:
    rows = [row[column] for row in from_r()["dca"][table] if row["variable"] == variable]
    return [np.nan if x is None else x for x in rows]


@pytest.mark.parametrize(("variable", "column"), [("A", "pA5"), ("B", "pB5")])
def test_survival_equals_r(variable: str, column: str) -> None:
    """The curves of dcurves; NaN exactly where it gives none."""
    data = gbsg()
    curve = decision_curve_at_horizon(data.time, data.status, data[column], THRESHOLDS, horizon=5)

    assert curve.model.value == pytest.approx(_expected("survival_5y", variable), abs=1e-12, nan_ok=True)
    assert curve.treat_all.value == pytest.approx(_expected("survival_5y", "all"), abs=1e-12)
    assert curve.method == "net benefit, Kaplan-Meier risk among those treated (Vickers 2008), pointwise Wald band"
    assert (curve.n, curve.events, curve.horizon) == (686, int(np.sum((data.time <= 5) & (data.status == 1))), 5)


def test_points_are_the_single_estimates() -> None:
    """Limits and P value at a threshold are those of the estimate, of treating all and of their paired difference."""
    known = gbsg()[gbsg().known3 == 1]
    curve = decision_curve(known.y3, known.pA3, THRESHOLDS)
    model, everybody = (net_benefit_influence(known.y3, x, threshold=0.3) for x in (known.pA3, np.ones(555)))

    for band, expected in (
        (curve.model, model.estimate(scale="identity", level=0.95)),
        (curve.treat_all, everybody.estimate(scale="identity", level=0.95)),
        (curve.over_treat_all, paired_difference(model, everybody)),
    ):
        found = [band.value[3], band.lower[3], band.upper[3]]
        assert found == pytest.approx([expected.value, expected.lower, expected.upper], abs=1e-12)
    assert curve.p_value[3] == pytest.approx(paired_difference(model, everybody).p_value)


def test_undefined_points_say_why() -> None:
    """Everybody treated: no difference. Follow-up too short: no value. Nobody treated: value 0, no interval."""
    data = gbsg()
    curve = decision_curve_at_horizon(data.time, data.status, data.pA5, [0.1, 0.5, 0.9, 0.98], horizon=5)

    assert np.isnan(curve.p_value).tolist() == [True, False, True, False]
    assert curve.over_treat_all.value[0] == 0
    assert np.isnan(curve.over_treat_all.lower).tolist() == [True, False, True, False]
    assert np.isnan(curve.model.value).tolist() == [False, False, True, False]
    assert np.isnan(curve.model.lower).tolist() == [False, False, True, True]
    assert curve.model.value[3] == 0
    for reason, part in zip(curve.undefined, ("0.1: everybody", "0.9: the follow-up", "0.98: nobody"), strict=True):
        assert reason.startswith(f"threshold {part}")


def test_simultaneous_band() -> None:
    """Wider than the pointwise one everywhere, narrower than Bonferroni's, and the same at every call."""
    data = gbsg()
    arrays, thresholds = (data.time, data.status, data.pA5), np.arange(0.3, 0.8, 0.02)
    pointwise = decision_curve_at_horizon(*arrays, thresholds, horizon=5)
    band = decision_curve_at_horizon(*arrays, thresholds, horizon=5, band="simultaneous")
    ratio = (band.model.upper - band.model.value) / (pointwise.model.upper - pointwise.model.value)

    assert ratio == pytest.approx(np.full(thresholds.size, ratio[0]))
    bonferroni = 3.09  # the normal quantile of 1 - 0.05 / 2 / 25
    assert 1.1 < ratio[0] < bonferroni / 1.96
    assert band.model.value.tolist() == pointwise.model.value.tolist()
    again = decision_curve_at_horizon(*arrays, thresholds, horizon=5, band="simultaneous")
    assert again.model.lower.tolist() == band.model.lower.tolist()
    assert "simultaneous" in band.method


def test_simultaneous_band_does_not_see_row_order() -> None:
    """Rounding must not choose other random deviates, though most of the 98 points are nearly collinear."""
    known, thresholds = gbsg()[gbsg().known3 == 1], np.arange(0.01, 0.99, 0.01)
    shuffled = known.iloc[np.random.default_rng(0).permutation(len(known))]
    first, second = (decision_curve(x.y3, x.pA3, thresholds, band="simultaneous") for x in (known, shuffled))

    for name in ("model", "treat_all", "over_treat_all"):
        found, expected = getattr(second, name).upper, getattr(first, name).upper
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)


def test_simultaneous_band_of_two_points() -> None:
    """The critical value is that of the larger of two normal deviates with the correlation of the estimates."""
    rng = np.random.default_rng(8)
    n = 40_000
    probability = rng.choice([0.2, 0.5, 0.9], n)
    case = rng.uniform(size=n) < probability
    pointwise = decision_curve(case, probability, [0.4, 0.89])
    band = decision_curve(case, probability, [0.4, 0.89], band="simultaneous")
    shares = [net_benefit_influence(case, probability, threshold=x).contributions for x in (0.4, 0.89)]
    correlation = np.corrcoef(shares[0], shares[1])[0, 1]
    draws = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], 200_000)
    expected = np.quantile(np.abs(draws).max(axis=1), 0.95)

    ratio = (band.model.upper - band.model.value) / (pointwise.model.upper - pointwise.model.value)
    assert ratio * 1.959964 == pytest.approx(np.full(2, expected), abs=0.03)


def test_standardized_curve() -> None:
    """Treating all at a threshold near 0 is worth all there is to gain."""
    data = gbsg()
    curve = decision_curve_at_horizon(data.time, data.status, data.pA5, [1e-9, 0.3], horizon=5, standardized=True)
    single = net_benefit_at_horizon_influence(
        data.time, data.status, data.pA5, threshold=0.3, horizon=5, standardized=True
    )

    assert curve.treat_all.value[0] == pytest.approx(1)
    assert curve.model.value[1] == single.value
    assert curve.method.startswith("standardized net benefit, Kaplan-Meier")


def test_clinical_impact() -> None:
    """Per 1000: those at or above the threshold, and the cases among them, with exact limits."""
    known = gbsg()[gbsg().known3 == 1]
    curve = clinical_impact(known.y3, known.pA3, [0.3, 0.5, 0.9])
    high, both = proportion_exact(63 + 24, 555), proportion_exact(63, 555)

    found = [x[1] for x in (curve.high_risk.value, curve.high_risk.lower, curve.high_risk.upper)]
    assert found == pytest.approx([1000 * x for x in (high.value, high.lower, high.upper)])
    found = [x[1] for x in (curve.with_event.value, curve.with_event.lower, curve.with_event.upper)]
    assert found == pytest.approx([1000 * x for x in (both.value, both.lower, both.upper)])
    assert (curve.high_risk.value[2], curve.high_risk.lower[2]) == (0, 0)


def test_clinical_impact_at_horizon() -> None:
    """Those with event are dcurves' share of true positives; undefined where that is."""
    data = gbsg()
    curve = clinical_impact_at_horizon(data.time, data.status, data.pA5, THRESHOLDS, horizon=5)

    expected = [1000 * x for x in _expected("survival_5y", "A", "tp_rate")]
    assert curve.with_event.value == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert np.all(curve.with_event.upper[:9] > curve.with_event.value[:9])
    assert curve.high_risk.value[9] == pytest.approx(1000 * 5 / 686)
    assert curve.undefined == ("threshold 0.9: the follow-up of a group of 5 ends at 2.10267, before the horizon 5",)


def test_clinical_impact_of_nobody() -> None:
    """Nobody at high risk: none with event, without interval."""
    curve = clinical_impact_at_horizon([1, 2, 3], [1, 0, 0], [0.1, 0.2, 0.3], [0.15, 0.5], horizon=2)

    assert curve.with_event.value[1] == 0
    assert np.isnan(curve.with_event.lower[1])
    assert "edge of its range" in curve.undefined[-1]


@pytest.mark.parametrize(
    ("thresholds", "level", "reason"),
    [
        ([0.5, 0.3], 0.95, "do not ascend"),
        ([0.0, 0.3], 0.95, "do not ascend"),
        ([0.3, 1.0], 0.95, "do not ascend"),
        ([], 0.95, "do not ascend"),
        ([0.3, np.nan], 0.95, "do not ascend"),
        ([0.3, 0.4], 1.5, "confidence level"),
    ],
)
def test_refuses(thresholds: list[float], level: float, reason: str) -> None:
    """Thresholds that are no curve, levels that are none; for all four functions."""
    time, event, risk = [1, 2, 3], [1, 0, 0], [0.1, 0.2, 0.7]
    for draw in (decision_curve, clinical_impact):
        with pytest.raises(UndefinedEstimate, match=reason):
            draw(event, risk, thresholds, level=level)
    for draw_at_horizon in (decision_curve_at_horizon, clinical_impact_at_horizon):
        with pytest.raises(UndefinedEstimate, match=reason):
            draw_at_horizon(time, event, risk, thresholds, horizon=2, level=level)


def test_refuses_risks_and_horizons() -> None:
    """What no threshold can repair is raised, not noted."""
    with pytest.raises(UndefinedEstimate, match="outside"):
        decision_curve([0, 1], [0.1, 1.2], [0.2, 0.3])
    with pytest.raises(UndefinedEstimate, match="beyond follow-up"):
        decision_curve_at_horizon([1, 2], [1, 0], [0.1, 0.2], [0.2, 0.3], horizon=3)
    with pytest.raises(UndefinedEstimate, match="no event"):
        decision_curve([0, 0], [0.1, 0.2], [0.2, 0.3], standardized=True)
