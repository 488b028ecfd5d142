"""Stepwise selection: equal to R's stepAIC, and what it does at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.reference import from_r, gbsg
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.cox import null_log_likelihood
from validation.estimators.survival.stepwise import Direction, stepwise_cox


def single_terms() -> dict[str, NDArray[np.float64]]:
    """Eight covariates, one column each."""
    data = gbsg()
    names = ["age", "meno", "size", "grade3", "lnodes", "hormon"]
    columns = {name: data[name].to_numpy(dtype=float) for name in names}
    return columns | {"log1p(pgr)": np.log1p(data.pgr.to_numpy()), "log1p(er)": np.log1p(data.er.to_numpy())}


def factors() -> dict[str, NDArray[np.float64]]:
    """Six terms of which three have two columns."""
    data = gbsg()
    size, age, grade = (data[name].to_numpy() for name in ("size", "age", "grade"))
    return {
        "ages": np.column_stack([(age > 45) & (age <= 60), age > 60]).astype(float),
        "meno": data.meno.to_numpy(dtype=float),
        "sizes": np.column_stack([(size > 20) & (size <= 50), size > 50]).astype(float),
        "grade": np.column_stack([grade == 2, grade == 3]).astype(float),
        "lnodes": data.lnodes.to_numpy(),
        "hormon": data.hormon.to_numpy(dtype=float),
    }


def test_both_equals_r() -> None:
    """Path, AIC of every model and coefficients of the last one."""
    expected = from_r()["cox_gbsg"]["stepAIC"]
    found = stepwise_cox(gbsg().time, gbsg().status, single_terms(), direction="both")

    assert list(found.terms) == expected["terms"]
    assert [step.change for step in found.path] == expected["anova"]["Step"]
    assert [step.aic for step in found.path] == pytest.approx(expected["anova"]["AIC"], abs=1e-8)
    assert (found.path[0].aic, found.path[-1].aic) == pytest.approx((expected["AIC_full"], expected["AIC"]), abs=1e-8)
    assert found.fit is not None
    assert found.fit.coefficients == pytest.approx(list(expected["coef"].values()), abs=1e-9)


@pytest.mark.parametrize("direction", ["backward", "forward"])
def test_one_direction_equals_r(direction: Direction) -> None:
    """Terms in the order in which stepAIC lists them."""
    found = stepwise_cox(gbsg().time, gbsg().status, single_terms(), direction=direction)

    assert list(found.terms) == from_r()["cox_gbsg"][f"step_{direction}"]


@pytest.mark.parametrize("direction", ["both", "backward", "forward"])
def test_factors_equal_r(direction: Direction) -> None:
    """The two columns of a factor enter and leave together and count twice in AIC."""
    expected = survival_reference()["stepwise"][direction]
    found = stepwise_cox(gbsg().time, gbsg().status, factors(), direction=direction)

    assert list(found.terms) == expected["terms"]
    assert [step.change for step in found.path] == expected["Step"]
    assert [step.aic for step in found.path] == pytest.approx(expected["AIC"], abs=1e-8)


@pytest.mark.parametrize("direction", ["both", "backward", "forward"])
def test_nothing_left(direction: Direction) -> None:
    """A covariate without effect is not chosen: the model without covariates has no fit, but an AIC."""
    noise = np.random.default_rng(2).standard_normal(len(gbsg()))
    found = stepwise_cox(gbsg().time, gbsg().status, {"noise": noise}, direction=direction)

    assert (found.terms, found.fit) == ((), None)
    assert found.path[-1].aic == -2 * null_log_likelihood(gbsg().time, gbsg().status)


def test_comes_back() -> None:
    """With "both" AIC never rises along the path and no single change improves the last model."""
    rng = np.random.default_rng(11)
    x = rng.standard_normal((120, 6))
    x[:, 5] = x[:, :3].sum(axis=1) + 0.3 * rng.standard_normal(120)
    time = rng.exponential(np.exp(-0.4 * x[:, :3].sum(axis=1)))
    terms = {str(i): x[:, i] for i in range(6)}
    found = stepwise_cox(time, np.ones(120), terms, direction="both")

    assert np.all(np.diff([step.aic for step in found.path]) < 0)
    again = stepwise_cox(time, np.ones(120), {name: terms[name] for name in found.terms}, direction="backward")
    assert again.terms == found.terms


def test_refuses_collinear_terms() -> None:
    """No term is dropped in silence because it repeats another."""
    terms = {"age": gbsg().age, "twice": 2 * gbsg().age}
    with pytest.raises(UndefinedEstimate, match="collinear"):
        stepwise_cox(gbsg().time, gbsg().status, terms, direction="both")
