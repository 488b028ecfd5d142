"""Forest plot: hazard ratios of each subgroup's own patients, and tests of interaction."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import gbsg
from tests.validation.descriptive.specimens_survival import (
    described,
    figures_of,
    lines_of,
    patients,
    row_of,
    rows_of,
    specimen,
)
from tests.validation.estimators.survival.reference import survival_reference
from validation.descriptive.subgroup_hazard_ratios import SubgroupHazardRatios
from validation.errors import InputError
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.cox_summary import hazard_ratio
from validation.estimators.survival.interaction import interaction_by_group

FOREST = SubgroupHazardRatios(id="f", endpoint="os", by="lp_a", within=("sex", "pn_stage"))


def test_equals_the_estimators() -> None:
    """High against low in all patients and in each group; interaction by likelihood ratio."""
    data, result = patients(), described(FOREST, specimen())
    data["high"] = (data.lp_a >= 0.2).astype(float)
    for group, part in (
        (None, data),
        ("sex female", data[data.sex == "female"]),
        ("pn_stage pN2", data[data.pn_stage == "pN2"]),
    ):
        expected = hazard_ratio(fit_cox(part.os_time_months, part.os_event, part[["high"]].to_numpy()), (1,))
        row = row_of(result, "hazard_ratio", group=group)
        assert figures_of(row) == pytest.approx((expected.value, expected.lower, expected.upper))
        assert (row["n"], row["events"]) == (len(part), int(part.os_event.sum()))
    known = data.dropna(subset=["pn_stage"])
    test = interaction_by_group(known.os_time_months, known.os_event, known.high, known.pn_stage)
    row = row_of(result, "interaction_test", group="pn_stage")
    assert (row["p_value"], row["degrees_of_freedom"]) == (pytest.approx(test.p_value), [2.0])
    assert row["method"].endswith("; 7 patients of unknown group left out")
    points = lines_of(result["figures"][0])
    assert [result["rows"][place]["group"] for place in points["row"]][:2] == [None, "sex male"]
    assert points["x"][1] == pytest.approx(row_of(result, "hazard_ratio", group="sex male")["value"], rel=1e-3)


def test_interaction_equals_r() -> None:
    """Hormone therapy by grade on gbsg: coxph and anova."""
    data, expected = gbsg(), survival_reference()["interaction_by_group"]
    table = patients(len(data)).assign(
        os_time_months=data.time,
        os_event=data.status,
        sex=np.where(data.hormon == 1, "female", "male"),
        differentiation=np.array(["high", "middle", "low"])[data.grade.to_numpy() - 1],
    )
    asked = SubgroupHazardRatios(id="f", endpoint="os", by="sex", within=("differentiation",))
    row = row_of(described(asked, specimen(table)), "interaction_test")

    assert row["statistic"] == pytest.approx(expected["LR"], abs=1e-9)


def test_groups_that_hold_one_side_only() -> None:
    """They have no ratio, and the test of the others goes on without them and says so."""
    table = patients()
    table.loc[table.pt_stage == "pT1", "lp_a"] = 1.0
    asked = SubgroupHazardRatios(id="f", endpoint="os", by="lp_a", within=("pt_stage", "tnm_stage"))
    result = described(asked, specimen(table))
    rest = table[table.pt_stage != "pT1"]
    test = row_of(result, "interaction_test", group="pt_stage")

    assert row_of(result, "hazard_ratio", group="pt_stage pT1")["reason"] == "no patient in one of the two groups"
    assert (test["n"], test["degrees_of_freedom"]) == (len(rest), [2.0])
    assert test["method"].endswith("; without pT1, where one side has no patient")
    assert row_of(result, "hazard_ratio", group="tnm_stage IV")["n"] == 0
    assert row_of(result, "interaction_test", group="tnm_stage")["method"].endswith(
        "without I, IV, where one side has no patient"
    )


def test_nothing_to_compare() -> None:
    """All patients low: no ratio, no test, each row with its reason; a grouping never recorded has one row."""
    low = described(FOREST, specimen(patients().assign(lp_a=-1.0)))
    asked = SubgroupHazardRatios(id="f", endpoint="os", by="lp_a", within=("tsr_high",))
    lacking = described(asked, specimen(meta={"endpoints": {"os": specimen().meta.endpoints["os"]}}))
    alive = described(FOREST, specimen(patients().assign(os_event=0)))

    assert {row["reason"] for row in rows_of(low, "interaction_test")} == {"no group holds patients of both sides"}
    assert all("reason" in row for row in low["rows"])
    assert row_of(lacking, "interaction_test")["reason"] == "the cohort has no endpoint tsr_high"
    assert all("no event among" in row["reason"] for row in alive["rows"])


def test_absent_endpoint_and_bad_input() -> None:
    """The endpoint undefines everything; more than two groups, and unknown names, are errors."""
    dfs = SubgroupHazardRatios(id="f", endpoint="dfs", by="lp_a", within=("sex",))
    meta = {"endpoints": {"os": specimen().meta.endpoints["os"]}}

    assert described(dfs, specimen(meta=meta))["reason"] == "the cohort has no endpoint dfs"
    for by, within, found in (
        ("pn_stage", "sex", "pn_stage, 3 groups; expected two groups"),
        ("lp_b", "sex", "no cut-off of lp_b"),
        ("lp_a", "colour", "no column colour"),
    ):
        with pytest.raises(InputError, match=found):
            SubgroupHazardRatios(id="f", endpoint="os", by=by, within=(within,)).describe(specimen())
