"""Tests of equal location in groups of numbers, by means or by ranks, and the Shapiro-Wilk test to choose between them.

Everywhere `values` has shape (n,) and no missing value, `group` has shape (n,) and holds labels; the first group is the
one whose label sorts first. All refuse what `grouped` refuses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest, grouped
from validation.estimators.samples import Floats, finite_vector

EXACT_BELOW = 50  # patients per group, as in R
MAX_SHAPIRO = 5000  # Royston's approximation was fitted up to here


def welch_t(values: ArrayLike, group: ArrayLike) -> GroupTest:
    """Test whether two means differ, variances unequal; equals R's t.test.

    Raises:
        UndefinedEstimate: As `grouped`; no variance within either group.
    """
    return _t_test(values, group, "Welch t", "Welch's t test, unequal variances", equal_var=False)


def student_t(values: ArrayLike, group: ArrayLike) -> GroupTest:
    """Test whether two means differ, variances equal; equals R's t.test(var.equal = TRUE).

    Raises:
        UndefinedEstimate: As `grouped`; no variance within either group.
    """
    return _t_test(values, group, "Student t", "Student's t test, equal variances", equal_var=True)


def _t_test(values: ArrayLike, group: ArrayLike, name: str, method: str, *, equal_var: bool) -> GroupTest:
    first, second = _varying(grouped(values, group, 2))
    result = stats.ttest_ind(first, second, equal_var=equal_var)
    return GroupTest(name, float(result.statistic), (float(result.df),), float(result.pvalue), method)


def _varying(samples: list[Floats]) -> list[Floats]:
    if all(sample.min() == sample.max() for sample in samples):
        raise UndefinedEstimate("the values do not vary within any group", too_few=True)
    return samples


def analysis_of_variance(values: ArrayLike, group: ArrayLike) -> GroupTest:
    """Test whether the means of k groups are equal, variances equal; equals R's aov.

    Raises:
        UndefinedEstimate: As `grouped`; no variance within any group.
    """
    samples = _varying(grouped(values, group))
    result = stats.f_oneway(*samples)
    degrees = (len(samples) - 1.0, float(sum(sample.size for sample in samples) - len(samples)))
    method = "one-way analysis of variance, equal variances"
    return GroupTest("analysis of variance", float(result.statistic), degrees, float(result.pvalue), method)


def mann_whitney(values: ArrayLike, group: ArrayLike) -> GroupTest:
    """Test whether two groups are equal by ranks; the statistic is R's W; equals R's wilcox.test.

    Exact without ties if both groups have fewer than 50 patients, else normal with correction for ties and continuity.

    Raises:
        UndefinedEstimate: As `grouped`.
    """
    first, second = grouped(values, group, 2)
    tied = np.unique(np.concatenate((first, second))).size < first.size + second.size
    exact = not tied and max(first.size, second.size) < EXACT_BELOW
    result = stats.mannwhitneyu(first, second, method="exact" if exact else "asymptotic", use_continuity=not exact)
    how = "exact" if exact else "normal approximation with correction for ties and continuity"
    method = f"Mann-Whitney (Wilcoxon rank-sum) test, {how}"
    return GroupTest("Mann-Whitney", float(result.statistic), (), float(result.pvalue), method)


def kruskal_wallis(values: ArrayLike, group: ArrayLike) -> GroupTest:
    """Test whether k groups are equal by ranks, corrected for ties; equals R's kruskal.test.

    Raises:
        UndefinedEstimate: As `grouped`.
    """
    samples = grouped(values, group)
    result = stats.kruskal(*samples)
    method = "Kruskal-Wallis test, corrected for ties"
    return GroupTest("Kruskal-Wallis", float(result.statistic), (len(samples) - 1.0,), float(result.pvalue), method)


def shapiro_wilk(values: ArrayLike) -> GroupTest:
    """Test whether one sample is normal; R's shapiro.test to 2e-9 in W (Royston, Appl Stat 1995;44:547).

    Args:
        values: Shape (n,), 3 to 5000 values.

    Raises:
        UndefinedEstimate: As `finite_vector`; fewer than 3 or more than 5000 values; all equal.
    """
    vector = finite_vector("values", values)
    if not 3 <= vector.size <= MAX_SHAPIRO:
        raise UndefinedEstimate(f"Shapiro-Wilk needs 3 to {MAX_SHAPIRO} values, not {vector.size}")
    if vector.min() == vector.max():
        raise UndefinedEstimate(f"the value is {vector[0]:g} for all {vector.size} patients")
    result = stats.shapiro(vector)
    method = "Shapiro-Wilk test of normality"
    return GroupTest("Shapiro-Wilk", float(result.statistic), (), float(result.pvalue), method)
