"""Figure data that cannot be are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.validation.descriptive.specimens_curves import cohort, document
from validation.descriptive.document import check_description
from validation.descriptive.over_time import PerformanceOverTime
from validation.documents import encode
from validation.errors import InputError

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


def test_a_gap_is_no_fault() -> None:
    """Where a line is undefined its point is null."""
    found = sound()
    auc(found).update(y=[None, 0.7], lower=[None, 0.6], upper=[None, 0.8])
    check_description(found, "with a gap")
