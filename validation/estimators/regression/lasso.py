"""Logistic regression with the LASSO penalty along a path of penalties, the penalty chosen by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from validation.estimators.compiled import compiled
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools, Floats, finite_vector, group_index, indicator, require_classes

STEPS = 100  # penalties on the automatic path, as in glmnet
FEWEST_STEPS = 5
SATURATED = 0.999  # share of the deviance explained where the path ends ...
FLAT = 1e-5  # ... or gain in that share from one penalty to the next
TOLERANCE = 1e-20  # largest squared change of a coefficient in the last sweep, times the curvature there
MAX_SWEEPS = 200_000  # per penalty
LEAST_WEIGHT = 1e-9
CLIP = 1e-5  # probabilities of 0 and 1 have no finite deviance; cv.glmnet's bound

Folds = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LassoPath:
    """Models of descending penalty, coefficients per unit of the covariates.

    Attributes:
        penalty: Shape (m,), lambda, descending; it weighs the coefficients per standard deviation (divisor n).
        intercept: Shape (m,).
        coefficients: Shape (m, p).
        deviance_ratio: Shape (m,), share of the null deviance that the model explains.
    """

    penalty: Floats
    intercept: Floats
    coefficients: Floats
    deviance_ratio: Floats

    def probability(self, covariates: Floats) -> Floats:
        """Return the predicted probabilities of each model, shape (n, m), for covariates of shape (n, p)."""
        return np.asarray(expit(self.intercept + covariates @ self.coefficients.T))


@dataclass(frozen=True, eq=False)
class LassoFit:
    """The model at the penalty that cross-validation chose, with all it was chosen from.

    Attributes:
        names: Of the p covariates.
        path: Models on all patients.
        fold: Shape (n,), the number of the fold in which each patient was held out.
        cv_deviance: Shape (m,), mean deviance per held-out patient at each penalty.
        cv_standard_error: Shape (m,), of `cv_deviance`, from its spread between folds.
        penalty_minimum: Penalty of least cross-validated deviance (glmnet's lambda.min).
        penalty_one_standard_error: Largest penalty within one standard error of that (glmnet's lambda.1se).
        penalty: The chosen one of the two.
        intercept: Of the chosen model.
        coefficients: Of the chosen model, shape (p,), per unit of each covariate.
        n: Patients.
        events: Cases.
        method: In words.
    """

    names: tuple[str, ...]
    path: LassoPath
    fold: Folds
    cv_deviance: Floats
    cv_standard_error: Floats
    penalty_minimum: float
    penalty_one_standard_error: float
    penalty: float
    intercept: float
    coefficients: Floats
    n: int
    events: int
    method: str

    @property
    def selected(self) -> tuple[str, ...]:
        """Names of the covariates whose coefficient is not zero; may be none."""
        return tuple(name for name, b in zip(self.names, self.coefficients, strict=True) if b != 0)


@compiled
def _expand(
    x: Floats, y: Floats, coefficients: Floats, intercept: Floats, weight: Floats, residual: Floats, curvature: Floats
) -> None:
    """Fill in weights (n,), residuals (n,) and curvatures (p,) of the quadratic that matches the likelihood here."""
    p, n = x.shape
    residual[:] = intercept[0]
    for j in range(p):
        if coefficients[j] != 0:
            residual += coefficients[j] * x[j]
    for i in range(n):
        probability = 1 / (1 + np.exp(-residual[i]))
        weight[i] = max(probability * (1 - probability), LEAST_WEIGHT)
        residual[i] = y[i] - probability
    for j in range(p):
        curvature[j] = np.sum(weight * x[j] * x[j]) / n


@compiled
def _sweep(
    x: Floats, penalty: float, everything: bool, coefficients: Floats, intercept: Floats, weight: Floats,
    residual: Floats, curvature: Floats,
) -> float:  # fmt: skip
    """Minimise that quadratic over one coefficient after the other; return the largest curvature times change squared.

    `everything` visits all covariates, else those whose coefficient is not zero.
    """
    step = np.sum(residual) / np.sum(weight)
    intercept[0] += step
    residual -= step * weight
    change = np.mean(weight) * step**2
    for j in range(coefficients.size):
        if curvature[j] == 0 or (coefficients[j] == 0 and not everything):
            continue
        gradient = np.dot(x[j], residual) / residual.size + curvature[j] * coefficients[j]
        new = np.sign(gradient) * max(abs(gradient) - penalty, 0.0) / curvature[j]
        step = new - coefficients[j]
        if step != 0:
            coefficients[j] = new
            residual -= step * weight * x[j]
            change = max(change, curvature[j] * step**2)
    return change


@compiled
def _descend(x: Floats, y: Floats, penalty: float, coefficients: Floats, intercept: Floats) -> bool:
    """Minimise -log-likelihood / n + penalty * sum |coefficient| in place; say whether it converged.

    Newton's method; each quadratic step is solved by cyclic coordinate descent, over all covariates and then over those
    in the model until these stand still (Friedman, Hastie and Tibshirani, J Stat Softw 2010;33(1)).

    Args:
        x: Shape (p, n), standardised covariates.
        y: Shape (n,), 0 or 1.
        penalty: Lambda.
        coefficients: Shape (p,), where to start; overwritten.
        intercept: Shape (1,), likewise.
    """
    weight, residual, curvature = np.empty(y.size), np.empty(y.size), np.empty(coefficients.size)
    sweeps = 0
    while sweeps < MAX_SWEEPS:
        _expand(x, y, coefficients, intercept, weight, residual, curvature)
        largest, change, everything = 0.0, np.inf, True
        while sweeps < MAX_SWEEPS:
            sweeps += 1
            change = _sweep(x, penalty, everything, coefficients, intercept, weight, residual, curvature)
            largest = max(largest, change)
            if change < TOLERANCE and everything:
                break
            everything = change < TOLERANCE
        if largest < TOLERANCE:
            return True
    return False


def _design(covariates: ArrayLike, n: int) -> Floats:
    x: Floats = np.asarray(covariates, dtype=np.float64)
    if x.ndim != 2 or len(x) != n or not x.shape[1]:
        raise UndefinedEstimate(f"the covariates have shape {x.shape} for {n} patients")
    if not np.isfinite(x).all():
        raise UndefinedEstimate("a covariate is not finite")
    if not np.all(x.max(axis=0) > x.min(axis=0)):
        raise UndefinedEstimate("a covariate has the same value for all patients")
    return x


def _mean_deviance(case: Bools, probability: Floats) -> Floats:
    bounded = np.clip(probability, CLIP, 1 - CLIP)
    return np.asarray(-2 * np.log(np.where(case[:, None], bounded, 1 - bounded)).mean(axis=0))


def _fit_path(case: Bools, x: Floats, penalties: Floats | None) -> LassoPath:
    """Fit with warm starts; a covariate that is constant among these patients keeps the coefficient zero."""
    y = case.astype(np.float64)
    centre = x.mean(axis=0)
    varies = x.max(axis=0) > x.min(axis=0)
    spread = np.where(varies, x.std(axis=0), 1.0)
    standardised = np.ascontiguousarray(np.where(varies, (x - centre) / spread, 0.0).T)
    share = y.mean()
    null_deviance = -2 * (share * np.log(share) + (1 - share) * np.log(1 - share))
    planned = penalties
    if planned is None:
        largest = float(np.abs(standardised @ (y - share)).max()) / y.size * (1 + 1e-12)  # rounding admits no covariate
        planned = largest * (1e-4 if y.size > x.shape[1] else 1e-2) ** (np.arange(STEPS) / (STEPS - 1))
    coefficients, intercept = np.zeros(x.shape[1]), np.array([np.log(share / (1 - share))])
    models: list[tuple[float, Floats, float]] = []
    for penalty in planned:
        if not _descend(standardised, y, float(penalty), coefficients, intercept):
            raise UndefinedEstimate(
                f"the LASSO did not converge at penalty {penalty:g}: the covariates nearly separate the cases "
                "or nearly repeat each other"
            )
        log_odds = intercept[0] + coefficients @ standardised
        deviance = float(np.mean(2 * np.logaddexp(0, np.where(case, -log_odds, log_odds))))
        models.append((float(intercept[0]), coefficients / spread, 1 - deviance / null_deviance))
        gain = models[-1][2] - models[-2][2] if len(models) > 1 else np.inf
        if penalties is None and len(models) >= FEWEST_STEPS and (models[-1][2] > SATURATED or gain < FLAT):
            break
    slopes = np.stack([model[1] for model in models])
    intercepts = np.array([model[0] for model in models]) - slopes @ centre
    return LassoPath(planned[: len(models)], intercepts, slopes, np.array([model[2] for model in models]))


def lasso_path(case: ArrayLike, covariates: ArrayLike, *, penalties: ArrayLike | None = None) -> LassoPath:
    """Fit LASSO-logistic models along a path of penalties; equals R's glmnet(family = "binomial") run to convergence.

    Minimises -log-likelihood / n + penalty * sum |coefficient per standard deviation|; the intercept is free. The
    automatic path has 100 penalties, from the least that excludes every covariate down to 1e-4 of it (1e-2 unless there
    are more patients than covariates), even on the log scale, and ends where glmnet's does: at 99.9 % of the deviance
    explained, or where a step gains less than 1e-5 of it.

    Args:
        case: Shape (n,), 1 for cases.
        covariates: Shape (n, p), complete.
        penalties: Shape (m,), positive and descending; automatic if not given.

    Raises:
        UndefinedEstimate: As `indicator`; one class; covariates of another shape, not finite, or constant; penalties
            that are not positive and descending; no convergence.
    """
    cases = indicator("case", case)
    x = _design(covariates, cases.size)
    require_classes(int(cases.sum()), int((~cases).sum()))
    planned = None if penalties is None else finite_vector("penalties", penalties)
    if planned is not None and (planned.min() <= 0 or (np.diff(planned) >= 0).any()):
        raise UndefinedEstimate("the penalties are not positive and descending")
    return _fit_path(cases, x, planned)


def stratified_folds(case: ArrayLike, folds: int, seed: int) -> Folds:
    """Deal cases and controls at random into folds of equal size, to within one patient of each class.

    Args:
        case: Shape (n,).
        folds: Number of folds.
        seed: Of the random order.

    Returns:
        Shape (n,), numbers from 0.

    Raises:
        UndefinedEstimate: As `indicator`; fewer than 3 folds; fewer cases or controls than folds.
    """
    cases = indicator("case", case)
    fewest = min(int(cases.sum()), int((~cases).sum()))
    if folds < 3 or fewest < folds:
        raise UndefinedEstimate(f"{folds} folds for {fewest} patients of the rarer class", too_few=folds >= 3)
    generator = np.random.default_rng(seed)
    order = np.concatenate([generator.permutation(np.flatnonzero(members)) for members in (cases, ~cases)])
    fold = np.empty(cases.size, dtype=np.int64)
    fold[order] = np.arange(cases.size) % folds
    return fold


def cross_validated_lasso(
    case: ArrayLike,
    covariates: ArrayLike,
    names: tuple[str, ...],
    fold: ArrayLike,
    *,
    rule: Literal["minimum", "one_standard_error"],
) -> LassoFit:
    """Fit the LASSO with the penalty chosen by the cross-validated deviance; equals R's cv.glmnet(lambda = path).

    Every fold is held out once from models along the path of all patients; covariates are standardised within the
    patients trained on. The deviance is averaged over held-out patients, its standard error is that of the folds.

    Args:
        case: Shape (n,), 1 for cases.
        covariates: Shape (n, p), complete.
        names: Of the p covariates.
        fold: Shape (n,), labels of the folds, for instance from `stratified_folds`; rows of one patient share one.
        rule: Penalty of least deviance, or the largest within one standard error of it.

    Raises:
        UndefinedEstimate: As `lasso_path` and `group_index`; another number of names; fewer than 3 folds; without some
            fold, one class remains.
    """
    path = lasso_path(case, covariates)
    cases = indicator("case", case)
    x = _design(covariates, cases.size)
    if len(names) != x.shape[1]:
        raise UndefinedEstimate(f"{len(names)} names for {x.shape[1]} covariates")
    labels, held_out = group_index("fold", fold, cases.size)
    if len(labels) < 3:
        raise UndefinedEstimate(f"{len(labels)} folds: at least 3 are needed")
    deviances = []
    for k, label in enumerate(labels):
        out = held_out == k
        require_classes(int(cases[~out].sum()), int((~cases[~out]).sum()), where=f" without fold {label}")
        deviances.append(_mean_deviance(cases[out], _fit_path(cases[~out], x[~out], path.penalty).probability(x[out])))
    by_fold, sizes = np.stack(deviances), np.bincount(held_out)
    mean = np.average(by_fold, axis=0, weights=sizes)
    error = np.sqrt(np.average((by_fold - mean) ** 2, axis=0, weights=sizes) / (len(labels) - 1))
    best = int(np.argmin(mean))
    within = int(np.flatnonzero(mean <= mean[best] + error[best])[0])
    chosen = best if rule == "minimum" else within
    wording = "of its minimum" if rule == "minimum" else "largest within one standard error of its minimum"
    return LassoFit(
        tuple(names), path, held_out, mean, error, float(path.penalty[best]), float(path.penalty[within]),
        float(path.penalty[chosen]), float(path.intercept[chosen]), path.coefficients[chosen], cases.size,
        int(cases.sum()), f"LASSO-logistic regression, {len(labels)}-fold cross-validated deviance, penalty {wording}",
    )  # fmt: skip
