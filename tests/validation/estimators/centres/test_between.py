"""Estimates of several centres: scales, the next centre, leaving one out, centres without events."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from tests.reference import FOLDER, from_r
from validation.estimators.centres.between import (
    C_TAU_PRIOR,
    CentreScale,
    between_centres,
    leave_one_centre_out,
    observed_expected_of_counts,
)
from validation.estimators.estimate import Estimate, UndefinedEstimate


def _estimate(value: float, error: float, group: str | None, events: int = 20) -> Estimate:
    return Estimate(value, value - error, value + error, 0.95, 50, events, "test", group=group, standard_error=error)


def _lung() -> list[Estimate]:
    return [_estimate(x["C"], x["se"], str(x["centre"])) for x in from_r()["meta_lung_centres"]]


@pytest.mark.parametrize(("table", "summary"), [("lung_centres", "lung_logitC"), ("rotyear_cohorts", "rotyear_logitC")])
def test_c_equals_metafor(table: str, summary: str) -> None:
    """C and its standard error per centre, by way of the logit, give metafor's limits transformed back."""
    expected = from_r()[f"meta_{summary}"]["REML_adhoc"]
    estimates = [_estimate(x["C"], x["se"], str(x["centre"])) for x in from_r()[f"meta_{table}"]]
    between = between_centres(estimates, "logit")
    predicted = between.prediction_interval()
    got = [between.summary.value, between.summary.lower, between.summary.upper, predicted.lower, predicted.upper]
    limits = [expected["mu"], *expected["ci"], *expected["pi_HTS_tkm2"]]

    assert got == pytest.approx([1 / (1 + math.exp(-x)) for x in limits], abs=1e-9)
    c = between.summary.value
    assert between.summary.standard_error == pytest.approx(expected["se"] * c * (1 - c), abs=1e-9)
    assert (between.summary.n, between.summary.events) == (50 * len(estimates), 20 * len(estimates))
    assert between.effects.p_value == pytest.approx(expected["p"], abs=1e-9)
    assert between.summary.method.endswith("logit scale")
    assert between.centres == tuple(str(x["centre"]) for x in from_r()[f"meta_{table}"])


def test_leave_one_out_equals_metafor() -> None:
    """Every centre in turn, on the logit scale, as rma without its row."""
    expected = json.loads((FOLDER / "centres.json").read_text(encoding="utf-8"))["leave_one_out"]
    left_out = leave_one_centre_out(_lung(), "logit")

    assert list(left_out) == ["1", "3", "6", "11", "12", "13", "16", "21", "22"]
    for name, row in zip(left_out, expected, strict=True):
        effects = left_out[name].effects
        assert name not in left_out[name].centres
        assert [effects.value, effects.lower, effects.upper, effects.tau_squared] == pytest.approx(
            [row["mu"], *row["ci"], row["tau2"]], abs=1e-9
        )


@pytest.mark.parametrize(
    ("scale", "values"), [("logit", [0.7, 0.8, 0.75]), ("log", [0.8, 1.1, 1.3]), ("identity", [0.9, 0.7, 0.8])]
)
@pytest.mark.parametrize("prior", [None, C_TAU_PRIOR])
def test_next_centre(scale: CentreScale, values: list[float], prior: object) -> None:
    """The limits of the prediction interval are missed with probability .025 each; at least and at most add up."""
    estimates = [_estimate(v, 0.05, name) for v, name in zip(values, "abc", strict=True)]
    between = between_centres(estimates, scale, prior=C_TAU_PRIOR if prior else None)
    interval = between.prediction_interval()

    assert between.probability_next(at_most=interval.lower) == pytest.approx(0.025, abs=1e-9)
    assert between.probability_next(at_least=interval.upper) == pytest.approx(0.025, abs=1e-9)
    assert between.probability_next(at_least=interval.lower, at_most=interval.upper) == pytest.approx(0.95, abs=1e-9)
    total = between.probability_next(at_least=0.77) + between.probability_next(at_most=0.77)
    assert total == pytest.approx(1, abs=1e-12)


def test_prior_of_c() -> None:
    """Three centres: the interval is far narrower than t(1)'s, stays inside (0, 1), and names the prior."""
    estimates = [_estimate(v, 0.03, name) for v, name in ((0.92, "a"), (0.95, "b"), (0.9, "c"))]
    plain = between_centres(estimates, "logit").prediction_interval()
    informed = between_centres(estimates, "logit", prior=C_TAU_PRIOR)
    interval = informed.prediction_interval()

    assert 0 < plain.lower < interval.lower < interval.upper < 1
    assert "469 cardiovascular" in informed.summary.method
    assert informed.effects.p_value is None


def test_prior_is_carried_to_the_logit_scale() -> None:
    """Centres that say nothing: tau on the logit scale is the prior's median over C (1 - C)."""
    estimates = [_estimate(0.8, 20.0, "a"), _estimate(0.8, 20.0, "b")]
    effects = between_centres(estimates, "logit", prior=C_TAU_PRIOR).effects

    assert math.sqrt(effects.tau_squared) == pytest.approx(math.exp(-2.936) / 0.16, rel=1e-3)


def test_centre_without_events_stays() -> None:
    """O = 0 counts as 0.5 with variance (1 - 0.5 / n) / 0.5, and the method says so."""
    none = observed_expected_of_counts(0, 2.0, 40, group="c")
    some = observed_expected_of_counts(10, 8.0, 40, group="a")

    assert (none.value, none.events) == (0.25, 0)
    assert none.standard_error == pytest.approx(0.25 * math.sqrt((1 - 0.5 / 40) / 0.5), abs=1e-15)
    assert "no event, counted as 0.5" in none.method
    assert some.value == 1.25
    assert some.standard_error == pytest.approx(1.25 * math.sqrt(0.75 / 10), abs=1e-15)
    assert between_centres([none, some], "log").summary.n == 80


def test_horizon() -> None:
    """A horizon shared by all centres is kept; otherwise there is none."""
    estimates = [replace(x, horizon=36.0) for x in _lung()]

    assert between_centres(estimates, "logit").summary.horizon == 36
    assert between_centres([*estimates[:-1], replace(estimates[-1], horizon=12.0)], "logit").summary.horizon is None


@pytest.mark.parametrize(
    ("estimates", "scale", "reason"),
    [
        ([_estimate(0.7, 0.1, "a")], "logit", "one centre"),
        ([_estimate(0.7, 0.1, "a"), _estimate(0.8, 0.1, "a")], "logit", "its own name, not a, a"),
        ([_estimate(0.7, 0.1, "a"), _estimate(0.8, 0.1, None)], "logit", "its own name, not a, None"),
        ([_estimate(0.7, 0.1, "a"), _estimate(1.0, 0.1, "b")], "logit", "centre b: 1 has no finite logit"),
        ([_estimate(0.7, 0.1, "a"), _estimate(0.0, 0.1, "b")], "log", "centre b: 0 has no finite log"),
        (
            [_estimate(0.7, 0.1, "a"), replace(_estimate(0.7, 0.1, "b"), standard_error=None)],
            "log",
            "centre b: no stand",
        ),
    ],
)
def test_refusals(estimates: list[Estimate], scale: CentreScale, reason: str) -> None:
    """One centre, nameless or repeated centres, values without effect on the scale and missing errors are named."""
    with pytest.raises(UndefinedEstimate, match=reason):
        between_centres(estimates, scale)


def test_refusals_of_the_next_centre() -> None:
    """Two centres cannot predict a third or lose one; limits must exist and be possible."""
    two = between_centres(_lung()[:2], "logit")
    all_of_them = between_centres(_lung(), "logit")

    with pytest.raises(UndefinedEstimate, match="cannot predict a third") as refused:
        two.prediction_interval()
    assert refused.value.too_few
    with pytest.raises(UndefinedEstimate, match="leaving one out needs at least 3"):
        leave_one_centre_out(_lung()[:2], "logit")
    with pytest.raises(UndefinedEstimate, match="no limit"):
        all_of_them.probability_next()
    with pytest.raises(UndefinedEstimate, match=r"the limit 1.2 lies outside"):
        all_of_them.probability_next(at_least=1.2)
    with pytest.raises(UndefinedEstimate, match="no value is at least"):
        all_of_them.probability_next(at_least=0.8, at_most=0.7)


@pytest.mark.parametrize(("observed", "expected", "n"), [(5, 0.0, 9), (10, 3.0, 9), (-1, 3.0, 9), (0, 10.0, 9)])
def test_refusals_of_counts(observed: int, expected: float, n: int) -> None:
    """Counts that no cohort can have are refused."""
    with pytest.raises(UndefinedEstimate, match=f"of {n} patients"):
        observed_expected_of_counts(observed, expected, n)


def test_everybody_has_the_event() -> None:
    """O = n leaves no binomial variance."""
    with pytest.raises(UndefinedEstimate, match="standard error 0"):
        observed_expected_of_counts(9, 8.0, 9)
