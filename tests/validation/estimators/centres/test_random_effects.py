"""Random-effects summaries: equal to metafor, invariances, priors of tau, and what they refuse."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from tests.reference import FOLDER, from_r
from validation.estimators.centres.random_effects import (
    RandomEffects,
    SummaryInterval,
    TauPrior,
    cochran_q,
    random_effects,
    random_effects_with_prior,
)
from validation.estimators.estimate import UndefinedEstimate

COHORTS = ["meta_lung_logitC", "meta_rotyear_logitC", "meta_bcg_logRR"]
METAFOR: dict[SummaryInterval, str] = {"wald": "REML_z", "knha": "REML_knha", "hksj": "REML_adhoc"}
CENTRES: dict[str, Any] = json.loads((FOLDER / "centres.json").read_text(encoding="utf-8"))
PRIOR = TauPrior(-2.936, 0.268, "test")


def _numbers(fit: RandomEffects) -> list[float | None]:
    numbers = [fit.value, fit.standard_error, fit.lower, fit.upper, fit.p_value, fit.tau_squared]
    return [*numbers, fit.i_squared, fit.q, fit.q_p_value]


def _row(row: dict[str, Any]) -> list[float]:
    return [row["mu"], row["se"], *row["ci"], row["p"], row["tau2"], row["I2"], row["Q"], row["Qp"]]


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("interval", METAFOR)
def test_equals_metafor(cohort: str, interval: SummaryInterval) -> None:
    """Mean, error, limits, P, tau^2, I^2, Q and prediction interval of rma(method="REML") with its three tests."""
    data = from_r()[cohort]
    expected = data[METAFOR[interval]]
    fit = random_effects(data["yi"], np.sqrt(data["vi"]), interval=interval)

    assert _numbers(fit) == pytest.approx(_row(expected), abs=1e-9)
    assert fit.predictive is not None
    assert [fit.predictive.quantile(p) for p in (0.025, 0.975)] == pytest.approx(expected["pi_HTS_tkm2"], abs=1e-9)


@pytest.mark.parametrize("cohort", COHORTS)
def test_tau_interval_equals_metafor(cohort: str) -> None:
    """The Q-profile interval of confint.rma.uni; refs.json holds it with confint's own tolerance only."""
    data = from_r()[cohort]
    fit = random_effects(data["yi"], np.sqrt(data["vi"]))
    limits = [fit.tau_squared_lower, fit.tau_squared_upper]

    assert limits == pytest.approx(CENTRES["tau2_ci"][cohort], abs=1e-12)
    assert limits == pytest.approx(data["REML_z"]["tau2_ci"], abs=5e-5)


def test_few_centres_equal_metafor() -> None:
    """Two to four centres without heterogeneity: q below 1 is raised to 1."""
    data = from_r()["meta_bcg_logRR"]
    for k, expected in zip((2, 3, 4), CENTRES["bcg_first"], strict=True):
        fit = random_effects(data["yi"][:k], np.sqrt(data["vi"][:k]))

        assert _numbers(fit) == pytest.approx(_row(expected), abs=1e-9)
        assert (fit.predictive is None) == (k == 2)


def test_equal_effects() -> None:
    """Centres without any difference: tau^2 is 0, its Q-profile empty, the interval Wald's error with t(k - 1)."""
    fit = random_effects([0.5, 0.5, 0.5], [0.3, 0.3, 0.3])

    assert (fit.tau_squared, fit.tau_squared_lower, fit.tau_squared_upper, fit.q) == (0, 0, 0, 0)
    assert fit.standard_error == pytest.approx(0.3 / math.sqrt(3), abs=1e-15)
    assert fit.upper == pytest.approx(0.5 + 4.302652729911275 * 0.3 / math.sqrt(3), abs=1e-9)


def test_equal_errors_in_closed_form() -> None:
    """With equal standard errors REML is the sample variance less the sampling variance."""
    fit = random_effects([0.0, 1.0, 2.0, 5.0], [0.5] * 4)

    assert fit.tau_squared == pytest.approx(np.var([0, 1, 2, 5], ddof=1) - 0.25, abs=1e-12)
    assert fit.value == pytest.approx(2, abs=1e-12)


def test_global_maximum() -> None:
    """Where the restricted likelihood has two maxima, the higher one is taken."""
    effect, error = np.array([0.0, 0.02, 5.0, -5.0]), np.array([0.01, 0.01, 3.0, 3.0])
    fit = random_effects(effect, error)

    def log_likelihood(tau_squared: float) -> float:
        weight = 1 / (error**2 + tau_squared)
        mean = weight @ effect / weight.sum()
        return float((np.log(weight).sum() - math.log(weight.sum()) - weight @ (effect - mean) ** 2) / 2)

    best = max(log_likelihood(t) for t in [0, *np.geomspace(1e-8, 100, 20_000)])
    assert log_likelihood(fit.tau_squared) >= best - 1e-9


effects = st.lists(st.tuples(st.floats(-3, 3), st.floats(0.05, 1)), min_size=3, max_size=12)


@settings(deadline=None, max_examples=60)
@given(effects, st.floats(-2, 2), st.floats(0.1, 10), st.randoms())
def test_shift_scale_and_order(centres: list[tuple[float, float]], shift: float, scale: float, random: Any) -> None:
    """Order does not matter; a shift moves the mean alone; a factor multiplies mean, errors and tau."""
    first = random_effects(*zip(*centres, strict=True))
    random.shuffle(centres)
    effect, error = np.array(centres).T
    second = random_effects(shift + scale * effect, scale * error)

    assert second.value == pytest.approx(shift + scale * first.value, abs=1e-6)
    assert second.standard_error == pytest.approx(scale * first.standard_error, rel=1e-6)
    assert second.tau_squared == pytest.approx(scale**2 * first.tau_squared, rel=1e-5, abs=1e-8)
    assert second.i_squared == pytest.approx(first.i_squared, abs=1e-4)


@settings(deadline=None, max_examples=60)
@given(effects)
def test_hartung_knapp_is_never_narrower_than_wald(centres: list[tuple[float, float]]) -> None:
    """Whatever the centres: the default interval encloses Wald's, and the prediction interval encloses it."""
    effect, error = zip(*centres, strict=True)
    default, wald = random_effects(effect, error), random_effects(effect, error, interval="wald")

    assert default.lower <= wald.lower
    assert default.upper >= wald.upper
    assert default.predictive is not None
    assert default.predictive.quantile(0.025) <= default.lower + 1e-12


def test_prior_equals_adaptive_quadrature() -> None:
    """Posterior mean, credible and prediction limits and tau of three centres by R's integrate and uniroot."""
    expected = CENTRES["prior"]
    fit = random_effects_with_prior(expected["y"], expected["se"], PRIOR)
    assert fit.predictive is not None
    tau = np.sqrt([fit.tau_squared_lower, fit.tau_squared, fit.tau_squared_upper])

    assert fit.value == pytest.approx(expected["mean"], abs=1e-9)
    assert fit.standard_error == pytest.approx(expected["se_mean"], abs=1e-9)
    assert [fit.lower, fit.upper] == pytest.approx(expected["ci"], abs=1e-9)
    assert [fit.predictive.quantile(p) for p in (0.025, 0.975)] == pytest.approx(expected["pi"], abs=1e-9)
    assert fit.predictive.below(0.7) == pytest.approx(expected["p_below_.70"], abs=1e-9)
    assert tau == pytest.approx(expected["tau"], abs=5e-7)
    assert fit.p_value is None


def test_prior_alone_decides_where_centres_say_nothing() -> None:
    """Two centres with huge errors: tau's posterior is its prior, whose mean is about .055 as published."""
    fit = random_effects_with_prior([0.0, 0.0], [50.0, 50.0], PRIOR)

    assert math.sqrt(fit.tau_squared) == pytest.approx(math.exp(-2.936), rel=1e-4)
    assert math.sqrt(fit.tau_squared_upper) == pytest.approx(math.exp(-2.936 + 1.959964 * 0.268), rel=1e-4)
    assert math.exp(-2.936 + 0.268**2 / 2) == pytest.approx(0.055, abs=5e-4)


def test_prior_predicts_from_two_centres() -> None:
    """A prior makes a third centre predictable; the probability agrees with a double integral."""
    y, s = np.array([0.1, 0.2]), np.array([0.05, 0.08])
    fit = random_effects_with_prior(y, s, TauPrior(-2.0, 0.5, "test"))

    def density(z: float, limit: float | None) -> float:
        tau = math.exp(-2.0 + 0.5 * z)
        weight = 1 / (s**2 + tau**2)
        mean = float(weight @ y / weight.sum())
        likelihood = math.exp(-z * z / 2) * math.sqrt(weight.prod() / weight.sum())
        likelihood *= math.exp(-float(weight @ (y - mean) ** 2) / 2)
        if limit is None:
            return likelihood
        spread = math.sqrt(2 * (tau**2 + 1 / weight.sum()))
        return likelihood * (1 + math.erf((limit - mean) / spread)) / 2

    expected = quad(density, -8, 8, args=(0.3,))[0] / quad(density, -8, 8, args=(None,))[0]
    assert fit.predictive is not None
    assert fit.predictive.below(0.3) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("effect", "error", "reason"),
    [
        ([0.5], [0.1], "one centre says nothing"),
        ([0.5, 0.6], [0.1, 0.0], "not positive for 1 centres"),
        ([0.5, 0.6], [0.1], "1 values for 2"),
        ([0.5, math.nan], [0.1, 0.1], "not finite"),
    ],
)
def test_refusals(effect: list[float], error: list[float], reason: str) -> None:
    """One centre, errors of 0, other lengths and NaN are named, with and without prior."""
    with pytest.raises(UndefinedEstimate, match=reason):
        random_effects(effect, error)
    with pytest.raises(UndefinedEstimate, match=reason):
        random_effects_with_prior(effect, error, PRIOR)


def test_more_refusals() -> None:
    """A plain Hartung-Knapp interval of width 0; a prior without spread, or one that the centres contradict."""
    with pytest.raises(UndefinedEstimate, match="no plain Hartung-Knapp"):
        random_effects([0.5, 0.5], [0.1, 0.1], interval="knha")
    with pytest.raises(UndefinedEstimate, match="log SD 0"):
        random_effects_with_prior([0.5, 0.6], [0.1, 0.1], TauPrior(-3, 0, "test"))
    with pytest.raises(UndefinedEstimate, match="differ by more than the prior"):
        random_effects_with_prior([-50, 0, 50], [0.01, 0.01, 0.01], PRIOR)
    with pytest.raises(UndefinedEstimate, match="level"):
        random_effects([0.5, 0.6], [0.1, 0.1], level=1)


@pytest.mark.parametrize("cohort", COHORTS)
def test_cochran_q_equals_metafor(cohort: str) -> None:
    """Statistic and P value are those of rma."""
    data = from_r()[cohort]
    found = cochran_q(data["yi"], np.sqrt(data["vi"]))

    assert found.statistic == pytest.approx(data["REML_z"]["Q"], rel=1e-9)
    assert found.p_value == pytest.approx(data["REML_z"]["Qp"], rel=1e-9)
    assert found.degrees_of_freedom == (len(data["yi"]) - 1,)


def test_cochran_q_of_two_is_the_square_of_z() -> None:
    """By hand: the difference is 0.1, its standard error 0.05."""
    found = cochran_q([0.8, 0.7], [0.03, 0.04])

    assert found.statistic == pytest.approx(4)
    assert found.p_value == pytest.approx(math.erfc(2 / math.sqrt(2)))


def test_cochran_q_refuses() -> None:
    """One effect, and an effect without error."""
    with pytest.raises(UndefinedEstimate, match="one centre says nothing"):
        cochran_q([0.8], [0.03])
    with pytest.raises(UndefinedEstimate, match="not positive for 1 centres"):
        cochran_q([0.8, 0.7], [0.03, 0.0])
