"""Kaplan-Meier: equal to R, by hand, restricted mean, and groups on either side of a cut-off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.reference import from_r, gbsg, rotterdam
from tests.validation.estimators.strategies import Cohort, cohorts
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.kaplan_meier import (
    kaplan_meier,
    kaplan_meier_by_cutoff,
    restricted_mean,
    restricted_mean_influence,
    risk_difference_by_cutoff,
    survival_at_horizon,
    survival_influence,
)
from validation.estimators.survival.log_rank import log_rank


@pytest.mark.parametrize("row", range(6))
def test_equals_r(row: int) -> None:
    """Survival, standard error, log-log limits and numbers at risk of survfit, by hormone therapy, at 1, 3, 5 years."""
    expected = from_r()["km"]["by_hormon"][row]
    group = gbsg()[gbsg().hormon == int(expected["strata"][-1])]
    curve = kaplan_meier(group.time, group.status)
    estimate = survival_at_horizon(curve, expected["time"])

    found = [estimate.value, estimate.lower, estimate.upper, estimate.standard_error]
    assert found == pytest.approx([expected[key] for key in ("surv", "lower", "upper", "se")], abs=1e-12)
    assert curve.at_risk_at([expected["time"]]).tolist() == [expected["n.risk"]]


@pytest.mark.parametrize("row", range(3))
def test_log_interval_equals_r(row: int) -> None:
    """Survival, standard error and log limits of survfit, R's default."""
    expected = from_r()["km"]["overall_log"][row]
    estimate = survival_at_horizon(kaplan_meier(gbsg().time, gbsg().status), expected["time"], interval="log")

    found = [estimate.value, estimate.lower, estimate.upper, estimate.standard_error]
    assert found == pytest.approx([expected[key] for key in ("surv", "lower", "upper", "se")], abs=1e-12)
    assert (estimate.scale, estimate.method[-12:]) == ("log", "log interval")


def test_log_interval_ends_at_one() -> None:
    """One event among five: the upper log limit would exceed 1."""
    estimate = survival_at_horizon(kaplan_meier([1, 2, 3, 4, 5], [1, 0, 0, 0, 0]), 2, interval="log")

    assert (estimate.value, estimate.upper) == (0.8, 1.0)


def test_survival_influence_equals_r() -> None:
    """Greenwood's standard error, and the robust one of survfit where patients are clustered."""
    expected = survival_reference()["clustered_survival"]
    influence = survival_influence(gbsg().time, gbsg().status, 3)

    assert influence.value == pytest.approx(expected["surv"], abs=1e-12)
    assert influence.standard_error() == pytest.approx(from_r()["km"]["overall_log"][1]["se"], abs=1e-12)
    assert influence.standard_error(gbsg().grade) == pytest.approx(expected["se"], abs=1e-12)


@given(cohorts())
@settings(deadline=None, max_examples=50)
def test_influence_is_greenwood(cohort: Cohort) -> None:
    """With any ties, squared contributions add up to Greenwood's formula, and contributions to zero."""
    time, event, _ = cohort
    horizon = float(np.median(time))
    influence = survival_influence(time, event, horizon)

    assert influence.standard_error() == pytest.approx(kaplan_meier(time, event).at(horizon)[1], abs=1e-12)
    assert influence.contributions.sum() == pytest.approx(0, abs=1e-12)


def test_restricted_mean_equals_r() -> None:
    """Value and standard error of summary(survfit, rmean): whole cohort, by hormone therapy, development cohort."""
    data, expected, more = gbsg(), from_r()["km"]["rmst5"], survival_reference()["restricted_mean"]
    rows = [
        (data, 5, [expected["rmean"], expected["se(rmean)"]]),
        (data[data.hormon == 0], 5, more["hormon0"]),
        (data[data.hormon == 1], 5, more["hormon1"]),
        (rotterdam(), 10, more["rotterdam_10"]),
    ]
    for cohort, horizon, values in rows:
        estimate = restricted_mean(cohort.time, cohort.status, horizon)
        assert [estimate.value, estimate.standard_error] == pytest.approx(values, abs=1e-12)
        assert estimate.upper - estimate.value == pytest.approx(1.959963984540054 * values[1])
        assert estimate.horizon == horizon


def test_restricted_mean_by_hand() -> None:
    """Events at 1 and 3, censored at 2 and 4: 1 for one unit, 3/4 for two, 3/8 for half a unit."""
    estimate = restricted_mean([1, 2, 3, 4], [1, 0, 1, 0], 3.5)

    assert estimate.value == pytest.approx(1 + 2 * 0.75 + 0.5 * 0.375)
    greenwood = (2 * 0.75 + 0.5 * 0.375) ** 2 / (4 * 3) + (0.5 * 0.375) ** 2 / (2 * 1)
    assert estimate.standard_error == pytest.approx(np.sqrt(greenwood))
    assert (estimate.n, estimate.events) == (4, 2)


@given(cohorts())
@settings(deadline=None, max_examples=50)
def test_restricted_mean_properties(cohort: Cohort) -> None:
    """Proportional to the unit of time, indifferent to the order of the rows, and not above the horizon."""
    time, event, _ = cohort
    horizon = float(np.quantile(time, 0.7))
    plain = restricted_mean_influence(time, event, horizon)
    other = restricted_mean_influence(time[::-1] * 12, event[::-1], horizon * 12)

    assert other.value == pytest.approx(12 * plain.value)
    assert other.contributions[::-1] == pytest.approx(12 * plain.contributions)
    assert plain.value <= horizon


def test_restricted_mean_refuses() -> None:
    """Beyond follow-up the area is unknown; without an event before the horizon it has no variance."""
    with pytest.raises(UndefinedEstimate, match="horizon 6 lies beyond follow-up"):
        restricted_mean([1, 5], [1, 0], 6)
    with pytest.raises(UndefinedEstimate, match="standard error 0") as caught:
        restricted_mean([3, 5], [1, 0], 2)
    assert caught.value.too_few


def test_tiny_curve() -> None:
    """Events at 1, 3, 3, censored at 2 and 5: survival 4/5, then 4/5 * 1/3."""
    curve = kaplan_meier([1, 2, 3, 3, 5], [1, 0, 1, 1, 0])

    assert curve.time.tolist() == [1, 3]
    assert curve.at_risk.tolist() == [5, 3]
    assert curve.survival.tolist() == pytest.approx([0.8, 0.8 / 3])
    assert curve.at(2.9)[0] == pytest.approx(0.8)
    assert curve.at(0.5) == (1, 0)
    assert curve.events_by(3) == 3
    assert curve.at_risk_at([0, 2, 2.5, 5]).tolist() == [5, 4, 3, 1]


def test_curve_without_events_is_flat() -> None:
    """Nobody had the event: survival 1 as long as someone is followed up."""
    assert kaplan_meier([1, 2], [0, 0]).at(2) == (1, 0)


def test_curve_ends_with_follow_up() -> None:
    """After the last patient survival is undefined."""
    with pytest.raises(UndefinedEstimate, match="horizon 6 lies beyond follow-up, which ends at 5"):
        kaplan_meier([1, 5], [1, 0]).at(6)


def test_survival_without_events_has_no_interval() -> None:
    """Survival 1 has no log-log interval, though more patients may give one."""
    with pytest.raises(UndefinedEstimate, match="edge of its range") as caught:
        survival_at_horizon(kaplan_meier([1, 2, 3], [0, 0, 0]), 2)
    assert caught.value.too_few


def test_by_cutoff() -> None:
    """Each group has its curve at whole months, numbers at risk, an interval at the horizon; the test is log-rank's."""
    data = gbsg()
    months = data.time * 12
    curves = kaplan_meier_by_cutoff(months, data.status, data.lpA, cutoff=1.1, horizon=36)
    high = data.lpA >= 1.1
    alone = kaplan_meier(months[high], data.status[high])

    assert curves["groups"]["low"]["n"] + curves["groups"]["high"]["n"] == 686
    assert curves["groups"]["high"]["months"][-1] == int(months[high].max())
    assert curves["groups"]["high"]["survival"][36] == alone.at(36)[0]
    assert curves["groups"]["high"]["at_risk"][:2] == [int(high.sum()), int((months[high] >= 1).sum())]
    assert curves["groups"]["high"]["at_horizon"]["group"] == "high"
    assert curves["log_rank"]["chi_square"] == log_rank(data.time, data.status, high).chi_square


def test_by_cutoff_counts_a_prediction_at_the_cutoff_as_high() -> None:
    """The cut-off belongs to the high group."""
    curves = kaplan_meier_by_cutoff([1, 2, 3, 4], [1, 1, 1, 1], [1, 1, 2, 2], cutoff=2, horizon=2)

    assert curves["groups"]["high"]["n"] == 2


def test_by_cutoff_shows_a_group_without_events() -> None:
    """A low group without events is a flat curve whose interval is null with the reason."""
    curves = kaplan_meier_by_cutoff([5, 6, 3, 4], [0, 0, 1, 1], [1, 1, 2, 2], cutoff=2, horizon=4)

    assert set(curves["groups"]["low"]["survival"]) == {1.0}
    assert curves["groups"]["low"]["at_horizon"]["value"] is None
    assert "edge of its range" in curves["groups"]["low"]["at_horizon"]["reason"]


def test_risk_difference() -> None:
    """The difference of the two Kaplan-Meier risks with the two Greenwood variances added."""
    data = gbsg()
    high = data.lpA >= 1.1
    estimate = risk_difference_by_cutoff(data.time * 12, data.status, data.lpA, cutoff=1.1, horizon=36)
    parts = [kaplan_meier(data.time[g], data.status[g]).at(3) for g in (~high, high)]

    assert estimate.value == pytest.approx(parts[0][0] - parts[1][0])
    assert estimate.standard_error == pytest.approx(np.hypot(parts[0][1], parts[1][1]))
    assert estimate.upper - estimate.lower == pytest.approx(2 * 1.959963984540054 * estimate.standard_error)
    assert (estimate.n, estimate.events) == (686, 224)


@pytest.mark.parametrize(
    ("cutoff", "reason"),
    [(9.0, "0 of 4 patients at or above"), (0.0, "0 of 4 patients below"), (1.5, "a group has no event by 2")],
)
def test_risk_difference_refuses(cutoff: float, reason: str) -> None:
    """Both groups need patients and an event by the horizon."""
    with pytest.raises(UndefinedEstimate, match=reason):
        risk_difference_by_cutoff([5, 6, 1, 4], [0, 1, 1, 1], [1, 1, 2, 2], cutoff=cutoff, horizon=2)
