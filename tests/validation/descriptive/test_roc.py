"""ROC: R's areas, the curve that belongs to them, and what a cohort cannot define."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.reference import from_r
from tests.validation.descriptive.specimens_curves import cohort, described, frame, line, row
from validation.descriptive.roc import RocCurves
from validation.errors import InputError
from validation.estimators.discrimination.auc import auc_at_horizon
from validation.estimators.discrimination.average_precision import average_precision
from validation.estimators.discrimination.time_dependent import auc_t

BINARY = RocCurves(id="roc", endpoint="early", predictions=("prob", "prob_other"))
TIMED = RocCurves(id="roc", endpoint="dmfs", predictions=("lp", "prob_other"), horizon_months=36.0)


def test_binary_endpoint() -> None:
    """AUC as R's, average precision as the estimator's; those of unknown status are left out and counted."""
    result = described(BINARY)
    auc, precision = row(result, "auc", "prob"), row(result, "average_precision", "prob_other")
    data = frame().dropna(subset="early")

    assert auc["value"] == pytest.approx(from_r()["bin"]["aucA"], abs=1e-12)
    assert (auc["n"], auc["events"]) == (555, 224)
    assert auc["method"].endswith("131 patients of unknown early left out")
    assert precision["value"] == average_precision(data.early, data.prob_other).value


def test_areas_below_the_lines() -> None:
    """Thinned to 51 points, the ROC curve still encloses the AUC to 0.002, and starts and ends in the corners."""
    result = described(BINARY)
    roc = line(result, 0, "prob")

    assert len(roc["x"]) == 51
    assert (roc["x"][0], roc["y"][0], roc["x"][-1], roc["y"][-1]) == (0, 0, 1, 1)
    assert roc["threshold"][0] is None
    assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(row(result, "auc", "prob")["value"], abs=2e-3)


def test_precision_recall_steps_by_hand() -> None:
    """Cases first and third of four: precision 1 up to recall 1/2, then 2/3; the first step starts at recall 0."""
    table = frame().iloc[:4].assign(early=[1.0, 0.0, 1.0, 0.0], prob=[0.9, 0.6, 0.4, 0.2])
    points = line(described(RocCurves(id="r", endpoint="early", predictions=("prob",)), cohort(table)), 1, "prob")

    assert points["step"] is True
    assert points["x"] == pytest.approx([0, 0.5, 0.5, 1, 1], abs=1e-3)
    assert points["y"] == pytest.approx([1, 0.5, 2 / 3, 0.5, 0.5], abs=1e-3)


def test_at_a_horizon() -> None:
    """Both AUCs are the estimators'; the curve encloses the weighted one; there is no precision-recall."""
    result = described(TIMED)
    data = frame()
    weighted = auc_t(data.dmfs_time_months, data.dmfs_event, data.lp, 36)
    known = auc_at_horizon(data.dmfs_time_months, data.dmfs_event, data.lp, 36)
    roc = line(result, 0, "lp")

    assert row(result, "auc_t", "lp")["value"] == weighted.value
    assert row(result, "auc", "lp")["value"] == known.value
    assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(weighted.value, abs=2e-3)
    assert len(result["figures"]) == 1


def test_undefined_in_part() -> None:
    """One prediction that is not a number undoes its own rows and line, not those of the others."""
    table = frame()
    table.loc[table.index[table.early == 1][0], "prob"] = np.nan
    result = described(BINARY, cohort(table))

    assert row(result, "auc", "prob")["value"] is None
    assert "not finite" in row(result, "auc", "prob")["reason"]
    assert row(result, "auc", "prob_other")["value"] is not None
    assert [series["name"] for series in result["figures"][0]["series"]] == ["prob_other"]


@pytest.mark.parametrize("analysis", [BINARY, TIMED])
def test_one_class(analysis: RocCurves) -> None:
    """Without case or event every row says so, and no line is drawn."""
    table = frame().assign(early=0.0, dmfs_event=0)
    result = described(analysis, cohort(table))

    assert result["reason"] is None
    assert all(r["value"] is None and r["too_few"] for r in result["rows"])
    assert {r["horizon"] for r in result["rows"]} == {analysis.horizon_months}
    assert all(figure["series"] == [] for figure in result["figures"])


def test_horizon_beyond_follow_up() -> None:
    """Nobody is known to be free of the event there."""
    result = described(RocCurves(id="roc", endpoint="dmfs", predictions=("lp",), horizon_months=999.0))

    assert {r["value"] for r in result["rows"]} == {None}
    assert "beyond follow-up" in result["rows"][0]["reason"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"horizon_months": 36.0, "endpoint": "early"}, "early, which is binary, with a horizon"),
        ({"horizon_months": None, "endpoint": "dmfs"}, "dmfs, which has a time, without horizon"),
    ],
)
def test_horizon_and_kind_of_endpoint_must_agree(changes: dict[str, Any], reason: str) -> None:
    """A horizon for a binary endpoint, or none for one with time, is bad input."""
    with pytest.raises(InputError, match=reason):
        replace(BINARY, **changes).describe(cohort())
