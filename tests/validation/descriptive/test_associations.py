"""A score against clinical factors: ranks for categories, Spearman for numbers, where both are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.descriptive.specimens_curves import cohort, described, frame, row
from validation.descriptive.associations import Associations
from validation.errors import InputError
from validation.estimators.association.spearman import spearman
from validation.estimators.groups.location import kruskal_wallis, mann_whitney

ANALYSIS = Associations(
    id="with", prediction="lp", columns=("age_years", "cea_ng_ml", "sex", "ypn_stage", "prob_other", "age_years>=60")
)


def test_numbers() -> None:
    """Spearman's correlation, without the five whose CEA is missing, which are counted."""
    found = row(described(ANALYSIS), "correlation", "lp by cea_ng_ml")
    data = frame().dropna(subset="cea_ng_ml")
    expected = spearman(data.lp, data.cea_ng_ml)

    assert (found["value"], found["lower"], found["upper"]) == (expected.value, expected.lower, expected.upper)
    assert found["p_value"] == expected.p_value
    assert found["n"] == 681
    assert found["method"].endswith("; 5 patients of unknown cea_ng_ml left out")


def test_categories() -> None:
    """Rank tests between two groups and between three, and between groups that the protocol makes."""
    result, data = described(ANALYSIS), frame()
    staged = data.dropna(subset="ypn_stage")

    assert row(result, "rank_test", "lp by sex")["p_value"] == mann_whitney(data.lp, data.sex).p_value
    expected = kruskal_wallis(staged.lp, staged.ypn_stage).p_value
    assert row(result, "rank_test", "lp by ypn_stage")["p_value"] == expected
    older = row(result, "rank_test", "lp by age_years>=60")
    assert older["p_value"] == pytest.approx(mann_whitney(data.lp, data.age_years >= 60).p_value)


def test_another_prediction_is_a_number() -> None:
    """Two predictions correlate; a cut-off does not make groups here."""
    result = described(Associations(id="with", prediction="prob_other", columns=("lp",)))

    assert row(result, "correlation", "prob_other by lp")["n"] == 686


def test_undefined_rows() -> None:
    """A constant number, a single category, an endpoint never recorded: rows with a reason, beside those defined."""
    table = frame().assign(age_years=60.0, sex="male")
    columns = ("age_years", "sex", "early", "ypn_stage")
    result = described(Associations(id="w", prediction="lp", columns=columns), cohort(table, recorded=("dmfs",)))

    assert "the value is 60 for all 686 patients" in row(result, "correlation", "lp by age_years")["reason"]
    assert "1 groups where two or more" in row(result, "rank_test", "lp by sex")["reason"]
    assert row(result, "rank_test", "lp by early")["reason"] == "the cohort has no endpoint early"
    assert np.isfinite(row(result, "rank_test", "lp by ypn_stage")["p_value"])


def test_unknown_column() -> None:
    """One clear error."""
    with pytest.raises(InputError, match="no column albumin"):
        Associations(id="with", prediction="lp", columns=("age_years", "albumin")).describe(cohort())
