"""What a fitted Cox model says: hazard ratios, tests of the whole model, AIC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, ndtr

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import confidence_limits
from validation.estimators.samples import Floats
from validation.estimators.survival.cox import CoxFit


@dataclass(frozen=True)
class ChiSquareTest:
    """A test statistic that follows a chi-square distribution if the hypothesis holds.

    Attributes:
        chi_square: Test statistic.
        degrees_of_freedom: Of the chi-square distribution.
        p_value: Its upper tail.
    """

    chi_square: float
    degrees_of_freedom: int
    p_value: float


def chi_square_test(chi_square: float, degrees_of_freedom: int) -> ChiSquareTest:
    """Return the test with its P value; a statistic below zero, which only rounding can cause, counts as zero.

    Raises:
        UndefinedEstimate: The statistic is not finite.
    """
    if not np.isfinite(chi_square):
        raise UndefinedEstimate(f"the test statistic is {chi_square}")
    statistic = max(chi_square, 0.0)
    return ChiSquareTest(statistic, degrees_of_freedom, float(chdtrc(degrees_of_freedom, statistic)))


@dataclass(frozen=True)
class CoxSummary:
    """A fitted Cox model as it is reported.

    Attributes:
        hazard_ratios: Per covariate, with interval and P value of Wald's test.
        likelihood_ratio: Test of all coefficients being zero.
        wald: The same hypothesis.
        score: The same hypothesis.
        aic: -2 log-likelihood + 2 coefficients.
        n: Patients.
        events: Events among them.
    """

    hazard_ratios: dict[str, Estimate]
    likelihood_ratio: ChiSquareTest
    wald: ChiSquareTest
    score: ChiSquareTest
    aic: float
    n: int
    events: int


def hazard_ratio(fit: CoxFit, contrast: ArrayLike, *, level: float = 0.95, group: str | None = None) -> Estimate:
    """Estimate the hazard ratio of patients whose covariates differ by `contrast`, with Wald interval and P value.

    Args:
        fit: The model.
        contrast: Shape (p,); for one unit of one covariate, 1 there and 0 elsewhere.
        level: Two-sided confidence level.
        group: Subgroup in which the contrast is one of interest, if there is one.

    Raises:
        UndefinedEstimate: As `confidence_limits`; `contrast` of another length.
    """
    weights = np.asarray(contrast, dtype=np.float64)
    if weights.shape != fit.coefficients.shape:
        raise UndefinedEstimate(f"the contrast has shape {weights.shape} for {fit.coefficients.size} coefficients")
    log_ratio = float(weights @ fit.coefficients)
    error = float(np.sqrt(weights @ fit.covariance @ weights))
    value = float(np.exp(log_ratio))
    lower, upper = confidence_limits(value, value * error, "log", level)
    method = "hazard ratio, Cox regression (ties: Efron), Wald interval on the log scale, P of hazard ratio 1"
    return Estimate(
        value=value,
        lower=lower,
        upper=upper,
        level=level,
        n=fit.n,
        events=fit.events,
        method=method,
        scale="log",
        group=group,
        standard_error=value * error,
        p_value=float(2 * ndtr(-abs(log_ratio / error))),
    )


def cox_summary(fit: CoxFit, names: Sequence[str], *, level: float = 0.95) -> CoxSummary:
    """Summarise a fitted model, of one covariate or of many; equals R's summary(survival::coxph(...)) and AIC.

    Args:
        fit: The model.
        names: Covariates, in the order of the columns that were fitted.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `confidence_limits`; not one distinct name per coefficient.
    """
    size = fit.coefficients.size
    if len(set(names)) != size or len(names) != size:
        raise UndefinedEstimate(f"{size} coefficients need as many distinct names, not {', '.join(names)}")
    wald = float(fit.coefficients @ np.linalg.solve(fit.covariance, fit.coefficients))
    return CoxSummary(
        hazard_ratios={
            name: hazard_ratio(fit, contrast, level=level) for name, contrast in zip(names, np.eye(size), strict=True)
        },
        likelihood_ratio=chi_square_test(2 * (fit.log_likelihood - fit.null_log_likelihood), size),
        wald=chi_square_test(wald, size),
        score=chi_square_test(fit.score_chi_square, size),
        aic=-2 * fit.log_likelihood + 2 * size,
        n=fit.n,
        events=fit.events,
    )


def term_columns(terms: Mapping[str, ArrayLike], length: int) -> dict[str, Floats]:
    """Return the columns of each term, shape (n, k).

    Args:
        terms: Per term, shape (n,), or (n, k) where several columns belong together (a factor, a spline).
        length: n.

    Raises:
        UndefinedEstimate: No term, or one of another shape.
    """
    if not terms:
        raise UndefinedEstimate("no term is given")
    columns: dict[str, Floats] = {}
    for name, values in terms.items():
        term = np.asarray(values, dtype=np.float64)
        columns[name] = term.reshape(-1, 1) if term.ndim == 1 else term
        if columns[name].ndim != 2 or len(term) != length or not term.size:
            raise UndefinedEstimate(f"{name} has shape {term.shape} for {length} patients")
    return columns
