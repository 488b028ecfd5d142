"""Summary of a Cox model: equal to R's coxph, contrasts, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.reference import from_r, gbsg, rotterdam
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.cox import CoxFit, fit_cox
from validation.estimators.survival.cox_summary import chi_square_test, cox_summary, hazard_ratio, term_columns


def fitted(data: pd.DataFrame, names: list[str]) -> CoxFit:
    """The model of these columns."""
    return fit_cox(data.time, data.status, data[names])


# Model B: R stopped 8e-8 before the maximum of the likelihood
@pytest.mark.parametrize(
    ("expected", "data", "tolerance"),
    [
        (from_r()["cox_rotterdam_A"], rotterdam(), 1e-9),
        (from_r()["cox_gbsg"]["multi"], gbsg(), 1e-9),
        (from_r()["cox_rotterdam_B"], rotterdam(), 1e-6),
    ],
)
def test_equals_r(expected: dict[str, Any], data: pd.DataFrame, tolerance: float) -> None:
    """Hazard ratios with limits and P values, the three tests and AIC; R prints Wald's test with two decimals."""
    names = list(expected["coef"])
    summary = cox_summary(fitted(data, names), names)

    for name in names:
        ratio = summary.hazard_ratios[name]
        found = [np.log(ratio.value), ratio.standard_error / ratio.value, ratio.lower, ratio.upper]
        assert found == pytest.approx([expected[key][name] for key in ("coef", "se", "lower", "upper")], abs=tolerance)
        assert ratio.p_value == pytest.approx(expected["p"][name], rel=10 * tolerance)
    for key, test in (("LR", summary.likelihood_ratio), ("score", summary.score)):
        statistic, degrees, p_value = expected[key]
        assert (test.chi_square, test.degrees_of_freedom) == (pytest.approx(statistic, abs=1e-9), degrees)
        assert test.p_value == pytest.approx(p_value, rel=1e-9)
    assert summary.wald.chi_square == pytest.approx(expected["wald"][0], abs=0.005)
    assert summary.wald.p_value == pytest.approx(expected["wald"][2], rel=10 * tolerance)
    assert summary.aic == pytest.approx(expected["AIC"], abs=1e-9)
    assert (summary.n, summary.events) == (expected["n"], expected["nevent"])


@pytest.mark.parametrize("name", list(from_r()["cox_gbsg"]["uni"]))
def test_univariable_equals_r(name: str) -> None:
    """One covariate at a time."""
    expected = from_r()["cox_gbsg"]["uni"][name]
    summary = cox_summary(fitted(gbsg(), [name]), [name])
    ratio = summary.hazard_ratios[name]

    found = [np.log(ratio.value), ratio.standard_error / ratio.value, ratio.p_value]
    assert found == pytest.approx([expected[key][name] for key in ("coef", "se", "p")], abs=1e-9)
    assert summary.likelihood_ratio.chi_square == pytest.approx(expected["LR"][0], abs=1e-9)
    assert summary.likelihood_ratio.p_value == pytest.approx(expected["LR"][2], abs=1e-9)
    assert summary.aic == pytest.approx(expected["AIC"], abs=1e-9)


def test_wald_test_equals_r() -> None:
    """Wald's test at full precision."""
    for name, data, key in (("rotterdam", rotterdam(), "cox_rotterdam_A"), ("gbsg", gbsg(), "cox_gbsg")):
        names = list((from_r()[key] if name == "rotterdam" else from_r()[key]["multi"])["coef"])
        wald = cox_summary(fitted(data, names), names).wald
        assert wald.chi_square == pytest.approx(survival_reference()["cox_tests"][name]["wald"], abs=1e-9)


def test_model_b_equals_r_at_the_maximum() -> None:
    """With R's convergence criterion at 1e-14 coefficients and standard errors of model B agree."""
    expected = survival_reference()["cox_rotterdam_B"]
    names = list(expected["coef"])
    fit = fitted(rotterdam(), names)

    assert fit.coefficients == pytest.approx(list(expected["coef"].values()), abs=1e-9)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(list(expected["se"].values()), abs=1e-9)
    assert cox_summary(fit, names).wald.chi_square == pytest.approx(expected["wald"], abs=1e-9)


def test_contrast() -> None:
    """Ten years of age are the tenth power of one, with limits to match; swapping groups inverts."""
    fit = fitted(gbsg(), ["age", "hormon"])
    one, ten = (hazard_ratio(fit, [years, 0], level=0.9) for years in (1, 10))
    treated, untreated = (hazard_ratio(fit, [0, sign]) for sign in (1, -1))

    assert [ten.value, ten.lower, ten.upper] == pytest.approx([x**10 for x in (one.value, one.lower, one.upper)])
    assert [untreated.lower, untreated.upper] == pytest.approx([1 / treated.upper, 1 / treated.lower])
    assert ten.p_value == pytest.approx(one.p_value)


def test_refuses() -> None:
    """One name per coefficient, one weight per coefficient, a direction to compare, a finite statistic."""
    fit = fitted(gbsg(), ["age", "hormon"])
    for names in (["age"], ["age", "age"]):
        with pytest.raises(UndefinedEstimate, match="2 coefficients need as many distinct names"):
            cox_summary(fit, names)
    with pytest.raises(UndefinedEstimate, match=r"contrast has shape \(1,\) for 2 coefficients"):
        hazard_ratio(fit, [1])
    with pytest.raises(UndefinedEstimate, match="standard error 0"):
        hazard_ratio(fit, [0, 0])
    with pytest.raises(UndefinedEstimate, match="test statistic is nan"):
        chi_square_test(np.nan, 1)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({}, "no term is given"),
        ({"x": [1, 2]}, r"x has shape \(2,\) for 3 patients"),
        ({"x": np.ones((3, 1, 1))}, r"x has shape \(3, 1, 1\) for 3 patients"),
        ({"x": np.ones((3, 0))}, r"x has shape \(3, 0\) for 3 patients"),
    ],
)
def test_terms_refuse(terms: dict[str, Any], reason: str) -> None:
    """A term has at least one column and a row for each patient."""
    with pytest.raises(UndefinedEstimate, match=reason):
        term_columns(terms, 3)
