"""Times by which a share of patients had the event: median survival, and median follow-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import quantile
from validation.estimators.samples import Floats, survival_sample
from validation.estimators.survival.kaplan_meier import KaplanMeier, kaplan_meier

TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))  # of a probability, as in R: survival counts as 0.5 within 1.5e-8


@dataclass(frozen=True)
class SurvivalQuantile:
    """A time with its interval, whose upper limit may lie beyond follow-up.

    Attributes:
        value: Time at which the curve falls to 1 - `probability`.
        lower: Lower confidence limit.
        upper: Upper confidence limit; None if the upper limit of the curve never falls that far.
        probability: Share of patients who had the event by then: 0.5 for the median.
        level: Two-sided confidence level.
        n: Patients.
        events: Events among them, at any time.
        method: In words, with the source.
    """

    value: float
    lower: float
    upper: float | None
    probability: float
    level: float
    n: int
    events: int
    method: str

    def estimate(self) -> Estimate:
        """Return it as a value with both limits.

        Raises:
            UndefinedEstimate: The upper limit lies beyond follow-up.
        """
        if self.upper is None:
            reason = (
                f"the interval has no upper limit within follow-up (value {self.value:.4g}, lower {self.lower:.4g})"
            )
            raise UndefinedEstimate(reason, too_few=True)
        return Estimate(self.value, self.lower, self.upper, self.level, self.n, self.events, self.method)


def _crossing(time: Floats, probability: Floats, target: float) -> float | None:
    """First time at which a falling curve reaches the target; the middle of the step if the step lies on the target."""
    reached = np.flatnonzero(probability < target + TOLERANCE)
    if not reached.size:
        return None
    first = int(reached[0])
    below = reached[probability[reached] < probability[first]]
    if abs(probability[first] - target) < TOLERANCE and below.size:
        return float((time[first] + time[below[0]]) / 2)
    return float(time[first])


def survival_quantile(curve: KaplanMeier, probability: float = 0.5, *, level: float = 0.95) -> SurvivalQuantile:
    """Estimate the time by which a share of patients had the event; the median by default.

    Equals R's quantile(survfit(conf.type="log-log")): the limits are where the limits of the curve fall to
    1 - `probability` (Brookmeyer and Crowley, Biometrics 1982;38:29).

    Args:
        curve: The curve.
        probability: Between 0 and 1.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: Fewer patients than that had the event; the curve falls at once to 0, so that its interval is
            undefined; a probability that is not between 0 and 1.
    """
    if not 0 < probability < 1:
        raise UndefinedEstimate(f"the probability {probability:g} does not lie between 0 and 1")
    z = quantile(level)
    value = _crossing(curve.time, curve.survival, 1 - probability)
    if value is None:
        lowest = curve.survival[-1] if curve.time.size else 1.0
        raise UndefinedEstimate(f"the curve falls to {lowest:.3g}, not to {1 - probability:g}", too_few=True)
    some = curve.survival > 0  # at 0 the curve has no interval, as in R
    time, survival = curve.time[some], curve.survival[some]
    width = z * curve.standard_error[some] / (survival * -np.log(survival))
    lower = _crossing(time, survival ** np.exp(width), 1 - probability)
    if lower is None:
        raise UndefinedEstimate("the curve falls to 0 at once: no interval", too_few=True)
    upper = _crossing(time, survival ** np.exp(-width), 1 - probability)
    method = "quantile of the Kaplan-Meier curve, log-log interval (Brookmeyer and Crowley 1982)"
    n, events = curve.follow_up.size, int(curve.events.sum())
    return SurvivalQuantile(value, lower, upper, probability, level, n, events, method)


@dataclass(frozen=True)
class FollowUp:
    """How long patients were followed up, or would have been had they not had the event.

    Attributes:
        first_quartile: Time by which a quarter of patients left follow-up.
        median: Half of them.
        third_quartile: Three quarters; None if the last patients all had the event before that.
    """

    first_quartile: SurvivalQuantile
    median: SurvivalQuantile
    third_quartile: SurvivalQuantile | None


def median_follow_up(time: ArrayLike, event: ArrayLike, *, level: float = 0.95) -> FollowUp:
    """Estimate the median follow-up and its quartiles by the reverse Kaplan-Meier method.

    The end of follow-up is the event and the event a censoring (Schemper and Smith, Control Clin Trials 1996;17:343);
    equals R's quantile(survfit(Surv(time, 1 - status), conf.type="log-log")). `events` of the result counts ends of
    follow-up.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `survival_sample`; all patients had the event; the last patients had it before half of
            the follow-up ended.
    """
    times, events = survival_sample(time, event, events_needed=False)
    if events.all():
        raise UndefinedEstimate(f"all {times.size} patients had the event: nobody's follow-up ended without it")
    curve = kaplan_meier(times, ~events)
    try:
        third = survival_quantile(curve, 0.75, level=level)
    except UndefinedEstimate:
        third = None
    return FollowUp(survival_quantile(curve, 0.25, level=level), survival_quantile(curve, level=level), third)
