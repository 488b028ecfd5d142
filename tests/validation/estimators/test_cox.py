"""Cox regression: equal to R's coxph, invariances, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import from_r, gbsg, rotterdam
from validation.estimators.cox import fit_cox
from validation.estimators.estimate import UndefinedEstimate

NAMES = ["age", "meno", "size2", "size3", "grade3", "lnodes", "hormon"]


def test_equals_r() -> None:
    """Seven covariates, 2982 patients, many ties: coefficients, errors and likelihoods of coxph (Efron)."""
    data, expected = rotterdam(), from_r()["cox_rotterdam_A"]
    fit = fit_cox(data.time, data.status, data[NAMES])

    assert fit.coefficients == pytest.approx([expected["coef"][name] for name in NAMES], abs=1e-9)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([expected["se"][name] for name in NAMES], abs=1e-9)
    assert [fit.null_log_likelihood, fit.log_likelihood] == pytest.approx(expected["loglik"], rel=1e-12)
    assert (fit.n, fit.events) == (expected["n"], expected["nevent"])


def test_equals_r_on_the_external_cohort() -> None:
    """Untransformed covariates of very different spread."""
    data, expected = gbsg(), from_r()["cox_gbsg"]["multi"]
    names = ["age", "meno", "size", "grade3", "lnodes", "hormon"]
    fit = fit_cox(data.time, data.status, data[names])

    assert fit.coefficients == pytest.approx([expected["coef"][name] for name in names], abs=1e-9)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([expected["se"][name] for name in names], abs=1e-9)


def test_tiny_cohort() -> None:
    """Two events, one covariate: the score equation has a closed solution."""
    fit = fit_cox([1, 2, 3], [1, 1, 0], np.array([[1.0], [0.0], [1.0]]))

    # score: 1 - 2h/(2h + 1) - h/(h + 1) = 0 with hazard ratio h, hence 2 h^2 = 1
    assert fit.coefficients[0] == pytest.approx(-np.log(2) / 2, abs=1e-12)
    assert (fit.n, fit.events) == (3, 2)


def test_units_do_not_matter() -> None:
    """Scaling and shifting a covariate scales its coefficient; shuffling rows changes nothing."""
    data = gbsg().sample(frac=1, random_state=3)
    plain = fit_cox(gbsg().time, gbsg().status, gbsg()[["age", "lnodes"]])
    other = fit_cox(data.time * 365.25, data.status, data[["age", "lnodes"]] * [1e-6, 1e4] + [1e3, -5])

    assert other.coefficients * [1e-6, 1e4] == pytest.approx(plain.coefficients, abs=1e-9)


@pytest.mark.parametrize("tail", [1.0, 2.0, 4.0])
def test_heavy_tails(tail: float) -> None:
    """Steps that overshoot are halved: at the maximum the score is zero and every neighbour is less likely."""
    rng = np.random.default_rng(7)
    covariate = np.exp(tail * rng.standard_normal(200))
    time = rng.exponential(1 / (0.1 + covariate / (1 + covariate)))
    fit = fit_cox(time, np.ones(200), covariate[:, None])

    def log_likelihood(coefficient: float) -> float:
        order = np.argsort(-time)
        log_hazard = coefficient * covariate[order]
        return float((log_hazard - np.logaddexp.accumulate(log_hazard)).sum())

    best, error = fit.coefficients[0], np.sqrt(fit.covariance[0, 0])
    assert log_likelihood(best) == pytest.approx(fit.log_likelihood)
    assert log_likelihood(best) > max(log_likelihood(best - 0.01 * error), log_likelihood(best + 0.01 * error))


@pytest.mark.parametrize(
    ("covariates", "reason"),
    [
        ([[1.0], [1.0], [1.0], [1.0]], "same value for all patients"),
        ([[1.0], [np.nan], [1.0], [2.0]], "not finite"),
        ([[1.0, 2.0], [2.0, 4.0], [1.0, 2.0], [2.0, 4.0]], "collinear"),
        ([[1.0], [2.0]], r"shape \(2, 1\) for 4 patients"),
        ([[4.0], [3.0], [2.0], [1.0]], "no finite maximum|singular"),
        ([[1.0], [1.0], [0.0], [0.0]], "no finite maximum|singular"),
    ],
)
def test_refuses(covariates: list[list[float]], reason: str) -> None:
    """Constant, collinear, missing or separating covariates have no fit."""
    with pytest.raises(UndefinedEstimate, match=reason):
        fit_cox([1, 2, 3, 4], [1, 1, 1, 0], covariates)
