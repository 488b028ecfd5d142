"""The table of patient characteristics by group, with the test that a stated rule chooses for each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.balance import standardised_category_difference, standardised_mean_difference
from validation.estimators.groups.contingency import LEAST_EXPECTED, chi_square, expected_counts, fisher_exact
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.groups.location import (
    analysis_of_variance,
    kruskal_wallis,
    mann_whitney,
    shapiro_wilk,
    welch_t,
)
from validation.estimators.samples import Bools, Floats, group_index, missing_values, plain

Kind = Literal["continuous", "skewed", "auto", "categorical"]
"""Numbers described by mean and SD; numbers by median and quartiles; numbers, decided by `is_normal`; categories."""

NORMAL_ABOVE = 0.05  # P value of Shapiro-Wilk in every group

Index = NDArray[np.int64]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Summary:
    """One characteristic in one group.

    Attributes:
        n: Patients in whom it is known.
        missing: Patients in whom it is not; they are part of no number below and of no test.
        values: Mean and, from two patients on, SD (continuous), median and quartiles (skewed), both empty if n is 0; or
            patients per category.
    """

    n: int
    missing: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Characteristic:
    """One row of the table.

    Attributes:
        name: Name of the column.
        kind: "continuous", "skewed" or "categorical"; "auto" has been decided.
        categories: Labels in ascending order; empty for numbers.
        overall: All patients.
        groups: One per group, in the order of `TableOne.groups`.
        test: That no difference exists; None where `undefined` says why.
        undefined: Why there is no test; None if there is one.
        standardised_difference: Without sign; None unless two groups are compared and it is defined.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...]
    overall: Summary
    groups: tuple[Summary, ...]
    test: GroupTest | None
    undefined: str | None
    standardised_difference: float | None

    def text(self, summary: Summary) -> tuple[str, ...]:
        """Return a summary as it is printed: "54.8 (10.9)", "54.0 (47.0-62.0)", or "121 (71.2 %)" per category."""
        if summary.n == 0:
            return ("no value",)
        if self.kind == "categorical":
            return tuple(f"{count:.0f} ({100 * count / summary.n:.1f} %)" for count in summary.values)
        first, *others = (f"{value:.1f}" for value in summary.values)
        return (f"{first} ({'-'.join(others)})" if others else first,)


@dataclass(frozen=True)
class TableOne:
    """The whole table.

    Attributes:
        groups: Labels in ascending order.
        sizes: Patients per group.
        rows: One per characteristic, in the order given.
    """

    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    rows: tuple[Characteristic, ...]


def table_one(columns: Mapping[str, ArrayLike], kinds: Mapping[str, Kind], group: ArrayLike) -> TableOne:
    """Describe characteristics by group and test whether the groups differ.

    Rules: continuous, Welch's t test for two groups and one-way analysis of variance for more; skewed, Mann-Whitney and
    Kruskal-Wallis; categorical, Pearson's chi-square (with Yates' correction in a 2 x 2 table, R's default) unless an
    expected count is below 5, then Fisher's exact test; auto, continuous if `is_normal`, else skewed. The SD has the
    divisor n - 1, quartiles are R's type 7. P values are not corrected for the number of rows.

    Args:
        columns: Name to values, each of shape (n,); None, NaN or pandas' NA where a value is missing.
        kinds: What each column is; declared, because a number may be a code.
        group: Shape (n,), labels of at least two groups.

    Raises:
        UndefinedEstimate: As `group_index`; one group; a column without kind, of another length, without any value, or
            of numbers that are none or infinite. A test that is undefined is no error: the row says why.
    """
    labels, index = group_index("group", group, np.asarray(group).size)
    if len(labels) < 2:
        raise UndefinedEstimate(f"{len(labels)} groups where two or more are compared")
    if set(columns) != set(kinds):
        raise UndefinedEstimate(f"kinds are declared for {sorted(kinds)}, columns are {sorted(columns)}")
    rows = tuple(_row(name, values, kinds[name], index) for name, values in columns.items())
    return TableOne(tuple(labels), tuple(plain(np.bincount(index))), rows)


def is_normal(values: ArrayLike, group: ArrayLike) -> bool:
    """Whether Shapiro-Wilk gives P >= 0.05 in every group.

    In large samples trifling departures are found; declare the kind if that matters.

    Raises:
        UndefinedEstimate: As `shapiro_wilk`, in any group.
    """
    vector, labels = np.asarray(values, dtype=np.float64), np.asarray(group)
    return all(shapiro_wilk(vector[labels == label]).p_value >= NORMAL_ABOVE for label in np.unique(labels))


def _row(name: str, values: ArrayLike, kind: Kind, index: Index) -> Characteristic:
    column = np.asarray(values, dtype=object)
    if column.shape != index.shape:
        raise UndefinedEstimate(f"{name} has shape {column.shape} for {index.size} patients")
    known = ~missing_values(column)
    if not known.any():
        raise UndefinedEstimate(f"{name} has no value in any patient")
    if kind == "categorical":
        return _categorical(name, column, known, index)
    return _numerical(name, column, known, kind, index)


def _attempt(statistic: Callable[[], Result]) -> tuple[Result | None, str | None]:
    try:
        return statistic(), None
    except UndefinedEstimate as undefined:
        return None, str(undefined)


def _categorical(name: str, column: NDArray[np.object_], known: Bools, index: Index) -> Characteristic:
    categories, category = group_index(name, column[known].tolist(), int(known.sum()))
    table = np.zeros((len(categories), int(index.max()) + 1), dtype=np.int64)
    np.add.at(table, (category, index[known]), 1)
    missing = np.bincount(index[~known], minlength=table.shape[1])
    test, undefined = _attempt(lambda: independence(table))
    difference, _ = _attempt(lambda: standardised_category_difference(table))

    def summary(counts: Index, missing: int) -> Summary:
        return Summary(int(counts.sum()), missing, tuple(map(float, counts)))

    groups = tuple(summary(table[:, k], int(missing[k])) for k in range(table.shape[1]))
    overall = summary(table.sum(axis=1), int(missing.sum()))
    return Characteristic(name, "categorical", tuple(categories), overall, groups, test, undefined, difference)


def independence(table: ArrayLike) -> GroupTest:
    """Test independence by the rule of `table_one`: chi-square, or Fisher's exact test if an expected count is below 5.

    The method states the smallest expected count.

    Args:
        table: Shape (r, c), counts.

    Raises:
        UndefinedEstimate: As `chi_square` and `fisher_exact`.
    """
    expected = expected_counts(table)
    few = expected.min() < LEAST_EXPECTED
    test = fisher_exact(table) if few else chi_square(table, correction=expected.size == 4)
    below = f", below {LEAST_EXPECTED}" if few else ""
    return replace(test, method=f"{test.method}; smallest expected count {expected.min():.3g}{below}")


def _numerical(name: str, column: NDArray[np.object_], known: Bools, kind: Kind, index: Index) -> Characteristic:
    try:
        values: Floats = column[known].astype(np.float64)
    except (TypeError, ValueError):
        raise UndefinedEstimate(f"{name} is declared {kind} but holds values that are no numbers") from None
    if not np.isfinite(values).all():
        raise UndefinedEstimate(f"{name} is infinite in {np.count_nonzero(~np.isfinite(values))} patients")
    group = index[known]
    normal, undecided = (kind == "continuous", None) if kind != "auto" else _attempt(lambda: is_normal(values, group))
    test, undefined = _attempt(lambda: _location_test(values, group, int(index.max()) + 1, bool(normal)))
    difference, _ = _attempt(lambda: abs(standardised_mean_difference(values, group).value))
    if undecided is not None:
        test, undefined = None, f"continuous or skewed is undecided: {undecided}"

    def summary(chosen: Bools) -> Summary:
        present = values[chosen[known]]
        return Summary(present.size, int(np.count_nonzero(chosen & ~known)), _described(present, bool(normal)))

    groups = tuple(summary(index == k) for k in range(int(index.max()) + 1))
    applied: Kind = "continuous" if normal else "skewed"
    overall = summary(np.ones(index.size, dtype=np.bool_))
    return Characteristic(name, applied, (), overall, groups, test, undefined, difference)


def _location_test(values: Floats, group: Index, groups: int, normal: bool) -> GroupTest:
    if np.unique(group).size < groups:
        raise UndefinedEstimate("a group has no value", too_few=True)
    if normal:
        return welch_t(values, group) if groups == 2 else analysis_of_variance(values, group)
    return mann_whitney(values, group) if groups == 2 else kruskal_wallis(values, group)


def _described(values: Floats, normal: bool) -> tuple[float, ...]:
    if values.size == 0:
        return ()
    if normal:
        return (float(values.mean()), *((float(values.std(ddof=1)),) if values.size > 1 else ()))
    return tuple(float(q) for q in np.quantile(values, (0.5, 0.25, 0.75)))
