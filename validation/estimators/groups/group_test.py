"""The result of a test of equal groups, and the checks that all such tests share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Floats, finite_vector, group_index


@dataclass(frozen=True)
class GroupTest:
    """A test of the hypothesis that groups (of patients, or whole cohorts) do not differ, two-sided if it has sides.

    Attributes:
        name: Of the test, for instance "Welch t".
        statistic: Test statistic; None for Fisher's exact test, which has none.
        degrees_of_freedom: One value (t, chi-square), two (F), or none.
        p_value: Between 0 and 1.
        method: Variant and source, in words.
    """

    name: str
    statistic: float | None
    degrees_of_freedom: tuple[float, ...]
    p_value: float
    method: str

    def __post_init__(self) -> None:
        """Refuse a P value that is none.

        Raises:
            UndefinedEstimate: The P value or the statistic is not finite, or the P value lies outside [0, 1].
        """
        if not 0 <= self.p_value <= 1 or not math.isfinite(self.statistic or 0):
            raise UndefinedEstimate(f"{self.name}: statistic {self.statistic}, P value {self.p_value} impossible")


def counts_table(table: ArrayLike) -> NDArray[np.int64]:
    """Return a table of counts, shape (r, c), refusing what is none.

    Raises:
        UndefinedEstimate: Fewer than two rows or columns, a count that is negative or no whole number, an empty row or
            column.
    """
    counts: Floats = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or min(counts.shape) < 2:
        raise UndefinedEstimate(f"a table of shape {counts.shape} compares nothing: two rows and columns are needed")
    if not np.isfinite(counts).all() or (counts < 0).any() or (counts != np.floor(counts)).any():
        raise UndefinedEstimate("the table holds other values than counts")
    if not (counts.any(axis=0).all() and counts.any(axis=1).all()):
        raise UndefinedEstimate("the table has an empty row or column", too_few=True)
    return counts.astype(np.int64)


def grouped(values: ArrayLike, group: ArrayLike, groups: int | None = None) -> list[Floats]:
    """Return the values of each group, in ascending order of the labels.

    Args:
        values: Shape (n,).
        group: Shape (n,), labels.
        groups: Required number of groups; at least two if not given.

    Raises:
        UndefinedEstimate: As `finite_vector` and `group_index`; another number of groups; all values equal; a group
            with a single value.
    """
    vector = finite_vector("values", values)
    labels, index = group_index("group", group, vector.size)
    if len(labels) < 2 or groups not in {None, len(labels)}:
        raise UndefinedEstimate(f"{len(labels)} groups where {groups or 'two or more'} are compared")
    if vector.min() == vector.max():
        raise UndefinedEstimate(f"the value is {vector[0]:g} for all {vector.size} patients")
    samples = [vector[index == k] for k in range(len(labels))]
    for label, sample in zip(labels, samples, strict=True):
        if sample.size < 2:
            raise UndefinedEstimate(f"the group {label} has a single value", too_few=True)
    return samples
