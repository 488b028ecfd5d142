"""Kaplan-Meier and log-rank: equal to R, by hand, and groups on either side of a cut-off."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import from_r, gbsg
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.kaplan_meier import (
    kaplan_meier,
    kaplan_meier_by_cutoff,
    risk_difference_by_cutoff,
    survival_at_horizon,
)
from validation.estimators.log_rank import log_rank


@pytest.mark.parametrize("row", range(6))
def test_equals_r(row: int) -> None:
    """Survival, standard error, log-log limits and numbers at risk of survfit, by hormone therapy, at 1, 3, 5 years."""
    expected = from_r()["km"]["by_hormon"][row]
    group = gbsg()[gbsg().hormon == int(expected["strata"][-1])]
    curve = kaplan_meier(group.time, group.status)
    estimate = survival_at_horizon(curve, expected["time"])

    found = [estimate.value, estimate.lower, estimate.upper, curve.at(expected["time"])[1]]
    assert found == pytest.approx([expected[key] for key in ("surv", "lower", "upper", "se")], abs=1e-12)
    assert curve.at_risk_at([expected["time"]]).tolist() == [expected["n.risk"]]


@pytest.mark.parametrize(("name", "degrees"), [("hormon", 1), ("grade", 2)])
def test_log_rank_equals_r(name: str, degrees: int) -> None:
    """Statistic, P value, observed and expected events of survdiff, for two and three groups."""
    expected = from_r()["logrank"][name]
    test = log_rank(gbsg().time, gbsg().status, gbsg()[name])

    assert (test.chi_square, test.p_value) == pytest.approx((expected["chisq"], expected["p"]), abs=1e-10)
    assert test.degrees_of_freedom == degrees
    assert list(test.observed) == expected["obs"]
    assert list(test.expected) == pytest.approx(expected["exp"], abs=1e-9)


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
    curves = kaplan_meier_by_cutoff(months, data.status, data.lpA, cutoff=1.1, horizon_months=36)
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
    curves = kaplan_meier_by_cutoff([1, 2, 3, 4], [1, 1, 1, 1], [1, 1, 2, 2], cutoff=2, horizon_months=2)

    assert curves["groups"]["high"]["n"] == 2


def test_by_cutoff_shows_a_group_without_events() -> None:
    """A low group without events is a flat curve whose interval is null with the reason."""
    curves = kaplan_meier_by_cutoff([5, 6, 3, 4], [0, 0, 1, 1], [1, 1, 2, 2], cutoff=2, horizon_months=4)

    assert set(curves["groups"]["low"]["survival"]) == {1.0}
    assert curves["groups"]["low"]["at_horizon"]["value"] is None
    assert "edge of its range" in curves["groups"]["low"]["at_horizon"]["reason"]


def test_risk_difference() -> None:
    """The difference of the two Kaplan-Meier risks with the two Greenwood variances added."""
    data = gbsg()
    high = data.lpA >= 1.1
    estimate = risk_difference_by_cutoff(data.time * 12, data.status, data.lpA, cutoff=1.1, horizon_months=36)
    parts = [kaplan_meier(data.time[g], data.status[g]).at(3) for g in (~high, high)]

    assert estimate.value == pytest.approx(parts[0][0] - parts[1][0])
    error = (estimate.upper - estimate.lower) / 2 / 1.959963984540054
    assert error == pytest.approx(np.hypot(parts[0][1], parts[1][1]))
    assert (estimate.n, estimate.events) == (686, 224)


@pytest.mark.parametrize(
    ("cutoff", "reason"),
    [(9.0, "0 of 4 patients at or above"), (0.0, "0 of 4 patients below"), (1.5, "a group has no event by 2 months")],
)
def test_risk_difference_refuses(cutoff: float, reason: str) -> None:
    """Both groups need patients and an event by the horizon."""
    with pytest.raises(UndefinedEstimate, match=reason):
        risk_difference_by_cutoff([5, 6, 1, 4], [0, 1, 1, 1], [1, 1, 2, 2], cutoff=cutoff, horizon_months=2)


def test_log_rank_refuses_one_group() -> None:
    """One group cannot be compared."""
    with pytest.raises(UndefinedEstimate, match="all patients belong to one group"):
        log_rank([1, 2], [1, 1], ["a", "a"])


def test_log_rank_refuses_another_length() -> None:
    """Every patient has a group."""
    with pytest.raises(UndefinedEstimate, match="group has 3 values for 2 patients"):
        log_rank([1, 2], [1, 1], [0, 1, 1])


def test_log_rank_refuses_groups_that_never_meet() -> None:
    """Without a common risk set with more than one outcome there is no variance."""
    with pytest.raises(UndefinedEstimate, match="never at risk together"):
        log_rank([1, 1, 5, 6], [0, 0, 1, 1], [0, 0, 1, 1])
