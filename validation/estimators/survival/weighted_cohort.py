"""A cohort weighted for its censoring: who has had the event by a horizon, and for how many each of them stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import as_standard_deviation
from validation.estimators.samples import Bools, Floats, require_classes, status_at_horizon, survival_sample
from validation.estimators.survival.censoring import CensoringCurve, censoring_curve


@dataclass(frozen=True, eq=False)
class WeightedStatus:
    """The status of every patient at a horizon.

    Attributes:
        case: Event by the horizon, shape (n,).
        control: Known to be free of it there, shape (n,).
        weight: Inverse probability of being known, shape (n,): 1/G(time-) for cases, 1/G(horizon-) for controls, 0 for
            those lost before the horizon. The weights add up to n, those of the cases to n times the Kaplan-Meier risk.
        horizon: In the unit of the follow-up.
    """

    case: Bools
    control: Bools
    weight: Floats
    horizon: float

    @property
    def lost(self) -> int:
        """Patients whose follow-up ended before the horizon without event; others stand for them."""
        return int(np.count_nonzero(~(self.case | self.control)))


@dataclass(frozen=True, eq=False)
class WeightedCohort:
    """Follow-up, prepared once for any number of horizons; made by `weighted_cohort`.

    Attributes:
        time: Shape (n,).
        event: Shape (n,).
        censoring: Reverse Kaplan-Meier curve of this cohort.
        case_weight: 1/G(time-), shape (n,).
        distinct: Distinct follow-up times, ascending, shape (k,).
        position: Where in `distinct` each patient's time is, shape (n,).
        censored: Censorings at each distinct time, shape (k,).
        at_risk: Patients followed up until each distinct time or longer, shape (k,).
    """

    time: Floats
    event: Bools
    censoring: CensoringCurve
    case_weight: Floats
    distinct: Floats
    position: NDArray[np.int64]
    censored: Floats
    at_risk: Floats

    def status(self, horizon: float, *, of_each: int = 0) -> WeightedStatus:
        """Return everybody's status at the horizon with its weight.

        A patient censored exactly at the horizon is known to be free of the event there and is a control. pec, timeROC
        and riskRegression drop such patients and weight controls by 1/G(horizon): the same unless there are any.

        Args:
            horizon: An event there counts.
            of_each: So many cases and controls are needed.

        Raises:
            UndefinedEstimate: The horizon lies beyond follow-up; too few cases or controls.
        """
        known, case = status_at_horizon(self.time, self.event, horizon)
        control = known & ~case
        require_classes(int(case.sum()), int(control.sum()), least=of_each, where=f" at {horizon:g}")
        weight = np.zeros(self.time.size)
        weight[case] = self.case_weight[case]
        weight[control] = 1 / self.censoring.before([horizon])
        return WeightedStatus(case, control, weight, horizon)

    def through_weights(self, share: Floats, horizon: float) -> Floats:
        """Return each patient's influence on a weighted sum through the estimated censoring curve.

        The influence function of 1/G is an integral over the censoring martingale (Blanche, Dartigues and
        Jacqmin-Gadda, Stat Med 2013;32:5381, appendix). As in riskRegression, tied events count as at risk there.

        Args:
            share: Shape (n,), each patient's weighted term of the sum; 0 for those lost.
            horizon: Where status was taken; later censorings carry no information.

        Returns:
            Shape (n,), adding up to 0.
        """
        at_time = np.bincount(self.position, weights=share, minlength=self.distinct.size)
        later = np.cumsum(at_time[::-1])[::-1] - at_time
        per_censoring = np.where(self.distinct < horizon, later, 0.0) / self.at_risk
        expected = np.cumsum(per_censoring * self.censored / self.at_risk)
        return np.asarray(np.where(self.event, 0.0, per_censoring[self.position]) - expected[self.position])

    def mean(self, terms: Floats, status: WeightedStatus) -> tuple[float, Floats]:
        """Return the weighted mean of one term per patient over the whole cohort, and the contributions to it.

        Args:
            terms: Shape (n,).
            status: At a horizon.
        """
        share = status.weight * terms / self.time.size
        value = float(share.sum())
        through = self.through_weights(share, status.horizon)
        return value, as_standard_deviation(share - value / self.time.size + through)

    def mean_among(self, values: Floats, among: Bools, status: WeightedStatus, whom: str) -> tuple[float, Floats]:
        """Return the weighted mean of one value per patient over a part of the cohort, and the contributions to it.

        Args:
            values: Shape (n,).
            among: Shape (n,), over whom the mean is taken; it may depend on the outcome (the cases).
            status: At a horizon.
            whom: Their name, for the message.

        Raises:
            UndefinedEstimate: Nobody among them is known at the horizon.
        """
        weight = status.weight * among
        total = float(weight.sum())
        if total == 0:
            raise UndefinedEstimate(f"no {whom} with known status at {status.horizon:g}", too_few=True)
        value = float(np.sum(weight * values)) / total
        share = weight * (values - value) / total
        return value, as_standard_deviation(share + self.through_weights(share, status.horizon))


def weighted_cohort(time: ArrayLike, event: ArrayLike) -> WeightedCohort:
    """Check follow-up and estimate its censoring.

    Raises:
        UndefinedEstimate: As `survival_sample`.
    """
    times, events = survival_sample(time, event)
    censoring = censoring_curve(times, events)
    distinct, position, counts = np.unique(times, return_inverse=True, return_counts=True)
    return WeightedCohort(
        time=times,
        event=events,
        censoring=censoring,
        case_weight=1 / censoring.before(times),
        distinct=distinct,
        position=position,
        censored=np.bincount(position, weights=~events).astype(np.float64),
        at_risk=np.cumsum(counts[::-1])[::-1].astype(np.float64),
    )


def trapezoid_weights(times: Floats) -> Floats:
    """Return the weights with which values at ascending times add up to their integral by the trapezoidal rule."""
    gaps = np.diff(times)
    return np.asarray((np.append(0.0, gaps) + np.append(gaps, 0.0)) / 2)
