"""The clinical risk score of Fong and the combined grade."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.histology_spatial_survival import CRS_COLUMNS, CRS_FACTORS
from models.histology_spatial_survival.clinical import (
    combined_grade,
    encode_factors,
    expected_score,
    known_score,
    prevalences,
)
from models.spec import PreprocessingError

LOWEST: dict[str, Any] = {
    "pn_stage": "pN0",
    "disease_free_interval_months": 12.0,
    "synchronous": "no",
    "metastases": 1,
    "largest_diameter_cm": 5.0,
    "cea_ng_ml": 200.0,
}
HIGHEST: dict[str, Any] = {
    "pn_stage": "pN2",
    "disease_free_interval_months": 11.9,
    "synchronous": "yes",
    "metastases": 2,
    "largest_diameter_cm": 5.1,
    "cea_ng_ml": 200.5,
}


def test_each_limit_belongs_to_the_lower_side() -> None:
    """12 months, one metastasis, 5 cm and 200 ng/mL give no point; beyond each there is one."""
    assert tuple(LOWEST) == CRS_COLUMNS
    assert encode_factors(LOWEST).tolist() == [0] * 5
    assert encode_factors({**HIGHEST, "pn_stage": "pN1"}).tolist() == [1] * 5
    assert encode_factors(HIGHEST).dtype == np.float32


@pytest.mark.parametrize(
    ("changes", "factor"),
    [
        ({"pn_stage": "pN1"}, "node_positive"),
        ({"disease_free_interval_months": 0}, "interval_below_12m"),
        ({"metastases": 7}, "several_metastases"),
        ({"largest_diameter_cm": 9.5}, "diameter_above_5cm"),
        ({"cea_ng_ml": np.float64(1000)}, "cea_above_200"),
    ],
)
def test_each_column_moves_its_own_factor(changes: dict[str, Any], factor: str) -> None:
    """One point, in the place of the factor's name."""
    assert encode_factors({**LOWEST, **changes})[CRS_FACTORS.index(factor)] == 1
    assert encode_factors({**LOWEST, **changes}).sum() == 1


@pytest.mark.parametrize("empty", [None, float("nan"), pd.NA, np.nan])
def test_missing_stays_missing(empty: Any) -> None:
    """A row without any value has five unknown factors, no score and no grade."""
    factors = encode_factors(dict.fromkeys(CRS_COLUMNS, empty))[None]

    assert np.isnan(factors).all()
    assert np.isnan(known_score(factors)).all()
    assert np.isnan(combined_grade(np.array([True]), known_score(factors))).all()


def test_synchronous_metastases_need_no_interval() -> None:
    """They have none, or a short one; metachronous ones without an interval leave the factor unknown."""
    early = CRS_FACTORS.index("interval_below_12m")

    assert encode_factors({**LOWEST, "synchronous": "yes", "disease_free_interval_months": None})[early] == 1
    assert encode_factors({**LOWEST, "synchronous": None, "disease_free_interval_months": 3})[early] == 1
    assert np.isnan(encode_factors({**LOWEST, "disease_free_interval_months": None})[early])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pn_stage": "N1"}, "pn_stage: found 'N1', expected one of pN0, pN1, pN2"),
        ({"pn_stage": 1.0}, r"pn_stage: found 1\.0, expected one of"),
        ({"synchronous": "maybe"}, "synchronous: found 'maybe', expected one of no, yes"),
        ({"metastases": 0}, "metastases: found 0, expected a number, 1 or more"),
        ({"largest_diameter_cm": "3"}, "largest_diameter_cm: found '3', expected a number, 0 or more"),
        ({"cea_ng_ml": -1.0}, r"cea_ng_ml: found -1\.0, expected a number"),
        ({"cea_ng_ml": np.inf}, "cea_ng_ml: found inf, expected a number"),
        ({"synchronous": "yes"}, "synchronous: found yes with a disease-free interval of 12 months, expected less"),
    ],
)
def test_what_the_schema_does_not_know_is_refused(changes: dict[str, Any], message: str) -> None:
    """The message names column, value and what is expected."""
    with pytest.raises(PreprocessingError, match=message):
        encode_factors({**LOWEST, **changes})


def test_scores_count_points() -> None:
    """Known factors are added up; for a missing one what ships adds its development share."""
    factors = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, np.nan, 1, 0, np.nan]], dtype=np.float32)

    np.testing.assert_array_equal(known_score(factors), [3, 0, np.nan])
    np.testing.assert_allclose(expected_score(factors, np.array([0.6, 0.7, 0.6, 0.2, 0.1])), [3, 0, 2.8])


def test_prevalences_are_those_of_known_factors() -> None:
    """Unknown factors are left out; a factor that nobody has known cannot be replaced."""
    factors = np.array([[1, 1, 0, 0, 1], [0, np.nan, 0, 0, 1]])

    assert prevalences(factors).tolist() == [0.5, 1, 0, 0, 1]
    factors[:, 4] = np.nan
    with pytest.raises(ValueError, match="cea_above_200 known of none of 2 patients"):
        prevalences(factors)


def test_grade_is_a_point_for_each_high_score() -> None:
    """A clinical score of 3 to 5 is high; both high are grade 2, none is 0; unknown stays unknown."""
    high = np.array([False, True, False, True, True])

    assert combined_grade(high[:4], np.array([2.0, 2, 3, 5])).tolist() == [0, 1, 1, 2]
    assert np.isnan(combined_grade(high, np.array([0.0, 1, 2, 3, np.nan]))).tolist() == [False] * 4 + [True]
