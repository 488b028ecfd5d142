"""Calibration tests in groups of predicted risk: Hosmer-Lemeshow, and Greenwood-Nam-D'Agostino for survival."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import (
    Floats,
    censor_at_horizon,
    indicator,
    prediction_vector,
    risk_vector,
    survival_sample,
)
from validation.estimators.survival.kaplan_meier import kaplan_meier


@dataclass(frozen=True)
class RiskGroup:
    """Patients of similar predicted risk.

    Attributes:
        n: Patients.
        events: Events (by the horizon) or cases among them.
        predicted: Mean predicted risk.
        observed: Share of cases, or one less the Kaplan-Meier survival at the horizon.
        standard_error: Of `observed`: binomial (0 where all or none are cases) or Greenwood's.
    """

    n: int
    events: int
    predicted: float
    observed: float
    standard_error: float


@dataclass(frozen=True)
class GroupedTest:
    """A calibration test in groups.

    Attributes:
        chi_square: Test statistic.
        degrees_of_freedom: As `method` says.
        p_value: Upper tail of the chi-square distribution; small where predictions are wrong, or the sample is large.
        groups: In ascending order of predicted risk.
        method: Test, rule for the degrees of freedom and for small groups, in words, with the source.
    """

    chi_square: float
    degrees_of_freedom: int
    p_value: float
    groups: tuple[RiskGroup, ...]
    method: str


def _quantile_groups(risk: Floats, count: int) -> NDArray[np.int64]:
    """Number the groups without gaps, as R does by cut(risk, unique(quantile(risk)), include.lowest = TRUE)."""
    if count < 2:
        raise UndefinedEstimate(f"{count} groups: at least 2 are needed")
    limits = np.unique(np.quantile(risk, np.arange(count + 1) / count))
    return np.unique(np.searchsorted(limits[1:-1], risk, side="left"), return_inverse=True)[1]


def hosmer_lemeshow(
    case: ArrayLike, probability: ArrayLike, *, cohort: Literal["development", "external"], groups: int = 10
) -> GroupedTest:
    """Test whether cases are as many as predicted in groups between quantiles of predicted probability.

    Statistic and groups equal R's ResourceSelection::hoslem.test. Degrees of freedom: groups - 2 on the data that the
    model was fitted to, groups on external data (Hosmer, Lemeshow and Sturdivant, Applied Logistic Regression).
    Where equal predictions leave fewer groups than asked for, those that exist are counted; hoslem.test counts those
    asked for. The P value depends on the number of groups and on n: no substitute for the curve.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case.
        cohort: Whether the model was fitted to these patients.
        groups: Number of groups asked for.

    Raises:
        UndefinedEstimate: As `indicator`, `risk_vector` and `prediction_vector`; too few groups; a group in which no
            case, or no control, is expected.
    """
    cases = indicator("case", case)
    n = cases.size
    risk = prediction_vector(risk_vector(probability, n, "probability"), n)
    index = _quantile_groups(risk, groups)
    size = np.bincount(index)
    observed = np.bincount(index, weights=cases)
    expected = np.bincount(index, weights=risk)
    rule = {"development": "groups - 2, development data", "external": "groups, external data"}[cohort]
    degrees = size.size - (2 if cohort == "development" else 0)
    if degrees < 1 or size.size < 2:
        raise UndefinedEstimate(f"equal predictions leave {size.size} groups: no degree of freedom")
    if np.any(expected <= 0) or np.any(expected >= size):
        raise UndefinedEstimate("in a group of patients no case, or no control, is expected")
    chi_square = float(np.sum((observed - expected) ** 2 * (1 / expected + 1 / (size - expected))))
    method = f"Hosmer-Lemeshow test, {size.size} groups between quantiles of predicted risk, degrees of freedom: {rule}"
    share = observed / size
    error = np.sqrt(share * (1 - share) / size)
    table = tuple(
        RiskGroup(int(size[g]), int(observed[g]), float(expected[g] / size[g]), float(share[g]), float(error[g]))
        for g in range(size.size)
    )
    return GroupedTest(chi_square, degrees, float(chdtrc(degrees, chi_square)), table, method)


def _merge_small(index: NDArray[np.int64], events: NDArray[np.int64], minimum: int) -> NDArray[np.int64]:
    """Merge each group with too few events with the next higher one, what is left at the top with the one below."""
    merged = np.zeros(events.size, dtype=np.int64)
    current, collected = 0, 0
    for group, count in enumerate(events):
        merged[group] = current
        collected += count
        if collected >= minimum:
            current, collected = current + 1, 0
    merged[merged == current] = max(current - 1, 0)
    return merged[index]


def greenwood_nam_dagostino(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    horizon: float,
    *,
    groups: int = 10,
    minimum_events: int = 5,
) -> GroupedTest:
    """Test whether Kaplan-Meier risk at a horizon is as predicted in groups between quantiles of predicted risk.

    Sum over groups of (observed - mean predicted)^2 / Greenwood variance, degrees of freedom: groups - 1 (Demler,
    Paynter and Cook, Stat Med 2015;34:1659). As advised there, groups with fewer than 5 events are merged with a
    neighbour, here with the next higher risk, at the top with the next lower; the method says how many are left.

    Args:
        time: Shape (n,), in the unit of `horizon`.
        event: Shape (n,).
        risk: Shape (n,), predicted probability of the event by the horizon.
        horizon: Of the predicted risks.
        groups: Number of groups asked for.
        minimum_events: By the horizon, for a group to stand alone; at least 1.

    Raises:
        UndefinedEstimate: As `censor_at_horizon`, `risk_vector` and `prediction_vector`; fewer than 2 groups remain; in
            a group follow-up ends before the horizon or nobody is left without event.
    """
    if minimum_events < 1:
        raise UndefinedEstimate(f"at least {minimum_events} events per group: without an event there is no variance")
    times, events = survival_sample(time, event)
    by_horizon = censor_at_horizon(times, events, horizon)[1]
    risks = prediction_vector(risk_vector(risk, times.size), times.size)
    asked = _quantile_groups(risks, groups)
    before = int(asked.max()) + 1
    index = _merge_small(asked, np.bincount(asked[by_horizon], minlength=before), minimum_events)
    count = int(index.max()) + 1
    if count < 2:
        raise UndefinedEstimate(f"fewer than 2 groups with {minimum_events} events by {horizon:g}", too_few=True)
    table = []
    for group in range(count):
        member = index == group
        try:
            survival, error = kaplan_meier(times[member], events[member]).at(horizon)
        except UndefinedEstimate as undefined:
            raise UndefinedEstimate(f"risk group {group + 1} of {count}: {undefined}", too_few=True) from None
        if error <= 0:
            raise UndefinedEstimate(f"risk group {group + 1} of {count}: survival 0 has no variance", too_few=True)
        size, n_events, predicted = int(member.sum()), int(by_horizon[member].sum()), float(risks[member].mean())
        table.append(RiskGroup(size, n_events, predicted, 1 - survival, error))
    chi_square = sum(((g.observed - g.predicted) / g.standard_error) ** 2 for g in table)
    method = (
        f"Greenwood-Nam-D'Agostino test (Demler 2015), degrees of freedom: groups - 1; {before} groups between "
        f"quantiles of predicted risk, {count} after merging until each has at least {minimum_events} events"
    )
    return GroupedTest(chi_square, count - 1, float(chdtrc(count - 1, chi_square)), tuple(table), method)
