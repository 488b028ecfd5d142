"""The probability to belong to a group and have the event by a horizon: its share times its Kaplan-Meier risk."""

from __future__ import annotations

import numpy as np

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools, Floats


def _survival(time: Floats, event: Bools, horizon: float) -> tuple[float, Floats]:
    """Return Kaplan-Meier survival at the horizon and contributions whose squares add up to Greenwood's variance."""
    _, index = np.unique(time, return_inverse=True)
    events = np.bincount(index, weights=event & (time <= horizon))
    at_risk = np.cumsum(np.bincount(index)[::-1])[::-1]
    survival = float(np.prod(1 - events / at_risk))
    if survival == 0:  # whoever is added dies too: the curve stays at zero
        return 0.0, np.zeros(time.size)
    if time.max() < horizon:
        raise UndefinedEstimate(
            f"the follow-up of a group of {time.size} ends at {time.max():g}, before the horizon {horizon:g}",
            too_few=True,
        )
    survivors = np.maximum(at_risk - events, 1)
    hazard = np.cumsum(events / (at_risk * survivors))
    died = event & (time <= horizon)
    return survival, survival * (hazard[index] - died / survivors[index])


def joint_risk(time: Floats, event: Bools, group: Bools, horizon: float) -> tuple[float, Floats]:
    """Estimate the probability to belong to a group and to have the event by the horizon, as in Vickers 2008.

    Censoring may differ between the groups, unlike with weights from the whole cohort, but must be independent of the
    event within each.

    Args:
        time: Shape (n,), checked by `survival_sample`.
        event: Shape (n,).
        group: Shape (n,), who belongs; nobody gives zero.
        horizon: In the unit of `time`; an event at the horizon counts.

    Returns:
        The probability, and each patient's contribution to it, shape (n,).

    Raises:
        UndefinedEstimate: The group's follow-up ends before the horizon, and not with the death of the last.
    """
    contributions = np.zeros(time.size)
    if not group.any():
        return 0.0, contributions
    share = float(np.mean(group))
    survival, within = _survival(time[group], event[group], horizon)
    contributions += (group - share) * (1 - survival) / time.size
    contributions[group] -= share * within
    return share * (1 - survival), contributions
