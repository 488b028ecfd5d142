"""Membership model: how well covariates tell the cohorts apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.discrimination.auc import auc_influence
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import SCALE_OF, Interval
from validation.estimators.regression.logistic import fit_logistic
from validation.estimators.samples import Floats


def membership_auc(
    development: ArrayLike,
    external: ArrayLike,
    *,
    seed: int,
    folds: int = 10,
    level: float = 0.95,
    interval: Interval = "logit",
) -> Estimate:
    """Estimate how well a logistic model of cohort membership tells external from development patients.

    0.5 means a like case mix (the validation tests reproducibility), higher values another one (it tests
    transportability): Debray, J Clin Epidemiol 2015;68:279. Every patient is predicted by a model of the other folds,
    so that covariates that tell nothing give about 0.5 or slightly less, not more. DeLong's variance takes these
    predictions as fixed. `events` counts the external patients.

    Args:
        development: Shape (n, p), covariates without missing values; categories as 0/1 columns.
        external: Shape (m, p), the same columns.
        seed: Of the folds, which hold equal shares of either cohort.
        folds: Number of folds.
        level: Two-sided confidence level.
        interval: Where the interval is symmetric.

    Raises:
        UndefinedEstimate: As `fit_logistic` (a covariate that separates the cohorts, is constant or not finite) and
            `auc_influence`; other columns; fewer than two folds, or than patients of a cohort.
    """
    samples: list[Floats] = [np.asarray(x, dtype=np.float64) for x in (development, external)]
    if any(x.ndim != 2 for x in samples) or samples[0].shape[1] != samples[1].shape[1]:
        raise UndefinedEstimate(f"covariates of shapes {samples[0].shape} and {samples[1].shape}: other columns")
    sizes = [len(x) for x in samples]
    if seed < 0 or not 2 <= folds <= min(sizes):
        raise UndefinedEstimate(f"{folds} folds from seed {seed} of {sizes[0]} and {sizes[1]} patients", too_few=True)
    rng = np.random.default_rng(seed)
    fold = np.concatenate([rng.permutation(size) % folds for size in sizes])
    covariates, member = np.concatenate(samples), np.repeat([0.0, 1.0], sizes)
    log_odds = np.empty(member.size)
    for held_out in (fold == k for k in range(folds)):
        intercept, *slopes = fit_logistic(member[~held_out], covariates[~held_out]).coefficients
        log_odds[held_out] = intercept + covariates[held_out] @ np.array(slopes)
    influence = auc_influence(member, log_odds)
    method = f"membership model, {folds}-fold cross-validated logistic regression (Debray 2015): {influence.method}"
    return replace(influence, method=method).estimate(scale=SCALE_OF[interval], level=level)
