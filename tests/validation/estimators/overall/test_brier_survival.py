"""Brier score under censoring: equals riskRegression and pec, and depends on nothing it should not depend on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import ArrayLike

from tests.reference import FOLDER, from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import Influence, paired_difference
from validation.estimators.overall.brier import brier_influence, ipa_influence
from validation.estimators.overall.brier_survival import (
    brier_t,
    brier_t_influence,
    integrated_brier,
    integrated_brier_influence,
    ipa_t,
    ipa_t_influence,
    null_brier_t_influence,
    prediction_error_curve,
)
from validation.estimators.samples import Floats
from validation.estimators.survival.kaplan_meier import kaplan_meier

YEARS = (1, 3, 5)


def gbsg_influence(model: str, horizon: int) -> Influence:
    """Brier score in gbsg of a model named as in refs.json."""
    data = gbsg()
    if model == "Null model":
        return null_brier_t_influence(data["time"], data["status"], horizon)
    return brier_t_influence(data["time"], data["status"], data[f"p{model}{horizon}"], horizon)


def gbsg_risks(model: str) -> tuple[Floats, Floats]:
    """Risks of a model in gbsg at each 0.05 years to 5, and these times."""
    reference = json.loads((FOLDER / "overall.json").read_text(encoding="utf-8"))
    grid = np.array(reference["grid"])
    if model == "Reference":
        curve = kaplan_meier(gbsg()["time"], gbsg()["status"])
        return np.tile([1 - curve.at(horizon)[0] for horizon in grid], (len(gbsg()), 1)), grid
    relative_hazard = np.exp(gbsg()[f"lp{model}"].to_numpy())
    return 1 - np.exp(-np.outer(relative_hazard, reference[f"H0_{model}"])), grid


@pytest.mark.parametrize("row", from_r()["brier"]["Score"], ids=lambda row: f"{row['model']} {row['times']}")
def test_value_error_and_limits_equal_riskregression(row: dict[str, Any]) -> None:
    """Every number of Score's Brier table must be reached (riskRegression 2022.11.28, cens.model = "km")."""
    estimate = gbsg_influence(row["model"], row["times"]).estimate(scale="identity", level=0.95)
    assert estimate.value == pytest.approx(row["Brier"], abs=1e-12)
    assert estimate.standard_error == pytest.approx(row["se"], abs=1e-12)
    assert (estimate.lower, estimate.upper) == pytest.approx((row["lower"], row["upper"]), abs=1e-12)


@pytest.mark.parametrize(
    "row",
    from_r()["brier"]["contrasts"],
    ids=lambda row: f"{row['model']} {row['reference']} {row['times']}",
)
def test_paired_difference_equals_riskregression(row: dict[str, Any]) -> None:
    """Difference, standard error, limits and P value must be those of Score's contrasts."""
    first, second = (gbsg_influence(row[role], row["times"]) for role in ("model", "reference"))
    difference = paired_difference(first, second)
    assert difference.value == pytest.approx(row["delta.Brier"], abs=1e-12)
    assert difference.standard_error == pytest.approx(row["se"], abs=1e-12)
    assert (difference.lower, difference.upper) == pytest.approx((row["lower"], row["upper"]), abs=1e-12)
    assert difference.p_value == pytest.approx(row["p"], rel=1e-9)


@pytest.mark.parametrize("model", ["A", "B", "Reference"])
def test_curve_and_step_rule_equal_pec(model: str) -> None:
    """The prediction-error curve, and its integral by steps from 0, must be those of pec."""
    data, reference = gbsg(), from_r()["brier"]
    risks, grid = gbsg_risks(model)
    curve = prediction_error_curve(data["time"], data["status"], risks, grid)
    at_years = np.searchsorted(grid, np.array(YEARS) - 1e-9)
    np.testing.assert_allclose(curve.brier[at_years], reference["pec"][model], atol=1e-12)
    np.testing.assert_allclose(curve.null_brier[at_years], reference["pec"]["Reference"], atol=1e-12)
    step = integrated_brier(data["time"], data["status"], risks, grid, rule="step")
    assert step.value == pytest.approx(reference["pec_IBS_0_5"][model], abs=1e-12)
    name = "Null model" if model == "Reference" else model
    (row,) = (row for row in reference["Score_IBS_at5"] if row["model"] == name)
    assert step.value == pytest.approx(row["IBS"], abs=1e-12)


def test_trapezoidal_rule() -> None:
    """It must exceed the step rule by half a step of the last score, and be near R's value.

    refs.R integrated by trapezoids a curve whose censoring weights leave events at risk at tied times; see own_curve_A.
    """
    data, reference = gbsg(), from_r()["brier"]
    risks, grid = gbsg_risks("A")
    estimate = integrated_brier(data["time"], data["status"], risks, grid)
    last = next(row["Brier"] for row in reference["Score"] if row["model"] == "A" and row["times"] == 5)
    assert estimate.value == pytest.approx(reference["pec_IBS_0_5"]["A"] + last * 0.05 / 2 / 5, abs=1e-12)
    assert estimate.value == pytest.approx(reference["own_IBS_trapz_0_5"], abs=5e-5)
    curve = prediction_error_curve(data["time"], data["status"], risks, grid)
    np.testing.assert_allclose(curve.brier, reference["own_curve_A"][1:], atol=1e-4)


@pytest.mark.parametrize("year", YEARS)
def test_ipa_follows_from_riskregression(year: int) -> None:
    """IPA must be 1 less the ratio of Score's Brier scores, its error by the delta method from Score's errors."""
    data = gbsg()
    rows = {row["model"]: row for row in from_r()["brier"]["Score"] if row["times"] == year}
    model, null = rows["A"], rows["Null model"]
    estimate = ipa_t(data["time"], data["status"], data[f"pA{year}"], year)
    ratio = model["Brier"] / null["Brier"]
    assert estimate.value == pytest.approx(1 - ratio, abs=1e-12)
    contrast = next(
        row
        for row in from_r()["brier"]["contrasts"]
        if (row["times"], row["model"], row["reference"]) == (year, "A", "Null model")
    )
    covariance = (model["se"] ** 2 + null["se"] ** 2 - contrast["se"] ** 2) / 2
    variance = (model["se"] ** 2 + (ratio * null["se"]) ** 2 - 2 * ratio * covariance) / null["Brier"] ** 2
    assert estimate.standard_error == pytest.approx(np.sqrt(variance), abs=1e-10)


def test_by_hand() -> None:
    """Cases at 1 and 4 (weights 1 and 4/3 after the censoring at 2), two free of the event at 4.5 (weight 4/3)."""
    estimate = brier_t([1, 4, 2, 5, 6], [1, 1, 0, 0, 1], [0.9, 0.4, 0.5, 0.4, 0.1], 4.5)
    assert estimate.value == pytest.approx((0.01 + 4 / 3 * (0.36 + 0.16 + 0.01)) / 5)
    assert (estimate.n, estimate.events, estimate.horizon, estimate.scale) == (5, 2, 4.5, "logit")
    assert "(1 lost before)" in estimate.method


def _horizon(cohort: Cohort) -> float:
    """The median time, or the first event if that is later."""
    time, event, _ = cohort
    return float(max(np.median(time), time[event].min()))


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_order_and_unit_do_not_matter(cohort: Cohort) -> None:
    """Row order and the unit of time must change nothing."""
    (time, event, prediction), horizon = cohort, _horizon(cohort)
    risk = 1 / (1 + np.exp(-prediction / 10))
    order = np.random.default_rng(0).permutation(time.size)
    first = brier_t_influence(time, event, risk, horizon)
    second = brier_t_influence(time[order] * 12, event[order], risk[order], horizon * 12)
    assert second.value == pytest.approx(first.value, abs=1e-12)
    np.testing.assert_allclose(second.contributions, first.contributions[order], atol=1e-12)
    assert np.sum(first.contributions) == pytest.approx(0, abs=1e-12)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_follow_up_after_the_horizon_does_not_matter(cohort: Cohort) -> None:
    """Ending all follow-up at the horizon must change neither value nor error: those censored there are known."""
    (time, event, prediction), horizon = cohort, _horizon(cohort)
    risk = 1 / (1 + np.exp(-prediction / 10))
    full = brier_t_influence(time, event, risk, horizon)
    cut = brier_t_influence(np.minimum(time, horizon), event & (time <= horizon), risk, horizon)
    assert cut.value == pytest.approx(full.value, abs=1e-12)
    np.testing.assert_allclose(cut.contributions, full.contributions, atol=1e-12)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_without_censoring_it_is_the_binary_score(cohort: Cohort) -> None:
    """If nobody is censored, score and index equal the binary ones in value and contributions."""
    time, event, prediction = cohort[0], np.ones(cohort[0].size, dtype=bool), cohort[2]
    horizon = float(np.sort(np.unique(time))[-2])
    risk, case = 1 / (1 + np.exp(-prediction / 10)), time <= horizon
    for survival, binary in (
        (brier_t_influence(time, event, risk, horizon), brier_influence(case, risk)),
        (ipa_t_influence(time, event, risk, horizon), ipa_influence(case, risk)),
    ):
        assert survival.value == pytest.approx(binary.value, abs=1e-12)
        np.testing.assert_allclose(survival.contributions, binary.contributions, atol=1e-12)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_a_cohort_given_twice(cohort: Cohort) -> None:
    """Doubling every patient must keep the value and halve the variance, but for the factor n/(n-1)."""
    (time, event, prediction), horizon = cohort, _horizon(cohort)
    risk, n = 1 / (1 + np.exp(-prediction / 10)), time.size
    once = brier_t_influence(time, event, risk, horizon)
    twice = brier_t_influence(np.tile(time, 2), np.tile(event, 2), np.tile(risk, 2), horizon)
    assert twice.value == pytest.approx(once.value, abs=1e-12)
    expected = once.standard_error() * np.sqrt((n - 1) / n / 2 * (2 * n) / (2 * n - 1))
    assert twice.standard_error() == pytest.approx(expected, abs=1e-12)


def test_integral_of_two_horizons_by_hand() -> None:
    """From 0 to 1 to 3 years: triangle, then trapezoid; contributions combine with the same weights."""
    data = gbsg()
    one, three = gbsg_influence("A", 1), gbsg_influence("A", 3)
    risks = data[["pA1", "pA3"]].to_numpy()
    trapezoid = integrated_brier_influence(data["time"], data["status"], risks, [1, 3])
    assert trapezoid.value == pytest.approx((one.value * 1.5 + three.value) / 3, abs=1e-12)
    np.testing.assert_allclose(trapezoid.contributions, (one.contributions * 1.5 + three.contributions) / 3, atol=1e-15)
    step = integrated_brier_influence(data["time"], data["status"], risks, [1, 3], rule="step")
    assert step.value == pytest.approx(one.value * 2 / 3, abs=1e-12)


TIME, EVENT, RISK = [1.0, 2, 3, 4, 5, 6], [0, 1, 0, 1, 1, 0], [0.9, 0.2, 0.5, 0.3, 0.6, 0.1]


@pytest.mark.parametrize(
    ("event", "risk", "horizon", "reason"),
    [
        (EVENT, RISK, 7, "beyond follow-up"),
        (EVENT, RISK, 1, "no event by 1"),
        ([0] * 6, RISK, 4, "no event"),
        (EVENT, [*RISK[1:], 1.1], 4, "outside"),
        (EVENT, [*RISK[1:], np.nan], 4, "not finite"),
        (EVENT, RISK[1:], 4, "5 values for 6"),
    ],
)
def test_refusals(event: ArrayLike, risk: ArrayLike, horizon: float, reason: str) -> None:
    """What cannot be estimated must be refused, with its reason."""
    for function in (brier_t, ipa_t):
        with pytest.raises(UndefinedEstimate, match=reason):
            function(TIME, event, risk, horizon)


def test_index_without_survivors_is_refused() -> None:
    """If everybody has had the event, no constant risk can be wrong and there is nothing to compare with."""
    with pytest.raises(UndefinedEstimate, match="null model is 0"):
        ipa_t(TIME, [1] * 6, RISK, 6)


@pytest.mark.parametrize(
    ("risks", "horizons", "reason"),
    [
        (np.full((6, 2), 0.5), [4.0, 2.0], "ascending"),
        (np.full((6, 3), 0.5), [2.0, 4.0], "shape"),
        (np.full((6, 2), 1.5), [2.0, 4.0], "outside"),
        (np.tile([0.5, 0.4], (6, 1)), [2.0, 4.0], "falls over time for 6 of 6"),
        (np.full((6, 2), 0.5), [2.0, 7.0], "beyond follow-up"),
        (np.full((6, 2), 0.5), [0.5, 1.0], "no event by 1"),
    ],
)
def test_refused_grids(risks: ArrayLike, horizons: ArrayLike, reason: str) -> None:
    """A grid of risks must fit patients and horizons, and never fall."""
    for function in (integrated_brier_influence, prediction_error_curve):
        with pytest.raises(UndefinedEstimate, match=reason):
            function(TIME, EVENT, risks, horizons)
