"""Cox regression in which rows count several times: the fit that a bootstrap repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validation.estimators.compiled import compiled
from validation.estimators.regression.newton import maximise
from validation.estimators.samples import Bools, Floats


@compiled
def _add(sums: Floats, row: Floats, amount: float) -> None:
    """Add `amount` times the outer product of a row with itself; the row starts with 1."""
    for j in range(row.size):
        for k in range(j + 1):
            sums[j, k] += amount * row[j] * row[k]


@compiled
def _efron(at_risk: Floats, tied: Floats, deaths: int, gradient: Floats, information: Floats) -> float:
    """Subtract what the risk set expects of its tied deaths from the gradient; return the sum of log hazards."""
    log_hazards = 0.0
    for death in range(deaths):
        share = death / deaths
        total = at_risk[0, 0] - share * tied[0, 0]
        log_hazards += np.log(total)
        scale = 1 / total
        for j in range(gradient.size):
            mean = (at_risk[j + 1, 0] - share * tied[j + 1, 0]) * scale
            gradient[j] -= mean
            for k in range(j + 1):
                square = (at_risk[j + 1, k + 1] - share * tied[j + 1, k + 1]) * scale
                information[j, k] += square - mean * (at_risk[k + 1, 0] - share * tied[k + 1, 0]) * scale
                information[k, j] = information[j, k]
    return log_hazards


@compiled
def _derivatives(
    time: Floats, event: Bools, design: Floats, weights: Floats, coefficients: Floats
) -> tuple[float, Floats, Floats]:
    """Partial log-likelihood, its gradient and the information matrix; rows by descending time."""
    p = coefficients.size
    log_likelihood = 0.0
    gradient = np.zeros(p)
    information = np.zeros((p, p))
    at_risk, tied = np.zeros((p + 1, p + 1)), np.zeros((p + 1, p + 1))
    deaths = 0.0
    for row in range(time.size):
        if weights[row] > 0:
            log_hazard = 0.0
            for j in range(p):
                log_hazard += design[row, j + 1] * coefficients[j]
            hazard = weights[row] * np.exp(log_hazard)
            _add(at_risk, design[row], hazard)
            if event[row]:
                _add(tied, design[row], hazard)
                deaths += weights[row]
                log_likelihood += weights[row] * log_hazard
                for j in range(p):
                    gradient[j] += weights[row] * design[row, j + 1]
        if deaths > 0 and (row + 1 == time.size or time[row + 1] < time[row]):
            log_likelihood -= _efron(at_risk, tied, int(deaths), gradient, information)
            tied[:] = 0
            deaths = 0.0
    return log_likelihood, gradient, information


@compiled
def _cumulative_hazard(time: Floats, event: Bools, weighted_hazard: Floats, weights: Floats, horizon: float) -> float:
    """Efron's cumulative baseline hazard at the horizon; rows by descending time."""
    cumulative, at_risk, tied, deaths = 0.0, 0.0, 0.0, 0.0
    for row in range(time.size):
        at_risk += weighted_hazard[row]
        if event[row] and time[row] <= horizon:
            tied += weighted_hazard[row]
            deaths += weights[row]
        if deaths > 0 and (row + 1 == time.size or time[row + 1] < time[row]):
            for death in range(int(deaths)):
                cumulative += 1 / (at_risk - death / deaths * tied)
            tied, deaths = 0.0, 0.0
    return cumulative


@dataclass(frozen=True, eq=False)
class CoxRows:
    """A cohort sorted once, for fits with many sets of weights.

    Attributes:
        order: Row numbers by descending time, shape (n,).
        time: Follow-up in that order.
        event: In that order.
        design: A column of ones and the covariates, in that order, shape (n, 1 + p).
    """

    order: NDArray[np.int64]
    time: Floats
    event: Bools
    design: Floats

    def coefficients(self, weights: Floats, start: Floats) -> Floats:
        """Return the log hazard ratios (Efron ties), equal to `fit_cox` on rows repeated as `weights` says.

        R's coxph treats weights otherwise where weighted events are tied: there a weight is no repetition.

        Args:
            weights: Shape (n,), whole numbers, in the order of the cohort.
            start: Shape (p,).

        Raises:
            UndefinedEstimate: As `maximise`.
        """
        sorted_weights = weights[self.order]
        return maximise(lambda at: _derivatives(self.time, self.event, self.design, sorted_weights, at), start)

    def cumulative_hazard(self, coefficients: Floats, weights: Floats, horizon: float) -> float:
        """Return the cumulative hazard at the horizon of a patient whose covariates are 0, as R's survfit.coxph."""
        sorted_weights = weights[self.order]
        hazard = sorted_weights * np.exp(self.design[:, 1:] @ coefficients)
        return _cumulative_hazard(self.time, self.event, hazard, sorted_weights, horizon)


def cox_rows(time: Floats, event: Bools, covariates: Floats) -> CoxRows:
    """Sort a cohort that is known to be sound.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        covariates: Shape (n, p), standardised.
    """
    order = np.argsort(-time, kind="stable")
    design = np.column_stack((np.ones(time.size), covariates))[order]
    return CoxRows(order, time[order], event[order], np.ascontiguousarray(design))
