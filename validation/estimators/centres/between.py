"""One quantity at several centres: its mean, its spread, and the chance that the next centre meets a limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from validation.estimators.centres.random_effects import (
    Predictive,
    RandomEffects,
    SummaryInterval,
    TauPrior,
    random_effects,
    random_effects_with_prior,
)
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import confidence_limits, derivative, from_scale, inside, on_scale
from validation.estimators.samples import Floats

CentreScale = Literal["logit", "log", "identity"]
"""Where effects are nearly normal: logit for C or AUC, log for O/E, identity for slope and calibration-in-the-large."""

C_TAU_PRIOR = TauPrior(-2.936, 0.268, "default from 469 cardiovascular prognostic models, van Leeuwen 2024")
"""Of tau on the scale of C itself; mean .055. Not from imaging models: state better knowledge where there is any."""


@dataclass(frozen=True, eq=False)
class BetweenCentres:
    """A quantity over k centres, in its own unit.

    Attributes:
        summary: Mean over centres with its interval.
        centres: Their names, in the order given.
        scale: Where the effects were analysed.
        effects: The analysis on that scale: tau^2, I^2, Q and the predictive distribution.
    """

    summary: Estimate
    centres: tuple[str, ...]
    scale: CentreScale
    effects: RandomEffects

    def prediction_interval(self) -> Estimate:
        """Return the interval that the true value at the next centre falls into with probability `level`.

        Raises:
            UndefinedEstimate: Two centres without prior of tau.
        """
        level = self.summary.level
        tails = ((1 - level) / 2, (1 + level) / 2)
        lower, upper = (from_scale(self._predictive().quantile(p), self.scale) for p in tails)
        tail = "posterior predictive" if self.effects.p_value is None else f"t({len(self.centres) - 2}), Higgins 2009"
        method = f"prediction interval for the next centre, {tail}; {self.effects.method}, {self.scale} scale"
        return replace(self.summary, lower=lower, upper=upper, method=method, standard_error=None)

    def spread(self) -> Estimate:
        """Return tau^2, the variance between centres on the scale of the analysis, with I^2 among the words."""
        value, effects = self.effects.tau_squared, self.effects
        limits = min(effects.tau_squared_lower, value), max(effects.tau_squared_upper, value)
        method = f"tau^2 on the {self.scale} scale, I^2 {effects.i_squared:.0f} %; {effects.method}"
        return replace(self.summary, value=value, lower=limits[0], upper=limits[1], method=method, standard_error=None)

    def probability_next(self, *, at_least: float | None = None, at_most: float | None = None) -> float:
        """Return the probability that the true value at the next centre lies within the limits given.

        Raises:
            UndefinedEstimate: Two centres without prior of tau; no limit; a limit that the quantity cannot take.
        """
        if at_least is None and at_most is None:
            raise UndefinedEstimate("no limit for the next centre to meet")
        if at_least is not None and at_most is not None and at_least > at_most:
            raise UndefinedEstimate(f"no value is at least {at_least:g} and at most {at_most:g}")
        above = 0.0 if at_least is None else self._below(at_least)
        return (1.0 if at_most is None else self._below(at_most)) - above

    def _below(self, limit: float) -> float:
        if not inside(limit, self.scale):
            raise UndefinedEstimate(f"the limit {limit:g} lies outside the {self.scale} scale")
        return self._predictive().below(on_scale(limit, self.scale))

    def _predictive(self) -> Predictive:
        if self.effects.predictive is None:
            raise UndefinedEstimate("two centres without prior of tau cannot predict a third", too_few=True)
        return self.effects.predictive


def centre_effects(estimates: Sequence[Estimate], scale: CentreScale) -> tuple[Floats, Floats]:
    """Return each centre's effect and standard error on a scale, the latter by the delta method.

    A value at the edge of the scale (C of 1, O/E of 0) is refused, not left out: leaving out a centre without events
    would bias the summary. For O/E see `observed_expected_of_counts`.

    Args:
        estimates: One per centre, with distinct `group` and with `standard_error`.
        scale: Where to analyse.

    Raises:
        UndefinedEstimate: A centre without name or named twice, without standard error, or at the edge of the scale.
    """
    names = [estimate.group for estimate in estimates]
    if None in names or len(set(names)) < len(names):
        raise UndefinedEstimate(f"every centre needs its own name, not {', '.join(str(name) for name in names)}")
    for estimate in estimates:
        if estimate.standard_error is None:
            raise UndefinedEstimate(f"centre {estimate.group}: no standard error ({estimate.method})")
        if not inside(estimate.value, scale):
            raise UndefinedEstimate(
                f"centre {estimate.group}: {estimate.value:g} has no finite {scale}; it cannot be left out",
                too_few=True,
            )
    effect = np.array([on_scale(x.value, scale) for x in estimates])
    errors = [(x.standard_error or 0.0) * derivative(x.value, scale) for x in estimates]
    return effect, np.array(errors, dtype=np.float64)


def between_centres(
    estimates: Sequence[Estimate],
    scale: CentreScale,
    *,
    interval: SummaryInterval = "hksj",
    prior: TauPrior | None = None,
    level: float = 0.95,
) -> BetweenCentres:
    """Summarise one quantity over centres (Debray, BMJ 2017;356:i6460; Snell, SMMR 2018;27:3505).

    With two to four centres tau can hardly be estimated, and t(k - 2) is useless (12.7 at k = 3): give a prior.

    Args:
        estimates: One per centre, `group` naming it, with `standard_error`.
        scale: logit for C or AUC, log for O/E, identity for slope or calibration-in-the-large.
        interval: Of the mean, without prior: see `random_effects`.
        prior: Of tau on the quantity's own scale, for instance `C_TAU_PRIOR`; carried to `scale` by the delta method at
            the inverse-variance mean, so that predictions of C stay between 0 and 1.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `centre_effects`, `random_effects` and `random_effects_with_prior`.
    """
    effect, error = centre_effects(estimates, scale)
    if prior is None:
        effects = random_effects(effect, error, interval=interval, level=level)
    else:
        typical = from_scale(float(np.average(effect, weights=error**-2.0)), scale)
        moved = replace(prior, log_mean=prior.log_mean + math.log(derivative(typical, scale)))
        effects = random_effects_with_prior(effect, error, moved, level=level)
    value = from_scale(effects.value, scale)
    summary = Estimate(
        value,
        from_scale(effects.lower, scale),
        from_scale(effects.upper, scale),
        level,
        sum(x.n for x in estimates),
        sum(x.events for x in estimates),
        f"{effects.method}, {scale} scale",
        scale,
        estimates[0].horizon if len({x.horizon for x in estimates}) == 1 else None,
        standard_error=effects.standard_error / derivative(value, scale),
    )
    return BetweenCentres(summary, tuple(str(x.group) for x in estimates), scale, effects)


def leave_one_centre_out(
    estimates: Sequence[Estimate],
    scale: CentreScale,
    *,
    interval: SummaryInterval = "hksj",
    prior: TauPrior | None = None,
    level: float = 0.95,
) -> dict[str, BetweenCentres]:
    """Return the summary without each centre, by the name of the centre left out; arguments as `between_centres`.

    Raises:
        UndefinedEstimate: As `between_centres`, or fewer than three centres.
    """
    centre_effects(estimates, scale)
    if len(estimates) < 3:
        raise UndefinedEstimate(f"{len(estimates)} centres: leaving one out needs at least 3", too_few=True)
    return {
        str(left_out.group): between_centres(
            [x for x in estimates if x is not left_out], scale, interval=interval, prior=prior, level=level
        )
        for left_out in estimates
    }


def observed_expected_of_counts(
    observed: int, expected: float, n: int, *, group: str | None = None, level: float = 0.95
) -> Estimate:
    """Estimate observed over expected events of a binary outcome at a centre, which may have none.

    Var(log O/E) = (1 - O/n) / O (binomial; Debray, SMMR 2019;28:2768). Where O is 0 it is taken as 0.5, and the method
    says so: a centre without events stays in the summary.

    Args:
        observed: Events.
        expected: Sum of the predicted risks.
        n: Patients.
        group: Name of the centre.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: Impossible counts; no expected event; every patient has the event (no variance).
    """
    if n < 1 or not 0 <= observed <= n or not 0 < expected <= n:
        raise UndefinedEstimate(f"{observed} observed and {expected:g} expected events of {n} patients")
    counted = observed if observed else 0.5
    ratio = counted / expected
    error = ratio * math.sqrt((1 - counted / n) / counted)
    lower, upper = confidence_limits(ratio, error, "log", level)
    correction = "" if observed else "; no event, counted as 0.5"
    method = f"observed over expected events, binomial variance, log interval (Debray 2019){correction}"
    return Estimate(ratio, lower, upper, level, n, observed, method, "log", group=group, standard_error=error)
