"""Treatment by signature: equal to R, invariances, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from tests.reference import from_r, gbsg
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.interaction import interaction_by_group, treatment_interaction


@pytest.mark.parametrize("name", ["lpA_x_hormon", "pgr20_x_hormon"])
def test_equals_r(name: str) -> None:
    """Coefficients, standard errors, Wald and likelihood ratio test of coxph, for a continuous and a binary one."""
    data, expected = gbsg(), from_r()["interaction"][name]
    signature = data.lpA if name == "lpA_x_hormon" else (data.pgr >= 20).astype(float)
    found = treatment_interaction(data.time, data.status, data.hormon, signature, at=(1,))

    assert found.fit.coefficients == pytest.approx(list(expected["coef"].values()), abs=1e-9)
    assert np.sqrt(np.diag(found.fit.covariance)) == pytest.approx(expected["se"], abs=1e-9)
    assert found.wald.p_value == pytest.approx(expected["wald_p"], abs=1e-9)
    assert found.likelihood_ratio.chi_square == pytest.approx(expected["LR"], abs=1e-9)
    assert found.likelihood_ratio.p_value == pytest.approx(expected["LR_p"], abs=1e-9)
    assert list(found.summary.hazard_ratios) == ["treatment", "signature", "treatment:signature"]


def test_effect_within_groups_equals_r() -> None:
    """Hazard ratio of treatment in each group, and its standard error in the second."""
    data, expected = gbsg(), from_r()["interaction"]["pgr20_x_hormon"]
    found = treatment_interaction(data.time, data.status, data.hormon, data.pgr >= 20, at=(0, 1))
    low, high = found.treatment

    assert (low.value, high.value) == pytest.approx((expected["HR_in0"], expected["HR_in1"]), abs=1e-9)
    assert high.standard_error == pytest.approx(expected["se_in1"] * high.value, abs=1e-9)
    assert (low.group, high.group, high.n, high.events) == ("signature 0", "signature 1", 686, 299)


def test_effect_does_not_depend_on_the_zero_of_the_signature() -> None:
    """A signature in other units gives the same effects of treatment at the same patients, and the same tests."""
    data = gbsg()
    plain = treatment_interaction(data.time, data.status, data.hormon, data.lpA, at=(0.5, 1.5))
    other = treatment_interaction(data.time, data.status, data.hormon, 10 * data.lpA - 7, at=(-2, 8))

    for one, two in zip(plain.treatment, other.treatment, strict=True):
        assert [two.value, two.lower, two.upper] == pytest.approx([one.value, one.lower, one.upper], rel=1e-9)
    assert other.likelihood_ratio.chi_square == pytest.approx(plain.likelihood_ratio.chi_square, abs=1e-9)
    assert other.wald.chi_square == pytest.approx(plain.wald.chi_square, rel=1e-9)


def test_effect_in_the_reference_group() -> None:
    """At 0 the effect is the coefficient of treatment."""
    data = gbsg()
    x = np.column_stack([data.hormon, data.grade3, data.hormon * data.grade3])
    fit = fit_cox(data.time, data.status, x)
    (effect,) = treatment_interaction(data.time, data.status, data.hormon, data.grade3, at=(0,)).treatment

    assert np.log(effect.value) == pytest.approx(fit.coefficients[0])


def test_refuses() -> None:
    """Values that nobody has, treatments other than yes and no, a signature that is the same for all."""
    data = gbsg()
    with pytest.raises(UndefinedEstimate, match="lies between 0 and 1: no effect of treatment at 2"):
        treatment_interaction(data.time, data.status, data.hormon, data.grade3, at=(2,))
    with pytest.raises(UndefinedEstimate, match="treatment holds other values than 0 and 1"):
        treatment_interaction(data.time, data.status, data.hormon + 1, data.grade3, at=(0,))
    with pytest.raises(UndefinedEstimate, match="is 1 for all 686 patients"):
        treatment_interaction(data.time, data.status, data.hormon, np.ones(686), at=(1,))


def test_several_groups_equal_r() -> None:
    """Likelihood ratio test of coxph with and without treatment by a factor of three levels."""
    data, expected = gbsg(), survival_reference()["interaction_by_group"]
    found = interaction_by_group(data.time, data.status, data.hormon, data.grade)

    assert found.chi_square == pytest.approx(expected["LR"], abs=1e-9)
    assert (found.degrees_of_freedom, found.p_value) == (expected["df"], pytest.approx(expected["p"], abs=1e-9))


def test_two_groups_are_a_signature_of_two_values() -> None:
    """The likelihood ratio test is the same whichever function makes it, and whatever the groups are called."""
    data = gbsg()
    signature = data.pgr >= 20
    expected = treatment_interaction(data.time, data.status, data.hormon, signature, at=(0,)).likelihood_ratio
    names = np.where(signature, "many", "few")

    assert interaction_by_group(data.time, data.status, data.hormon, signature).chi_square == pytest.approx(
        expected.chi_square, abs=1e-9
    )
    assert interaction_by_group(data.time, data.status, data.hormon, names).p_value == pytest.approx(expected.p_value)


def test_several_groups_refuse() -> None:
    """One group, and groups in which nobody or everybody is treated."""
    data = gbsg()
    with pytest.raises(UndefinedEstimate, match="all patients belong to one group"):
        interaction_by_group(data.time, data.status, data.hormon, np.ones(686))
    with pytest.raises(UndefinedEstimate, match="collinear"):
        interaction_by_group(data.time, data.status, data.hormon, data.hormon)


def test_a_cell_without_event_has_the_likelihood_of_a_vanishing_hazard() -> None:
    """By hand from the partial likelihood, the other two coefficients at their best, that cell's hazard near 0."""
    rng = np.random.default_rng(4)
    treated, group = rng.integers(0, 2, size=150), rng.integers(0, 2, size=150)
    time, event = rng.exponential(30, size=150), rng.random(150) < 0.7
    silent = (treated == 0) & (group == 0)
    event &= ~silent

    def best(columns: np.ndarray, offset: np.ndarray) -> float:
        def less_likely(coefficients: np.ndarray) -> float:
            predictor = columns @ coefficients + offset
            sums = np.array([np.exp(predictor[time >= t]).sum() for t in time[event]])
            return -float((predictor[event] - np.log(sums)).sum())

        return -float(minimize(less_likely, np.zeros(2)).fun)

    columns = np.column_stack([treated, group]).astype(float)
    cells = np.column_stack([(treated == 1) & (group == 0), (treated == 1) & (group == 1)]).astype(float)
    expected = 2 * (best(cells, -40.0 * silent) - best(columns, np.zeros(150)))
    found = interaction_by_group(time, event, treated, group)

    assert silent.sum() > 20
    assert (found.chi_square, found.degrees_of_freedom) == (pytest.approx(expected, abs=1e-6), 1)
    with pytest.raises(UndefinedEstimate, match="no finite maximum"):
        treatment_interaction(time, event, treated, group, at=())


def test_a_group_without_event_cannot_be_compared() -> None:
    """Then the model without the product has no maximum either."""
    time, group, treated = np.arange(1.0, 61), np.arange(60) % 2, np.arange(60) % 4 > 1

    with pytest.raises(UndefinedEstimate, match="no finite maximum"):
        interaction_by_group(time, group, treated, group)
