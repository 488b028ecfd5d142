"""The Cox fit that a bootstrap repeats: equal to fit_cox, to fit_cox on repeated rows, and to R."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.reference import FOLDER, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.weighted_cox import cox_rows


def _standardised(*columns: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    x = gbsg()[list(columns)].to_numpy(dtype=np.float64)
    return np.asarray((x - x.mean(axis=0)) / x.std(axis=0))


def test_equals_fit_cox() -> None:
    """Unit weights and three covariates."""
    x = _standardised("age", "lnodes", "grade3")
    time, event = gbsg().time.to_numpy(), gbsg().status.to_numpy() == 1
    coefficients = cox_rows(time, event, x).coefficients(np.ones(686), np.zeros(3))

    np.testing.assert_allclose(coefficients, fit_cox(time, event, x).coefficients, atol=1e-11)


def test_weights_equal_r_on_repeated_rows() -> None:
    """Quarters of a year, hence many ties: coefficients of coxph and the cumulative hazard of survfit."""
    expected = json.loads((FOLDER / "calibration.json").read_text(encoding="utf-8"))["repeated_cox"]
    data = gbsg()
    weights = (data.pid % 4).to_numpy(dtype=np.float64)
    spread = data[["age", "lnodes"]].std(ddof=0).to_numpy()
    rows = cox_rows(np.ceil(data.time * 4).to_numpy(), data.status.to_numpy() == 1, data[["age", "lnodes"]] / spread)
    coefficients = rows.coefficients(weights, np.zeros(2))

    np.testing.assert_allclose(coefficients / spread, expected["coef"], rtol=1e-9)
    assert rows.cumulative_hazard(coefficients, weights, 8) == pytest.approx(expected["H8"], rel=1e-9)


@given(cohorts(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_weights_are_repetitions(cohort: Cohort, seed: int) -> None:
    """Tied times: weights give what fit_cox gives on rows repeated and shuffled."""
    time, event, prediction = cohort
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 3, time.size)
    rows = rng.permutation(np.repeat(np.arange(time.size), weights))
    x = (prediction - prediction.mean())[:, None] / prediction.std()
    try:
        repeated = fit_cox(time[rows], event[rows], x[rows])
    except UndefinedEstimate:
        assume(False)
    assume(abs(repeated.coefficients[0]) < 5)
    weighted = cox_rows(time, event, x).coefficients(weights.astype(np.float64), np.zeros(1))

    np.testing.assert_allclose(weighted, repeated.coefficients, rtol=1e-9, atol=1e-9)


def test_hazard_by_hand() -> None:
    """Events at 1, 2, 2, a censoring at 3: 1/4 + 1/3 + 1/2 with Efron's ties, counted up to and at the horizon."""
    rows = cox_rows(np.array([2.0, 1, 3, 2]), np.array([True, True, False, True]), np.zeros((4, 1)))
    hazards = [rows.cumulative_hazard(np.zeros(1), np.ones(4), horizon) for horizon in (0.5, 1, 1.5, 2, 3)]

    np.testing.assert_allclose(hazards, [0, 1 / 4, 1 / 4, 1 / 4 + 1 / 3 + 1 / 2, 1 / 4 + 1 / 3 + 1 / 2])


def test_refuses_separation() -> None:
    """The highest values always fail first: no finite coefficient."""
    rows = cox_rows(np.arange(1.0, 7), np.ones(6, dtype=np.bool_), -np.arange(6.0)[:, None] / 2)
    with pytest.raises(UndefinedEstimate, match="separate the outcomes"):
        rows.coefficients(np.ones(6), np.zeros(1))
