"""Figure data that cannot be are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.validation.descriptive.specimens_curves import cohort, document
from validation.descriptive import KINDS
from validation.descriptive.document import check_description, read_description
from validation.descriptive.kaplan_meier import KaplanMeierByGroup
from validation.descriptive.over_time import PerformanceOverTime
from validation.descriptive.quantities import axis_range
from validation.documents import encode
from validation.errors import InputError
from validation.estimators.catalogue.entry import ANY

WRITTEN = sorted((Path(__file__).parents[3] / "evidence").glob("*/descriptive/*.json"))
ANALYSIS = PerformanceOverTime(
    id="t",
    endpoint="dmfs",
    predictions=("lp",),
    horizons_months=(12.0, 36.0),
    risks=("risk",),
    risk_horizons_months=(12.0, 36.0),
)


def sound() -> dict[str, Any]:
    """A document with an AUC curve and a prediction-error curve."""
    result: dict[str, Any] = json.loads(encode(document([ANALYSIS.to_dict(cohort())], 686)))
    return result


def sound_curve() -> dict[str, Any]:
    """A document with Kaplan-Meier curves."""
    asked = KaplanMeierByGroup(id="km", endpoint="dmfs", by="sex", horizons_months=(12.0,))
    result: dict[str, Any] = json.loads(encode(document([asked.to_dict(cohort())], 686)))
    return result


def auc(found: dict[str, Any]) -> dict[str, Any]:
    """The line of the AUC."""
    series: dict[str, Any] = found["analyses"][0]["figures"][0]["series"][0]
    return series


def row(found: dict[str, Any], quantity: str) -> dict[str, Any]:
    """The first row of a quantity."""
    first: dict[str, Any] = next(r for r in found["analyses"][0]["rows"] if r["quantity"] == quantity)
    return first


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda d: auc(d).update(y=[0.7, 1.24], upper=[0.8, 1.3]), r"key y: found 1.24, which is impossible"),
        (lambda d: auc(d).update(y=[0.7, 0.1]), r"point 1: found .* expected a value inside its interval"),
        (lambda d: auc(d).update(x=[-12, 36]), r"key x: found -12, which is impossible"),
        (lambda d: auc(d).update(y=["0.7", 0.7]), r"key y: found '0.7'; expected a finite number"),
        (lambda d: auc(d).update(y=[0.7]), "arrays of one length"),
        (lambda d: row(d, "ibs").update(value=1.24, upper=2.03), "1.24, which is impossible"),
        (lambda d: row(d, "iauc").update(value=1.24, upper=1.3), "1.24, which is impossible"),
        (lambda d: row(d, "null_ibs").update(value=-0.1, lower=-0.2), "-0.1, which is impossible"),
    ],
)
def test_impossible_figures(spoil: Callable[[dict[str, Any]], None], reason: str) -> None:
    """An AUC or Brier score outside [0, 1], a point outside its interval: also where they are only drawn."""
    found = sound()
    check_description(found, "sound")
    spoil(found)
    with pytest.raises(InputError, match=reason):
        check_description(found, "spoilt")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"y": 1.2}, "key y: found 1.2, which is impossible; expected 0 to 1"),
        ({"standard_error": -0.1}, "key standard_error: found -0.1; expected 0 or more"),
        ({"at_risk": -1}, "key at_risk: found -1; expected a count"),
        ({"at_risk": None}, "key at_risk: found None; expected a count"),
        ({"at_risk": 687}, "key at_risk: found 687; expected no more than the 686 predicted patients"),
        ({"at_risk": 600}, "key at_risk: found a number that rises"),
    ],
)
def test_impossible_curves(changes: dict[str, Any], reason: str) -> None:
    """A share above 1, and patients at risk who are not there, came back, or are fewer than none."""
    found = sound_curve()
    check_description(found, "sound")
    series = found["analyses"][0]["figures"][0]["series"][0]
    for key, value in changes.items():
        series[key][3] = value
    with pytest.raises(InputError, match=rf"series\[0\].* {reason}"):
        check_description(found, "spoilt")


@pytest.mark.parametrize(("key", "number"), [("at_risk", 687), ("n", 687), ("events", -1)])
def test_impossible_patients(key: str, number: int) -> None:
    """Whatever counts patients at a point is a count, and no more than were predicted."""
    found = sound_curve()
    series = found["analyses"][0]["figures"][0]["series"][0]
    series[key] = [number] * len(series["x"])
    with pytest.raises(InputError, match=f"point 0 key {key}: found {number}"):
        check_description(found, "spoilt")


def test_a_negative_standard_error_of_a_row() -> None:
    """No estimate has one."""
    found = sound_curve()
    row(found, "survival").update(standard_error=-0.1)
    with pytest.raises(InputError, match=r"key standard_error: found -0.1; expected 0 or more"):
        check_description(found, "spoilt")


@pytest.mark.parametrize("label", ["probability of an event", 7])
def test_an_axis_that_no_kind_has(label: Any) -> None:
    """A label without a range is refused, so that no kind can draw a share unchecked."""
    found = sound_curve()
    found["analyses"][0]["figures"][0]["y"] = label
    with pytest.raises(InputError, match=r"figures\[0\] key y: found"):
        check_description(found, "spoilt")


def test_every_axis_has_a_range() -> None:
    """Of every kind that draws; only where a column labels an axis is any value possible."""
    drawn = {
        (analysis["kind"], figure[axis])
        for path in WRITTEN
        for analysis in read_description(path)["analyses"]
        for figure in analysis["figures"]
        for axis in ("x", "y")
    }
    unlimited = {(kind, label) for kind, label in drawn if axis_range(kind, label) == ANY}

    assert {kind for kind, _ in drawn} == set(KINDS) - {
        "table_one",
        "follow_up",
        "model_comparison",
        "classification",
        "associations",
    }
    assert {kind for kind, _ in unlimited} == {"score_by_group", "distribution"}


def test_a_gap_is_no_fault() -> None:
    """Where a line is undefined its point is null."""
    found = sound()
    auc(found).update(y=[None, 0.7], lower=[None, 0.6], upper=[None, 0.8])
    check_description(found, "with a gap")
