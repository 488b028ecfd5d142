"""Decision curve and clinical impact curve: what a figure needs, threshold by threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.classification.proportion import exact_limits
from validation.estimators.classification.threshold import positives
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.intervals import confidence_limits, quantile
from validation.estimators.samples import (
    Floats,
    ascending_thresholds,
    finite_vector,
    indicator,
    status_at_horizon,
    survival_sample,
)
from validation.estimators.survival.group_risk import joint_risk
from validation.estimators.utility.net_benefit import net_benefit_at_horizon_influence, net_benefit_influence

BandKind = Literal["pointwise", "simultaneous"]
PER = 1000  # patients, of the clinical impact curve
DRAWS, SEED = 20_000, 2006  # of the normal distribution that a simultaneous band follows


@dataclass(frozen=True, eq=False)
class Band:
    """A curve with its limits, each of shape (k,); NaN where the data define no value or no interval."""

    value: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit over thresholds; that of treating nobody is 0.

    Attributes:
        threshold: Shape (k,).
        model: Net benefit of treating from the threshold on.
        treat_all: Net benefit of treating everybody.
        over_treat_all: The paired difference of the two.
        p_value: Two-sided, of no difference from treating everybody, at each threshold alone, shape (k,); NaN where the
            model treats everybody too.
        level: Two-sided confidence level.
        n: Patients.
        events: Cases, or events by the horizon.
        method: Estimator and kind of band, in words.
        horizon: Prediction horizon, if there is one.
        undefined: Why a value or limit is NaN, one sentence each.
    """

    threshold: Floats
    model: Band
    treat_all: Band
    over_treat_all: Band
    p_value: Floats
    level: float
    n: int
    events: int
    method: str
    horizon: float | None
    undefined: tuple[str, ...]


def _critical_value(points: list[Influence], kind: BandKind, level: float) -> float:
    """Return the normal quantile, or that of the largest deviation over the curve (a sup-t band)."""
    moving = [x.contributions / x.standard_error() for x in points if x.standard_error()]
    if kind == "pointwise" or not moving:
        return quantile(level)
    _, scale, rotation = np.linalg.svd(np.stack(moving) @ np.stack(moving).T)
    draws = np.random.default_rng(SEED).standard_normal((DRAWS, scale.size))
    root = rotation.T @ (np.sqrt(scale)[:, None] * rotation)  # the symmetric one: no other is safe from rounding
    deviations = np.abs(draws @ root).max(axis=1)
    return max(quantile(level), float(np.quantile(deviations, level)))


def _band(points: list[Influence], kind: BandKind, level: float) -> Band:
    value, error = np.array([(x.value, x.standard_error()) for x in points]).T
    half_width = np.where(error > 0, error * _critical_value(points, kind, level), np.nan)
    return Band(value, value - half_width, value + half_width)


def _curve(
    influence: Callable[[Floats, float], Influence], risk: Floats, thresholds: Floats, kind: BandKind, level: float
) -> DecisionCurve:
    quantile(level)  # refuses an impossible level
    everybody = [influence(np.ones_like(risk), x) for x in thresholds]
    nothing = replace(everybody[0], value=np.nan, contributions=np.zeros(risk.size))
    models, gains, undefined = [], [], []
    for threshold, treat_all in zip(thresholds, everybody, strict=True):
        model, gain, why = nothing, nothing, ""
        try:
            model = influence(risk, float(threshold))
            gain = model - treat_all
            if not model.standard_error():
                why = "nobody is treated, hence no interval"
            elif not gain.standard_error():
                why = "everybody is treated, hence no difference from treating all"
        except UndefinedEstimate as reason:
            if not reason.too_few:
                raise
            why = str(reason)
        models.append(model)
        gains.append(gain)
        if why:
            undefined.append(f"threshold {threshold:g}: {why}")
    return DecisionCurve(
        threshold=thresholds,
        model=_band(models, kind, level),
        treat_all=_band(everybody, kind, level),
        over_treat_all=_band(gains, kind, level),
        p_value=np.array([x.tested(level).p_value if x.standard_error() else None for x in gains], dtype=np.float64),
        level=level,
        n=risk.size,
        events=everybody[0].events,
        method=f"{everybody[0].method.replace(f' at threshold {thresholds[0]:g}', '')}, {kind} Wald band",
        horizon=everybody[0].horizon,
        undefined=tuple(undefined),
    )


def decision_curve(
    case: ArrayLike,
    probability: ArrayLike,
    thresholds: ArrayLike,
    *,
    standardized: bool = False,
    band: BandKind = "pointwise",
    level: float = 0.95,
) -> DecisionCurve:
    """Draw the decision curve for a binary outcome; values equal R's dcurves::dca.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case.
        thresholds: Shape (k,), ascending, strictly between 0 and 1.
        standardized: Divide by the prevalence.
        band: "pointwise", or "simultaneous": the whole true curve lies in the band at the level given (sup-t band;
            Montiel Olea and Plagborg-Møller, J Appl Econom 2019;34:1).
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `net_benefit_influence`, or impossible thresholds. What is undefined at one threshold
            alone is NaN there, with the reason in `undefined`.
    """
    cases = indicator("case", case)
    values = finite_vector("probability", probability, cases.size)

    def influence(risk: Floats, threshold: float) -> Influence:
        return net_benefit_influence(cases, risk, threshold=threshold, standardized=standardized)

    return _curve(influence, values, ascending_thresholds(thresholds), band, level)


def decision_curve_at_horizon(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    thresholds: ArrayLike,
    *,
    horizon: float,
    standardized: bool = False,
    band: BandKind = "pointwise",
    level: float = 0.95,
) -> DecisionCurve:
    """Draw the decision curve for the event by a horizon; values equal R's dcurves::dca.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        risk: Shape (n,), predicted risk of the event by the horizon.
        thresholds: Shape (k,), ascending, strictly between 0 and 1.
        horizon: In the unit of `time`.
        standardized: Divide by the Kaplan-Meier risk of the cohort.
        band: As `decision_curve`.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `decision_curve` and `net_benefit_at_horizon_influence`.
    """
    times, events = survival_sample(time, event)
    values = finite_vector("risk", risk, times.size)

    def influence(risk: Floats, threshold: float) -> Influence:
        return net_benefit_at_horizon_influence(
            times, events, risk, threshold=threshold, horizon=horizon, standardized=standardized
        )

    return _curve(influence, values, ascending_thresholds(thresholds), band, level)


@dataclass(frozen=True, eq=False)
class ClinicalImpact:
    """How many of 1000 patients a threshold calls high risk, and how many of these have the event.

    Attributes:
        threshold: Shape (k,).
        high_risk: Patients at or above the threshold, per 1000, with exact limits.
        with_event: Those of them who have the event, per 1000.
        level: Two-sided confidence level, at each threshold alone.
        n: Patients.
        method: Estimators and intervals, in words.
        horizon: Prediction horizon, if there is one.
        undefined: Why a value or limit of `with_event` is NaN, one sentence each.
    """

    threshold: Floats
    high_risk: Band
    with_event: Band
    level: float
    n: int
    method: str
    horizon: float | None
    undefined: tuple[str, ...]


def _per_thousand(rows: list[tuple[float, float, float]]) -> Band:
    value, lower, upper = PER * np.asarray(rows, dtype=np.float64).T
    return Band(value, lower, upper)


def _exact(count: int, n: int, level: float) -> tuple[float, float, float]:
    return (count / n, *exact_limits(count, n, level))


def clinical_impact(
    case: ArrayLike, probability: ArrayLike, thresholds: ArrayLike, *, level: float = 0.95
) -> ClinicalImpact:
    """Draw the clinical impact curve for a binary outcome (Kerr, J Clin Oncol 2016;34:2534).

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case.
        thresholds: Shape (k,), ascending, strictly between 0 and 1.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `net_benefit_influence`, or impossible thresholds.
    """
    quantile(level)
    cases, at = indicator("case", case), ascending_thresholds(thresholds)
    high = [positives(probability, cases.size, float(x)) for x in at]
    n = cases.size
    return ClinicalImpact(
        threshold=at,
        high_risk=_per_thousand([_exact(int(x.sum()), n, level) for x in high]),
        with_event=_per_thousand([_exact(int((x & cases).sum()), n, level) for x in high]),
        level=level,
        n=n,
        method="per 1000 patients, pointwise exact intervals (Clopper-Pearson 1934)",
        horizon=None,
        undefined=(),
    )


def clinical_impact_at_horizon(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, thresholds: ArrayLike, *, horizon: float, level: float = 0.95
) -> ClinicalImpact:
    """Draw the clinical impact curve for the event by a horizon, from the Kaplan-Meier risk among those at high risk.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        risk: Shape (n,), predicted risk of the event by the horizon.
        thresholds: Shape (k,), ascending, strictly between 0 and 1.
        horizon: In the unit of `time`.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `net_benefit_at_horizon_influence`, or impossible thresholds. What is undefined at one
            threshold alone is NaN there, with the reason in `undefined`.
    """
    quantile(level)
    times, events = survival_sample(time, event)
    status_at_horizon(times, events, horizon)  # refuses a horizon beyond follow-up
    at = ascending_thresholds(thresholds)
    high = [positives(risk, times.size, float(x), "risk") for x in at]
    rows, undefined = [], []
    for threshold, group in zip(at, high, strict=True):
        value, lower, upper = np.nan, np.nan, np.nan
        try:
            value, contributions = joint_risk(times, events, group, horizon)
            lower, upper = confidence_limits(value, float(np.sqrt(np.sum(contributions**2))), "logit", level)
        except UndefinedEstimate as reason:
            undefined.append(f"threshold {threshold:g}: {reason}")
        rows.append((value, lower, upper))
    return ClinicalImpact(
        threshold=at,
        high_risk=_per_thousand([_exact(int(x.sum()), times.size, level) for x in high]),
        with_event=_per_thousand(rows),
        level=level,
        n=times.size,
        method="per 1000 patients, pointwise; high risk: exact intervals (Clopper-Pearson 1934); with event: from the "
        "Kaplan-Meier risk among those at high risk, logit intervals",
        horizon=horizon,
        undefined=tuple(undefined),
    )
