"""Patients needed for the external validation of a survival model at a horizon.

After Riley, Stat Med 2022;41:1280, with three choices. Times are exponential given the linear predictor, the model is
right (slope 1, O/E 1), and loss to follow-up is exponential and independent of risk. The slope is that of a Cox model
on the linear predictor with follow-up cut at the horizon, not one of pseudo-observations, because that is the slope a
protocol judges; its information and Greenwood's variance of O/E are integrals and need no simulation. Only the variance
of Harrell's C is simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from validation.estimators.discrimination.concordance import harrell_c
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.intervals import quantile
from validation.estimators.sample_size.binary import WIDTH
from validation.estimators.sample_size.required import RequiredSize, required_size
from validation.estimators.samples import Bools, Floats, finite_vector, prediction_vector, require_between

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
SIMULATED = 20_000  # patients; their C has a standard error known to about 1 %


@dataclass(frozen=True, eq=False)
class SurvivalPlan:
    """What the cohort to come is expected to look like; the horizon is the unit of time.

    Attributes:
        linear_predictor: Shape (m,), log relative hazards that patients will have.
        hazard: Of a patient with linear predictor 0, per horizon.
        loss: Hazard of loss to follow-up, per horizon.
    """

    linear_predictor: Floats
    hazard: float
    loss: float

    def moments(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Return weights of times, survival S, followed G, event density f and spread of the linear predictor then.

        The times are 64 Gauss-Legendre nodes of the cube root of time: dense at the start, where the most endangered
        have their events. The spread is the variance of the linear predictor among those having their event.
        """
        root = (NODES + 1) / 2
        node, weight = root**3, 1.5 * WEIGHTS * root**2
        hazard = self.hazard * np.exp(self.linear_predictor)
        surviving = np.exp(-np.outer(node, hazard))
        dying = surviving * hazard
        total = dying.sum(axis=1)
        mean = dying @ self.linear_predictor / total
        spread = dying @ self.linear_predictor**2 / total - mean**2
        return weight, surviving.mean(axis=1), np.exp(-self.loss * node), dying.mean(axis=1), spread

    def simulate(self, patients: int, seed: int) -> tuple[Floats, Bools, Floats]:
        """Return follow-up cut at the horizon, event and linear predictor of simulated patients."""
        rng = np.random.default_rng(seed)
        predictor = rng.choice(self.linear_predictor, patients)
        event_time = rng.exponential(size=patients) / (self.hazard * np.exp(predictor))
        end = np.ones(patients) if self.loss == 0 else np.minimum(rng.exponential(1 / self.loss, patients), 1.0)
        return np.minimum(event_time, end), event_time <= end, predictor


def survival_plan(linear_predictor: ArrayLike, risk: float, *, lost: float = 0.0) -> SurvivalPlan:
    """Describe a cohort by its linear predictors, its mean risk at the horizon and its losses.

    Args:
        linear_predictor: Shape (m,), log relative hazards, for instance of a similar cohort or quantiles of an assumed
            distribution; only their spread matters.
        risk: Mean probability of the event by the horizon.
        lost: Probability that follow-up ends before the horizon in somebody who has no event.

    Raises:
        UndefinedEstimate: Values not finite or all equal; risk outside (0, 1); lost outside [0, 1).
    """
    require_between("risk", risk, 0, 1)
    if not 0 <= lost < 1:
        raise UndefinedEstimate(f"the share lost {lost:g} does not lie between 0 and 1")
    values = finite_vector("linear_predictor", linear_predictor)
    values = prediction_vector(values, values.size)
    values = values - values.max()
    relative = np.exp(values)

    def excess(log_hazard: float) -> float:
        return float(-np.expm1(-math.exp(log_hazard) * relative).mean()) - risk

    low = math.log(-math.log1p(-risk))  # at this hazard the most endangered patient has the mean risk
    high = low + 1
    while excess(high) < 0:
        high += high - low
    return SurvivalPlan(values, math.exp(brentq(excess, low, high, xtol=1e-13)), -math.log1p(-lost))


def sizes_for_survival(
    plan: SurvivalPlan,
    *,
    seed: int,
    width_observed_expected: float = WIDTH,
    width_slope: float = WIDTH,
    width_c: float = WIDTH / 2,
    level: float = 0.95,
) -> tuple[RequiredSize, RequiredSize, RequiredSize]:
    """Return the patients that O/E at the horizon, Cox calibration slope and Harrell's C need; the largest decides.

    O/E: Var(log O/E) = S^2 / (1 - S)^2 integral f / (S^2 G) / n, which without losses is (1 - risk) / (risk n). Slope:
    the Cox information per patient is the integral of f G times the variance of the linear predictor among those having
    their event. C: the infinitesimal-jackknife variance in one simulated cohort of 20 000, which falls with 1 / n.

    Args:
        plan: The cohort to come, from `survival_plan`.
        seed: Of the simulation.
        width_observed_expected: Of the interval of O/E, symmetric on the log scale around 1.
        width_slope: Of the Wald interval of the slope.
        width_c: Of the Wald interval of C.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: A width not positive; as `harrell_c`.
    """
    for width in (width_observed_expected, width_slope, width_c):
        require_between("width", width, 0, math.inf)
    z = quantile(level)
    weight, survival, followed, density, spread = plan.moments()
    survives = float(np.exp(-plan.hazard * np.exp(plan.linear_predictor)).mean())
    share = float(weight @ (density * followed))
    assumed = (
        f"risk {1 - survives:.3g} at the horizon, exponential times, {1 - math.exp(-plan.loss):.3g} lost (Riley 2022)"
    )

    greenwood = (survives / (1 - survives)) ** 2 * float(weight @ (density / (survival**2 * followed)))
    for_ratio = greenwood / (math.asinh(width_observed_expected / 2) / z) ** 2
    information = float(weight @ (density * followed * spread))
    for_slope = (2 * z / width_slope) ** 2 / information
    c = harrell_c(*plan.simulate(SIMULATED, seed), level=level, interval="wald")
    for_c = SIMULATED * ((c.upper - c.lower) / width_c) ** 2
    return (
        required_size("O/E", width_observed_expected, level, for_ratio, share, f"Greenwood variance, {assumed}"),
        required_size("Cox slope", width_slope, level, for_slope, share, f"slope 1, Cox information, {assumed}"),
        required_size(
            "Harrell's C", width_c, level, for_c, share, f"C {c.value:.3f}, {SIMULATED} simulated patients, {assumed}"
        ),
    )
