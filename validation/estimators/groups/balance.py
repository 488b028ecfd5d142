"""Standardised differences between two groups: how unlike they are, whatever the number of patients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.groups.group_test import counts_table, grouped
from validation.estimators.influence import Influence
from validation.estimators.samples import group_index


def standardised_mean_difference_influence(values: ArrayLike, group: ArrayLike) -> Influence:
    """Return the standardised mean difference with each patient's influence; see `standardised_mean_difference`.

    Raises:
        UndefinedEstimate: As `grouped` with two groups; no variance within either group.
    """
    samples = grouped(values, group, 2)
    _, index = group_index("group", group, sum(sample.size for sample in samples))
    first, second = samples
    spread = float(np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2))
    if spread == 0:
        raise UndefinedEstimate("the values do not vary within any group", too_few=True)
    value = float(second.mean() - first.mean()) / spread
    contributions = np.empty(index.size)
    for k, (sample, sign) in enumerate(((first, -1), (second, 1))):
        deviation = (sample - sample.mean()) / spread
        of_variance = deviation**2 - sample.var() / spread**2
        contributions[index == k] = (sign * deviation - value / 4 * of_variance) / sample.size
    method = "mean of the second group less that of the first by the root of their mean variance"
    return Influence(value, contributions, index.size, second.size, method)


def standardised_mean_difference(values: ArrayLike, group: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate (mean of the second group - mean of the first) / sqrt((variance of one + variance of the other) / 2).

    Source: Austin, Stat Med 2009;28:3083; as R's tableone. The second group is the one whose label sorts last (external
    after development); its size is reported as the events. Values beyond 0.1 are usually called imbalance. The standard
    error comes from the influence function and supposes neither normal values nor equal variances; Cohen's formula,
    which supposes both, gives another one.

    Args:
        values: Shape (n,).
        group: Shape (n,), labels of two groups.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `standardised_mean_difference_influence`.
    """
    return standardised_mean_difference_influence(values, group).estimate(scale="identity", level=level)


def standardised_category_difference(table: ArrayLike) -> float:
    """Return how far two groups' shares of k categories lie apart, in standard deviations, without sign.

    Mahalanobis distance of the shares, as R's tableone (Yang and Dalton, SAS Global Forum 2012, paper 335); for two
    categories |p - q| / sqrt((p(1 - p) + q(1 - q)) / 2).

    Args:
        table: Shape (k, 2), counts per category and group.

    Raises:
        UndefinedEstimate: As `counts_table`; not two groups; the groups have no category in common, so that the mean
            covariance of the shares is singular.
    """
    counts = counts_table(table)
    if counts.shape[1] != 2:
        raise UndefinedEstimate(f"{counts.shape[1]} groups where two are compared")
    shares = (counts / counts.sum(axis=0))[1:]  # the first category follows from the others
    covariance = sum(np.diag(p) - np.outer(p, p) for p in shares.T) / 2
    if np.linalg.matrix_rank(covariance) < len(shares):
        raise UndefinedEstimate("the groups have no category in common: no standardised difference", too_few=True)
    difference = shares[:, 1] - shares[:, 0]
    return float(np.sqrt(difference @ np.linalg.solve(covariance, difference)))
