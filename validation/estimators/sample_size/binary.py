"""Patients needed for the external validation of a model of a binary outcome, one function per criterion.

The cohort must meet every criterion: take the largest number. Sources: Riley, Stat Med 2021;40:4230; BMJ
2024;384:e074821. R's pmvalsampsize 0.1.0 uses the same formulas but searches the standard error in steps of .0001 and
simulates the linear predictor, so that its numbers differ in the last digits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtri

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.intervals import quantile
from validation.estimators.sample_size.required import RequiredSize, required_size
from validation.estimators.samples import Floats, finite_vector, prediction_vector, require_between

WIDTH = 0.2  # of the intervals of O/E, slope and standardised net benefit, as Riley proposes; half of it for C


def size_for_observed_expected(
    prevalence: float, *, ratio: float = 1.0, width: float = WIDTH, level: float = 0.95
) -> RequiredSize:
    """Return the patients that an O/E interval of a given width needs: (1 - prevalence) / (prevalence SE^2).

    The interval is symmetric on the log scale, so that width = 2 ratio sinh(z SE(log O/E)).

    Args:
        prevalence: Share of patients with the outcome.
        ratio: Expected O/E.
        width: Of its interval.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: Prevalence outside (0, 1); ratio or width not positive.
    """
    require_between("prevalence", prevalence, 0, 1)
    require_between("O/E", ratio, 0, math.inf)
    require_between("width", width, 0, math.inf)
    error = math.asinh(width / (2 * ratio)) / quantile(level)
    n = (1 - prevalence) / (prevalence * error**2)
    return required_size("O/E", width, level, n, prevalence, f"O/E {ratio:g}, log interval (Riley 2021, criterion 1)")


def size_for_slope(linear_predictor: ArrayLike, *, width: float = WIDTH, level: float = 0.95) -> RequiredSize:
    """Return the patients that a calibration-slope interval of a given width needs, if the model is calibrated.

    The variance of the slope is that of a logistic model of the outcome on the linear predictor; its information per
    patient is averaged over the values given.

    Args:
        linear_predictor: Shape (m,), log odds as expected in the cohort to come: those of a similar cohort, quantiles
            of an assumed distribution, or `linear_predictor_from_c`.
        width: Of the interval.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: Values not finite or all equal; width not positive.
    """
    require_between("width", width, 0, math.inf)
    values = finite_vector("linear_predictor", linear_predictor)
    values = prediction_vector(values, values.size)
    risk = expit(values)
    weight = risk * (1 - risk)
    centred = values - np.average(values, weights=weight)  # removes the intercept from the information
    error = width / (2 * quantile(level))
    n = 1 / (error**2 * float(np.mean(weight * centred**2)))
    method = f"slope 1 over {values.size} values of the linear predictor, Wald interval (Riley 2021, criterion 2)"
    return required_size("calibration slope", width, level, n, float(risk.mean()), method)


def size_for_c(c: float, prevalence: float, *, width: float = WIDTH / 2, level: float = 0.95) -> RequiredSize:
    """Return the patients that an interval of the C statistic of a given width needs.

    Newcombe's method 4 (Stat Med 2006;25:559): the variance is (a + b n) / (n^2 prevalence (1 - prevalence)), hence n
    is the root of a quadratic equation.

    Args:
        c: Expected C statistic (AUC).
        prevalence: Share of patients with the outcome.
        width: Of the interval.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: C or prevalence outside (0, 1); width not positive.
    """
    require_between("C statistic", c, 0, 1)
    require_between("prevalence", prevalence, 0, 1)
    require_between("width", width, 0, math.inf)
    slope = (1 - c) / (2 - c) + c / (1 + c)
    a, b = c * (1 - c) * (1 - slope), c * (1 - c) * slope / 2
    target = (width / (2 * quantile(level))) ** 2 * prevalence * (1 - prevalence)
    n = (b + math.sqrt(b**2 + 4 * target * a)) / (2 * target)
    method = f"C {c:g}, Newcombe's variance, Wald interval (Riley 2021, criterion 3)"
    return required_size("C statistic", width, level, n, prevalence, method)


def size_for_net_benefit(
    sensitivity: float,
    specificity: float,
    prevalence: float,
    threshold: float,
    *,
    width: float = WIDTH,
    level: float = 0.95,
) -> RequiredSize:
    """Return the patients that an interval of the standardised net benefit of a given width needs.

    Standardised net benefit is sensitivity - w (1 - specificity), w = odds of the threshold over odds of the outcome;
    variance by Marsh, Janes and Pepe (Biometrics 2020;76:843).

    Args:
        sensitivity: Expected at the threshold, for instance from `expected_classification`.
        specificity: Expected at the threshold.
        prevalence: Share of patients with the outcome.
        threshold: Predicted risk from which on one would treat.
        width: Of the interval.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: Sensitivity or specificity outside [0, 1], prevalence or threshold outside (0, 1); width not
            positive; nobody is expected on the wrong side (no variance).
    """
    if not (0 <= sensitivity <= 1 and 0 <= specificity <= 1):
        raise UndefinedEstimate(f"sensitivity {sensitivity:g} or specificity {specificity:g} lies outside [0, 1]")
    require_between("prevalence", prevalence, 0, 1)
    require_between("threshold", threshold, 0, 1)
    require_between("width", width, 0, math.inf)
    w = (1 - prevalence) / prevalence * threshold / (1 - threshold)
    per_patient = (
        sensitivity * (1 - sensitivity) / prevalence
        + w**2 * specificity * (1 - specificity) / (1 - prevalence)
        + w**2 * (1 - specificity) ** 2 / (prevalence * (1 - prevalence))
    )
    require_between("variance of the net benefit", per_patient, 0, math.inf)
    n = per_patient / (width / (2 * quantile(level))) ** 2
    method = (
        f"standardised net benefit {sensitivity - w * (1 - specificity):.3g} at threshold {threshold:g}, Wald interval "
        "(Riley 2021, criterion 4)"
    )
    return required_size("standardised net benefit", width, level, n, prevalence, method)


def expected_classification(linear_predictor: ArrayLike, threshold: float) -> tuple[float, float]:
    """Return sensitivity and specificity at a threshold that a calibrated model will have.

    Args:
        linear_predictor: Shape (m,), log odds as expected in the cohort to come.
        threshold: Predicted risk from which on a patient is positive.

    Raises:
        UndefinedEstimate: Values not finite; threshold outside (0, 1).
    """
    require_between("threshold", threshold, 0, 1)
    risk = expit(finite_vector("linear_predictor", linear_predictor))
    positive = risk >= threshold
    return float(risk[positive].sum() / risk.sum()), float((1 - risk[~positive]).sum() / (1 - risk).sum())


def linear_predictor_from_c(c: float, prevalence: float, *, size: int = 20_000) -> Floats:
    """Return the log odds of a calibrated model with a given C statistic, as quantiles, shape (size,).

    Binormal: normal with variance 2 ndtri(C)^2 in either class and means that differ by that variance. The log
    likelihood ratio of two such classes is the value itself, so that the model is calibrated when centred on the log
    odds of the outcome.

    Args:
        c: C statistic, above 0.5.
        prevalence: Share of patients with the outcome.
        size: Number of quantiles.

    Raises:
        UndefinedEstimate: C not between 0.5 and 1; prevalence outside (0, 1), or without case among the quantiles.
    """
    require_between("C statistic", c, 0.5, 1)
    require_between("number of cases among the quantiles", round(size * prevalence), 0, size)
    variance = 2 * float(ndtri(c)) ** 2
    cases = round(size * prevalence)
    parts = [
        logit(prevalence) + shift + math.sqrt(variance) * ndtri((np.arange(count) + 0.5) / count)
        for shift, count in ((-variance / 2, size - cases), (variance / 2, cases))
    ]
    return np.concatenate(parts)
