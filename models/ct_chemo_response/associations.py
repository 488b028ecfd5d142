"""Tables of odds ratios and hazard ratios, one covariate at a time or together: what a screen by P value reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import confidence_limits
from validation.estimators.regression.logistic import LogisticFit, fit_logistic
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.cox_summary import cox_summary

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVEL = 0.95
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Association:
    """One row of a regression table.

    Attributes:
        name: The covariate.
        estimate: Odds or hazard ratio per unit, with Wald interval and P value; None if undefined.
        reason: Why it is undefined; None if it is not.
    """

    name: str
    estimate: Estimate | None
    reason: str | None

    @property
    def p_value(self) -> float:
        """P value of Wald's test; 1 if undefined, so that no screen lets the covariate pass."""
        return 1.0 if self.estimate is None or self.estimate.p_value is None else self.estimate.p_value


def significant(rows: Sequence[Association]) -> tuple[str, ...]:
    """Return the names whose P value lies below 0.05."""
    return tuple(row.name for row in rows if row.p_value < SIGNIFICANT)


def odds_ratios(fit: LogisticFit, names: Sequence[str]) -> tuple[Association, ...]:
    """Return the odds ratio of each covariate of a fitted model.

    Raises:
        UndefinedEstimate: A ratio or its interval is not finite.
    """
    rows = []
    for position, name in enumerate(names, start=1):
        log_ratio, error = float(fit.coefficients[position]), float(np.sqrt(fit.covariance[position, position]))
        with np.errstate(over="ignore"):  # infinite: refused in the next line
            value = float(np.exp(log_ratio))
        lower, upper = confidence_limits(value, value * error, "log", LEVEL)
        estimate = Estimate(
            value=value,
            lower=lower,
            upper=upper,
            level=LEVEL,
            n=fit.n,
            events=fit.events,
            method="odds ratio, logistic regression, Wald interval on the log scale, P of odds ratio 1",
            scale="log",
            standard_error=value * error,
            p_value=float(2 * ndtr(-abs(log_ratio / error))),
        )
        rows.append(Association(name, estimate, None))
    return tuple(rows)


def hazard_ratios(names: Sequence[str], covariates: Array, event: Bools, time_months: Array) -> tuple[Association, ...]:
    """Return the hazard ratio of each covariate in one Cox model of all, covariates (N, P) without missing values.

    Raises:
        UndefinedEstimate: As `fit_cox` and `cox_summary`.
    """
    summary = cox_summary(fit_cox(time_months, event, covariates), names, level=LEVEL)
    return tuple(Association(name, summary.hazard_ratios[name], None) for name in names)


def univariable_odds_ratios(names: Sequence[str], covariates: Array, case: Bools) -> tuple[Association, ...]:
    """Return the odds ratio of each covariate alone, among the patients who have it.

    Args:
        names: Names of the P covariates.
        covariates: (N, P), NaN = missing.
        case: (N,).
    """

    def row(name: str, values: Array, known: Bools) -> Association:
        return odds_ratios(fit_logistic(case[known], values), [name])[0]

    return _one_by_one(names, covariates, row)


def univariable_hazard_ratios(
    names: Sequence[str], covariates: Array, event: Bools, time_months: Array
) -> tuple[Association, ...]:
    """Return the hazard ratio of each covariate alone, among the patients who have it.

    Args:
        names: Names of the P covariates.
        covariates: (N, P), NaN = missing.
        event: (N,) whether the event was observed.
        time_months: (N,) months to event or censoring.
    """

    def row(name: str, values: Array, known: Bools) -> Association:
        return hazard_ratios([name], values, event[known], time_months[known])[0]

    return _one_by_one(names, covariates, row)


def _one_by_one(
    names: Sequence[str], covariates: Array, row: Callable[[str, Array, Bools], Association]
) -> tuple[Association, ...]:
    """Return a row per covariate; where the estimate is undefined, the row says why instead of vanishing."""
    rows = []
    for name, column in zip(names, covariates.T, strict=True):
        known = ~np.isnan(column)
        try:
            rows.append(row(name, column[known][:, None], known))
        except UndefinedEstimate as undefined:
            rows.append(Association(name, None, str(undefined)))
    return tuple(rows)
