"""Sample size of a binary validation: published values, pmvalsampsize, closed forms inverted, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from tests.reference import from_r
from validation.estimators.discrimination.auc import auc_influence
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.regression.logistic import fit_logistic
from validation.estimators.sample_size.binary import (
    expected_classification,
    linear_predictor_from_c,
    size_for_c,
    size_for_net_benefit,
    size_for_observed_expected,
    size_for_slope,
)

Z = float(ndtri(0.975))


def _normal(mean: float, sd: float) -> NDArray[np.float64]:
    return mean + sd * ndtri((np.arange(100_000) + 0.5) / 100_000)


def test_pmvalsampsize() -> None:
    """The package gives 258, 1606, 434.

    It searches the error of log O/E in steps of .0001 (a width of .3002 for .3) and simulates a million linear
    predictors; here the closed form gives 259 and quadrature the same 1606.
    """
    rows = from_r()["samplesize"]["pmval_b"]["results_table"]
    ratio = size_for_observed_expected(0.4, width=0.3)
    slope = size_for_slope(_normal(-0.4, 0.8), width=0.3)
    c = size_for_c(0.7, 0.4, width=0.1)

    assert (ratio.n, rows[0][0]) == (259, 258)
    assert slope.n == rows[1][0] == 1606
    assert c.n == rows[2][0] == 434
    assert c.events == 174
    package_width = from_r()["samplesize"]["pmval_b"]["width_oe"]
    assert size_for_observed_expected(0.4, width=package_width).n == 258


def test_published_check() -> None:
    """Test 4.1 of the package: prevalence .018, C .8, linear predictor N(-5, 2.5), O/E width 1: 905, 4501, 4252.

    Its slope rests on 1000 simulated values; adaptive quadrature gives 4553.7, five R runs of a million 4539 to 4557.
    """
    assert size_for_observed_expected(0.018, width=1).n == 906
    assert size_for_slope(_normal(-5, 2.5)).n == 4554
    assert size_for_c(0.8, 0.018).n == 4252


def test_observed_expected_by_hand() -> None:
    """With n from the formula the log interval has the width asked for."""
    needed = size_for_observed_expected(0.3, ratio=1.2, width=0.25)
    error = math.sqrt(0.7 / (0.3 * needed.n))
    width = 1.2 * (math.exp(Z * error) - math.exp(-Z * error))

    assert width <= 0.25 < width * math.sqrt(needed.n / (needed.n - 1))
    assert needed.events == math.ceil(0.3 * needed.n)


def test_slope_is_that_of_a_logistic_fit() -> None:
    """Replacing each linear predictor by its expected cases and controls, a fit gives the standard error foreseen."""
    predictor = np.linspace(-2, 1.5, 8)
    cases = np.round(1000 * expit(predictor))
    covariates = np.repeat(predictor, 2)[:, None]
    counts = np.column_stack((cases, 1000 - cases)).ravel()
    fit = fit_logistic(np.tile([1, 0], 8), covariates, weights=counts)
    width = 2 * Z * math.sqrt(fit.covariance[1, 1])

    assert size_for_slope(predictor, width=width).n == pytest.approx(8000, rel=2e-3)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.55, 0.97), st.floats(0.02, 0.98), st.floats(0.02, 0.3))
def test_c_is_the_smallest_number(c: float, prevalence: float, width: float) -> None:
    """Newcombe's variance gives at most the width with n patients and more with one less."""

    def reached(n: int) -> float:
        spread = 1 + (n / 2 - 1) * (1 - c) / (2 - c) + (n / 2 - 1) * c / (1 + c)
        return 2 * Z * math.sqrt(c * (1 - c) * spread / (n**2 * prevalence * (1 - prevalence)))

    n = size_for_c(c, prevalence, width=width).n
    assert reached(n) <= width * (1 + 1e-12)
    assert n == 2 or reached(n - 1) > width * (1 - 1e-12)


def test_net_benefit_variance_in_its_other_form() -> None:
    """Prevalence p estimated with the rest: the delta method on TP, FP and cases per patient gives the same n."""
    sensitivity, specificity, p, threshold = 0.7, 0.8, 0.3, 0.2
    needed = size_for_net_benefit(sensitivity, specificity, p, threshold, width=0.2)
    odds = threshold / (1 - threshold)
    true_positive, false_positive = sensitivity * p, (1 - specificity) * (1 - p)
    share = np.array([true_positive, false_positive, p])
    second = np.array([[true_positive, 0, true_positive], [0, false_positive, 0], [true_positive, 0, p]])
    gradient = np.array([1 / p, -odds / p, -(true_positive - odds * false_positive) / p**2])
    variance = gradient @ (second - np.outer(share, share)) @ gradient

    assert needed.n == math.ceil(variance * (2 * Z / 0.2) ** 2)
    assert needed.method.startswith("standardised net benefit 0.583 at threshold 0.2")


def test_linear_predictor_from_c() -> None:
    """It has the C and the prevalence asked for, is calibrated, and gives the classification of its quantiles."""
    predictor = linear_predictor_from_c(0.8, 0.1, size=200_000)
    risk = expit(predictor)
    case = np.arange(200_000) >= 180_000

    assert risk.mean() == pytest.approx(0.1, abs=1e-4)
    assert auc_influence(case, predictor).value == pytest.approx(0.8, abs=1e-4)
    fit = fit_logistic(case, predictor[:, None])
    assert fit.coefficients == pytest.approx([0, 1], abs=2e-3)
    expected = [(predictor[case] >= math.log(0.25)).mean(), (predictor[~case] < math.log(0.25)).mean()]
    assert expected_classification(predictor, 0.2) == pytest.approx(expected, abs=1e-3)


def test_riley_with_c_alone() -> None:
    """Prevalence .3, C .85: 900 for O/E, about 1804 for a slope width of .2, 277 for C (section C1)."""
    assert size_for_observed_expected(0.3).n == pytest.approx(900, abs=1)
    assert size_for_slope(linear_predictor_from_c(0.85, 0.3)).n == pytest.approx(1804, rel=0.01)
    assert size_for_c(0.85, 0.3).n == 277


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: size_for_observed_expected(0), "prevalence 0 "),
        (lambda: size_for_observed_expected(0.2, ratio=-1), "O/E -1"),
        (lambda: size_for_observed_expected(0.2, width=0), "width 0"),
        (lambda: size_for_slope([1, 1]), "is 1 for all"),
        (lambda: size_for_slope([1, math.nan]), "not finite"),
        (lambda: size_for_slope([1, 2], width=math.inf), "width inf"),
        (lambda: size_for_c(1, 0.2), "C statistic 1"),
        (lambda: size_for_c(0.8, math.nan), "prevalence nan"),
        (lambda: size_for_net_benefit(1.1, 0.5, 0.2, 0.2), "lies outside"),
        (lambda: size_for_net_benefit(0.5, 0.5, 0.2, 1), "threshold 1"),
        (lambda: size_for_net_benefit(1, 1, 0.2, 0.2), "variance of the net benefit 0"),
        (lambda: expected_classification([0, 1], 0), "threshold 0"),
        (lambda: linear_predictor_from_c(0.5, 0.2), "C statistic 0.5"),
        (lambda: linear_predictor_from_c(0.8, 1e-9), "cases among the quantiles 0"),
        (lambda: size_for_c(0.8, 0.2, level=1), "level"),
    ],
)
def test_refusals(call: Callable[[], object], reason: str) -> None:
    """Impossible assumptions are named."""
    with pytest.raises(UndefinedEstimate, match=reason):
        call()
