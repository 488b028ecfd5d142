"""LASSO-logistic regression: equal to R's glmnet, optimal by its conditions, and what it refuses."""

from __future__ import annotations

import json
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from tests.reference import FOLDER, gbsg
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.regression.lasso import LassoFit, cross_validated_lasso, lasso_path, stratified_folds
from validation.estimators.samples import Floats


@cache
def reference() -> dict[str, Any]:
    """What glmnet.R wrote."""
    values: dict[str, Any] = json.loads((FOLDER / "glmnet.json").read_text(encoding="utf-8"))
    return values


@cache
def status() -> tuple[Floats, Floats]:
    """The 555 patients whose status at 3 years is known: event, covariates."""
    known = gbsg()[gbsg().known3 == 1]
    return known.y3.to_numpy(float), known[reference()["names"]].to_numpy(float)


def fitted(rule: Any) -> LassoFit:
    """Cross-validated in R's folds."""
    return cross_validated_lasso(*status(), tuple(reference()["names"]), reference()["fold"], rule=rule)


def test_path_equals_glmnet() -> None:
    """Penalties, their number, intercepts, coefficients per unit and explained deviance are glmnet's."""
    r = reference()
    path = lasso_path(*status())

    assert path.penalty == pytest.approx(np.array(r["automatic"]), rel=1e-11)
    assert path.intercept == pytest.approx(np.array(r["intercepts"]), abs=1e-8)
    assert path.coefficients == pytest.approx(np.array(r["coefficients"]), abs=1e-8)
    assert path.deviance_ratio == pytest.approx(np.array(r["deviance_ratio"]), abs=1e-10)


def test_cross_validation_equals_cv_glmnet() -> None:
    """Curve, standard errors, both penalties, both models and their covariates are those of cv.glmnet."""
    r = reference()
    for rule, penalty, coefficients in (
        ("minimum", "lambda_min", "coef_min"),
        ("one_standard_error", "lambda_1se", "coef_1se"),
    ):
        fit = fitted(rule)
        assert fit.cv_deviance == pytest.approx(np.array(r["cv_mean"]), abs=1e-10)
        assert fit.cv_standard_error == pytest.approx(np.array(r["cv_se"]), abs=1e-10)
        assert (fit.penalty_minimum, fit.penalty_one_standard_error) == pytest.approx(
            (r["lambda_min"], r["lambda_1se"])
        )
        assert fit.penalty == pytest.approx(r[penalty], rel=1e-11)
        assert [fit.intercept, *fit.coefficients] == pytest.approx(r[coefficients], abs=1e-8)
        assert fit.selected == tuple(n for n, b in zip(r["names"], r[coefficients][1:], strict=True) if b != 0)
        assert (fit.n, fit.events) == (555, 224)
    assert fit.selected == ("grade", "nodes", "pgr", "hormon")


def test_more_covariates_than_patients_equals_glmnet() -> None:
    """28 covariates, products among them, in 24 patients: the same penalties, sparsity and size of the models."""
    r = reference()["wide"]
    y, x = status()
    wide = np.column_stack([x, *(x[:, i] * x[:, j] for i, j in combinations(range(8), 2))])[:24]
    path = lasso_path(y[:24], wide[:, wide.max(axis=0) > wide.min(axis=0)])

    assert path.penalty == pytest.approx(np.array(r["lambda"]), rel=1e-11)
    assert np.count_nonzero(path.coefficients, axis=1).tolist() == r["df"]
    assert path.intercept == pytest.approx(np.array(r["intercepts"]), abs=1e-6)
    assert np.abs(path.coefficients).sum(axis=1) == pytest.approx(np.array(r["l1"]), abs=1e-6)
    assert path.deviance_ratio == pytest.approx(np.array(r["deviance_ratio"]), abs=1e-8)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_optimality_and_units(seed: int) -> None:
    """The gradient balances the penalty where a coefficient is not zero and is smaller elsewhere, in any units."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(60, 6))
    case = generator.random(60) < expit(x[:, 0] - x[:, 1])
    case[:2] = [True, False]
    path = lasso_path(case, x)
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    gradient = (standardised.T @ (case[:, None] - path.probability(x)) / 60).T
    inside = path.coefficients != 0

    assert gradient[inside] == pytest.approx((path.penalty[:, None] * np.sign(path.coefficients))[inside], abs=1e-8)
    assert np.all(np.abs(gradient) <= path.penalty[:, None] + 1e-8)
    assert not inside[0].any()
    unit, order = 10.0 ** np.arange(-3, 3), generator.permutation(60)
    other = lasso_path(case[order], (5 + x * unit)[order], penalties=path.penalty)
    assert other.coefficients * unit == pytest.approx(path.coefficients, abs=1e-7)
    swapped = lasso_path(~case, x, penalties=path.penalty)
    assert swapped.coefficients == pytest.approx(-path.coefficients, abs=1e-7)


def test_noise_selects_nothing() -> None:
    """Where the largest penalty is within one standard error, no covariate is selected and the mean risk remains."""
    case, x = np.arange(90) % 3 == 0, np.random.default_rng(3).normal(size=(90, 5))
    fit = cross_validated_lasso(case, x, tuple("abcde"), stratified_folds(case, 5, seed=1), rule="one_standard_error")

    assert fit.selected == ()
    assert expit(fit.intercept) == pytest.approx(1 / 3)


@given(st.integers(20, 60), st.integers(3, 8), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_folds_are_balanced_and_seeded(n: int, folds: int, seed: int) -> None:
    """Sizes and cases per fold differ by one at most; the seed alone decides."""
    case = np.arange(n) < max(8, n // 3)
    fold = stratified_folds(case, folds, seed)

    for members in (np.ones(n, dtype=bool), case, ~case):
        assert np.ptp(np.bincount(fold[members], minlength=folds)) <= 1
    assert np.array_equal(fold, stratified_folds(case, folds, seed))


def test_covariate_constant_within_a_training_part() -> None:
    """A covariate that varies only in one fold keeps coefficient zero when that fold is held out."""
    generator = np.random.default_rng(0)
    case, x = np.arange(60) % 2 == 0, generator.normal(size=(60, 3))
    fold = np.arange(60) // 2 % 3
    x[:, 2] = 0.1 + (np.arange(60) == 0)

    assert np.isfinite(cross_validated_lasso(case, x, ("a", "b", "c"), fold, rule="minimum").cv_deviance).all()


@pytest.mark.parametrize(
    ("case", "covariates", "reason"),
    [
        ([0, 0, 0, 0], [[1], [2], [3], [4]], "0 cases and 4 controls"),
        ([0, 1, 0, 2], [[1], [2], [3], [4]], "other values than 0 and 1"),
        ([0, 1, 0, 1], [[1], [2], [3]], "shape"),
        ([0, 1, 0, 1], [1, 2, 3, 4], "shape"),
        ([0, 1, 0, 1], [[1], [2], [np.nan], [4]], "not finite"),
        ([0, 1, 0, 1], [[1, 5], [2, 5], [3, 5], [4, 5]], "same value"),
    ],
)
def test_refusals(case: Any, covariates: Any, reason: str) -> None:
    """No path from damaged data, one class, or a constant."""
    with pytest.raises(UndefinedEstimate, match=reason):
        lasso_path(case, covariates)


def test_refuses_penalties_and_folds() -> None:
    """Penalties descend and are positive; folds are at least three, and without each of them both classes remain."""
    case, x = np.arange(30) % 2 == 0, np.random.default_rng(0).normal(size=(30, 2))
    for penalties in ([0.1, 0.2], [0.1, 0], [0.1, 0.1]):
        with pytest.raises(UndefinedEstimate, match="positive and descending"):
            lasso_path(case, x, penalties=penalties)
    for names, fold, reason in (
        (("a",), np.arange(30) % 3, "1 names for 2"),
        (("a", "b"), np.arange(30) % 2, "2 folds"),
        (("a", "b"), np.where(case, 0, 1 + np.arange(30) % 3), "without fold 0"),
    ):
        with pytest.raises(UndefinedEstimate, match=reason):
            cross_validated_lasso(case, x, names, fold, rule="minimum")
    for folds in (2, 16):
        with pytest.raises(UndefinedEstimate, match=f"{folds} folds for 15"):
            stratified_folds(case, folds, 0)


def test_refuses_without_convergence() -> None:
    """Perfect separation with hardly any penalty is refused, not answered with wherever the search stood."""
    x = np.array([[1.0], [2], [3], [4]])

    with pytest.raises(UndefinedEstimate, match="did not converge at penalty 1e-300"):
        lasso_path([0, 0, 1, 1], x, penalties=[0.1, 1e-300])
