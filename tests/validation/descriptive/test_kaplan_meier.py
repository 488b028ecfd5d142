"""Survival by group: the shared estimators' figures, within subgroups too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.validation.descriptive.specimens_survival import described, figures_of, patients, row_of, rows_of, specimen
from validation.descriptive.kaplan_meier import KaplanMeierByGroup
from validation.errors import InputError
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.cox_summary import hazard_ratio
from validation.estimators.survival.kaplan_meier import kaplan_meier, survival_at_horizon
from validation.estimators.survival.log_rank import log_rank

BY_SEX = KaplanMeierByGroup(id="km", endpoint="os", by="sex", horizons_months=(12.0, 36.0))


def test_equals_the_estimators() -> None:
    """Survival, log-rank test and hazard ratio are those of the functions called with the same patients."""
    data, result = patients(), described(BY_SEX, specimen())
    male = data[data.sex == "male"]
    curve = kaplan_meier(male.os_time_months, male.os_event)
    expected = survival_at_horizon(curve, 36.0)
    fit = fit_cox(data.os_time_months, data.os_event, (data.sex == "female").to_numpy(dtype=float)[:, None])
    ratio = hazard_ratio(fit, (1,))

    assert figures_of(row_of(result, "survival", group="male", horizon=36.0)) == (
        expected.value,
        expected.lower,
        expected.upper,
    )
    test = log_rank(data.os_time_months, data.os_event, data.sex)
    assert row_of(result, "log_rank")["p_value"] == pytest.approx(test.p_value)
    row = row_of(result, "hazard_ratio", group="female against male")
    assert figures_of(row) == (ratio.value, ratio.lower, ratio.upper)
    assert (row["n"], row["events"]) == (240, int(data.os_event.sum()))


def test_by_hand() -> None:
    """Two die of three, at 1 and 2 months, none of the other two: 2/3 and 1/3; everybody at risk at first."""
    small = pd.DataFrame(
        {
            "sex": ["male"] * 3 + ["female"] * 2,
            "os_time_months": [1.0, 2.0, 3.0, 4.0, 5.0],
            "os_event": [1, 1, 0, 0, 0],
        }
    )
    result = described(
        KaplanMeierByGroup(id="km", endpoint="os", by="sex", horizons_months=(1.0, 2.0)), specimen(small)
    )
    values = [row.get("value") for row in rows_of(result, "survival")]
    curve = next(series for series in result["figures"][0]["series"] if series["name"] == "male")

    assert values == [pytest.approx(2 / 3), pytest.approx(1 / 3), None, None]
    assert (curve["x"], curve["at_risk"]) == ([0, 1, 2, 3], [3, 3, 2, 1])
    assert curve["y"] == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3], rel=1e-3)
    assert "separate the events" in row_of(result, "hazard_ratio")["reason"]


def test_within_groups() -> None:
    """In every group of another column the analysis is that of its patients alone; unknown patients are counted."""
    asked = KaplanMeierByGroup(
        id="km", endpoint="os", by="pn_stage", horizons_months=(12.0,), within=("sex", "scanner")
    )
    result = described(asked, specimen())
    data = patients()
    male = data[(data.sex == "male") & data.pn_stage.notna()]
    row = row_of(result, "log_rank", group="sex male")

    assert row["p_value"] == pytest.approx(log_rank(male.os_time_months, male.os_event, male.pn_stage).p_value)
    assert row["method"].endswith(
        f"{int((data.sex == 'male').sum()) - len(male)} patients of unknown pn_stage left out"
    )
    assert len(result["figures"]) == 5
    assert row_of(result, "hazard_ratio", group="sex male: pN2 against pN0")["n"] == int((male.pn_stage != "pN1").sum())
    alone = described(
        KaplanMeierByGroup(id="km", endpoint="os", by="pn_stage", horizons_months=(12.0,)),
        specimen(data[data.sex == "male"]),
    )
    assert row["p_value"] == row_of(alone, "log_rank")["p_value"]


def test_empty_group_and_no_event() -> None:
    """A group without patients has no hazard ratio, a cohort without events neither; both say why."""
    men = described(BY_SEX, specimen(patients()[lambda d: d.sex == "male"]))
    alive = described(BY_SEX, specimen(patients().assign(os_event=0)))

    assert row_of(men, "hazard_ratio")["reason"] == "no patient in one of the two groups"
    assert row_of(men, "log_rank")["reason"] == "all patients belong to one group"
    assert "no event among 240 patients" in row_of(alive, "log_rank")["reason"]


def test_pairs_of_three_groups() -> None:
    """Every pair is tested among its patients; Holm triples the smallest P value and doubles the next."""
    asked = KaplanMeierByGroup(id="km", endpoint="os", by="lp_b>=-0.5|1", horizons_months=(12.0,))
    data, result = patients(), described(asked, specimen())
    names = [
        "-0.5 <= lp_b < 1 against lp_b < -0.5",
        "lp_b >= 1 against lp_b < -0.5",
        "lp_b >= 1 against -0.5 <= lp_b < 1",
    ]
    index = np.searchsorted([-0.5, 1], data.lp_b, side="right")
    chosen = [data[np.isin(index, pair)].assign(high=index[np.isin(index, pair)]) for pair in ((0, 1), (0, 2), (1, 2))]
    expected = [log_rank(part.os_time_months, part.os_event, part.high).p_value for part in chosen]
    plain, adjusted = rows_of(result, "pairwise_log_rank"), rows_of(result, "pairwise_log_rank_holm")
    ordered = sorted(expected)

    assert [row["group"] for row in plain] == [row["group"] for row in adjusted] == names
    assert [row["p_value"] for row in plain] == pytest.approx(expected)
    assert [(row["n"], row["events"]) for row in plain] == [(len(part), part.os_event.sum()) for part in chosen]
    by_holm = np.minimum(np.maximum.accumulate(np.array([3, 2, 1]) * ordered), 1)
    assert sorted(row["p_value"] for row in adjusted) == pytest.approx(by_holm)
    assert {row["method"] for row in plain} == {"log-rank test of two groups, P not adjusted"}
    assert {row["method"] for row in adjusted} == {
        "log-rank test of two groups, P adjusted by Holm for the number of pairs tested"
    }
    assert [series["name"] for series in result["figures"][0]["series"]] == [
        "lp_b < -0.5",
        "-0.5 <= lp_b < 1",
        "lp_b >= 1",
    ]


def test_pairs_within_groups_and_without_test() -> None:
    """Of the parts only those with three groups have pairs; a pair without events says so, twice."""
    table = patients().assign(
        scanner=lambda d: d.scanner.where((d.sex == "male") | (d.scanner != "CT 3"), "CT 2"),
        os_event=lambda d: d.os_event.where(d.scanner == "CT 3", 0),
    )
    asked = KaplanMeierByGroup(id="km", endpoint="os", by="scanner", horizons_months=(12.0,), within=("sex",))
    result = described(asked, specimen(table))
    pairs = [row for row in result["rows"] if row["quantity"].startswith("pairwise")]
    men = "sex male: CT {} against CT {}".format

    assert [row["group"] for row in pairs] == [men(2, 1), men(3, 1), men(3, 2)] * 2
    assert ["reason" in row for row in pairs] == [True, False, False] * 2
    assert "no event among" in pairs[0]["reason"]
    assert max(pairs[4]["p_value"], pairs[5]["p_value"]) <= 2 * max(pairs[1]["p_value"], pairs[2]["p_value"])


def test_two_groups_have_no_pairs() -> None:
    """Their log-rank test is the test of the pair."""
    assert not rows_of(described(BY_SEX, specimen()), "pairwise_log_rank")


def test_absent_endpoints() -> None:
    """A cohort that never recorded the endpoint defines nothing; one that never recorded a grouping lacks its row."""
    without = {"meta": {"endpoints": {"os": specimen().meta.endpoints["os"]}}}
    dfs = KaplanMeierByGroup(id="km", endpoint="dfs", by="sex", horizons_months=(12.0,))
    within = KaplanMeierByGroup(
        id="km", endpoint="os", by="sex", horizons_months=(12.0,), within=("tsr_high", "pn_stage")
    )

    assert described(dfs, specimen(**without))["reason"] == "the cohort has no endpoint dfs"
    rows = described(within, specimen(**without))["rows"]
    assert (rows[0]["reason"], rows[0]["group"]) == ("the cohort has no endpoint tsr_high", "tsr_high")
    assert len(rows) == 1 + 3 * 4


@pytest.mark.parametrize(
    ("by", "found"),
    [("colour", "no column colour"), ("pn_stage=pN7", "pn_stage=pN7"), ("age_years", "groups by age_years")],
)
def test_bad_input(by: str, found: str) -> None:
    """Unknown columns and levels are one error that names them."""
    with pytest.raises(InputError, match=found):
        KaplanMeierByGroup(id="km", endpoint="os", by=by, horizons_months=(12.0,)).describe(specimen())


def test_curve_is_monotone_and_ends_with_follow_up() -> None:
    """Survival never rises; up to 50 months of follow-up the curve has one point per month."""
    short = patients().assign(os_time_months=lambda d: d.os_time_months / 2)
    for series in described(BY_SEX, specimen(short))["figures"][0]["series"]:
        follow_up = short.os_time_months[short.sex == series["name"]].max()
        assert np.all(np.diff(series["y"]) <= 0)
        assert series["x"] == list(range(int(follow_up) + 1))


@pytest.mark.parametrize(("factor", "months"), [(1.0, 2), (1.7, 3), (20.0, 36)])
def test_long_follow_up_has_points_further_apart(factor: float, months: int) -> None:
    """At most 51, whole months apart: the curve at these months is unchanged."""
    data = patients().assign(os_time_months=lambda d: d.os_time_months * factor)
    result = described(BY_SEX, specimen(data))
    male = data[data.sex == "male"]
    series = next(series for series in result["figures"][0]["series"] if series["name"] == "male")

    assert len(series["x"]) <= 51
    assert series["x"] == list(range(0, int(male.os_time_months.max()) + 1, months))
    curve = kaplan_meier(male.os_time_months, male.os_event)
    assert series["y"] == pytest.approx([curve.at(month)[0] for month in series["x"]], rel=1e-3)


def test_group_of_one_patient() -> None:
    """It has no survival and no curve, for a stated reason; the other groups keep theirs."""
    table = patients().assign(scanner=lambda d: d.scanner.where(d.index > 0, "CT 0"))
    asked = KaplanMeierByGroup(id="km", endpoint="os", by="scanner", horizons_months=(12.0,))
    result = described(asked, specimen(table))

    assert "at least 2 are needed" in row_of(result, "survival", group="CT 0")["reason"]
    assert row_of(result, "survival", group="CT 1")["value"] is not None
    assert [series["name"] for series in result["figures"][0]["series"]] == ["CT 1", "CT 2", "CT 3"]


def test_who_is_in_no_part_is_counted() -> None:
    """Patients of unknown node stage are in none of its groups; every row within these says how many."""
    asked = KaplanMeierByGroup(id="km", endpoint="os", by="sex", horizons_months=(12.0,), within=("pn_stage",))
    rows = [row for row in described(asked, specimen())["rows"] if "method" in row]

    assert rows
    assert all(row["method"].endswith("; 7 patients of unknown pn_stage left out") for row in rows)
