"""Logistic regression: equal to R, weights are repetitions, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.reference import FOLDER, gbsg
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.regression.logistic import LogisticFit, fit_logistic

BINARY = gbsg()[gbsg().known3 == 1]


def _expected(model: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((FOLDER / "calibration.json").read_text(encoding="utf-8"))["logistic"][model]
    return values


def _compare(fit: LogisticFit, expected: dict[str, Any]) -> None:
    np.testing.assert_allclose(fit.coefficients, expected["coef"], rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, expected["vcov"], rtol=1e-10, atol=1e-13)
    assert fit.log_likelihood == pytest.approx(expected["loglik"], rel=1e-12)
    assert fit.null_log_likelihood == pytest.approx(expected["null"], rel=1e-12)


def test_equals_r() -> None:
    """Four covariates: coefficients, covariance and both log-likelihoods of glm(binomial)."""
    fit = fit_logistic(BINARY.y3, BINARY[["age", "lnodes", "grade3", "hormon"]])

    _compare(fit, _expected("plain"))
    assert (fit.n, fit.events) == (555, 224)


def test_offset_equals_r() -> None:
    """The offset belongs to the null model too."""
    _compare(fit_logistic(BINARY.y3, BINARY[["age", "lnodes"]], offset=0.5 * BINARY.lpA), _expected("offset"))


def test_weights_equal_r() -> None:
    """Weights 0 to 3; n and events count repetitions."""
    weights = BINARY.pid % 4
    fit = fit_logistic(BINARY.y3, BINARY[["age", "lnodes"]], weights=weights)

    _compare(fit, _expected("weighted"))
    assert (fit.n, fit.events) == (_expected("weighted")["n"], int((weights * BINARY.y3).sum()))


def test_intercept_alone() -> None:
    """Three cases of ten: intercept log(3 / 7), variance 1 / 3 + 1 / 7."""
    fit = fit_logistic(np.arange(10) < 3, np.empty((10, 0)))

    assert fit.coefficients[0] == pytest.approx(np.log(3 / 7))
    assert fit.covariance[0, 0] == pytest.approx(1 / 3 + 1 / 7)
    assert fit.log_likelihood == pytest.approx(3 * np.log(0.3) + 7 * np.log(0.7))
    assert fit.null_log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-14)


def test_two_by_two_table() -> None:
    """A binary covariate gives the log odds ratio of its table, with Woolf's variance."""
    exposed = np.repeat([1, 1, 0, 0], [6, 4, 3, 9])
    fit = fit_logistic(np.repeat([1, 0, 1, 0], [6, 4, 3, 9]), exposed[:, None])

    assert fit.coefficients[1] == pytest.approx(np.log(6 * 9 / (4 * 3)))
    assert fit.covariance[1, 1] == pytest.approx(1 / 6 + 1 / 4 + 1 / 3 + 1 / 9)


@given(st.integers(0, 2**32 - 1), st.integers(20, 50))
@settings(deadline=None, max_examples=40)
def test_weights_are_repetitions_and_units_do_not_matter(seed: int, n: int) -> None:
    """Weights = repeated rows; order, location and unit of a covariate change nothing but its own coefficient."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    case = rng.random(n) < 0.5
    weights = rng.integers(0, 4, n)
    try:
        weighted = fit_logistic(case, x, weights=weights)
    except UndefinedEstimate:
        assume(False)
    assume(np.abs(weighted.coefficients).max() < 5)
    rows = rng.permutation(np.repeat(np.arange(n), weights))
    repeated = fit_logistic(case[rows], 1000 * x[rows] + 50)

    np.testing.assert_allclose(1000 * repeated.coefficients[1:], weighted.coefficients[1:], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(1e6 * repeated.covariance[1:, 1:], weighted.covariance[1:, 1:], rtol=1e-7, atol=1e-9)
    assert repeated.log_likelihood == pytest.approx(weighted.log_likelihood, rel=1e-10)
    assert (repeated.n, repeated.events) == (weighted.n, weighted.events)


@pytest.mark.parametrize(
    ("case", "covariates", "reason"),
    [
        ([0, 0, 1, 1], [[1.0], [2], [3], [4]], "separate the outcomes"),
        ([0, 0, 1, 1, 1], [[1.0], [2], [2], [3], [4]], "separate the outcomes"),
        ([0, 0, 0, 0], [[1.0], [2], [3], [4]], "0 cases and 4 controls"),
        ([1, 1, 1, 1], [[1.0], [2], [3], [4]], "4 cases and 0 controls"),
        ([0, 1, 0, 1], [[1.0], [1], [1], [1]], "same value for all"),
        ([0, 1, 0, 1], [[1.0, 2], [2, 4], [4, 8], [3, 6]], "collinear"),
        ([0, 1, 0, 1], [[1.0], [np.nan], [4], [3]], "not finite"),
        ([0, 1, 0, 1], [1.0, 2, 4, 3], "shape"),
        ([0, 1, 0, 2], [[1.0], [2], [4], [3]], "other values than 0 and 1"),
    ],
)
def test_refuses(case: list[int], covariates: list[Any], reason: str) -> None:
    """No finite maximum, one outcome, constant, collinear, missing or misshapen covariates."""
    with pytest.raises(UndefinedEstimate, match=reason):
        fit_logistic(case, covariates)


@pytest.mark.parametrize("weights", [[1, 1, 1, -1], [1, 0.5, 1, 1], [0, 0, 0, 0]])
def test_refuses_weights_that_count_nothing(weights: list[float]) -> None:
    """Weights say how often a row counts: whole numbers, not all of them 0."""
    with pytest.raises(UndefinedEstimate, match="whole numbers"):
        fit_logistic([0, 1, 0, 1], np.array([[1], [2], [4], [3]]), weights=weights)


def test_refuses_an_event_too_rare_to_fit() -> None:
    """A refusal for lack of cases says that more of them would help."""
    with pytest.raises(UndefinedEstimate) as refusal:
        fit_logistic([0, 0, 0, 1], np.array([[1], [2], [3], [4]]))
    assert refusal.value.too_few
