"""NRI and IDI: equal to Hmisc and nricens, by hand, standard errors against the bootstrap, signs, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.special import ndtr

from tests.reference import from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.bootstrap import replicated, resampling
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.reclassification.improvement import (
    Censoring,
    Component,
    idi,
    idi_at_horizon,
    idi_at_horizon_influence,
    idi_influence,
    nri,
    nri_at_horizon,
    nri_at_horizon_influence,
    nri_influence,
)
from validation.estimators.samples import Bools, Floats
from validation.estimators.survival.censoring import censoring_curve

KEYS: dict[Component, str] = {"overall": "NRI", "events": "NRI+", "non_events": "NRI-"}
KINDS = {"cat": (0.4, 0.6), "cont": None}


@pytest.mark.parametrize(("component", "key"), [("overall", "nri"), ("events", "nri.ev"), ("non_events", "nri.ne")])
def test_continuous_nri_equals_r(component: Component, key: str) -> None:
    """Value, standard error, hence test, of Hmisc::improveProb."""
    known, expected = gbsg()[gbsg().known3 == 1], from_r()["bin"]["improveProb"]
    estimate = nri(known.y3, known.pB3, known.pA3, component=component)

    assert estimate.value == pytest.approx(expected[key], abs=1e-12)
    assert estimate.value == pytest.approx(from_r()["bin"]["NRI_cont"][KEYS[component]], abs=1e-12)
    assert estimate.standard_error == pytest.approx(expected[f"se.{key}"], abs=1e-12)
    assert estimate.p_value == pytest.approx(2 * ndtr(-expected[key] / expected[f"se.{key}"]), rel=1e-9)


def test_idi_equals_r() -> None:
    """Value, standard error and both parts of Hmisc::improveProb."""
    known, expected = gbsg()[gbsg().known3 == 1], from_r()["bin"]["improveProb"]
    estimate = idi(known.y3, known.pB3, known.pA3)
    parts = [idi(known.y3, known.pB3, known.pA3, component=x).value for x in ("events", "non_events")]

    assert estimate.value == pytest.approx(expected["idi"], abs=1e-12)
    assert estimate.standard_error == pytest.approx(expected["se.idi"], abs=1e-12)
    assert parts == pytest.approx([expected["improveSens"], expected["improveSpec"]], abs=1e-12)
    assert (estimate.n, estimate.events) == (555, 224)


@pytest.mark.parametrize(("component", "key"), KEYS.items())
def test_categorical_nri_equals_r(component: Component, key: str) -> None:
    """Value and parts of nricens::nribin(updown="category")."""
    known = gbsg()[gbsg().known3 == 1]
    estimate = nri(known.y3, known.pB3, known.pA3, cuts=[0.3, 0.5], component=component)

    assert estimate.value == pytest.approx(from_r()["bin"]["NRI_cat_0.3_0.5"][key], abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("component", "key"), KEYS.items())
def test_kaplan_meier_nri_equals_r(kind: str, component: Component, key: str) -> None:
    """Value and parts of nricens(point.method="km") at five years, with cuts 0.4 and 0.6 and without."""
    data = gbsg()
    influence = nri_at_horizon_influence(
        data.time, data.status, data.pB5, data.pA5, horizon=5, cuts=KINDS[kind], component=component, censoring="km"
    )

    assert influence.value == pytest.approx(from_r()["surv_nri_t5"]["km"][kind][key], abs=1e-12)


def _survfit_censoring(time: Floats, event: Bools, *, before: bool) -> Floats:
    """Return G of survfit(Surv(time, 1 - status)) at T, or just before it: tied events stay at risk."""
    _, index = np.unique(time, return_inverse=True)
    at_risk = np.cumsum(np.bincount(index)[::-1])[::-1]
    steps = 1 - np.bincount(index, weights=~event) / at_risk
    curve = np.append(1, np.cumprod(steps))
    return np.asarray(curve[index + (not before)])


def _mean_of_cases(values: Floats, followed: Floats, time: Floats, event: Bools) -> float:
    case = event & (time <= 5)
    return float(np.average(values[case], weights=1 / followed[case]))


@pytest.mark.parametrize("kind", KINDS)
def test_weighted_nri_against_r(kind: str) -> None:
    """nricens(point.method="ipw") is reached with its weights 1 / G(T) of survfit; ours differ at ties alone."""
    data, expected = gbsg(), from_r()["surv_nri_t5"]["ipw"][kind]
    time, event = data.time.to_numpy(), data.status.to_numpy() == 1
    cuts = KINDS[kind]
    found = {
        part: nri_at_horizon_influence(
            data.time, data.status, data.pB5, data.pA5, horizon=5, cuts=cuts, component=part
        ).value
        for part in get_args(Component)
    }
    restated = _mean_of_cases(_movement(cuts), _survfit_censoring(time, event, before=False), time, event)

    assert restated == pytest.approx(expected["NRI+"], abs=1e-12)
    assert found["events"] == pytest.approx(expected["NRI+"], abs=1.2e-4)
    assert found["events"] != pytest.approx(expected["NRI+"], abs=1e-5)
    assert found["non_events"] == pytest.approx(expected["NRI-"], abs=1e-12)
    assert found["overall"] == pytest.approx(expected["NRI"], abs=1.2e-4)


def test_weights_agree_without_ties() -> None:
    """Where all times differ, the NRI with our weights is that with nricens's."""
    data = gbsg()
    time, event = data.time.to_numpy() + np.random.default_rng(5).uniform(0, 1e-4, 686), data.status.to_numpy() == 1
    found = nri_at_horizon_influence(time, event, data.pB5, data.pA5, horizon=5, component="events")
    movement = np.sign((data.pA5 - data.pB5).to_numpy())
    expected = _mean_of_cases(movement, _survfit_censoring(time, event, before=False), time, event)

    assert found.value == pytest.approx(expected, abs=1e-12)


def test_idi_at_horizon_against_r() -> None:
    """The reference takes G(T-) of survfit, which is reached; with G of prodlim the IDI differs by 3e-6."""
    data, expected = gbsg(), from_r()["surv_idi_ipcw_fixedpred"]
    time, event = data.time.to_numpy(), data.status.to_numpy() == 1
    change = (data.pA5 - data.pB5).to_numpy()
    parts = {
        x: idi_at_horizon_influence(data.time, data.status, data.pB5, data.pA5, horizon=5, component=x).value
        for x in get_args(Component)
    }
    restated = _mean_of_cases(change, _survfit_censoring(time, event, before=True), time, event)

    assert restated + parts["non_events"] == pytest.approx(expected["IDI"], abs=1e-12)
    assert parts["non_events"] == pytest.approx(expected["B"]["ne"] - expected["A"]["ne"], abs=1e-12)
    assert parts["events"] == pytest.approx(expected["A"]["ev"] - expected["B"]["ev"], abs=5e-6)
    assert parts["overall"] == pytest.approx(expected["IDI"], abs=5e-6)


def test_tiny_sample() -> None:
    """Of three cases two go up and one down, of two controls one goes down: 1/3 + 1/2; risks likewise."""
    case, old, new = [1, 1, 1, 0, 0], [0.2, 0.2, 0.6, 0.5, 0.3], [0.3, 0.5, 0.5, 0.2, 0.3]

    parts = [nri_influence(case, old, new, component=x).value for x in get_args(Component)]
    assert parts == pytest.approx([1 / 3 + 1 / 2, 1 / 3, 1 / 2])
    parts = [idi_influence(case, old, new, component=x).value for x in get_args(Component)]
    assert parts == pytest.approx([0.1 + 0.15, 0.1, 0.15])
    assert nri_influence(case, old, new, cuts=[0.5]).value == pytest.approx(1 / 3 + 1 / 2)
    assert nri_influence(case, old, new, cuts=[0.55]).value == pytest.approx(-1 / 3)
    assert nri_influence(case, old, new).standard_error() == pytest.approx(np.sqrt((1 - 1 / 9) / 3 + 0.25 / 2))


@pytest.mark.parametrize("censoring", get_args(Censoring))
def test_without_censoring_is_binary(censoring: Censoring) -> None:
    """Nobody lost: the values of the binary outcome, and its standard error, but for n / (n - 1)."""
    rng = np.random.default_rng(3)
    time, old, new = rng.exponential(2, 60), rng.uniform(0, 1, 60), rng.uniform(0, 1, 60)
    for component in get_args(Component):
        survival = nri_at_horizon_influence(
            time, np.ones(60), old, new, horizon=1.5, cuts=(0.5,), component=component, censoring=censoring
        )
        binary = nri_influence(time <= 1.5, old, new, cuts=(0.5,), component=component)
        factor = np.sqrt(60 / 59) if censoring == "ipcw" else 1

        assert survival.value == pytest.approx(binary.value, abs=1e-12)
        assert survival.contributions == pytest.approx(factor * binary.contributions, abs=1e-12)


def _movement(cuts: tuple[float, ...] | None) -> Floats:
    old, new = gbsg().pB5.to_numpy(), gbsg().pA5.to_numpy()
    return np.asarray(np.sign(new - old if cuts is None else np.digitize(new, cuts) - np.digitize(old, cuts)))


def test_weighted_errors_equal_bootstrap() -> None:
    """Standard errors of NRI with and without cuts, of IDI and of their parts: those of 5000 replicates to 3 %."""
    data = gbsg()
    time, event = data.time.to_numpy(), data.status.to_numpy() == 1
    case, free = event & (time <= 5), time > 5
    values = np.stack([_movement((0.4, 0.6)), _movement(None), (data.pA5 - data.pB5).to_numpy()])

    def statistic(weights: Floats) -> Floats:
        weighted = weights * case / censoring_curve(time, event, weights).before(np.minimum(time, 5))
        events = values @ weighted / weighted.sum()
        non_events = -values @ (weights * free) / (weights @ free)
        return np.concatenate([events + non_events, events, non_events])

    replicates = replicated(statistic, resampling(686, 5000, seed=12))
    arguments = (data.time, data.status, data.pB5, data.pA5)
    found = [
        influence
        for part in get_args(Component)
        for influence in (
            nri_at_horizon_influence(*arguments, horizon=5, cuts=(0.4, 0.6), component=part),
            nri_at_horizon_influence(*arguments, horizon=5, component=part),
            idi_at_horizon_influence(*arguments, horizon=5, component=part),
        )
    ]
    assert [x.value for x in found] == pytest.approx(statistic(np.ones(686)), abs=1e-12)
    assert [x.standard_error() for x in found] == pytest.approx(replicates.std(axis=0), rel=0.03)


def test_kaplan_meier_error_equals_bootstrap() -> None:
    """Standard errors of the Kaplan-Meier NRI and its parts are the bootstrap's to 3 % (2000 replicates)."""
    order = np.argsort(gbsg().time.to_numpy())
    time, event = gbsg().time.to_numpy()[order], (gbsg().status.to_numpy() == 1)[order]
    movement = _movement((0.4, 0.6))[order]
    starts = np.flatnonzero(np.diff(time, prepend=0) > 0)

    def joint(weights: Floats) -> float:
        events, leaving = (np.add.reduceat(x, starts) for x in (weights * (event & (time <= 5)), weights))
        survival = np.prod(1 - events / np.maximum(np.cumsum(leaving[::-1])[::-1], 1))
        return float(weights.sum() * (1 - survival))

    def statistic(weights: Floats) -> Floats:
        up, down, everybody = (joint(weights * group) for group in (movement > 0, movement < 0, np.ones(686)))
        events = (up - down) / everybody
        non_events = -(weights @ movement - up + down) / (686 - everybody)
        return np.asarray([events + non_events, events, non_events])

    data = gbsg()
    found = [
        nri_at_horizon_influence(
            data.time, data.status, data.pB5, data.pA5, horizon=5, cuts=(0.4, 0.6), component=part, censoring="km"
        )
        for part in get_args(Component)
    ]
    replicates = replicated(statistic, resampling(686, 2000, seed=12))
    assert [x.value for x in found] == pytest.approx(statistic(np.ones(686)), abs=1e-12)
    assert [x.standard_error() for x in found] == pytest.approx(replicates.std(axis=0), rel=0.03)


@given(cohorts(ties=False))
@settings(max_examples=40, deadline=None)
def test_symmetries(cohort: Cohort) -> None:
    """Exchanged models change the sign; row order and unit of time nothing; the parts add up to the whole."""
    time, event, prediction = cohort
    time, event = np.append(time, [2 * time.max(), 3 * time.max()]), np.append(event, [False, False])
    prediction = np.append(prediction, [prediction.mean(), prediction.max() + 1])
    old = (prediction - prediction.min() + 1) / 60
    order = np.random.default_rng(time.size).permutation(time.size)
    horizon = float(time[event].max())
    new = old[order]
    parts = {
        x: nri_at_horizon_influence(time, event, old, new, horizon=horizon, component=x) for x in get_args(Component)
    }
    exchanged = nri_at_horizon_influence(time, event, new, old, horizon=horizon)
    again = nri_at_horizon_influence(time[order] / 12, event[order], old[order], new[order], horizon=horizon / 12)

    assert parts["overall"].value == pytest.approx(parts["events"].value + parts["non_events"].value)
    assert exchanged.value == pytest.approx(-parts["overall"].value)
    assert again.value == pytest.approx(parts["overall"].value)
    assert again.contributions == pytest.approx(parts["overall"].contributions[order], abs=1e-9)
    binary = nri_influence(event, old, new), nri_influence(event, new, old)
    assert binary[0].value == pytest.approx(-binary[1].value)
    assert idi_influence(event, old, new).value == pytest.approx(-idi_influence(event, new, old).value)


def test_better_model_is_positive() -> None:
    """Against equal risks, the truth itself gains: NRI 2, IDI 1 at most; here with noise, and with P value."""
    rng = np.random.default_rng(4)
    time, event = rng.exponential(2, 200), np.ones(200)
    old, new = np.full(200, 0.5), (time < 1) * 0.3 + rng.uniform(0, 0.7, 200)
    for estimate in (
        nri(time < 1, old, new),
        idi(time < 1, old, new),
        nri_at_horizon(time, event, old, new, horizon=1, censoring="km"),
        idi_at_horizon(time, event, old, new, horizon=1),
    ):
        assert estimate.lower > 0
        assert estimate.p_value is not None
        assert estimate.p_value < 0.001
        assert "not a proper measure" in estimate.method


ALIKE = (np.arange(1, 9.0), [1, 0, 1, 0, 1, 0, 1, 0])
RISKS = ([0.1, 0.4, 0.3, 0.8], [0.3, 0.2, 0.6, 0.9])


@pytest.mark.parametrize(
    ("estimate", "reason", "too_few"),
    [
        (lambda: nri([0, 0, 1, 1], [0.1, 0.4, 0.3, 1.8], RISKS[1]), "the old risk lies outside", False),
        (lambda: nri([0, 0, 1, 1], RISKS[0], [0.1, 0.2]), "the new risk has 2 values for 4", False),
        (lambda: nri([0, 0, 1, 1], *RISKS, cuts=[0.5, 0.3]), "do not ascend", False),
        (lambda: nri([0, 0, 1, 1], *RISKS, cuts=[1.0]), "do not ascend", False),
        (lambda: nri([0, 0, 1, 1], *RISKS, cuts=[]), "do not ascend", False),
        (lambda: nri([0, 0, 0, 0], *RISKS), "0 cases and 4 controls", True),
        (lambda: idi([0, 0, 0, 1], *RISKS), "1 cases and 3 controls", True),
        (lambda: nri([0, 0, 1, 1], RISKS[0], RISKS[0]), "standard error 0", True),
        (lambda: idi([0, 0, 0, 1, 1], [0.1] * 5, [0.3] * 5), "standard error 0", True),
        (lambda: idi_at_horizon(*ALIKE, [0.1] * 8, [0.3] * 8, horizon=6), "standard error 0", True),
        (lambda: nri_at_horizon(*ALIKE, [0.1] * 8, [0.3] * 8, horizon=6, censoring="km"), "standard error 0", True),
        (lambda: nri([0, 0, 0, 1], *RISKS), "1 cases and 3 controls", True),
        (lambda: nri([0, 0, 1, 1], [0.2, 0.5, 0.3, 0.4], [0.3, 0.4, 0.5, 0.6]), "standard error 0", True),
        (lambda: nri_at_horizon([1, 2, 3, 4], [1, 1, 0, 0], *RISKS, horizon=5), "beyond follow-up", False),
        (lambda: nri_at_horizon([1, 2, 3, 4], [0, 0, 0, 1], *RISKS, horizon=3), "0 cases and 2 controls at 3", True),
        (lambda: idi_at_horizon([1, 2, 3, 4], [1, 1, 1, 1], *RISKS, horizon=4), "4 cases and 0 controls at 4", True),
        (
            lambda: nri_at_horizon(
                [1, 2, 3, 4, 5], [1, 0, 1, 0, 0], [0.2] * 5, [0.3, 0.3, 0.1, 0.1, 0.1], horizon=3, censoring="km"
            ),
            "group of 2 ends at 2",
            True,
        ),
    ],
)
def test_refuses(estimate: Callable[[], object], reason: str, too_few: bool) -> None:
    """Impossible risks, cuts and horizons; a class missing; nobody moved, or everybody alike."""
    with pytest.raises(UndefinedEstimate, match=reason) as refusal:
        estimate()
    assert refusal.value.too_few is too_few
