"""Logistic models as numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from models.logistic import LogisticModel, fit_logistic
from validation.estimators.regression import logistic as estimators_logistic

MODEL = LogisticModel(("a", "b"), (0.5, -1.0), (1.0, 2.0), -0.25, 10, 5)


def table(n: int = 600, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Covariates (n, 2) with log odds ratios 0.8 and -0.5 per unit, intercept -1, and the cases drawn from them."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(5, 1, n), rng.random(n) < 0.4])
    odds = np.exp(-1 + 0.8 * (x[:, 0] - 5) - 0.5 * x[:, 1])
    return x, rng.random(n) < odds / (1 + odds)


def test_log_odds_and_probability_by_hand() -> None:
    """-0.25 + 0.5 (3 - 1) - 1 (1 - 2) = 1.75; at the means the log odds are the intercept."""
    x = np.array([[3.0, 1.0], [1.0, 2.0]])

    np.testing.assert_allclose(MODEL.log_odds(x), [1.75, -0.25])
    np.testing.assert_allclose(MODEL.probability(x), 1 / (1 + np.exp([-1.75, 0.25])))


def test_missing_covariate_counts_as_the_mean() -> None:
    """NaN gives the same log odds as the development mean."""
    np.testing.assert_allclose(MODEL.log_odds(np.array([[np.nan, 1.0], [np.nan, np.nan]])), [0.75, -0.25])


def test_json_round_trip() -> None:
    """A model that went through JSON is the same model."""
    assert LogisticModel.from_dict(json.loads(json.dumps(MODEL.to_dict()))) == MODEL


def test_fit_equals_the_judges_and_finds_the_coefficients() -> None:
    """Coefficients are the estimator's, within three standard errors of the truth; fitted probabilities add up."""
    x, case = table()
    model, fit = fit_logistic(["a", "b"], x, case), estimators_logistic.fit_logistic(case, x)
    errors = np.sqrt(np.diag(fit.covariance))[1:]

    np.testing.assert_allclose(model.coefficients, fit.coefficients[1:])
    np.testing.assert_allclose(model.log_odds(x), fit.coefficients[0] + x @ fit.coefficients[1:])
    assert (np.abs(np.array(model.coefficients) - [0.8, -0.5]) < 3 * errors).all()
    np.testing.assert_allclose(model.probability(x).sum(), case.sum())
    assert (model.n, model.events) == (600, case.sum())


def test_missing_values_are_filled_by_the_mean_of_the_known() -> None:
    """Fitting with NaN equals fitting after replacing NaN by the column's known mean."""
    x, case = table()
    x[::7, 1] = np.nan
    filled = np.where(np.isnan(x), np.nanmean(x, axis=0), x)

    model, expected = (fit_logistic(["a", "b"], values, case) for values in (x, filled))
    np.testing.assert_allclose(model.coefficients, expected.coefficients)
    np.testing.assert_allclose(model.means, expected.means)
    np.testing.assert_allclose(model.intercept, expected.intercept)


@pytest.mark.parametrize(("value", "known"), [(3.0, 600), (np.nan, 0)])
def test_a_covariate_that_does_not_vary_is_refused(value: float, known: int) -> None:
    """A constant or empty column is named."""
    x, case = table()
    x[:, 1] = value

    with pytest.raises(ValueError, match=f"covariate b does not vary among the {known} patients"):
        fit_logistic(["a", "b"], x, case)


def test_separation_and_one_class_are_refused() -> None:
    """A covariate that orders the classes has no finite coefficient; one class alone has no odds."""
    x = np.arange(20.0)[:, None]

    with pytest.raises(ValueError, match="separate the outcomes"):
        fit_logistic(["x"], x, x[:, 0] > 9)
    with pytest.raises(ValueError, match="0 cases and 20 controls"):
        fit_logistic(["x"], x, np.zeros(20, dtype=bool))
