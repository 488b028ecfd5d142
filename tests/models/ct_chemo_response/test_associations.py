"""Tables of odds ratios and hazard ratios."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.ct_chemo_response.associations import (
    Association,
    hazard_ratios,
    odds_ratios,
    significant,
    univariable_hazard_ratios,
    univariable_odds_ratios,
)
from tests.models.ct_chemo_response.tables import NAMES, patients
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.regression.logistic import LogisticFit, fit_logistic


def test_odds_ratio_of_a_two_by_two_table() -> None:
    """For one binary covariate: ad / bc; the error of its logarithm is the root of the sum of 1 / count."""
    exposed = np.repeat([1.0, 1, 0, 0], [30, 20, 15, 35])
    case = np.repeat([True, False, True, False], [30, 20, 15, 35])
    row = univariable_odds_ratios(["exposed"], exposed[:, None], case)[0]
    error = np.sqrt(1 / 30 + 1 / 20 + 1 / 15 + 1 / 35)

    assert row.estimate is not None
    assert row.estimate.value == pytest.approx(30 * 35 / (20 * 15))
    assert row.estimate.lower == pytest.approx(3.5 * np.exp(-1.959964 * error))
    assert row.estimate.upper == pytest.approx(3.5 * np.exp(1.959964 * error))
    assert row.p_value == pytest.approx(math.erfc(math.log(3.5) / error / math.sqrt(2)))
    assert (row.estimate.n, row.estimate.events) == (100, 45)


def test_a_patient_is_left_out_where_the_covariate_is_unknown() -> None:
    """Alone, a covariate is judged among those who have it; the others do not matter."""
    people = patients()
    position, known = NAMES.index("cea_positive"), ~np.isnan(people.column("cea_positive"))
    odds = univariable_odds_ratios(NAMES, people.covariates, people.good)[position]
    hazard = univariable_hazard_ratios(NAMES, people.covariates, people.event, people.time_months)[position]
    alone = hazard_ratios(
        ["cea_positive"], people.column("cea_positive")[known][:, None], people.event[known], people.time_months[known]
    )[0]

    assert odds.estimate is not None
    assert hazard.estimate is not None
    assert odds.estimate.n == hazard.estimate.n == known.sum()
    assert hazard == alone


def test_undefined_covariates_stay_in_the_table_with_their_reason() -> None:
    """A constant, an empty and a separating column have no ratio, say why, and pass no screen."""
    people = patients(200)
    table = np.column_stack([np.ones(200), np.full(200, np.nan), people.good, people.column("ct1_2")])
    rows = univariable_odds_ratios(["constant", "empty", "separating", "ct1_2"], table, people.good)

    assert [row.estimate is None for row in rows] == [True, True, True, False]
    assert "same value" in str(rows[0].reason)
    assert "0 values" in str(rows[1].reason)
    assert "separate the outcomes" in str(rows[2].reason)
    assert [row.p_value for row in rows[:3]] == [1.0, 1.0, 1.0]
    assert "separating" not in significant(rows)
    assert significant([]) == ()


def test_undefined_hazard_ratios_stay_too() -> None:
    """The same holds for hazards."""
    people = patients(200)
    row = univariable_hazard_ratios(["constant"], np.ones((200, 1)), people.event, people.time_months)[0]

    assert row == Association("constant", None, "a covariate has the same value for all patients")


def test_an_infinite_odds_ratio_is_undefined() -> None:
    """A coefficient beyond what numbers can hold gives no estimate instead of infinity."""
    fit = LogisticFit(np.array([0.0, 800.0]), np.eye(2), -1.0, -2.0, 10, 5)

    with pytest.raises(UndefinedEstimate):
        odds_ratios(fit, ["x"])


def test_rows_follow_the_names() -> None:
    """In a model of several covariates every row is its own covariate's."""
    people = patients()
    table = people.covariates[:, [0, 1]]
    fit = fit_logistic(people.good, table)
    rows = odds_ratios(fit, NAMES[:2])

    assert [row.name for row in rows] == ["diameter_cm", "ct1_2"]
    values = [row.estimate.value for row in rows if row.estimate is not None]
    np.testing.assert_allclose(np.log(values), fit.coefficients[1:])
