"""Newton's method for the concave log-likelihoods of regression models."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from validation.estimators.compiled import compiled
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Floats

MAX_ITERATIONS = 25  # Newton needs fewer than 10; without a finite maximum it walks on by about 1 each time
DIVERGED = 30.0  # log odds or log hazard per standard deviation; no effect is that strong
SINGULAR = 1e-12  # what a covariate adds to the others, relative to its own information

Derivatives = tuple[float, Floats, Floats]


@compiled
def _solve_positive(matrix: Floats, vector: Floats) -> Floats:
    """Solve for a positive definite matrix by Cholesky's method; NaN where it is not positive definite."""
    p = vector.size
    root = np.zeros((p, p))
    solution = vector.copy()
    for row in range(p):
        for column in range(row + 1):
            rest = matrix[row, column]
            for k in range(column):
                rest -= root[row, k] * root[column, k]
            if row > column:
                root[row, column] = rest / root[column, column]
            else:
                root[row, row] = np.sqrt(rest) if rest > SINGULAR * matrix[row, row] else np.nan
        for k in range(row):
            solution[row] -= root[row, k] * solution[k]
        solution[row] /= root[row, row]
    for row in range(p - 1, -1, -1):
        for k in range(row + 1, p):
            solution[row] -= root[k, row] * solution[k]
        solution[row] /= root[row, row]
    return solution


def standardise(covariates: Floats) -> tuple[Floats, Floats, Floats]:
    """Return covariates with mean 0 and standard deviation 1, the means and the standard deviations.

    Args:
        covariates: Shape (n, p).

    Raises:
        UndefinedEstimate: A covariate has the same value for all patients.
    """
    if not np.all(covariates.max(axis=0) > covariates.min(axis=0)):
        raise UndefinedEstimate("a covariate has the same value for all patients")
    mean, spread = covariates.mean(axis=0), covariates.std(axis=0)
    return (covariates - mean) / spread, mean, spread


def maximise(derivatives: Callable[[Floats], Derivatives], start: Floats) -> Floats:
    """Return the coefficients at the maximum, far more precise than 1e-8 standard errors.

    Args:
        derivatives: Log-likelihood, gradient of shape (p,) and information of shape (p, p) at given coefficients, which
            belong to standardised covariates.
        start: Shape (p,).

    Raises:
        UndefinedEstimate: Singular information, or no finite maximum: the covariates separate the outcomes.
    """
    coefficients = start
    log_likelihood, gradient, information = derivatives(coefficients)
    for _ in range(MAX_ITERATIONS):
        step = _solve_positive(information, gradient)
        gain = float(gradient @ step)
        if not np.isfinite(gain):
            break
        if gain < 1e-14:  # convergence is quadratic: the step itself is all that was missing
            return coefficients + step
        candidate = coefficients + step
        value, gradient, information = derivatives(candidate)
        while not value >= log_likelihood - 1e-9 * abs(log_likelihood) and np.abs(step).max() > 1e-12:  # NaN halves too
            step = step / 2
            candidate = coefficients + step
            value, gradient, information = derivatives(candidate)
        coefficients, log_likelihood = candidate, value
        if np.abs(coefficients).max() > DIVERGED:
            break
    raise UndefinedEstimate("the regression has no finite maximum: the covariates separate the outcomes", too_few=True)
