"""What comparing two cohorts needs beyond `groups`: counts of levels, and the Kolmogorov-Smirnov test."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import kolmogorov

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.samples import finite_vector, group_index


def level_counts(development: ArrayLike, external: ArrayLike) -> tuple[list[str], NDArray[np.int64]]:
    """Count the levels of a categorical variable.

    Args:
        development: Shape (n,), labels, none missing.
        external: Shape (m,).

    Returns:
        Labels of the levels in ascending order, and counts of shape (levels, 2): development, external.

    Raises:
        UndefinedEstimate: As `group_index`; an empty cohort; one level only.
    """
    first, second = np.asarray(development), np.asarray(external)
    if not first.size or not second.size:
        raise UndefinedEstimate(f"{first.size} and {second.size} patients: an empty cohort", too_few=True)
    labels, index = group_index("the variable", np.concatenate((first, second)), first.size + second.size)
    if len(labels) < 2:
        raise UndefinedEstimate(f"the variable is {labels[0]} for all patients of both cohorts")
    counts = [np.bincount(part, minlength=len(labels)) for part in (index[: first.size], index[first.size :])]
    return labels, np.stack(counts, axis=1).astype(np.int64)


def kolmogorov_smirnov(development: ArrayLike, external: ArrayLike) -> GroupTest:
    """Compare two distributions by the largest distance between their empirical distribution functions.

    D and its limiting P value equal R's ks.test(exact=FALSE); with ties the P value is conservative. scipy's
    ks_2samp(method="asymp") uses another approximation.

    Args:
        development: Shape (n,), values without missing ones.
        external: Shape (m,).

    Raises:
        UndefinedEstimate: Values not finite, or fewer than two in a cohort.
    """
    first, second = (np.sort(finite_vector(*x)) for x in (("development", development), ("external", external)))
    at = np.concatenate((first, second))
    shares = [np.searchsorted(sample, at, side="right") / sample.size for sample in (first, second)]
    distance = float(np.abs(shares[0] - shares[1]).max())
    effective = first.size * second.size / (first.size + second.size)
    p_value = float(kolmogorov(math.sqrt(effective) * distance))
    method = "two-sample Kolmogorov-Smirnov test, limiting distribution"
    return GroupTest("Kolmogorov-Smirnov", distance, (), p_value, method)
