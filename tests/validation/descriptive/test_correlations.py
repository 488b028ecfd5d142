"""Predictions against each other: Pearson's figures, the heat map, and what has no correlation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.reference import FOLDER
from tests.validation.descriptive.specimens_curves import cohort, described, frame, line, row
from validation.descriptive.correlations import Correlations
from validation.errors import InputError

ANALYSIS = Correlations(id="c", predictions=("lp", "age_years", "cea_ng_ml"))


def test_equals_r() -> None:
    """Value, limits and P value of cor.test, one row per pair."""
    result = described(ANALYSIS)
    expected = json.loads((FOLDER / "descriptive.json").read_text(encoding="utf-8"))["pearson"]["age"]
    found = row(result, "pearson_correlation", "lp by age_years")

    assert [found["value"], found["lower"], found["upper"]] == pytest.approx(
        [expected["r"], *expected["limits"]], abs=1e-12
    )
    assert found["p_value"] == pytest.approx(expected["p"])
    assert [r["subject"] for r in result["rows"]] == ["lp by age_years", "lp by cea_ng_ml", "age_years by cea_ng_ml"]


def test_who_is_not_known_is_left_out_of_that_pair() -> None:
    """Five have no CEA: they count for the other pair."""
    result = described(ANALYSIS)
    known = frame().dropna(subset="cea_ng_ml")
    found = row(result, "pearson_correlation", "lp by cea_ng_ml")

    assert found["value"] == pytest.approx(np.corrcoef(known.lp, known.cea_ng_ml)[0, 1])
    assert found["n"] == 681
    assert found["method"].endswith("; 5 patients of unknown cea_ng_ml left out")
    assert row(result, "pearson_correlation", "lp by age_years")["n"] == 686


def test_heat_map() -> None:
    """Symmetric, 1 on the diagonal, the rows' values elsewhere, to four digits."""
    result = described(ANALYSIS)
    (figure,) = result["figures"]
    matrix = np.array([series["y"] for series in figure["series"]])

    assert [series["name"] for series in figure["series"]] == list(ANALYSIS.predictions)
    assert all(series["x"] == [0, 1, 2] for series in figure["series"])
    assert np.array_equal(matrix, matrix.T)
    assert np.array_equal(np.diag(matrix), np.ones(3))
    values = [r["value"] for r in result["rows"]]
    assert matrix[np.triu_indices(3, 1)] == pytest.approx(values, rel=1e-3)


def test_undefined_pairs_are_gaps() -> None:
    """A number that does not vary goes with nothing, not even itself; all other pairs keep their figures."""
    result = described(ANALYSIS, cohort(frame().assign(age_years=60.0)))

    assert "the value is 60 for all 686 patients" in row(result, "pearson_correlation", "lp by age_years")["reason"]
    assert line(result, 0, "age_years")["y"] == [None] * 3
    assert line(result, 0, "lp")["y"][1] is None
    assert line(result, 0, "lp")["y"][2] == pytest.approx(result["rows"][1]["value"], rel=1e-3)


@pytest.mark.parametrize(
    ("predictions", "found"),
    [
        (("lp",), "found 1: lp; expected two to 51"),
        (("lp", "prob", "lp"), "a prediction given twice"),
        (tuple(f"lp_{k}" for k in range(52)), "found 52: .*expected two to 51"),
    ],
)
def test_refuses(predictions: tuple[str, ...], found: str) -> None:
    """No pair, a prediction with itself, more than a figure's line has points."""
    with pytest.raises(InputError, match=f"descriptive analysis c key predictions: .*{found}"):
        Correlations(id="c", predictions=predictions)


def test_refuses_what_is_no_number() -> None:
    """Categories have no correlation."""
    with pytest.raises(InputError, match="sex, no column of numbers"):
        Correlations(id="c", predictions=("lp", "sex")).describe(cohort())
