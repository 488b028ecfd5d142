"""One variable in two cohorts, with its missing values as a row of their own.

Differences and tests are those of `groups`, the cohort being the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.groups.balance import standardised_category_difference, standardised_mean_difference
from validation.estimators.groups.contingency import chi_square
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.samples import finite_vector, missing_values, plain
from validation.estimators.shift.differences import kolmogorov_smirnov, level_counts
from validation.estimators.shift.stability import StabilityIndex, population_stability

Pair = tuple[float, float]
"""Development cohort, external cohort."""


@dataclass(frozen=True)
class MissingValues:
    """How often a variable is missing.

    Attributes:
        variable: Its name.
        n: Patients of the two cohorts.
        missing: Those without a value.
        share: The same as a share.
    """

    variable: str
    n: tuple[int, int]
    missing: tuple[int, int]
    share: Pair


@dataclass(frozen=True)
class NumericShift:
    """A numeric variable in two cohorts, among patients who have a value.

    Attributes:
        variable: Its name.
        n: Patients with a value.
        mean: In the variable's unit.
        standard_deviation: In the variable's unit.
        difference: Standardised, external less development; its `events` are the external patients.
        stability: Population stability index over the development deciles.
        test: Kolmogorov-Smirnov.
    """

    variable: str
    n: tuple[int, int]
    mean: Pair
    standard_deviation: Pair
    difference: Estimate
    stability: StabilityIndex
    test: GroupTest


@dataclass(frozen=True)
class CategoricalShift:
    """A categorical variable in two cohorts, among patients who have a value.

    Attributes:
        variable: Its name.
        n: Patients with a value.
        levels: Labels, ascending.
        shares: Of each level: development, external.
        difference: Standardised, a distance without sign or interval; biased upwards in small cohorts.
        test: Chi-square without correction.
    """

    variable: str
    n: tuple[int, int]
    levels: tuple[str, ...]
    shares: tuple[Pair, ...]
    difference: float
    test: GroupTest


def _present(variable: str, development: ArrayLike, external: ArrayLike) -> tuple[MissingValues, list[Any], list[Any]]:
    """Count the missing values and return the others of either cohort."""
    samples = [np.asarray(x, dtype=object) for x in (development, external)]
    if not all(x.size for x in samples):
        raise UndefinedEstimate(f"{variable}: an empty cohort", too_few=True)
    absent = [missing_values(x) for x in samples]
    n, missing = (samples[0].size, samples[1].size), (int(absent[0].sum()), int(absent[1].sum()))
    row = MissingValues(variable, n, missing, (missing[0] / n[0], missing[1] / n[1]))
    first, second = (plain(x[~gone]) for x, gone in zip(samples, absent, strict=True))
    return row, first, second


def compare_numeric(
    variable: str, development: ArrayLike, external: ArrayLike, *, level: float = 0.95
) -> tuple[MissingValues, NumericShift]:
    """Compare a covariate, a linear predictor or a score between the cohorts; None, NaN and pandas' NA are missing.

    Args:
        variable: Its name.
        development: Shape (n,).
        external: Shape (m,).
        level: Two-sided confidence level of the standardised difference.

    Raises:
        UndefinedEstimate: As `finite_vector`, `standardised_mean_difference` and `population_stability`, of the values
            present; an empty cohort.
    """
    missing, *present = _present(variable, development, external)
    first, second = (finite_vector(*x) for x in zip(("development", "external"), present, strict=True))
    cohort = np.repeat(("development", "external"), (first.size, second.size))
    return missing, NumericShift(
        variable,
        (first.size, second.size),
        (float(first.mean()), float(second.mean())),
        (float(first.std(ddof=1)), float(second.std(ddof=1))),
        standardised_mean_difference(np.concatenate((first, second)), cohort, level=level),
        population_stability(first, second),
        kolmogorov_smirnov(first, second),
    )


def compare_categorical(
    variable: str, development: ArrayLike, external: ArrayLike
) -> tuple[MissingValues, CategoricalShift]:
    """Compare a categorical variable between the cohorts; None, NaN and pandas' NA are missing values.

    Args:
        variable: Its name.
        development: Shape (n,), labels.
        external: Shape (m,).

    Raises:
        UndefinedEstimate: As `level_counts` and `standardised_category_difference`, of the values present.
    """
    missing, first, second = _present(variable, development, external)
    levels, counts = level_counts(first, second)
    return missing, CategoricalShift(
        variable,
        (len(first), len(second)),
        tuple(levels),
        tuple((float(a), float(b)) for a, b in counts / counts.sum(axis=0)),
        standardised_category_difference(counts),
        chi_square(counts, correction=False),
    )
