"""Net benefit: equal to dcurves, by hand, standard errors against the bootstrap, refusals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from numpy.typing import ArrayLike

from tests.reference import from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.bootstrap import replicated, resampling
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import Influence, paired_difference
from validation.estimators.samples import Floats
from validation.estimators.utility.net_benefit import (
    net_benefit,
    net_benefit_at_horizon,
    net_benefit_at_horizon_influence,
    net_benefit_influence,
)


def test_binary_equals_r() -> None:
    """All forty net benefits of dcurves: two models, everybody and nobody treated, at ten thresholds."""
    known = gbsg()[gbsg().known3 == 1]
    risks: dict[str, ArrayLike] = {"all": np.ones(555), "none": np.zeros(555), "pA": known.pA3, "pB": known.pB3}
    for row in from_r()["dca"]["binary_3y"]:
        influence = net_benefit_influence(known.y3, risks[row["variable"]], threshold=row["threshold"])

        assert influence.value == pytest.approx(row["net_benefit"], abs=1e-12)
        assert (influence.n, influence.events) == (555, 224)


def test_survival_equals_r() -> None:
    """All forty of dcurves; where it gives none, the follow-up of the five patients treated ends before the horizon."""
    data = gbsg()
    risks: dict[str, ArrayLike] = {"all": np.ones(686), "none": np.zeros(686), "A": data.pA5, "B": data.pB5}
    for row in from_r()["dca"]["survival_5y"]:

        def influence(risk: ArrayLike, threshold: float = row["threshold"]) -> Influence:
            return net_benefit_at_horizon_influence(data.time, data.status, risk, threshold=threshold, horizon=5)

        if row["net_benefit"] is None:
            with pytest.raises(UndefinedEstimate, match=r"group of 5 ends at 2\.10267"):
                influence(risks[row["variable"]])
        else:
            assert influence(risks[row["variable"]]).value == pytest.approx(row["net_benefit"], abs=1e-12)


def test_standardized() -> None:
    """Divided by the prevalence, or by the Kaplan-Meier risk; a perfect model has 1."""
    known, data = gbsg()[gbsg().known3 == 1], gbsg()
    binary = net_benefit(known.y3, known.pA3, threshold=0.3, standardized=True)
    survival = net_benefit_at_horizon(data.time, data.status, data.pA5, threshold=0.3, horizon=5, standardized=True)

    assert binary.value == pytest.approx(net_benefit(known.y3, known.pA3, threshold=0.3).value * 555 / 224)
    assert survival.value == pytest.approx(0.302220216662684 / 0.508355129705995, abs=1e-12)
    assert (
        binary.method
        == "standardized net benefit at threshold 0.3, binary outcome (Vickers and Elkin 2006), Wald interval"
    )
    assert net_benefit_influence([0, 1, 1], [0, 1, 1], threshold=0.3, standardized=True).value == pytest.approx(1)


def test_tiny_sample() -> None:
    """At threshold 1/3 a false positive costs half a true one: (2 - 1/2) / 5, error that of 1, 1, -1/2, 0, 0."""
    estimate = net_benefit([1, 1, 0, 0, 1], [0.9, 1 / 3, 0.4, 0.2, 0.1], threshold=1 / 3)

    assert estimate.value == pytest.approx(1.5 / 5)
    assert estimate.standard_error == pytest.approx(np.std([1, 1, -0.5, 0, 0]) / np.sqrt(5))


def test_survival_without_censoring_is_binary() -> None:
    """Nobody lost: value, contributions and standardisation of the binary outcome."""
    rng = np.random.default_rng(3)
    time, risk = rng.exponential(2, 60), rng.uniform(0, 1, 60)
    for standardized in (False, True):
        survival = net_benefit_at_horizon_influence(
            time, np.ones(60), risk, threshold=0.4, horizon=1.5, standardized=standardized
        )
        binary = net_benefit_influence(time <= 1.5, risk, threshold=0.4, standardized=standardized)

        assert survival.value == pytest.approx(binary.value, abs=1e-12)
        assert survival.contributions == pytest.approx(binary.contributions, abs=1e-12)


def test_errors_equal_bootstrap() -> None:
    """Standard errors, also of the difference from treating all, are the bootstrap's (2000 replicates) to 3 %."""
    data = gbsg().sort_values("time")
    time, event, treat = data.time.to_numpy(), data.status.to_numpy() == 1, data.pA5.to_numpy() >= 0.5
    starts = np.flatnonzero(np.diff(time, prepend=0) > 0)
    event = event & (time <= 5)

    def risk(weights: Floats) -> float:
        events, leaving = np.add.reduceat(weights * event, starts), np.add.reduceat(weights, starts)
        return 1 - float(np.prod(1 - events / np.maximum(np.cumsum(leaving[::-1])[::-1], 1)))

    def statistic(weights: Floats) -> Floats:
        share, everybody = float(weights @ treat) / 686, risk(weights)
        model = share * (2 * risk(weights * treat) - 1)
        return np.asarray([model, model - (2 * everybody - 1), model / everybody])

    def influence(risk: ArrayLike, standardized: bool = False) -> Influence:
        return net_benefit_at_horizon_influence(
            data.time, data.status, risk, threshold=0.5, horizon=5, standardized=standardized
        )

    model, standardized = influence(data.pA5), influence(data.pA5, standardized=True)
    gain = paired_difference(model, influence(np.ones(686)))
    replicates = replicated(statistic, resampling(686, 2000, seed=17))
    assert statistic(np.ones(686)) == pytest.approx([model.value, gain.value, standardized.value], abs=1e-12)
    errors = [model.standard_error(), gain.standard_error, standardized.standard_error()]
    assert errors == pytest.approx(replicates.std(axis=0), rel=0.03)


def test_difference_of_models() -> None:
    """Model A is worth more than model B at 0.5, with P value."""
    known = gbsg()[gbsg().known3 == 1]
    first, second = (net_benefit_influence(known.y3, known[x], threshold=0.5) for x in ("pA3", "pB3"))
    difference = paired_difference(first, second)

    assert difference.value == pytest.approx(first.value - second.value)
    assert difference.lower > 0
    assert difference.p_value is not None
    assert difference.p_value < 1e-4


@given(cohorts())
@settings(max_examples=40, deadline=None)
def test_invariances(cohort: Cohort) -> None:
    """Row order and unit of time change nothing; every row twice leaves the value and halves the variance."""
    time, event, prediction = cohort
    risk = (prediction - prediction.min() + 0.5) / 15
    horizon = float(np.quantile(time, 0.3, method="lower"))
    threshold = float(np.median(risk))
    assume(time[risk >= threshold].max() >= horizon)
    arrays = (time, event, risk)
    order = np.random.default_rng(time.size).permutation(time.size)
    found = net_benefit_at_horizon_influence(*arrays, threshold=threshold, horizon=horizon)
    again = net_benefit_at_horizon_influence(
        12 * time[order], event[order], risk[order], threshold=threshold, horizon=12 * horizon
    )
    twice = net_benefit_at_horizon_influence(*(np.repeat(x, 2) for x in arrays), threshold=threshold, horizon=horizon)

    assert again.value == pytest.approx(found.value, abs=1e-12)
    assert again.contributions == pytest.approx(found.contributions[order], abs=1e-12)
    assert twice.value == pytest.approx(found.value, abs=1e-12)


@pytest.mark.parametrize(
    ("estimate", "reason", "too_few"),
    [
        (lambda: net_benefit([0, 1], [0.1, 1.2], threshold=0.5), "probability lies outside", False),
        (lambda: net_benefit([0, 1], [0.1, 0.2], threshold=0.0), "threshold 0 does", False),
        (lambda: net_benefit([0, 1], [0.1, 0.2], threshold=0.5), "standard error 0", True),
        (lambda: net_benefit([0, 0], [0.1, 0.7], threshold=0.5, standardized=True), "no event", True),
        (
            lambda: net_benefit_at_horizon([1, 2], [1, 0], [0.1, 0.7], threshold=0.5, horizon=3),
            "beyond follow-up",
            False,
        ),
        (
            lambda: net_benefit_at_horizon([1, 2], [1, 0], [0.1, -1], threshold=0.5, horizon=2),
            "risk lies outside",
            False,
        ),
    ],
)
def test_refuses(estimate: Callable[[], object], reason: str, too_few: bool) -> None:
    """Impossible thresholds, risks and horizons; nobody treated; nothing to divide by."""
    with pytest.raises(UndefinedEstimate, match=reason) as refusal:
        estimate()
    assert refusal.value.too_few is too_few
