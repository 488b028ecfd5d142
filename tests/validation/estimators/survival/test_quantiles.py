"""Median survival and follow-up: equal to R, by hand, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from tests.reference import from_r, gbsg, rotterdam
from tests.validation.estimators.strategies import Cohort, cohorts
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.kaplan_meier import kaplan_meier
from validation.estimators.survival.quantiles import median_follow_up, survival_quantile

FLAT = pd.DataFrame({"time": range(1, 9), "status": [1, 1, 0, 1, 1, 0, 1, 0]})  # on 0.75 between 2 and 4
HALF = pd.DataFrame({"time": range(1, 7), "status": [1, 1, 1, 0, 1, 1]})  # on 0.5 between 3 and 5


@pytest.mark.parametrize("hormon", [0, 1])
def test_median_equals_r(hormon: int) -> None:
    """Median and limits of survfit(conf.type="log-log") by hormone therapy; one upper limit is never reached."""
    expected, group = from_r()["km"]["median"][hormon], gbsg()[gbsg().hormon == hormon]
    median = survival_quantile(kaplan_meier(group.time, group.status))

    assert (median.value, median.lower) == pytest.approx((expected["median"], expected["0.95LCL"]), abs=1e-12)
    assert median.upper == (None if hormon else pytest.approx(expected["0.95UCL"], abs=1e-12))
    assert (median.n, median.events) == (expected["records"], expected["events"])


def test_median_of_the_cohort_equals_r() -> None:
    """The whole cohort, whose reference was made with the log interval: the median itself is the same."""
    expected = from_r()["km"]["rmst5"]
    assert survival_quantile(kaplan_meier(gbsg().time, gbsg().status)).value == pytest.approx(expected["median"])


@pytest.mark.parametrize(
    ("name", "data", "level"),
    [
        ("gbsg", gbsg(), 0.95),
        ("gbsg_90", gbsg(), 0.9),
        ("rotterdam", rotterdam(), 0.95),
        ("flat", FLAT, 0.95),
        ("half", HALF, 0.95),
    ],
)
def test_quartiles_equal_r(name: str, data: pd.DataFrame, level: float) -> None:
    """quantile(survfit) and its limits, also where the curve has a step exactly on the quartile."""
    expected, curve = survival_reference()["quantiles"][name], kaplan_meier(data.time, data.status)
    for i, probability in enumerate((0.25, 0.5, 0.75)):
        value, lower, upper = (expected[key][i] for key in ("quantile", "lower", "upper"))
        if value is None:
            with pytest.raises(UndefinedEstimate, match=r"the curve falls to 0\.343, not to 0\.25"):
                survival_quantile(curve, probability, level=level)
            continue
        found = survival_quantile(curve, probability, level=level)
        assert (found.value, found.lower) == pytest.approx((value, lower), abs=1e-12)
        assert found.upper == (None if upper is None else pytest.approx(upper, abs=1e-12))


@pytest.mark.parametrize(("name", "data"), [("gbsg", gbsg()), ("rotterdam", rotterdam())])
def test_follow_up_equals_r(name: str, data: pd.DataFrame) -> None:
    """quantile(survfit(Surv(time, 1 - status))): median and quartiles of follow-up with limits."""
    expected, found = survival_reference()["follow_up"][name], median_follow_up(data.time, data.status)

    for i, part in enumerate((found.first_quartile, found.median, found.third_quartile)):
        assert part is not None
        values = [expected[key][i] for key in ("quantile", "lower", "upper")]
        assert [part.value, part.lower, part.upper] == pytest.approx(values, abs=1e-12)
    assert found.median.events == len(data) - data.status.sum()


def test_follow_up_without_third_quartile() -> None:
    """The last patients had the event: no more than 60 % of follow-up ended without it."""
    found = median_follow_up([1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 0, 0, 0, 1, 1, 1])

    assert (found.median.value, found.third_quartile) == (4.5, None)


@given(cohorts())
@settings(deadline=None, max_examples=50)
def test_unit_and_order(cohort: Cohort) -> None:
    """A median in days is 30 times one in units of 30 days, whatever the order of the rows."""
    time, event, _ = cohort
    try:
        plain = survival_quantile(kaplan_meier(time, event))
    except UndefinedEstimate:
        return
    other = survival_quantile(kaplan_meier(time[::-1] * 30, event[::-1]))

    assert (other.value, other.lower) == pytest.approx((30 * plain.value, 30 * plain.lower))
    assert plain.lower <= plain.value <= (plain.upper or np.inf)


def test_refuses() -> None:
    """No event, too few, all at once; no share of patients; a level beyond 1; nobody left."""
    with pytest.raises(UndefinedEstimate, match=r"falls to 1, not to 0\.5") as caught:
        survival_quantile(kaplan_meier([1, 2], [0, 0]))
    assert caught.value.too_few
    with pytest.raises(UndefinedEstimate, match="falls to 0 at once: no interval"):
        survival_quantile(kaplan_meier([1, 1], [1, 1]))
    with pytest.raises(UndefinedEstimate, match="probability 1 does not lie between 0 and 1"):
        survival_quantile(kaplan_meier([1, 2], [1, 1]), 1)
    with pytest.raises(UndefinedEstimate, match="confidence level"):
        survival_quantile(kaplan_meier([1, 2], [1, 1]), level=95)
    with pytest.raises(UndefinedEstimate, match="all 2 patients had the event"):
        median_follow_up([1, 2], [1, 1])
