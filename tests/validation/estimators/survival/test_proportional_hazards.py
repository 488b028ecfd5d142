"""Test of proportional hazards: equal to R's cox.zph, invariances, power, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference import from_r, gbsg, rotterdam
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.proportional_hazards import ProportionalHazards, proportional_hazards


def agrees(found: ProportionalHazards, expected: dict[str, dict[str, float]]) -> bool:
    """Whether statistics and P values of all terms and of the whole model equal R's."""
    tests = found.terms | {"GLOBAL": found.overall}
    return all(
        test.chi_square == pytest.approx(expected["chisq"][name], abs=1e-9)
        and test.p_value == pytest.approx(expected["p"][name], rel=1e-8)
        for name, test in tests.items()
    ) and len(tests) == len(expected["chisq"])


def test_equals_r() -> None:
    """Seven covariates, 1713 events with ties: cox.zph 3.5 per covariate and globally."""
    expected = from_r()["cox_zph_A"]
    terms = {name: rotterdam()[name] for name in expected["chisq"] if name != "GLOBAL"}

    assert agrees(proportional_hazards(rotterdam().time, rotterdam().status, terms), expected)


def test_equals_r_for_a_factor() -> None:
    """Three grades are one term of two columns, tested with two degrees of freedom."""
    data, expected = gbsg(), survival_reference()["zph"]["gbsg_factor"]
    grade = np.column_stack([data.grade == 2, data.grade == 3])
    terms: dict[str, Any] = {"age": data.age, "grade": grade, "lnodes": data.lnodes, "hormon": data.hormon}
    found = proportional_hazards(data.time, data.status, terms)

    assert agrees(found, expected)
    assert found.terms["grade"].degrees_of_freedom == 2


def test_equals_r_with_heavy_ties() -> None:
    """Follow-up in whole years: hundreds of events share a time."""
    data = gbsg()
    terms = {name: data[name] for name in ("age", "grade3", "hormon")}

    assert agrees(
        proportional_hazards(np.ceil(data.time), data.status, terms), survival_reference()["zph"]["gbsg_years"]
    )


def test_one_covariate() -> None:
    """The whole model is its only covariate."""
    found = proportional_hazards(gbsg().time, gbsg().status, {"pgr": gbsg().pgr})

    assert agrees(found, survival_reference()["zph"]["gbsg_one"])
    assert found.overall == found.terms["pgr"]


def test_units_do_not_matter() -> None:
    """Order of the rows, unit of time, unit and zero of a covariate."""
    data = gbsg().sample(frac=1, random_state=1)
    plain = proportional_hazards(gbsg().time, gbsg().status, {"age": gbsg().age, "lnodes": gbsg().lnodes})
    terms = {"age": data.age * 1e5 + 1e7, "lnodes": data.lnodes * 1e-4}
    other = proportional_hazards(data.time * 365.25, data.status, terms)

    for name in terms:
        assert other.terms[name].chi_square == pytest.approx(plain.terms[name].chi_square, rel=1e-7)


def test_finds_an_effect_that_wears_off() -> None:
    """A hazard ratio of 6 in the first half of the events and 1 after is found; a constant one is not."""
    rng = np.random.default_rng(3)
    treated = np.arange(600) % 2 == 1
    early = rng.exponential(1 / np.where(treated, 6, 1))
    constant = proportional_hazards(early, np.ones(600), {"x": treated})
    late = 0.2 + rng.exponential(1, 600)
    fading = proportional_hazards(np.where(early < 0.2, early, late), np.ones(600), {"x": treated})

    assert constant.overall.p_value > 0.05
    assert fading.overall.p_value < 1e-6


def test_refuses() -> None:
    """Events at one time only; a covariate that separates them."""
    with pytest.raises(UndefinedEstimate, match="all events happen at one time"):
        proportional_hazards([1, 1, 1, 2, 2], [1, 1, 1, 0, 0], {"x": [1, 2, 4, 3, 2]})
    with pytest.raises(UndefinedEstimate, match=r"no finite maximum|singular"):
        proportional_hazards([1, 2, 3, 4], [1, 1, 1, 0], {"x": [4, 3, 2, 1]})
