"""Net benefit of deciding by a model at a threshold (Vickers and Elkin, Med Decis Making 2006;26:565).

True positives less false positives, the latter weighted by the odds of the threshold, per patient. Treating nobody has
net benefit 0; treating everybody is a risk of 1 for everyone. Compare two strategies by `paired_difference` of their
influences.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.classification.threshold import positives
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.samples import Floats, indicator, status_at_horizon, survival_sample
from validation.estimators.survival.group_risk import joint_risk


def _influence(
    treated: tuple[float, Floats], share: tuple[float, Floats], risk: tuple[float, Floats] | None, threshold: float
) -> tuple[float, Floats]:
    """Return net benefit and contributions from those of treated cases, of everybody treated, and of the cases."""
    weight = threshold / (1 - threshold)
    value = treated[0] - weight * (share[0] - treated[0])
    contributions = treated[1] - weight * (share[1] - treated[1])
    if risk is None:
        return value, contributions
    if risk[0] == 0:
        raise UndefinedEstimate("no event: the net benefit cannot be divided by the risk", too_few=True)
    return value / risk[0], (contributions - value / risk[0] * risk[1]) / risk[0]


def _mean(values: ArrayLike) -> tuple[float, Floats]:
    numbers = np.asarray(values, dtype=np.float64)
    return float(numbers.mean()), (numbers - numbers.mean()) / numbers.size


def _method(what: str, threshold: float, standardized: bool) -> str:
    return f"{'standardized ' if standardized else ''}net benefit at threshold {threshold:g}, {what}"


def net_benefit_influence(
    case: ArrayLike, probability: ArrayLike, *, threshold: float, standardized: bool = False
) -> Influence:
    """Estimate net benefit for a binary outcome, with influence contributions; the value equals R's dcurves::dca.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case; all 1 for treating everybody.
        threshold: Strictly between 0 and 1; a probability at or above it is treated.
        standardized: Divide by the prevalence, the net benefit of a perfect model (Kerr, J Clin Oncol 2016;34:2534).

    Raises:
        UndefinedEstimate: Non-finite or mismatched arrays, a probability outside [0, 1], an impossible threshold;
            no case, if standardized.
    """
    cases = indicator("case", case)
    treat = positives(probability, cases.size, threshold)
    prevalence = _mean(cases) if standardized else None
    value, contributions = _influence(_mean(treat & cases), _mean(treat), prevalence, threshold)
    method = _method("binary outcome (Vickers and Elkin 2006)", threshold, standardized)
    return Influence(value, contributions, cases.size, int(np.count_nonzero(cases)), method)


def net_benefit_at_horizon_influence(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    threshold: float,
    horizon: float,
    standardized: bool = False,
) -> Influence:
    """Estimate net benefit for the event by a horizon, from the Kaplan-Meier risk among those treated (Vickers 2008).

    The value equals R's dcurves::dca(Surv(time, status) ~ risk, time=horizon). The contributions are those of the share
    of patients treated and of their Kaplan-Meier curve, whose part in the variance is Greenwood's.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        risk: Shape (n,), predicted risk of the event by the horizon; all 1 for treating everybody.
        threshold: Strictly between 0 and 1; a risk at or above it is treated.
        horizon: In the unit of `time`; an event at the horizon counts.
        standardized: Divide by the Kaplan-Meier risk of the cohort.

    Raises:
        UndefinedEstimate: As `status_at_horizon`; a risk outside [0, 1], an impossible threshold; the follow-up of
            those treated ends before the horizon; no event by the horizon, if standardized.
    """
    times, events = survival_sample(time, event)
    _, case = status_at_horizon(times, events, horizon)
    treat = positives(risk, times.size, threshold, "risk")
    overall = joint_risk(times, events, np.ones_like(treat), horizon) if standardized else None
    value, contributions = _influence(joint_risk(times, events, treat, horizon), _mean(treat), overall, threshold)
    method = _method("Kaplan-Meier risk among those treated (Vickers 2008)", threshold, standardized)
    return Influence(value, contributions, times.size, int(np.count_nonzero(case)), method, horizon)


def net_benefit(
    case: ArrayLike,
    probability: ArrayLike,
    *,
    threshold: float,
    standardized: bool = False,
    level: float = 0.95,
) -> Estimate:
    """Estimate net benefit for a binary outcome with its Wald interval.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case.
        threshold: A probability at or above it is treated.
        standardized: Divide by the prevalence.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `net_benefit_influence`; nobody is treated, hence no interval.
    """
    influence = net_benefit_influence(case, probability, threshold=threshold, standardized=standardized)
    return influence.estimate(scale="identity", level=level)


def net_benefit_at_horizon(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    threshold: float,
    horizon: float,
    standardized: bool = False,
    level: float = 0.95,
) -> Estimate:
    """Estimate net benefit for the event by a horizon with its Wald interval.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        risk: Shape (n,), predicted risk of the event by the horizon.
        threshold: A risk at or above it is treated.
        horizon: In the unit of `time`.
        standardized: Divide by the Kaplan-Meier risk of the cohort.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `net_benefit_at_horizon_influence`; nobody is treated, hence no interval.
    """
    influence = net_benefit_at_horizon_influence(
        time, event, risk, threshold=threshold, horizon=horizon, standardized=standardized
    )
    return influence.estimate(scale="identity", level=level)
