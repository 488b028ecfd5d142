"""Tests of independence in a table of counts: chi-square, and Fisher's exact test by enumeration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import gammaln, xlogy
from scipy.stats import chi2_contingency

from validation.estimators.compiled import compiled
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest, counts_table
from validation.estimators.intervals import quantile
from validation.estimators.samples import Floats

LEAST_EXPECTED = 5  # count per cell; below, the chi-square distribution is a poor approximation
MAX_PARTIAL_TABLES = 2_000_000  # kept at once while enumerating: up to a second per row and 0.4 GB
LARGEST_LOG_ODDS = 100.0  # an odds ratio of 1e43, beyond what any counts can give
TIE = 1e-7  # tables whose probabilities differ relatively by less count as equally probable, as in R

Integers = NDArray[np.int64]


def expected_counts(table: ArrayLike) -> Floats:
    """Return the counts expected under independence, shape (r, c).

    Raises:
        UndefinedEstimate: As `counts_table`.
    """
    counts = counts_table(table)
    return np.asarray(np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum())


def chi_square(table: ArrayLike, *, correction: bool) -> GroupTest:
    """Test independence with Pearson's chi-square; equals R's chisq.test(correct = correction).

    The method text says how many expected counts lie below 5.

    Args:
        table: Shape (r, c), counts.
        correction: Yates' continuity correction. Only a 2 x 2 table has one, so for a larger table it must be False.

    Raises:
        UndefinedEstimate: As `counts_table`; a correction is asked for in a larger table.
    """
    counts = counts_table(table)
    if correction and counts.shape != (2, 2):
        raise UndefinedEstimate(f"the continuity correction is for 2 x 2 tables, not for shape {counts.shape}")
    result = chi2_contingency(counts, correction=correction)
    few = int(np.count_nonzero(result.expected_freq < LEAST_EXPECTED))
    method = (
        f"Pearson chi-square, {'with Yates' if correction else 'no'} continuity correction"
        f"{f'; {few} expected counts below {LEAST_EXPECTED}' if few else ''}"
    )
    return GroupTest("chi-square", float(result.statistic), (float(result.dof),), float(result.pvalue), method)


def fisher_odds_ratio(table: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate the odds ratio of a 2 x 2 table [[a, b], [c, d]] given its margins, with exact interval and P value.

    Conditional maximum likelihood and the interval of the noncentral hypergeometric distribution, as R's fisher.test;
    R stops its root search at 1e-4 of the unit interval, so its printed estimate and limits are that coarse.

    Args:
        table: Shape (2, 2), counts.
        level: Two-sided confidence level.

    Returns:
        The estimate; its events are the second column, its P value that of `fisher_exact`.

    Raises:
        UndefinedEstimate: As `counts_table`; another shape; the odds ratio is 0 or infinite.
    """
    counts = counts_table(table)
    if counts.shape != (2, 2):
        raise UndefinedEstimate(f"a table of shape {counts.shape} has no single odds ratio")
    quantile(level)  # refuses an impossible level
    n, first, row, column = (int(x) for x in (counts.sum(), counts[0, 0], counts[0].sum(), counts[:, 0].sum()))
    support = np.arange(max(0, row + column - n), min(row, column) + 1)
    if first in {support[0], support[-1]}:
        raise UndefinedEstimate("a cell is empty: the conditional odds ratio is 0 or infinite", too_few=True)
    cells = np.stack((support, row - support, column - support, n - row - column + support), axis=1)
    log_weight = -_log_factorials(cells)

    def solve(score: Floats, target: float) -> float:
        """Odds ratio at which the mean of `score` over the first cell's noncentral distribution is the target."""

        def excess(log_odds: float) -> float:
            tilted = log_weight + log_odds * support
            probability = np.exp(tilted - tilted.max())
            return float(probability @ score / probability.sum()) - target

        return math.exp(brentq(excess, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, xtol=1e-14))

    value = solve(support.astype(np.float64), first)
    lower = solve((support >= first).astype(np.float64), (1 - level) / 2)
    upper = solve((support <= first).astype(np.float64), (1 - level) / 2)
    method = "conditional maximum likelihood odds ratio, exact interval; P value of Fisher's exact test"
    p_value = fisher_exact(counts).p_value
    return Estimate(value, lower, upper, level, n, n - column, method, "log", p_value=p_value)


def fisher_exact(table: ArrayLike) -> GroupTest:
    """Test independence by Fisher's exact test (Freeman-Halton for more than 2 x 2); equals R's fisher.test.

    The P value is the probability, given the margins, of all tables that are at most as probable as the one observed.
    Tables are built row by row. Partial tables that leave the same column totals and are equally probable are kept
    once; those whose completions all count, or none of them, are settled by bounds (the idea of Mehta and Patel, J Am
    Stat Assoc 1983;78:427). Deterministic: no table is ever sampled.

    Args:
        table: Shape (r, c), counts.

    Raises:
        UndefinedEstimate: As `counts_table`; more than 2 million partial tables would have to be kept at once.
    """
    counts = counts_table(table)
    oriented = counts if counts.shape[0] >= counts.shape[1] else counts.T
    rows = np.sort(oriented.sum(axis=1))  # the largest row comes last, where it is determined by the others
    columns = np.sort(oriented.sum(axis=0))[None, :]
    constant = _log_factorials(rows) + float(_log_factorials(columns)[0] - gammaln(rows.sum() + 1))
    threshold = float(constant - _log_factorials(oriented.ravel()) + TIE)
    past, copies = np.array([constant]), np.array([1.0])
    p_value = 0.0
    for k in range(rows.size - 2):
        columns, past, copies = _merged(*_with_row(columns, past, copies, int(rows[k])))
        rest = rows[k + 1 :]
        settled = past + _log_largest(rest, columns) <= threshold
        p_value += float(np.sum((copies * np.exp(past + _log_total(rest, columns)))[settled]))
        unsettled = ~settled & (past + _log_smallest(rest, columns) <= threshold)
        columns, past, copies = columns[unsettled], past[unsettled], copies[unsettled]
    left = np.full(len(columns), rows[-2])
    for j in range(columns.shape[1] - 2):
        columns, left, past, copies = _with_cell(j, columns, left, past, copies)
    past = past - _log_factorials(columns[:, :-2])
    p_value += _completed(columns[:, -2:], left, past, copies, threshold, gammaln(np.arange(rows.sum() + 1.0) + 1))
    method = f"Fisher's exact test, all {counts.shape[0]} x {counts.shape[1]} tables with these margins"
    return GroupTest("Fisher exact", None, (), min(p_value, 1.0), method)


def _log_factorials(counts: Integers) -> Floats:
    """Sum of the log-factorials over the last axis."""
    return np.asarray(gammaln(counts + 1.0).sum(axis=-1))


def _with_cell(
    j: int, columns: Integers, left: Integers, past: Floats, copies: Floats
) -> tuple[Integers, Integers, Floats, Floats]:
    """Fill cell j of the current row in every way that the totals allow.

    Args:
        j: Number of the column; the columns before it are filled.
        columns: Shape (m, c), what each column still needs in each of m partial tables.
        left: Shape (m,), what the current row still needs.
        past: Shape (m,), log-probability so far.
        copies: Shape (m,), how many partial tables each one stands for.
    """
    low = np.maximum(left - columns[:, j + 1 :].sum(axis=1), 0)
    ways = np.minimum(left, columns[:, j]) - low + 1
    if ways.sum() > MAX_PARTIAL_TABLES:
        raise UndefinedEstimate(
            f"Fisher's exact test would have to keep {ways.sum()} partial tables at once, more than "
            f"{MAX_PARTIAL_TABLES}: the table is too large to enumerate"
        )
    origin = np.repeat(np.arange(len(columns)), ways)
    cell = np.arange(origin.size) - np.repeat(np.cumsum(ways) - ways, ways) + low[origin]
    filled = columns[origin]
    filled[:, j] -= cell
    return filled, left[origin] - cell, past[origin] - gammaln(cell + 1.0), copies[origin]


def _with_row(columns: Integers, past: Floats, copies: Floats, total: int) -> tuple[Integers, Floats, Floats]:
    """Fill one more row in every way."""
    left = np.full(len(columns), total)
    for j in range(columns.shape[1]):
        columns, left, past, copies = _with_cell(j, columns, left, past, copies)
    return columns, past, copies


@compiled
def _completed(
    columns: Integers, left: Integers, past: Floats, copies: Floats, threshold: float, log_factorial: Floats
) -> float:
    """Probability of the tables up to the threshold when two rows and, in the upper one, two columns are open."""
    total = 0.0
    for k in range(left.size):
        first, second = columns[k]
        for cell in range(max(0, left[k] - second), min(left[k], first) + 1):
            other = left[k] - cell
            log_probability = past[k] - log_factorial[cell] - log_factorial[other]
            log_probability -= log_factorial[first - cell] + log_factorial[second - other]
            if log_probability <= threshold:
                total += copies[k] * np.exp(log_probability)
    return total


def _merged(columns: Integers, past: Floats, copies: Floats) -> tuple[Integers, Floats, Floats]:
    """Join partial tables of equal probability that leave the same column totals, in whatever order."""
    columns = np.sort(columns, axis=1)
    keys = np.column_stack((columns, np.rint(past * 1e9).astype(np.int64)))
    order = np.lexsort(keys.T)
    starts = np.flatnonzero(np.r_[True, (np.diff(keys[order], axis=0) != 0).any(axis=1)][: len(keys)])
    return columns[order][starts], past[order][starts], np.add.reduceat(copies[order], starts)


def _log_total(rows: Integers, columns: Integers) -> Floats:
    """Log of the sum, over all tables with these margins, of one by the product of the factorials of their counts."""
    return np.asarray(gammaln(rows.sum() + 1.0) - _log_factorials(rows) - _log_factorials(columns))


def _log_largest(rows: Integers, columns: Integers) -> Floats:
    """Upper bound of the largest term of that sum: the Lagrange dual at the multipliers of independence."""
    n = rows.sum()
    mean = rows[:, None] * columns[:, None, :] / n
    mode = np.floor(mean)
    terms = (xlogy(mode, mean) - gammaln(mode + 1)).sum(axis=(1, 2))
    return np.asarray(terms - xlogy(rows, rows).sum() - xlogy(columns, columns).sum(axis=1) + xlogy(n, n))


def _log_smallest(rows: Integers, columns: Integers) -> Floats:
    """Lower bound of the smallest term: a product of factorials is at most the factorial of the sum."""
    return -np.minimum(_log_factorials(rows), _log_factorials(columns))
