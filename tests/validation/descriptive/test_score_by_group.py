"""A score by group: the estimators' tests and quartiles, unknown groups, small groups."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.descriptive.specimens_curves import cohort, described, frame, line, row
from validation.descriptive.score_by_group import ScoreByGroup
from validation.errors import InputError
from validation.estimators.groups.location import kruskal_wallis, mann_whitney

BY_CASE = ScoreByGroup(id="by", prediction="prob", by="early")
BY_STAGE = ScoreByGroup(id="by", prediction="lp", by="ypn_stage")


def test_two_groups() -> None:
    """Mann-Whitney between controls and cases; those of unknown status are left out and counted."""
    result = described(BY_CASE)
    data = frame().dropna(subset="early")
    test = row(result, "rank_test", "prob by early")

    assert test["p_value"] == mann_whitney(data.prob, data.early).p_value
    assert test["n"] == 555
    assert test["method"].endswith("; 131 patients of unknown early left out")


def test_more_groups() -> None:
    """Kruskal-Wallis between stages, quartiles of each."""
    result = described(BY_STAGE)
    data = frame().dropna(subset="ypn_stage")
    test = row(result, "rank_test", "lp by ypn_stage")
    second = data.lp[data.ypn_stage == "ypN1"]

    assert test["p_value"] == kruskal_wallis(data.lp, data.ypn_stage).p_value
    assert test["degrees_of_freedom"] == [2]
    assert row(result, "median", "lp", group="ypN1")["value"] == pytest.approx(np.median(second))
    assert row(result, "upper_quartile", "lp", group="ypN1")["value"] == pytest.approx(np.quantile(second, 0.75))
    assert row(result, "median", "lp", group="ypN1")["n"] == len(second)


def test_boxes_and_violins() -> None:
    """A box and a density per group, with the numbers of the rows."""
    result = described(BY_STAGE)
    box = line(result, 0, "ypN2")

    assert [series["name"] for series in result["figures"][1]["series"]] == ["ypN0", "ypN1", "ypN2"]
    assert box["x"] == [3]
    assert box["y"][0] == pytest.approx(row(result, "median", "lp", group="ypN2")["value"], rel=1e-3)
    assert box["lower_whisker"] < box["lower_quartile"] < box["y"] < box["upper_quartile"] < box["upper_whisker"]


def test_small_and_empty_groups() -> None:
    """A group of one has neither box nor quartile, a group of none no interval; the test says which is too small."""
    table = frame().iloc[:40].assign(ypn_stage=["ypN0"] * 39 + ["ypN1"])
    result = described(BY_STAGE, cohort(table))
    one, none = (row(result, "median", "lp", group=group) for group in ("ypN1", "ypN2"))

    assert (one["value"], one["n"], one["too_few"]) == (None, 1, True)
    assert (none["value"], none["n"], none["too_few"]) == (None, 0, True)
    assert row(result, "rank_test", "lp by ypn_stage")["reason"] == "the group ypN1 has a single value"
    assert [series["name"] for series in result["figures"][0]["series"]] == ["ypN0"]


def test_a_missing_score_is_counted() -> None:
    """Who has a group but no score is left out of the test and named in it."""
    table = frame()
    table.loc[20:22, "lp"] = np.nan
    result = described(BY_STAGE, cohort(table))

    assert row(result, "rank_test", "lp by ypn_stage")["n"] == 686 - 7 - 3
    assert "7 patients of unknown ypn_stage left out; 3 patients of unknown lp left out" in str(result["rows"][0])


def test_unknown_column_or_level() -> None:
    """One clear error."""
    with pytest.raises(InputError, match="no column stage"):
        ScoreByGroup(id="by", prediction="lp", by="stage").describe(cohort())
    with pytest.raises(InputError, match="ypn_stage=ypN9"):
        ScoreByGroup(id="by", prediction="lp", by="ypn_stage=ypN9").describe(cohort())
