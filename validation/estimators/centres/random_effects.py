"""Random-effects summary of one quantity over centres, and what it says about the next centre."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import chdtrc, chdtri, ndtr, stdtr, stdtrit

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.intervals import quantile
from validation.estimators.samples import Floats, finite_vector

SummaryInterval = Literal["hksj", "knha", "wald"]
"""Hartung-Knapp-Sidik-Jonkman that is never narrower than Wald's; the same without that rule; Wald's."""

GRID = 200  # values of tau^2 between which the restricted likelihood is searched for maxima
PRIOR_GRID = np.linspace(-8, 8, 4001)  # standard deviations of log tau under its prior


@dataclass(frozen=True)
class TauPrior:
    """Lognormal prior of tau, the standard deviation between centres.

    Attributes:
        log_mean: Mean of log tau.
        log_sd: Standard deviation of log tau.
        source: Where it comes from; part of every method text.
    """

    log_mean: float
    log_sd: float
    source: str


@dataclass(frozen=True, eq=False)
class Predictive:
    """What is believed about the true value at the next centre: one t distribution, or a mixture of normal ones.

    Attributes:
        location: Of each component, shape (m,).
        spread: Of each component, shape (m,).
        weight: Of each component, shape (m,); they add up to 1.
        degrees: Degrees of freedom of the t distribution; infinite for normal components.
    """

    location: Floats
    spread: Floats
    weight: Floats
    degrees: float

    def below(self, limit: float) -> float:
        """Return the probability of a value below the limit."""
        return float(self.weight @ stdtr(self.degrees, (limit - self.location) / self.spread))

    def quantile(self, probability: float) -> float:
        """Return the value that is exceeded with one less this probability."""
        each = self.location + self.spread * stdtrit(self.degrees, probability)
        if each.size == 1:
            return float(each[0])
        margin = 1e-9 * float(self.spread.max())  # against rounding where the components hardly differ
        low, high = float(each.min()) - margin, float(each.max()) + margin
        return float(brentq(lambda y: self.below(y) - probability, low, high, xtol=1e-13))


@dataclass(frozen=True, eq=False)
class RandomEffects:
    """Summary of k centres on the scale on which their effects are analysed.

    Attributes:
        value: Mean over centres; its posterior mean where tau has a prior.
        standard_error: Of `value`.
        lower: Lower limit of the mean.
        upper: Upper limit of the mean.
        level: Two-sided confidence level of all intervals.
        p_value: Of a mean of 0; None where tau has a prior.
        tau_squared: Variance between centres; the square of tau's posterior median where tau has a prior.
        tau_squared_lower: Lower limit, by Q-profile or from the posterior.
        tau_squared_upper: Upper limit. A Q-profile of 0 to 0 is an empty one: the centres are more alike than chance
            allows at this level.
        i_squared: Percentage of the total variance that lies between centres (metafor's general definition).
        q: Cochran's statistic.
        q_p_value: Of equal true values at all centres.
        centres: k.
        predictive: For the true value at the next centre; None for two centres without prior.
        method: In words, with sources.
    """

    value: float
    standard_error: float
    lower: float
    upper: float
    level: float
    p_value: float | None
    tau_squared: float
    tau_squared_lower: float
    tau_squared_upper: float
    i_squared: float
    q: float
    q_p_value: float
    centres: int
    predictive: Predictive | None
    method: str


@dataclass(frozen=True, eq=False)
class _Centres:
    """Effects and sampling variances; every method takes m candidates for tau^2 and returns m values."""

    effect: Floats
    variance: Floats

    def fit(self, tau_squared: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Weights (m, k), their sums, the weighted means and Q, each of shape (m,)."""
        weight = 1 / (self.variance + tau_squared[:, None])
        total = weight.sum(axis=1)
        mean = weight @ self.effect / total
        return weight, total, mean, (weight * (self.effect - mean[:, None]) ** 2).sum(axis=1)

    def log_likelihood(self, tau_squared: Floats) -> Floats:
        """Restricted log-likelihood, up to a constant; also that of tau^2 under a flat prior of the mean."""
        weight, total, _, q = self.fit(tau_squared)
        return np.asarray((np.log(weight).sum(axis=1) - np.log(total) - q) / 2)

    def score(self, tau_squared: Floats) -> Floats:
        """Twice the derivative of the restricted log-likelihood."""
        weight, total, mean, _ = self.fit(tau_squared)
        squares = weight**2
        distance = (self.effect - mean[:, None]) ** 2
        return np.asarray((squares * distance).sum(axis=1) - total + squares.sum(axis=1) / total)

    def q(self, tau_squared: float) -> float:
        """Generalised Q, which falls with tau^2."""
        return float(self.fit(np.array([tau_squared]))[3][0])


def _checked(effect: ArrayLike, standard_error: ArrayLike) -> _Centres:
    effects = np.atleast_1d(np.asarray(effect, dtype=np.float64))
    if effects.size == 1:
        raise UndefinedEstimate("one centre says nothing about differences between centres", too_few=True)
    effects = finite_vector("effect", effects)
    errors = finite_vector("standard_error", standard_error, effects.size)
    if errors.min() <= 0:
        raise UndefinedEstimate(f"standard_error is not positive for {np.count_nonzero(errors <= 0)} centres")
    return _Centres(effects, errors**2)


def _reml(centres: _Centres) -> float:
    """Global maximum of the restricted likelihood, which may have several local ones: every fall of the score to 0."""
    spread = float(((centres.effect - centres.effect.mean()) ** 2).sum())
    smallest = 1e-6 * float(centres.variance.min())
    grid = np.append(0.0, np.geomspace(smallest, 10 * max(spread, smallest), GRID))  # the score is negative at the end
    score = centres.score(grid)
    maxima = [0.0] if score[0] <= 0 else []
    for i in np.flatnonzero((score[:-1] > 0) & (score[1:] <= 0)):
        maxima.append(
            float(brentq(lambda t: centres.score(np.array([t]))[0], grid[i], grid[i + 1], xtol=1e-16, rtol=1e-14))
        )
    return maxima[int(np.argmax(centres.log_likelihood(np.array(maxima))))]


def _q_profile(centres: _Centres, level: float) -> tuple[float, float]:
    """Values of tau^2 that the generalised Q does not reject (Viechtbauer, Stat Med 2007;26:37)."""

    def where(chi_square: float) -> float:
        if centres.q(0.0) <= chi_square:
            return 0.0
        high = float(centres.variance.max())
        while centres.q(high) > chi_square:
            high *= 2
        return float(brentq(lambda t: centres.q(t) - chi_square, 0, high, xtol=1e-16, rtol=1e-14))

    degrees = centres.effect.size - 1
    tail = (1 - level) / 2
    return where(float(chdtri(degrees, tail))), where(float(chdtri(degrees, 1 - tail)))


def _i_squared(centres: _Centres, tau_squared: float) -> float:
    """Higgins and Thompson's I^2 with the typical sampling variance, as metafor::rma for any estimator of tau^2."""
    weight = 1 / centres.variance
    typical = (weight.size - 1) / (weight.sum() - (weight**2).sum() / weight.sum())
    return float(100 * tau_squared / (typical + tau_squared))


def _heterogeneity(centres: _Centres) -> tuple[float, float]:
    q = centres.q(0.0)
    return q, float(chdtrc(centres.effect.size - 1, q))


def cochran_q(effect: ArrayLike, standard_error: ArrayLike) -> GroupTest:
    """Test whether independent effects, of centres or of parts of a cohort, are equal; equals metafor's rma()$QE.

    Of two AUCs in different patients the statistic is the square of the one of pROC's roc.test(paired=FALSE), which
    takes its P value from a t distribution.

    Args:
        effect: Shape (k,), at least two.
        standard_error: Shape (k,).

    Raises:
        UndefinedEstimate: One effect; an effect or error that is not finite, an error that is not positive.
    """
    effects = _checked(effect, standard_error)
    q, p_value = _heterogeneity(effects)
    method = "Cochran's Q of independent estimates (Cochran, Biometrics 1954;10:101)"
    return GroupTest("Cochran's Q", q, (float(effects.effect.size - 1),), p_value, method)


def random_effects(
    effect: ArrayLike, standard_error: ArrayLike, *, interval: SummaryInterval = "hksj", level: float = 0.95
) -> RandomEffects:
    """Summarise k centres by restricted maximum likelihood; equals metafor::rma(method="REML").

    The interval of the mean is Hartung-Knapp-Sidik-Jonkman's with t(k - 1), its variance multiplied by
    q = sum w (y - mean)^2 / (k - 1). Where q < 1 that would be narrower than Wald's, so q is at least 1: metafor's
    test="adhoc" (interval="hksj"); "knha" leaves q as it is, "wald" uses neither. The prediction interval takes
    t(k - 2) with variance tau^2 + standard error^2 (Higgins, Thompson and Spiegelhalter, JRSS A 2009;172:137).

    Args:
        effect: Shape (k,), one per centre, on a scale where it is nearly normal (logit C, log O/E, slope).
        standard_error: Shape (k,), on that scale.
        interval: Of the mean.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: One centre; effects not finite; a standard error not positive; equal effects with "knha".
    """
    centres = _checked(effect, standard_error)
    z = quantile(level)
    k = centres.effect.size
    tau_squared = _reml(centres)
    _, *fitted = centres.fit(np.array([tau_squared]))
    total, mean, q = (float(x[0]) for x in fitted)
    inflation = {"wald": 1.0, "knha": q / (k - 1), "hksj": max(1.0, q / (k - 1))}[interval]
    error = math.sqrt(inflation / total)
    if error == 0:
        raise UndefinedEstimate("all centres have the same effect: no plain Hartung-Knapp interval", too_few=True)
    statistic = abs(mean) / error
    half_width = (z if interval == "wald" else float(stdtrit(k - 1, (1 + level) / 2))) * error
    p_value = 2 * float(ndtr(-statistic) if interval == "wald" else stdtr(k - 1, -statistic))
    tau_limits = _q_profile(centres, level)
    predictive = None
    if k > 2:
        spread = math.sqrt(tau_squared + error**2)
        predictive = Predictive(np.array([mean]), np.array([spread]), np.ones(1), k - 2)
    named = {
        "wald": "Wald interval",
        "knha": f"Hartung-Knapp interval with t({k - 1})",
        "hksj": f"Hartung-Knapp-Sidik-Jonkman interval with t({k - 1}), never narrower than Wald's",
    }[interval]
    method = f"random effects over {k} centres, REML, {named}, Q-profile interval of tau^2 (Debray 2019)"
    return RandomEffects(
        mean, error, mean - half_width, mean + half_width, level, p_value, tau_squared, *tau_limits,
        _i_squared(centres, tau_squared), *_heterogeneity(centres), k, predictive, method,
    )  # fmt: skip


def random_effects_with_prior(
    effect: ArrayLike, standard_error: ArrayLike, prior: TauPrior, *, level: float = 0.95
) -> RandomEffects:
    """Summarise two to four centres, too few to estimate tau, with an informative prior of tau; the mean's is flat.

    The posterior of log tau is summed over a fixed grid of 4001 points, 8 prior standard deviations to either side;
    given tau, mean and next centre are normal. All intervals are equal-tailed.

    Args:
        effect: Shape (k,), k >= 2, on the scale of the analysis.
        standard_error: Shape (k,), on that scale.
        prior: Of tau on that scale.
        level: Two-sided, of the credible and prediction intervals.

    Raises:
        UndefinedEstimate: As `random_effects`; a prior without spread; centres that differ by more than the prior
            can represent.
    """
    centres = _checked(effect, standard_error)
    quantile(level)
    if not (math.isfinite(prior.log_mean) and 0 < prior.log_sd < math.inf):
        raise UndefinedEstimate(f"the prior of tau has log mean {prior.log_mean:g} and log SD {prior.log_sd:g}")
    tau = np.exp(prior.log_mean + prior.log_sd * PRIOR_GRID)
    log_weight = centres.log_likelihood(tau**2) - PRIOR_GRID**2 / 2
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    if max(weight[0], weight[-1]) > 1e-9:
        raise UndefinedEstimate(f"the centres differ by more than the prior of tau ({prior.source}) can represent")
    _, total, mean, _ = centres.fit(tau**2)
    posterior = Predictive(mean, np.sqrt(1 / total), weight, math.inf)
    predictive = Predictive(mean, np.sqrt(1 / total + tau**2), weight, math.inf)
    value = float(weight @ mean)
    error = math.sqrt(float(weight @ (1 / total + (mean - value) ** 2)))
    tails = ((1 - level) / 2, (1 + level) / 2)
    middle = np.cumsum(weight) - weight / 2
    tau_lower, tau_median, tau_upper = (float(np.interp(p, middle, tau)) for p in (tails[0], 0.5, tails[1]))
    k = centres.effect.size
    method = f"random effects over {k} centres, lognormal prior of tau ({prior.source}), flat prior of the mean"
    return RandomEffects(
        value, error, posterior.quantile(tails[0]), posterior.quantile(tails[1]), level, None,
        tau_median**2, tau_lower**2, tau_upper**2,
        _i_squared(centres, tau_median**2), *_heterogeneity(centres), k, predictive, method,
    )  # fmt: skip
