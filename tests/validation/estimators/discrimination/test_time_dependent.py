"""Cumulative/dynamic AUC: equals riskRegression and timeROC, and depends on nothing it should not depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from tests.reference import from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.discrimination.time_dependent import (
    Rule,
    auc_t,
    auc_t_influence,
    iauc,
    iauc_influence,
)
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import Influence, paired_difference

YEARS = (1, 3, 5)


def gbsg_influence(model: str, horizon: float) -> Influence:
    """AUC of a model's linear predictor in gbsg."""
    data = gbsg()
    return auc_t_influence(data["time"], data["status"], data[f"lp{model}"], horizon)


def influence_or_skip(time: ArrayLike, event: NDArray[np.bool_], prediction: ArrayLike, horizon: float) -> Influence:
    """The AUC of a random cohort; a cohort with fewer than two cases or controls is no counterexample."""
    try:
        return auc_t_influence(time, event, prediction, horizon)
    except UndefinedEstimate:
        assume(False)
        raise


@pytest.mark.parametrize("row", from_r()["tdAUC"]["Score_auc"], ids=lambda row: f"{row['model']}{row['times']}")
def test_value_error_and_limits_equal_riskregression(row: dict[str, Any]) -> None:
    """Every number of Score's AUC table must be reached (riskRegression 2022.11.28, cens.model = "km")."""
    influence = gbsg_influence(row["model"], row["times"])
    estimate = influence.estimate(scale="identity", level=0.95)
    assert estimate.value == pytest.approx(row["AUC"], abs=1e-12)
    assert estimate.standard_error == pytest.approx(row["se"], abs=1e-12)
    assert (estimate.lower, estimate.upper) == pytest.approx((row["lower"], row["upper"]), abs=1e-12)


@pytest.mark.parametrize("row", from_r()["tdAUC"]["Score_auc_contrasts"], ids=lambda row: str(row["times"]))
def test_paired_difference_equals_riskregression(row: dict[str, Any]) -> None:
    """Difference, standard error, limits and P value must be those of Score's contrasts."""
    difference = paired_difference(gbsg_influence("B", row["times"]), gbsg_influence("A", row["times"]))
    assert difference.value == pytest.approx(row["delta.AUC"], abs=1e-12)
    assert difference.standard_error == pytest.approx(row["se"], abs=1e-12)
    assert (difference.lower, difference.upper) == pytest.approx((row["lower"], row["upper"]), abs=1e-12)
    assert difference.p_value == pytest.approx(row["p"], rel=1e-9)


@pytest.mark.parametrize("year", YEARS)
def test_timeroc_is_reached_but_for_its_ties(year: int) -> None:
    """Values equal timeROC 0.4.1; standard errors and P values differ only by how tied times are treated there."""
    reference, index = from_r()["tdAUC"], YEARS.index(year)
    influences = {model: gbsg_influence(model, year) for model in "AB"}
    for model, influence in influences.items():
        assert influence.value == pytest.approx(reference[f"timeROC_{model}"][index], abs=1e-12)
        assert influence.standard_error() == pytest.approx(reference[f"timeROC_{model}_se"][index], abs=2e-7)
        assert influence.events == reference["n_cases"][index]
    limits = influences["A"].estimate(scale="identity", level=0.95)
    assert (limits.lower, limits.upper) == pytest.approx(reference["timeROC_A_ci"][index], abs=6e-5)  # 4 digits given
    p_value = paired_difference(influences["A"], influences["B"]).p_value
    assert p_value == pytest.approx(reference["timeROC_compare_p"][index], rel=1e-4)


@pytest.mark.parametrize(("rule", "name"), [("events", "weighted_dS_from0"), ("trapezoid", "mean_trapz")])
def test_integrated_auc_equals_r(rule: Rule, name: str) -> None:
    """Both rules must give the value that R computes from timeROC's AUCs."""
    data, reference = gbsg(), from_r()["tdAUC"]["iAUC"]
    estimate = iauc(data["time"], data["status"], data["lpA"], reference["grid"], rule=rule)
    assert estimate.value == pytest.approx(reference[name], abs=1e-12)
    assert estimate.horizon == 5


def test_aucs_on_the_grid_equal_timeroc() -> None:
    """The AUC at each quarter year must be timeROC's."""
    reference = from_r()["tdAUC"]["iAUC"]
    aucs = [gbsg_influence("A", horizon).value for horizon in reference["grid"]]
    assert aucs == pytest.approx(reference["AUCs_timeROC"], abs=1e-12)


def test_published_model_equals_timeroc() -> None:
    """AUC at 4.99 years of the model of McLernon et al. (Ann Intern Med 2023), whose follow-up ends at 5 years."""
    data, reference = gbsg(), from_r()["stratos"]
    nodes = np.minimum(data["nodes"].to_numpy(dtype=float), reference["n_nodes99"])
    first, second, third = (np.maximum(nodes - knot, 0) ** 3 for knot in (0, 1, 9))
    spline = (first - (9 * second - third) / 8) / 81
    linear_predictor = sum(
        coefficient * column
        for coefficient, column in zip(
            reference["coef"].values(), (data["size2"], data["size3"], nodes, spline, data["grade3"]), strict=True
        )
    )
    time, event = np.minimum(data["time"], 5), data["status"] * (data["time"] <= 5)
    influence = auc_t_influence(time, event, linear_predictor, 4.99)
    assert influence.value == pytest.approx(reference["tdAUC_4.99"][0], abs=1e-12)
    assert influence.standard_error() == pytest.approx(reference["tdAUC_4.99"][1], abs=1e-6)


def test_by_hand() -> None:
    """Cases at 1 and 4 (weights 1 and 3/2 after the censoring at 2), controls 5 and 6; 4 ties with a control."""
    estimate = auc_t([1, 4, 2, 5, 6], [1, 1, 0, 0, 1], [0.9, 0.4, 0.5, 0.4, 0.1], 4.5)
    # G(4-) = 1 - 1/4 = 3/4: the case at 4 weighs 4/3; below it lie 1/2 + 1 of 2 controls.
    assert estimate.value == pytest.approx((1 + 4 / 3 * 0.75) / (1 + 4 / 3))
    assert (estimate.n, estimate.events, estimate.horizon) == (5, 2, 4.5)
    assert "(1 lost before)" in estimate.method


def test_jackknife_agrees() -> None:
    """Leaving out each patient in turn must give nearly the same standard error."""
    data = gbsg().iloc[:300]
    time, event, prediction = (data[name].to_numpy() for name in ("time", "status", "lpA"))
    full = auc_t_influence(time, event, prediction, 3.0)
    rest = [~np.eye(time.size, dtype=bool)[i] for i in range(time.size)]
    values = np.array([auc_t_influence(time[k], event[k], prediction[k], 3.0).value for k in rest])
    jackknife = np.sqrt((time.size - 1) / time.size * np.sum((values - values.mean()) ** 2))
    assert full.standard_error() == pytest.approx(jackknife, rel=0.03)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_order_unit_and_scale_do_not_matter(cohort: Cohort) -> None:
    """Row order, the unit of time and a monotone transform of the prediction must change nothing."""
    time, event, prediction = cohort
    horizon = float(np.median(time))
    first = influence_or_skip(time, event, prediction, horizon)
    order = np.random.default_rng(0).permutation(time.size)
    second = auc_t_influence(time[order] * 12, event[order], np.exp(prediction[order]), horizon * 12)
    assert second.value == pytest.approx(first.value, abs=1e-12)
    np.testing.assert_allclose(second.contributions, first.contributions[order], atol=1e-12)
    assert np.sum(first.contributions) == pytest.approx(0, abs=1e-12)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_follow_up_after_the_horizon_does_not_matter(cohort: Cohort) -> None:
    """Ending all follow-up at the horizon must change neither value nor error."""
    time, event, prediction = cohort
    horizon = float(np.median(time))
    full = influence_or_skip(time, event, prediction, horizon)
    cut = auc_t_influence(np.minimum(time, horizon), event & (time <= horizon), prediction, horizon)
    assert cut.value == pytest.approx(full.value, abs=1e-12)
    np.testing.assert_allclose(cut.contributions, full.contributions, atol=1e-12)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_without_censoring_it_is_the_plain_auc(cohort: Cohort) -> None:
    """If nobody is censored, the value is that of the binary AUC, whatever the ties."""
    time, _, prediction = cohort
    horizon, event = float(np.median(time)), np.ones(time.size, dtype=bool)
    influence = influence_or_skip(time, event, prediction, horizon)
    assert influence.value == pytest.approx(roc_auc_score(time <= horizon, prediction), abs=1e-12)


@given(cohorts())
@settings(max_examples=30, deadline=None)
def test_a_cohort_given_twice(cohort: Cohort) -> None:
    """Doubling every patient must keep the value and halve the variance, but for the factor n/(n-1)."""
    time, event, prediction = cohort
    horizon, n = float(np.median(time)), time.size
    once = influence_or_skip(time, event, prediction, horizon)
    twice = auc_t_influence(np.tile(time, 2), np.tile(event, 2), np.tile(prediction, 2), horizon)
    assert twice.value == pytest.approx(once.value, abs=1e-12)
    expected = once.standard_error() * np.sqrt((n - 1) / n / 2 * (2 * n) / (2 * n - 1))
    assert twice.standard_error() == pytest.approx(expected, abs=1e-12)


def test_weights_of_the_integrated_auc_carry_error() -> None:
    """The contributions must be the derivative of the value: leaving out each patient gives nearly the same error."""
    data, grid = gbsg().iloc[:150], [1.0, 2.0, 4.0]
    time, event, prediction = (data[name].to_numpy() for name in ("time", "status", "lpA"))
    full = iauc_influence(time, event, prediction, grid)
    rest = [~np.eye(time.size, dtype=bool)[i] for i in range(time.size)]
    left_out = np.array([iauc_influence(time[k], event[k], prediction[k], grid).value for k in rest])
    influence = (time.size - 1) * (full.value - left_out)
    assert np.corrcoef(influence, full.contributions)[0, 1] > 0.999
    assert full.standard_error() == pytest.approx(np.std(influence, ddof=1) / np.sqrt(time.size), rel=0.03)


def test_intervals() -> None:
    """The logit interval stays inside (0, 1) and is the default."""
    data = gbsg()
    logit = auc_t(data["time"], data["status"], data["lpA"], 1.0)
    wald = auc_t(data["time"], data["status"], data["lpA"], 1.0, interval="wald")
    assert (logit.scale, wald.scale) == ("logit", "identity")
    assert logit.lower < wald.lower < logit.value < logit.upper < wald.upper


TIME, EVENT, PREDICTION = [1.0, 2, 3, 4, 5, 6], [1, 1, 0, 1, 1, 0], [0.9, 0.2, 0.5, 0.3, 0.6, 0.1]


@pytest.mark.parametrize(
    ("time", "event", "prediction", "horizon", "reason"),
    [
        (TIME, EVENT, PREDICTION, 7, "beyond follow-up"),
        (TIME, EVENT, PREDICTION, 0, "no time after the origin"),
        (TIME, EVENT, PREDICTION, 1, "1 cases and 5 controls"),
        (TIME, EVENT, PREDICTION, 6, "4 cases and 1 controls"),
        (TIME, [0] * 6, PREDICTION, 4, "no event"),
        (TIME, EVENT, [0.5] * 6, 4, "for all 6"),
        (TIME, EVENT, [np.nan, *PREDICTION[1:]], 4, "not finite"),
        (TIME, EVENT, PREDICTION[1:], 4, "5 values for 6"),
        (TIME, EVENT, [9, 8, 1, 7, 2, 1], 4, "edge of its range"),
    ],
)
def test_refusals(time: ArrayLike, event: ArrayLike, prediction: ArrayLike, horizon: float, reason: str) -> None:
    """What cannot be estimated must be refused, with its reason."""
    with pytest.raises(UndefinedEstimate, match=reason):
        auc_t(time, event, prediction, horizon)


@pytest.mark.parametrize("sign", [1, -1])
def test_perfect_separation_has_no_variance(sign: int) -> None:
    """Rounding must not make up a standard error where every case ranks above, or below, every control."""
    data = gbsg()
    prediction = -sign * data["time"]
    with pytest.raises(UndefinedEstimate, match="standard error 0"):
        auc_t(data["time"], data["status"], prediction, 3.0, interval="wald")


@pytest.mark.parametrize(
    ("horizons", "reason"),
    [([2.0], "at least 2"), ([3.0, 2.0], "ascending"), ([0.0, 4.0], "positive"), ([1.0, 4.0], "1 cases")],
)
def test_refused_grids(horizons: ArrayLike, reason: str) -> None:
    """A grid must be ascending, and every horizon must define an AUC."""
    with pytest.raises(UndefinedEstimate, match=reason):
        iauc(TIME, EVENT, PREDICTION, horizons)
