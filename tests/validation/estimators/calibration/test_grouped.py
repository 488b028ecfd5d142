"""Hosmer-Lemeshow and Greenwood-Nam-D'Agostino: equal to R, by hand, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from tests.reference import FOLDER, from_r, gbsg
from validation.estimators.calibration.grouped import greenwood_nam_dagostino, hosmer_lemeshow
from validation.estimators.estimate import UndefinedEstimate

GBSG = gbsg()
BINARY = GBSG[GBSG.known3 == 1]
FROM_R = json.loads((FOLDER / "calibration.json").read_text(encoding="utf-8"))


def test_hosmer_lemeshow_equals_r() -> None:
    """Statistic of hoslem.test; P with 8 degrees of freedom on development, 10 on external data."""
    expected = from_r()["bin"]["HL"]
    development = hosmer_lemeshow(BINARY.y3, BINARY.pA3, cohort="development")
    external = hosmer_lemeshow(BINARY.y3, BINARY.pA3, cohort="external")

    assert development.chi_square == external.chi_square == pytest.approx(expected["chisq"], abs=1e-10)
    assert (development.degrees_of_freedom, external.degrees_of_freedom) == (expected["df_g_minus_2"], 10)
    assert development.p_value == pytest.approx(expected["p_df8"], abs=1e-12)
    assert external.p_value == pytest.approx(expected["p_df10_external"], abs=1e-12)
    assert "groups - 2, development data" in development.method
    assert "groups, external data" in external.method


def test_fewer_groups_and_ties_equal_r() -> None:
    """Five groups; and predictions rounded to 0.1, of which six groups remain, counted as six."""
    five = hosmer_lemeshow(BINARY.y3, BINARY.pA3, cohort="external", groups=5)
    ties = hosmer_lemeshow(BINARY.y3, BINARY.pA3.round(1), cohort="external")

    for test, expected in ((five, FROM_R["hl"]["five"]), (ties, FROM_R["hl"]["ties"])):
        assert test.chi_square == pytest.approx(expected["chisq"], rel=1e-12)
        assert [group.n for group in test.groups] == expected["n"]
        assert test.degrees_of_freedom == expected["groups"]


def test_hosmer_lemeshow_by_hand() -> None:
    """Two groups of four: (1 - 0.8)^2 / (4 * 0.2 * 0.8) + (3 - 2)^2 / (4 * 0.5 * 0.5)."""
    test = hosmer_lemeshow([1, 0, 0, 0, 1, 1, 1, 0], [0.2] * 4 + [0.5] * 4, cohort="external", groups=2)

    assert test.chi_square == pytest.approx(0.04 / 0.64 + 1)
    assert test.p_value == pytest.approx(chi2.sf(test.chi_square, 2))
    low, high = test.groups
    assert (low.n, low.events, low.observed) == (4, 1, 0.25)
    assert low.predicted == pytest.approx(0.2)
    assert high.standard_error == pytest.approx(np.sqrt(0.75 * 0.25 / 4))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_greenwood_nam_dagostino_equals_r(index: int) -> None:
    """Statistic, P value and table of deciles at 1, 3 and 5 years, no groups merged."""
    expected = from_r()["surv_cal"]["time"][index]
    year = expected["t"]
    test = greenwood_nam_dagostino(GBSG.time, GBSG.status, GBSG[f"pA{year}"], year, minimum_events=1)

    assert test.chi_square == pytest.approx(expected["GND_chisq"], abs=1e-10)
    assert test.degrees_of_freedom == 9
    assert test.p_value == pytest.approx(expected["GND_p_df9"], abs=1e-12)
    for group, decile in zip(test.groups, expected["deciles"], strict=True):
        assert group.n == decile["n"]
        values = [group.predicted, group.observed, group.standard_error]
        assert values == pytest.approx([decile["pred"], decile["obs"], decile["se"]], abs=1e-12)


def test_small_groups_are_merged() -> None:
    """At one year five deciles have fewer than 5 events; six groups remain, as computed in R."""
    expected = FROM_R["gnd"]
    test = greenwood_nam_dagostino(GBSG.time, GBSG.status, GBSG.pA1, 1)

    assert test.chi_square == pytest.approx(expected["chisq"], abs=1e-10)
    assert test.p_value == pytest.approx(expected["p"], abs=1e-12)
    assert [(g.n, g.events) for g in test.groups] == [(g["n"], g["events"]) for g in expected["groups"]]
    assert "10 groups between quantiles of predicted risk, 6 after merging" in test.method


def test_a_small_group_at_the_top_joins_the_one_below() -> None:
    """Three groups of 20 with 10, 10 and 2 events: the third cannot stand alone."""
    event = np.r_[np.tile([1, 0], 20), [1, 1], np.zeros(18)]
    test = greenwood_nam_dagostino(np.tile(np.arange(1, 21), 3), event, np.linspace(0.1, 0.9, 60), 19, groups=3)

    assert [(group.n, group.events) for group in test.groups] == [(20, 10), (40, 12)]
    assert test.degrees_of_freedom == 1


def test_three_years_need_no_merging() -> None:
    """With at least 5 events in every decile the rule changes nothing."""
    tests = [
        greenwood_nam_dagostino(GBSG.time, GBSG.status, GBSG.pA3, 3, minimum_events=minimum).chi_square
        for minimum in (1, 5)
    ]
    assert tests[0] == tests[1]


def test_unit_of_time_and_order_do_not_matter() -> None:
    """Months instead of years, patients shuffled, risks on another monotone scale: groups stay the same."""
    shuffled = GBSG.sample(frac=1, random_state=2)
    first = greenwood_nam_dagostino(GBSG.time, GBSG.status, GBSG.pA3, 3)
    second = greenwood_nam_dagostino(12 * shuffled.time, shuffled.status, shuffled.pA3, 36)
    squared = greenwood_nam_dagostino(GBSG.time, GBSG.status, GBSG.pA3**2, 3)

    assert first.chi_square == pytest.approx(second.chi_square, rel=1e-10)
    assert [g.observed for g in first.groups] == [g.observed for g in squared.groups]


@pytest.mark.parametrize(
    ("case", "probability", "arguments", "reason"),
    [
        ([0, 1, 0, 1], [0.3] * 4, {"cohort": "external"}, "for all 4"),
        ([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], {"cohort": "external", "groups": 1}, "at least 2"),
        ([0, 1, 0, 1], [0.1, 0.1, 0.3, 0.3], {"cohort": "development", "groups": 2}, "no degree of freedom"),
        ([0, 1, 0, 1], [0, 0, 0.3, 0.4], {"cohort": "external", "groups": 2}, "no case, or no control, is expected"),
        ([0, 1, 0, 1], [0.1, 0.2, 1, 1], {"cohort": "external", "groups": 2}, "no case, or no control, is expected"),
        ([0, 1, 0, 1], [0.1, 0.2, 0.3, 1.4], {"cohort": "external"}, "outside"),
    ],
)
def test_hosmer_lemeshow_refuses(
    case: list[int], probability: list[float], arguments: dict[str, Any], reason: str
) -> None:
    """No groups, no degrees of freedom, nothing expected."""
    with pytest.raises(UndefinedEstimate, match=reason):
        hosmer_lemeshow(case, probability, **arguments)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"minimum_events": 0}, "without an event there is no variance"),
        ({"minimum_events": 30}, "fewer than 2 groups with 30 events"),
        ({"horizon": 50}, "beyond follow-up"),
        ({"event": np.arange(40) != 19}, "risk group 1 of 2: .* follow-up, which ends at 20"),
        (
            {"time": np.r_[np.arange(1, 21), np.full(10, 9), np.full(10, 30)], "horizon": 20},
            "survival 0 has no variance",
        ),
    ],
)
def test_greenwood_nam_dagostino_refuses(change: dict[str, Any], reason: str) -> None:
    """Groups without variance, too few of them, follow-up too short in one."""
    sample = {
        "time": np.arange(1, 41), "event": np.ones(40), "risk": np.arange(1, 41) / 50, "horizon": 25,
        "groups": 2, "minimum_events": 1,
    }  # fmt: skip
    with pytest.raises(UndefinedEstimate, match=reason):
        greenwood_nam_dagostino(**{**sample, **change})
