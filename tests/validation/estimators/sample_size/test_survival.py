"""Sample size of a survival validation: limiting cases in closed form, and cohorts simulated at the size given."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri

from validation.estimators.calibration.survival import observed_expected_ratio
from validation.estimators.discrimination.concordance import harrell_c
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.sample_size.binary import size_for_observed_expected
from validation.estimators.sample_size.survival import sizes_for_survival, survival_plan
from validation.estimators.survival.cox import fit_cox

PREDICTOR = 0.8 * ndtri((np.arange(2000) + 0.5) / 2000)
Z = float(ndtri(0.975))


def test_without_losses_observed_expected_is_binary() -> None:
    """Nobody lost: Greenwood's variance is the binomial one."""
    for risk in (0.05, 0.4, 0.9):
        ratio = sizes_for_survival(survival_plan(PREDICTOR, risk), seed=1)[0]

        assert ratio.n == size_for_observed_expected(risk).n
        assert ratio.events == math.ceil(ratio.n * risk)


def test_plan_has_the_risk_and_the_losses() -> None:
    """Mean risk, share lost among those without event, and linear predictor of the simulated patients."""
    plan = survival_plan(PREDICTOR + 5, 0.3, lost=0.25)
    time, event, predictor = plan.simulate(200_000, 3)
    no_loss = survival_plan(PREDICTOR, 0.3).simulate(200_000, 3)

    assert no_loss[1].mean() == pytest.approx(0.3, abs=0.005)
    assert set(no_loss[0][~no_loss[1]]) == {1.0}
    assert plan.loss == pytest.approx(-math.log(0.75), abs=1e-15)
    assert ((time < 1) & ~event).sum() == pytest.approx(plan.loss * time.sum(), rel=0.02)  # losses per time at risk
    assert predictor.std() == pytest.approx(PREDICTOR.std(), abs=0.01)


def test_losses_by_hand() -> None:
    """Almost equal hazards: Var(log O/E) = S^2 / (1 - S)^2 integral of h / (S G), in closed form with two rates."""
    plan = survival_plan([0, 1e-9], 0.4, lost=0.3)
    h, g = -math.log(0.6), -math.log(0.7)
    variance = (0.6 / 0.4) ** 2 * h / (h + g) * (math.exp(h + g) - 1)
    ratio = sizes_for_survival(plan, seed=1, width_slope=1e9)[0]

    assert ratio.n == math.ceil(variance / (math.asinh(0.1) / Z) ** 2)
    assert ratio.events == math.ceil(ratio.n * h / (h + g) * (1 - math.exp(-h - g)))


def test_cohorts_of_that_size_reach_the_widths() -> None:
    """Cox slopes, O/E and C of 12 cohorts of the size foreseen have on average the width asked for."""
    plan = survival_plan(PREDICTOR, 0.3, lost=0.3)
    sizes = sizes_for_survival(plan, seed=1, width_slope=0.3, width_observed_expected=0.3)
    risk = -np.expm1(-plan.hazard * np.exp(plan.linear_predictor))
    widths = np.empty((12, 3))
    for r in range(12):
        time, event, predictor = plan.simulate(sizes[0].n, 100 + r)
        # everyone still followed up at the horizon ends there
        risks = np.interp(predictor, plan.linear_predictor, risk)
        ratio = observed_expected_ratio(time, event, risks, 1.0)
        time, event, predictor = plan.simulate(sizes[1].n, 200 + r)
        slope = fit_cox(time, event, predictor[:, None])
        c = harrell_c(*plan.simulate(sizes[2].n, 300 + r), interval="wald")
        widths[r] = [
            (ratio.upper - ratio.lower) / ratio.value,
            2 * Z * slope.covariance[0, 0] ** 0.5,
            c.upper - c.lower,
        ]

    assert widths.mean(axis=0) == pytest.approx([0.3, 0.3, 0.1], rel=0.03)


@pytest.mark.parametrize(("spread", "risk"), [(0.5, 0.1), (3.0, 0.8)])
def test_slope_is_that_of_a_cox_fit(spread: float, risk: float) -> None:
    """The standard error of a fit to 100 000 simulated patients, also where most events come very early."""
    plan = survival_plan(spread * ndtri((np.arange(2000) + 0.5) / 2000), risk, lost=0.2)
    time, event, predictor = plan.simulate(100_000, 7)
    variance = fit_cox(time, event, predictor[:, None]).covariance[0, 0] * 100_000

    assert sizes_for_survival(plan, seed=1)[1].n == pytest.approx(variance * (2 * Z / 0.2) ** 2, rel=0.02)


def test_reproducible() -> None:
    """The same seed gives the same numbers; another seed changes C alone, by little."""
    plan = survival_plan(PREDICTOR, 0.3, lost=0.2)
    first, again, other = (sizes_for_survival(plan, seed=s) for s in (5, 5, 6))

    assert first == again
    assert first[:2] == other[:2]
    assert other[2].n == pytest.approx(first[2].n, rel=0.06)


def test_location_of_the_predictor_does_not_matter() -> None:
    """The baseline hazard takes up any shift."""
    first, second = (survival_plan(PREDICTOR + shift, 0.3) for shift in (0, 40))

    assert first.hazard == pytest.approx(second.hazard, rel=1e-9)
    assert first.linear_predictor == pytest.approx(second.linear_predictor, abs=1e-9)


@pytest.mark.parametrize(
    ("predictor", "risk", "lost", "reason"),
    [
        ([0, 1], 0, 0, "risk 0"),
        ([0, 1], 1, 0, "risk 1"),
        ([0, 1], 0.3, 1, "share lost 1"),
        ([0, 1], 0.3, -0.1, "share lost -0.1"),
        ([1, 1], 0.3, 0, "is 1 for all"),
        ([1, math.inf], 0.3, 0, "not finite"),
    ],
)
def test_refusals(predictor: list[float], risk: float, lost: float, reason: str) -> None:
    """Impossible cohorts are named."""
    with pytest.raises(UndefinedEstimate, match=reason):
        survival_plan(predictor, risk, lost=lost)


def test_refuses_a_width() -> None:
    """A width must be positive."""
    with pytest.raises(UndefinedEstimate, match="width 0"):
        sizes_for_survival(survival_plan(PREDICTOR, 0.3), seed=1, width_c=0)
