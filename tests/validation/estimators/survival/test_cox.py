"""Cox regression and its baseline hazard: equal to R, invariances, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import from_r, gbsg, rotterdam
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.cox import baseline_hazard, event_moments, fit_cox, null_log_likelihood

NAMES = ["age", "meno", "size2", "size3", "grade3", "lnodes", "hormon"]


def test_equals_r() -> None:
    """Seven covariates, 2982 patients, many ties: coefficients, errors and likelihoods of coxph (Efron)."""
    data, expected = rotterdam(), from_r()["cox_rotterdam_A"]
    fit = fit_cox(data.time, data.status, data[NAMES])

    assert fit.coefficients == pytest.approx([expected["coef"][name] for name in NAMES], abs=1e-9)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([expected["se"][name] for name in NAMES], abs=1e-9)
    assert [fit.null_log_likelihood, fit.log_likelihood] == pytest.approx(expected["loglik"], rel=1e-12)
    assert (fit.n, fit.events) == (expected["n"], expected["nevent"])


def test_equals_r_on_the_external_cohort() -> None:
    """Untransformed covariates of very different spread."""
    data, expected = gbsg(), from_r()["cox_gbsg"]["multi"]
    names = ["age", "meno", "size", "grade3", "lnodes", "hormon"]
    fit = fit_cox(data.time, data.status, data[names])

    assert fit.coefficients == pytest.approx([expected["coef"][name] for name in names], abs=1e-9)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([expected["se"][name] for name in names], abs=1e-9)


def test_tiny_cohort() -> None:
    """Two events, one covariate: the score equation has a closed solution."""
    fit = fit_cox([1, 2, 3], [1, 1, 0], np.array([[1.0], [0.0], [1.0]]))

    # score: 1 - 2h/(2h + 1) - h/(h + 1) = 0 with hazard ratio h, hence 2 h^2 = 1
    assert fit.coefficients[0] == pytest.approx(-np.log(2) / 2, abs=1e-12)
    assert (fit.n, fit.events) == (3, 2)


def test_units_do_not_matter() -> None:
    """Scaling and shifting a covariate scales its coefficient; shuffling rows changes nothing."""
    data = gbsg().sample(frac=1, random_state=3)
    plain = fit_cox(gbsg().time, gbsg().status, gbsg()[["age", "lnodes"]])
    other = fit_cox(data.time * 365.25, data.status, data[["age", "lnodes"]] * [1e-6, 1e4] + [1e3, -5])

    assert other.coefficients * [1e-6, 1e4] == pytest.approx(plain.coefficients, abs=1e-9)


@pytest.mark.parametrize("tail", [1.0, 2.0, 4.0])
def test_heavy_tails(tail: float) -> None:
    """Steps that overshoot are halved: at the maximum the score is zero and every neighbour is less likely."""
    rng = np.random.default_rng(7)
    covariate = np.exp(tail * rng.standard_normal(200))
    time = rng.exponential(1 / (0.1 + covariate / (1 + covariate)))
    fit = fit_cox(time, np.ones(200), covariate[:, None])

    def log_likelihood(coefficient: float) -> float:
        order = np.argsort(-time)
        log_hazard = coefficient * covariate[order]
        return float((log_hazard - np.logaddexp.accumulate(log_hazard)).sum())

    best, error = fit.coefficients[0], np.sqrt(fit.covariance[0, 0])
    assert log_likelihood(best) == pytest.approx(fit.log_likelihood)
    assert log_likelihood(best) > max(log_likelihood(best - 0.01 * error), log_likelihood(best + 0.01 * error))


@pytest.mark.parametrize(
    ("covariates", "reason"),
    [
        ([[1.0], [1.0], [1.0], [1.0]], "same value for all patients"),
        ([[1.0], [np.nan], [1.0], [2.0]], "not finite"),
        ([[1.0, 2.0], [2.0, 4.0], [1.0, 2.0], [2.0, 4.0]], "collinear"),
        ([[1.0], [2.0]], r"shape \(2, 1\) for 4 patients"),
        ([[4.0], [3.0], [2.0], [1.0]], "no finite maximum|singular"),
        ([[1.0], [1.0], [0.0], [0.0]], "no finite maximum|singular"),
    ],
)
def test_refuses(covariates: list[list[float]], reason: str) -> None:
    """Constant, collinear, missing or separating covariates have no fit."""
    with pytest.raises(UndefinedEstimate, match=reason):
        fit_cox([1, 2, 3, 4], [1, 1, 1, 0], covariates)


def test_null_log_likelihood() -> None:
    """The model without covariates, alone and as part of a fit."""
    data, expected = rotterdam(), from_r()["cox_rotterdam_A"]["loglik"][0]

    assert null_log_likelihood(data.time, data.status) == pytest.approx(expected, rel=1e-12)


def test_event_moments() -> None:
    """At the maximum Schoenfeld residuals add up to zero, and covariances to the information."""
    x = gbsg()[["age", "lnodes"]].to_numpy(dtype=float)
    fit = fit_cox(gbsg().time, gbsg().status, x)
    moments = event_moments(gbsg().time, gbsg().status, x, fit.coefficients)

    assert moments.residual.sum(axis=0) == pytest.approx([0, 0], abs=1e-8)
    assert np.linalg.inv(moments.covariance.sum(axis=0)) == pytest.approx(fit.covariance, rel=1e-9)
    assert np.all(np.diff(moments.time) <= 0)


def test_baseline_hazard_equals_r() -> None:
    """Cumulative hazard of basehaz(centered=FALSE), Efron, at ten times."""
    data = rotterdam()
    fit = fit_cox(data.time, data.status, data[NAMES])
    baseline = baseline_hazard(data.time, data.status, data[NAMES].to_numpy() @ fit.coefficients)

    for expected in (from_r()["basehaz_A"], survival_reference()["basehaz"]):
        assert [baseline.at(t) for t in expected["t"]] == pytest.approx(expected["H0"], abs=1e-12)
    assert baseline.time.size == survival_reference()["basehaz"]["steps"]


@pytest.mark.parametrize("horizon", [1, 3, 5])
@pytest.mark.parametrize(("model", "names"), [("A", NAMES), ("B", ["age", "meno", "size2", "size3", "hormon"])])
def test_risk_equals_r(model: str, names: list[str], horizon: int) -> None:
    """Risks of survfit(coxph) for patients of another cohort, who play no part in the baseline hazard."""
    data = rotterdam()
    fit = fit_cox(data.time, data.status, data[names])
    baseline = baseline_hazard(data.time, data.status, data[names].to_numpy() @ fit.coefficients)
    risk = baseline.risk(gbsg()[names].to_numpy() @ fit.coefficients, horizon)

    # R stopped 8e-8 before the maximum of model B (survival.R has the coefficients at the maximum)
    assert risk == pytest.approx(gbsg()[f"p{model}{horizon}"].to_numpy(), abs={"A": 1e-12, "B": 1e-8}[model])


def test_baseline_hazard_by_hand() -> None:
    """Relative hazards 1, 1, 2; two tied events, then one: Efron takes half of the tied out for the second."""
    baseline = baseline_hazard([1, 1, 2, 3], [1, 1, 1, 0], [0, 0, np.log(2), 0])

    assert baseline.time.tolist() == [1, 2]
    assert baseline.cumulative_hazard.tolist() == pytest.approx([1 / 5 + 1 / 4, 1 / 5 + 1 / 4 + 1 / 3])
    assert [baseline.at(t) for t in (0.9, 1, 1.99, 3)] == pytest.approx([0, 0.45, 0.45, 0.45 + 1 / 3])
    assert baseline.risk([0, np.log(2)], 1).tolist() == pytest.approx([1 - np.exp(-0.45), 1 - np.exp(-0.9)])


def test_baseline_hazard_moves_with_the_zero_of_the_linear_predictor() -> None:
    """Risks do not depend on where the linear predictor has its zero, however far away."""
    plain = baseline_hazard(gbsg().time, gbsg().status, gbsg().lpA)
    far = baseline_hazard(gbsg().time, gbsg().status, gbsg().lpA + 600)

    assert far.risk(gbsg().lpA + 600, 3) == pytest.approx(plain.risk(gbsg().lpA, 3), rel=1e-12)


def test_baseline_hazard_ends_with_follow_up() -> None:
    """After the last patient the hazard is unknown."""
    with pytest.raises(UndefinedEstimate, match="horizon 4 lies beyond follow-up, which ends at 3"):
        baseline_hazard([1, 3], [1, 0], [0, 1]).risk([0], 4)


@pytest.mark.parametrize("predictor", [[0.0, 701.0], [0.0, -1e4]])
def test_baseline_hazard_refuses_linear_predictors_beyond_floating_point(predictor: list[float]) -> None:
    """Hazards that floating point cannot hold are refused, in development and in prediction."""
    with pytest.raises(UndefinedEstimate, match="beyond 700"):
        baseline_hazard([1, 3], [1, 0], predictor)
    with pytest.raises(UndefinedEstimate, match="beyond 700"):
        baseline_hazard([1, 3], [1, 0], [0, 1]).risk(predictor, 2)
    with pytest.raises(UndefinedEstimate, match="not a number or beyond 700 for 1 of 2 patients"):
        baseline_hazard([1, 3], [1, 0], [0, 1]).risk([np.nan, 0], 2)


def test_refuses_a_covariate_that_never_varies_among_those_at_risk() -> None:
    """Only patients who left before the first event differ: the events say nothing about the covariate."""
    with pytest.raises(UndefinedEstimate, match="do not vary, or only together, among those at risk"):
        fit_cox([1, 2, 3, 4, 5], [0, 0, 1, 1, 0], [[0], [1], [2], [2], [2]])


@pytest.mark.parametrize("n", [20, 50, 100, 500, 1000, 20000])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_small_group_that_dies_first_separates_at_any_size(n: int, first: int) -> None:
    """Its hazard ratio is infinite; a first step of Newton so long that the likelihood is flat there is no maximum."""
    time, event = np.arange(1, n + 1.0), np.arange(n) % 3 == 0
    event[:first] = True
    group = (np.arange(n) < first).astype(float)[:, None]

    with pytest.raises(UndefinedEstimate, match="no finite maximum: the covariates separate the events"):
        fit_cox(time, event, group)


def test_a_small_group_that_nearly_dies_first_has_a_ratio() -> None:
    """One death before theirs makes it finite, however rare the group; by hand from the score of two deaths."""
    time, event = np.arange(1, 1001.0), np.zeros(1000, dtype=bool)
    event[:2] = True
    group = (np.arange(1000) == 1).astype(float)[:, None]
    # 1 - h/(h + 998) = h/(h + 999): the risk set of the first death holds 999 others, that of theirs 998.
    expected = np.sqrt(998 * 999)

    assert np.exp(fit_cox(time, event, group).coefficients[0]) == pytest.approx(expected, rel=1e-6)


def test_one_patient_apart_from_two_nearly_equal_covariates_equals_r() -> None:
    """A first step that overshoots until risk sets vanish by rounding is halved; coxph finds the same maximum."""
    expected = survival_reference()["nearly_collinear"]
    data = gbsg()
    second = data[data.status == 1].sort_values("time").index[1]
    twin = data.grade3.astype(float).copy()
    twin[second] = 1 - twin[second]
    fit = fit_cox(data.time, data.status, np.column_stack([data.lpA, data.grade3, twin, data.hormon]))

    assert fit.coefficients == pytest.approx(expected["coef"], rel=1e-8)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(expected["se"], rel=1e-8)


def test_tens_of_thousands_of_events_converge() -> None:
    """Rounding grows with the events, and the limit of the last step with it: the fit is not refused."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((200_000, 3))
    event_time, leaving = rng.exponential(np.exp(-x @ (0.5, -0.3, 0.0))), rng.uniform(0.2, 2.0, len(x))
    fit = fit_cox(np.minimum(event_time, leaving), event_time <= leaving, x)

    assert fit.events > 90_000
    assert np.abs(fit.coefficients - (0.5, -0.3, 0.0)).max() < 4 * np.sqrt(np.diag(fit.covariance)).max()
