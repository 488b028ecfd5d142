"""Net reclassification improvement (NRI) and integrated discrimination improvement (IDI) of a new over an old model.

Positive values favour the new model. Caution: neither is a proper measure of performance. A miscalibrated or useless
new model can raise them (Hilden and Gerds, Stat Med 2014;33:3405; Pepe et al., Stat Biosci 2015;7:282), and the Wald
test of a model fitted on the same data rejects too often. Report them, if at all, with calibration and net benefit.

Both are a mean over events less a mean over non-events: of the direction in which the new model moves a patient (NRI),
or of the difference of the two risks (IDI). The parts are "events" (NRI+), "non_events" (NRI-, positive where the new
model moves non-events down) and "overall", their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate
from validation.estimators.influence import Influence
from validation.estimators.samples import Bools, Floats, ascending_thresholds, indicator, require_classes, risk_vector
from validation.estimators.survival.group_risk import joint_risk
from validation.estimators.survival.weighted_cohort import WeightedCohort, WeightedStatus, weighted_cohort

Component = Literal["overall", "events", "non_events"]
Censoring = Literal["ipcw", "km"]
Part = tuple[float, Floats]


def _risks(old: ArrayLike, new: ArrayLike, length: int) -> tuple[Floats, Floats]:
    return risk_vector(old, length, "the old risk"), risk_vector(new, length, "the new risk")


def _movement(old: Floats, new: Floats, cuts: Sequence[float] | None) -> Floats:
    """Return 1 where the new model moves a patient up, -1 where down, 0 where it leaves the category (or risk)."""
    if cuts is None:
        return np.asarray(np.sign(new - old), dtype=np.float64)
    edges = ascending_thresholds(cuts, "cuts")
    category = [np.searchsorted(edges, risk, side="right") for risk in (old, new)]
    return np.asarray(np.sign(category[1] - category[0]), dtype=np.float64)


def _component(events: Part, non_events: Part, component: Component) -> Part:
    return {
        "events": events,
        "non_events": non_events,
        "overall": (events[0] + non_events[0], events[1] + non_events[1]),
    }[component]


def _tested(of_part: Callable[[Component], Influence], component: Component, level: float) -> Estimate:
    """Return the estimate; that of both parts only if each of them has an interval.

    Raises:
        UndefinedEstimate: As `Influence.tested`: all cases, or all controls, move alike.
    """
    if component == "overall":
        of_part("events").tested(level)
        of_part("non_events").tested(level)
    return of_part(component).tested(level)


def _negative(part: Part) -> Part:
    return -part[0], -part[1]


def _nri_name(cuts: Sequence[float] | None, component: Component) -> str:
    kind = "continuous NRI" if cuts is None else f"NRI with cuts {', '.join(f'{x:g}' for x in cuts)}"
    return kind + {"overall": "", "events": " among events", "non_events": " among non-events"}[component]


def _binary(cases: Bools, values: Floats, component: Component, lost_degrees: int) -> Part:
    """Return the mean over cases less that over controls; variances divide by the number less `lost_degrees`."""
    require_classes(int(cases.sum()), int((~cases).sum()), least=2)

    def mean(group: Bools) -> Part:
        size = int(np.count_nonzero(group))
        average = float(values[group].mean())
        return average, np.where(group, values - average, 0.0) / np.sqrt(size * (size - lost_degrees))

    return _component(mean(cases), _negative(mean(~cases)), component)


def nri_influence(
    case: ArrayLike,
    old: ArrayLike,
    new: ArrayLike,
    *,
    cuts: Sequence[float] | None = None,
    component: Component = "overall",
) -> Influence:
    """Estimate the NRI for a binary outcome, with influence contributions. Mind the caution at the top of this module.

    The variance is that of Pencina, D'Agostino and Steyerberg (Stat Med 2011;30:11), as in R's Hmisc::improveProb (no
    cuts) and not the null variance of Pencina 2008. With cuts the value equals nricens::nribin(updown="category").

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        old: Shape (n,), predicted probability of the old model.
        new: Shape (n,), that of the new model.
        cuts: Category limits, ascending; a probability equal to a cut belongs above. None: any change counts.
        component: Both parts, or one.

    Raises:
        UndefinedEstimate: Non-finite or mismatched arrays, a probability outside [0, 1], impossible cuts; fewer than
            two of a class; both parts asked for and one without variance.
    """
    cases = indicator("case", case)
    movement = _movement(*_risks(old, new, cases.size), cuts)
    value, contributions = _binary(cases, movement, component, lost_degrees=0)
    method = f"{_nri_name(cuts, component)}, variance of Pencina 2011 (not a proper measure)"
    return Influence(value, contributions, cases.size, int(np.count_nonzero(cases)), method)


def nri(
    case: ArrayLike,
    old: ArrayLike,
    new: ArrayLike,
    *,
    cuts: Sequence[float] | None = None,
    component: Component = "overall",
    level: float = 0.95,
) -> Estimate:
    """Estimate the NRI for a binary outcome with Wald interval and test; arguments as `nri_influence`.

    Raises:
        UndefinedEstimate: As `nri_influence`; all patients of a class move alike, hence no interval.
    """
    return _tested(lambda part: nri_influence(case, old, new, cuts=cuts, component=part), component, level)


def idi_influence(case: ArrayLike, old: ArrayLike, new: ArrayLike, *, component: Component = "overall") -> Influence:
    """Estimate the IDI for a binary outcome, with influence contributions. Mind the caution at the top of this module.

    Value and standard error equal R's Hmisc::improveProb, that is Pencina 2008 with the covariance of the two models.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        old: Shape (n,), predicted probability of the old model.
        new: Shape (n,), that of the new model.
        component: Both parts, or one.

    Raises:
        UndefinedEstimate: Non-finite or mismatched arrays, a probability outside [0, 1]; fewer than two of a class.
    """
    cases = indicator("case", case)
    old_risk, new_risk = _risks(old, new, cases.size)
    value, contributions = _binary(cases, new_risk - old_risk, component, lost_degrees=1)
    method = f"{_idi_name(component)}, paired variance (Pencina 2008; not a proper measure)"
    return Influence(value, contributions, cases.size, int(np.count_nonzero(cases)), method)


def _idi_name(component: Component) -> str:
    return "IDI" + {"overall": "", "events": " among events", "non_events": " among non-events"}[component]


def idi(
    case: ArrayLike, old: ArrayLike, new: ArrayLike, *, component: Component = "overall", level: float = 0.95
) -> Estimate:
    """Estimate the IDI for a binary outcome with Wald interval and test; arguments as `idi_influence`.

    Raises:
        UndefinedEstimate: As `idi_influence`; the risks of a class all change alike, hence no interval.
    """
    return _tested(lambda part: idi_influence(case, old, new, component=part), component, level)


def _weighted(cohort: WeightedCohort, status: WeightedStatus, values: Floats, component: Component) -> Part:
    events = cohort.mean_among(values, status.case, status, "case")
    return _component(events, _negative(cohort.mean_among(values, status.control, status, "control")), component)


def _kaplan_meier(cohort: WeightedCohort, status: WeightedStatus, movement: Floats, component: Component) -> Part:
    """Return the NRI from the Kaplan-Meier risks of those moved up, those moved down and everybody (Pencina 2011)."""
    n = cohort.time.size
    net_events, net_shares = 0.0, np.zeros(n)
    for sign in (1, -1):
        value, shares = joint_risk(cohort.time, cohort.event, movement == sign, status.horizon)
        net_events, net_shares = net_events + sign * value, net_shares + sign * shares
    risk, risk_shares = joint_risk(cohort.time, cohort.event, np.ones(n, dtype=np.bool_), status.horizon)
    net_free, free_shares = movement.mean() - net_events, (movement - movement.mean()) / n - net_shares
    up, down = net_events / risk, net_free / (1 - risk)
    events = (up, (net_shares - up * risk_shares) / risk)
    non_events = (-down, -(free_shares + down * risk_shares) / (1 - risk))
    return _component(events, non_events, component)


def nri_at_horizon_influence(
    time: ArrayLike,
    event: ArrayLike,
    old: ArrayLike,
    new: ArrayLike,
    *,
    horizon: float,
    cuts: Sequence[float] | None = None,
    component: Component = "overall",
    censoring: Censoring = "ipcw",
) -> Influence:
    """Estimate the NRI for the event by a horizon, with influence contributions; see the caution of this module.

    "ipcw" weights cases by 1 / G(T-), as everywhere here, and carries the variance of G. nricens 1.6
    (point.method="ipw") takes G(T) from survfit(Surv(time, 1 - status)), which lowers G at an event tied with a
    censoring and keeps tied events at risk; without ties the values are equal. "km" equals nricens
    (point.method="km"), Pencina 2011; censoring may then differ between those moved up and down.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        old: Shape (n,), predicted risk of the event by the horizon, of the old model.
        new: Shape (n,), that of the new model.
        horizon: In the unit of `time`; an event at the horizon counts.
        cuts: Category limits, ascending; a risk equal to a cut belongs above. None: any change counts.
        component: Both parts, or one.
        censoring: How patients lost before the horizon are accounted for.

    Raises:
        UndefinedEstimate: As `survival_sample`; horizon beyond follow-up; no case or no control there; a risk outside
            [0, 1], impossible cuts; with "km" also: follow-up of those moved up or down ends before the horizon.
    """
    cohort = weighted_cohort(time, event)
    status = cohort.status(horizon, of_each=2)
    movement = _movement(*_risks(old, new, cohort.time.size), cuts)
    value, contributions = {"ipcw": _weighted, "km": _kaplan_meier}[censoring](cohort, status, movement, component)
    how = {"ipcw": "censoring weights", "km": "Kaplan-Meier (Pencina 2011)"}[censoring]
    method = f"{_nri_name(cuts, component)}, {how}, {status.lost} lost before the horizon (not a proper measure)"
    n_cases = int(np.count_nonzero(status.case))
    return Influence(value, contributions, cohort.time.size, n_cases, method, horizon)


def nri_at_horizon(
    time: ArrayLike,
    event: ArrayLike,
    old: ArrayLike,
    new: ArrayLike,
    *,
    horizon: float,
    cuts: Sequence[float] | None = None,
    component: Component = "overall",
    censoring: Censoring = "ipcw",
    level: float = 0.95,
) -> Estimate:
    """Estimate the NRI for the event by a horizon with Wald interval and test; as `nri_at_horizon_influence`.

    Raises:
        UndefinedEstimate: As `nri_at_horizon_influence`; nobody moves, hence no interval.
    """
    return _tested(
        lambda part: nri_at_horizon_influence(
            time, event, old, new, horizon=horizon, cuts=cuts, component=part, censoring=censoring
        ),
        component,
        level,
    )


def idi_at_horizon_influence(
    time: ArrayLike,
    event: ArrayLike,
    old: ArrayLike,
    new: ArrayLike,
    *,
    horizon: float,
    component: Component = "overall",
) -> Influence:
    """Estimate the IDI for the event by a horizon, with influence contributions; see the caution of this module.

    Predictions are fixed and weighted by 1 / G(T-) as in `nri_at_horizon_influence`. R's survIDINRI::IDI.INF refits
    both models to the data, and is another quantity.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        old: Shape (n,), predicted risk of the event by the horizon, of the old model.
        new: Shape (n,), that of the new model.
        horizon: In the unit of `time`; an event at the horizon counts.
        component: Both parts, or one.

    Raises:
        UndefinedEstimate: As `survival_sample`; horizon beyond follow-up; no case or no control there; a risk outside
            [0, 1].
    """
    cohort = weighted_cohort(time, event)
    status = cohort.status(horizon, of_each=2)
    old_risk, new_risk = _risks(old, new, cohort.time.size)
    value, contributions = _weighted(cohort, status, new_risk - old_risk, component)
    method = f"{_idi_name(component)}, censoring weights, {status.lost} lost before the horizon (not a proper measure)"
    n_cases = int(np.count_nonzero(status.case))
    return Influence(value, contributions, cohort.time.size, n_cases, method, horizon)


def idi_at_horizon(
    time: ArrayLike,
    event: ArrayLike,
    old: ArrayLike,
    new: ArrayLike,
    *,
    horizon: float,
    component: Component = "overall",
    level: float = 0.95,
) -> Estimate:
    """Estimate the IDI for the event by a horizon with Wald interval and test; as `idi_at_horizon_influence`.

    Raises:
        UndefinedEstimate: As `idi_at_horizon_influence`; no risk changes, hence no interval.
    """
    return _tested(
        lambda part: idi_at_horizon_influence(time, event, old, new, horizon=horizon, component=part), component, level
    )
