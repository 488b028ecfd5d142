"""Test of proportional hazards: does a covariate's effect change with time?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import survival_sample
from validation.estimators.survival.cox import event_moments, fit_cox
from validation.estimators.survival.cox_summary import ChiSquareTest, chi_square_test, term_columns
from validation.estimators.survival.kaplan_meier import kaplan_meier


@dataclass(frozen=True)
class ProportionalHazards:
    """Score tests of effects that change with time.

    Attributes:
        terms: Per term, of its effect changing with 1 - S(t-), all other effects constant.
        overall: Of any effect changing.
    """

    terms: dict[str, ChiSquareTest]
    overall: ChiSquareTest


def proportional_hazards(time: ArrayLike, event: ArrayLike, terms: Mapping[str, ArrayLike]) -> ProportionalHazards:
    """Fit a Cox model and test whether hazards are proportional; equals R's survival::cox.zph 3.5 (transform="km").

    The model gains, for each covariate, a product with g(t) = 1 - S(t-), S the Kaplan-Meier curve of all patients; the
    test is the score test of its coefficient being zero (Grambsch and Therneau, Biometrika 1994;81:515, without their
    approximation of a constant variance, which R used before version 3).

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        terms: Per term, shape (n,) or (n, k).

    Raises:
        UndefinedEstimate: As `fit_cox` and `term_columns`; all events at one time.
    """
    times, events = survival_sample(time, event)
    columns = term_columns(terms, times.size)
    covariates = np.hstack(list(columns.values()))
    fit = fit_cox(times, events, covariates)
    moments = event_moments(times, events, covariates, fit.coefficients)
    curve = kaplan_meier(times, events)
    if curve.time.size < 2:
        raise UndefinedEstimate("all events happen at one time: no effect can change with time", too_few=True)
    before = np.append(1.0, curve.survival)[np.searchsorted(curve.time, moments.time, side="left")]
    moment = (1 - before) - (1 - before).mean()

    # On the scale of one standard error per coefficient, so that units of the covariates do not matter.
    scale = np.sqrt(np.diag(fit.covariance))
    score = moment @ moments.residual * scale
    unit = np.outer(scale, scale)
    plain, mixed, squared = (np.einsum("k,kij->ij", moment**power, moments.covariance) * unit for power in range(3))
    # Variance of the score, given that the coefficients were estimated.
    variance = squared - mixed @ np.linalg.solve(plain, mixed)

    def test(part: slice) -> ChiSquareTest:
        if np.linalg.matrix_rank(variance[part, part]) < score[part].size:
            raise UndefinedEstimate("the test of proportional hazards has no variance", too_few=True)
        statistic = float(score[part] @ np.linalg.solve(variance[part, part], score[part]))
        return chi_square_test(statistic, score[part].size)

    ends = np.cumsum([term.shape[1] for term in columns.values()]).tolist()
    parts = {name: slice(end - term.shape[1], end) for (name, term), end in zip(columns.items(), ends, strict=True)}
    return ProportionalHazards({name: test(part) for name, part in parts.items()}, test(slice(None)))
