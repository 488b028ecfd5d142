"""Classification at a fixed threshold: one model, and two models on the same patients."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, chdtrc

from validation.estimators.classification.proportion import proportion_exact
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import quantile
from validation.estimators.samples import Bools, indicator, require_between, risk_vector


def positives(probability: ArrayLike, length: int, threshold: float, name: str = "probability") -> Bools:
    """Return who is positive: a predicted probability at or above the threshold.

    Args:
        probability: Shape (n,), predicted probability of the event.
        length: Required n.
        threshold: Strictly between 0 and 1, fixed on other patients.
        name: What the probabilities are, for the message.

    Raises:
        UndefinedEstimate: As `risk_vector`, or an impossible threshold.
    """
    require_between("threshold", threshold, 0, 1)
    return np.asarray(risk_vector(probability, length, name) >= threshold)


@dataclass(frozen=True)
class ThresholdPerformance:
    """The 2 x 2 table at a threshold and what follows from it; each property raises where its own denominator is zero.

    Attributes:
        threshold: A probability at or above it is positive.
        true_positives: Cases that are positive.
        false_positives: Controls that are positive.
        false_negatives: Cases that are negative.
        true_negatives: Controls that are negative.
        level: Two-sided confidence level of every interval.
    """

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    level: float

    @property
    def sensitivity(self) -> Estimate:
        """Share of the cases that are positive, with exact interval."""
        return self._share("sensitivity", self.true_positives, self.false_negatives, "case")

    @property
    def specificity(self) -> Estimate:
        """Share of the controls that are negative, with exact interval."""
        return self._share("specificity", self.true_negatives, self.false_positives, "control")

    @property
    def ppv(self) -> Estimate:
        """Share of the positives that are cases, with exact interval; depends on the prevalence."""
        return self._share("positive predictive value", self.true_positives, self.false_positives, "positive patient")

    @property
    def npv(self) -> Estimate:
        """Share of the negatives that are controls, with exact interval; depends on the prevalence."""
        return self._share("negative predictive value", self.true_negatives, self.false_negatives, "negative patient")

    @property
    def accuracy(self) -> Estimate:
        """Share of all patients classified correctly, with exact interval; depends on the prevalence."""
        right, wrong = self.true_positives + self.true_negatives, self.false_positives + self.false_negatives
        return self._share("accuracy", right, wrong, "patient")

    @property
    def youden(self) -> Estimate:
        """Sensitivity + specificity - 1, with Newcombe's hybrid score interval (Stat Med 1998;17:873, method 10)."""
        sensitivity, specificity = self.sensitivity, self.specificity
        index = sensitivity.value + specificity.value - 1
        below, above = zip(*(self._score_distances(x) for x in (sensitivity, specificity)), strict=True)
        lower, upper = index - math.hypot(*below), index + math.hypot(*above)
        method = f"Youden's index at threshold {self.threshold:g}, hybrid score interval (Newcombe 1998)"
        n = sensitivity.n + specificity.n
        return Estimate(index, lower, upper, self.level, n, sensitivity.n, method)

    def _share(self, name: str, hits: int, others: int, denominator: str) -> Estimate:
        if hits + others == 0:
            raise UndefinedEstimate(f"{name} at threshold {self.threshold:g}: no {denominator}", too_few=True)
        estimate = proportion_exact(hits, hits + others, level=self.level)
        return replace(estimate, method=f"{name} at threshold {self.threshold:g}, {estimate.method}")

    def _score_distances(self, proportion: Estimate) -> tuple[float, float]:
        """Return how far Wilson's score limits lie below and above a proportion."""
        z2 = quantile(self.level) ** 2 / proportion.n
        centre = (proportion.value + z2 / 2) / (1 + z2)
        half_width = math.sqrt(z2 * proportion.value * (1 - proportion.value) + z2**2 / 4) / (1 + z2)
        return proportion.value - (centre - half_width), centre + half_width - proportion.value


def threshold_performance(
    case: ArrayLike, probability: ArrayLike, *, threshold: float, level: float = 0.95
) -> ThresholdPerformance:
    """Classify at a fixed threshold; intervals equal R's binom.test.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted probability of being a case.
        threshold: A probability at or above it is positive; fixed on other patients.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: Non-finite or mismatched arrays, a probability outside [0, 1], an impossible threshold or
            level. Later, a property: no case, no control, nobody positive or nobody negative.
    """
    quantile(level)  # refuses an impossible level here, not at the first property
    cases = indicator("case", case)
    positive = positives(probability, cases.size, threshold)
    counts = (int(np.count_nonzero(cell)) for cell in (positive & cases, positive & ~cases, ~positive & cases))
    tp, fp, fn = counts
    return ThresholdPerformance(threshold, tp, fp, fn, cases.size - tp - fp - fn, level)


@dataclass(frozen=True)
class McNemar:
    """Two models on the same patients, compared where exactly one of them is right.

    Attributes:
        difference: First less second share classified correctly; its P value is the exact one, its `events` are the
            patients whom the first model classifies correctly.
        only_first: Patients whom only the first model classifies correctly.
        only_second: Patients whom only the second model classifies correctly.
        chi_square: With continuity correction, one degree of freedom.
        p_corrected: P value of `chi_square`.
        p_exact: Two-sided binomial P value.
    """

    difference: Estimate
    only_first: int
    only_second: int
    chi_square: float
    p_corrected: float
    p_exact: float


def _mcnemar(first: Bools, second: Bools, name: str, level: float) -> McNemar:
    n = first.size
    one, two = int(np.count_nonzero(first & ~second)), int(np.count_nonzero(second & ~first))
    differ = one + two
    chi_square = max(abs(one - two) - 1, 0) ** 2 / differ if differ else 0.0
    exact = min(1.0, 2 * float(bdtr(min(one, two), differ, 0.5)))
    value = (one - two) / n
    centre = (one - two) / (n + 2)
    half_width = quantile(level) * math.sqrt(((differ + 1) / (n + 2) - centre**2) / (n + 2))
    lower, upper = max(centre - half_width, -1.0), min(centre + half_width, 1.0)
    method = f"paired difference in {name}, adjusted Wald interval (Agresti and Min 2005), exact McNemar test"
    events = int(np.count_nonzero(first))
    difference = Estimate(value, min(lower, value), max(upper, value), level, n, events, method, p_value=exact)
    return McNemar(difference, one, two, chi_square, float(chdtrc(1, chi_square)), exact)


def _compare(
    case: ArrayLike, first: ArrayLike, second: ArrayLike, threshold: float, level: float, among_cases: bool
) -> McNemar:
    cases = indicator("case", case)
    group = cases if among_cases else ~cases
    if not group.any():
        raise UndefinedEstimate(f"no {'case' if among_cases else 'control'} among {cases.size} patients", too_few=True)
    one = positives(first, cases.size, threshold, "the first probability")
    two = positives(second, cases.size, threshold, "the second probability")
    name = f"{'sensitivity' if among_cases else 'specificity'} at threshold {threshold:g}"
    return _mcnemar(one[group] == among_cases, two[group] == among_cases, name, level)


def compare_sensitivity(
    case: ArrayLike, first: ArrayLike, second: ArrayLike, *, threshold: float, level: float = 0.95
) -> McNemar:
    """Compare the sensitivities of two models on the same cases; equals R's mcnemar.test and binom.test.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        first: Shape (n,), predicted probability of the first model, for instance the challenger.
        second: Shape (n,), that of the second, in the same order of patients.
        threshold: A probability at or above it is positive.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `threshold_performance`; no case.
    """
    return _compare(case, first, second, threshold, level, among_cases=True)


def compare_specificity(
    case: ArrayLike, first: ArrayLike, second: ArrayLike, *, threshold: float, level: float = 0.95
) -> McNemar:
    """Compare the specificities of two models on the same controls; as `compare_sensitivity`.

    Raises:
        UndefinedEstimate: As `threshold_performance`; no control.
    """
    return _compare(case, first, second, threshold, level, among_cases=False)
