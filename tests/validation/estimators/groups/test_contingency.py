"""Chi-square and Fisher's exact test: equal to R, by hand, invariances, and what they refuse."""

from __future__ import annotations

import json
from functools import cache
from math import factorial, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tests.reference import FOLDER, from_r
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.contingency import chi_square, fisher_exact, fisher_odds_ratio


@cache
def reference() -> dict[str, Any]:
    """What groups.R wrote."""
    values: dict[str, Any] = json.loads((FOLDER / "groups.json").read_text(encoding="utf-8"))
    return values


def test_chi_square_equals_r() -> None:
    """Statistic, degrees of freedom and P value are those of chisq.test, with and without correction."""
    r = from_r()["table1"]
    for table, correction, name, degrees in (
        ("meno_x_hormon", True, "chisq_yates", 1),
        ("meno_x_hormon", False, "chisq_nocorr", 1),
        ("grade_x_hormon", False, "grade_chisq", 2),
    ):
        test = chi_square(r[table], correction=correction)
        assert test.statistic == pytest.approx(r[name]["stat"], rel=1e-12)
        assert test.p_value == pytest.approx(r[name]["p"], rel=1e-12)
        assert test.degrees_of_freedom == (degrees,)


def test_chi_square_tells_of_small_counts() -> None:
    """Expected counts below 5 are part of the method."""
    assert chi_square([[4, 4], [12, 12]], correction=False).method.endswith("; 2 expected counts below 5")
    assert "below 5" not in chi_square([[20, 20], [20, 20]], correction=False).method


def test_fisher_equals_r_on_gbsg() -> None:
    """P values of fisher.test for a 2 x 2 and a 3 x 2 table; the odds ratio to what R's own root search leaves."""
    r = from_r()["table1"]
    assert fisher_exact(r["meno_x_hormon"]).p_value == pytest.approx(r["fisher"]["p"], rel=1e-9)
    assert fisher_exact(r["grade_x_hormon"]).p_value == pytest.approx(r["grade_fisher"], rel=1e-9)
    estimate = fisher_odds_ratio(r["meno_x_hormon"])
    found = [estimate.value, estimate.lower, estimate.upper]
    assert found == pytest.approx([r["fisher"]["or_cmle"], *r["fisher"]["ci"]], rel=2e-4)
    assert estimate.p_value == pytest.approx(r["fisher"]["p"], rel=1e-9)


@pytest.mark.parametrize("case", reference()["fisher2"])
def test_odds_ratio_equals_r_solved_further(case: dict[str, Any]) -> None:
    """Odds ratio and limits solve R's equations to 1e-9; the P value is fisher.test's."""
    estimate = fisher_odds_ratio(case["table"])

    assert [estimate.value, estimate.lower, estimate.upper] == pytest.approx(case["solved"], rel=1e-9)
    assert estimate.p_value == pytest.approx(case["p"], rel=1e-9)


@pytest.mark.parametrize("case", reference()["fisher"])
def test_fisher_of_larger_tables_equals_r(case: dict[str, Any]) -> None:
    """P values of fisher.test up to 5 x 5, dense, sparse and with many equally probable tables."""
    assert fisher_exact(case["table"]).p_value == pytest.approx(case["p"], rel=1e-9)


@given(st.lists(st.integers(1, 60), min_size=4, max_size=4), st.sampled_from([0.5, 0.9, 0.99]))
@settings(max_examples=25, deadline=None)
def test_odds_ratio_symmetries(cells: list[int], level: float) -> None:
    """Transposing changes nothing, swapping the rows inverts; scipy's slower search finds the same."""
    table = np.reshape(cells, (2, 2))
    estimate = fisher_odds_ratio(table, level=level)
    transposed, swapped = fisher_odds_ratio(table.T, level=level), fisher_odds_ratio(table[::-1], level=level)

    found = (estimate.value, estimate.lower, estimate.upper)
    assert (transposed.value, transposed.lower, transposed.upper) == pytest.approx(found, rel=1e-9)
    assert (1 / swapped.value, 1 / swapped.upper, 1 / swapped.lower) == pytest.approx(found, rel=1e-9)
    other = stats.contingency.odds_ratio(table, kind="conditional")
    assert found == pytest.approx((other.statistic, *other.confidence_interval(level)), rel=1e-8)


def test_lady_tasting_tea() -> None:
    """Three of four cups right: 16 + 1 tables of 70 on either side, by hand."""
    assert fisher_exact([[3, 1], [1, 3]]).p_value == pytest.approx(2 * 17 / 70)


def all_tables(rows: list[int], columns: list[int]) -> list[list[int]]:
    """Every table with these margins, as a flat list, by plain recursion over its cells."""
    if len(rows) == 1:
        return [columns]

    def row(total: int, room: list[int]) -> list[list[int]]:
        if not room:
            return [[]] if total == 0 else []
        return [[x, *rest] for x in range(min(total, room[0]) + 1) for rest in row(total - x, room[1:])]

    return [
        [*first, *rest]
        for first in row(rows[0], columns)
        for rest in all_tables(rows[1:], [c - x for c, x in zip(columns, first, strict=True)])
    ]


small_tables = st.tuples(st.integers(2, 4), st.integers(2, 3)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(0, 4))
).filter(lambda t: bool(t.any(axis=0).all() and t.any(axis=1).all()))  # fmt: skip


@given(small_tables)
@settings(max_examples=60, deadline=None)
def test_fisher_adds_up_every_table(table: np.ndarray[Any, Any]) -> None:
    """The P value is the share of all tables no more probable than the observed one, in whole numbers."""
    rows, columns = table.sum(axis=1).tolist(), table.sum(axis=0).tolist()
    scale = factorial(int(table.sum()))  # multinomial coefficients instead of probabilities
    weights = [scale // prod(map(factorial, cells)) for cells in all_tables(rows, columns)]
    observed = scale // prod(map(factorial, table.ravel().tolist()))

    share = sum(w for w in weights if w <= observed) / sum(weights)
    assert fisher_exact(table).p_value == pytest.approx(share, rel=1e-10)


@given(small_tables, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_does_not_matter(table: np.ndarray[Any, Any], random: Any) -> None:
    """Transposing and reordering categories leaves both tests as they are."""
    rows, columns = random.sample(range(len(table)), len(table)), random.sample(range(table.shape[1]), table.shape[1])
    other = table[rows][:, columns].T

    assert fisher_exact(other).p_value == pytest.approx(fisher_exact(table).p_value, rel=1e-10)
    expected = chi_square(table, correction=False).p_value
    assert chi_square(other, correction=False).p_value == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.integers(0, 300), min_size=4, max_size=4))
@settings(max_examples=60, deadline=None)
def test_large_two_by_two_is_hypergeometric(cells: list[int]) -> None:
    """In a 2 x 2 table the P value adds hypergeometric probabilities."""
    table = np.reshape(cells, (2, 2)) + 1
    distribution = stats.hypergeom(table.sum(), table[0].sum(), table[:, 0].sum())
    probability = distribution.pmf(np.arange(min(table[0].sum(), table[:, 0].sum()) + 1))

    expected = probability[probability <= distribution.pmf(table[0, 0]) * (1 + 1e-7)].sum()
    assert fisher_exact(table).p_value == pytest.approx(min(expected, 1), rel=1e-8)


def test_probabilities_of_all_tables_add_up_to_one() -> None:
    """The most probable table of its margins has P = 1."""
    assert fisher_exact(np.full((4, 3), 2)).p_value == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[1, 2]], "two rows and columns are needed"),
        ([1, 2], "two rows and columns are needed"),
        ([[1, -2], [3, 4]], "other values than counts"),
        ([[1, 2.5], [3, 4]], "other values than counts"),
        ([[1, np.nan], [3, 4]], "other values than counts"),
        ([[0, 2], [0, 4]], "empty row or column"),
    ],
)
def test_refuses_what_is_no_table(table: Any, reason: str) -> None:
    """No test from anything but counts in at least two used rows and columns."""
    for test in (fisher_exact, fisher_odds_ratio, lambda t: chi_square(t, correction=False)):
        with pytest.raises(UndefinedEstimate, match=reason):
            test(table)


def test_refuses_too_large_a_table() -> None:
    """A table beyond the stated bound is refused, not sampled; a chi-square of it remains possible."""
    table = np.arange(25).reshape(5, 5) % 7 + 30

    with pytest.raises(UndefinedEstimate, match="too large to enumerate"):
        fisher_exact(table)
    assert 0 < chi_square(table, correction=False).p_value < 1


def test_refuses_odds_ratio_without_limit() -> None:
    """An empty cell has no finite odds ratio; a larger table has no single one, nor a continuity correction."""
    with pytest.raises(UndefinedEstimate, match="a cell is empty") as refusal:
        fisher_odds_ratio([[5, 0], [1, 6]])
    assert refusal.value.too_few
    with pytest.raises(UndefinedEstimate, match=r"level 1\.5"):
        fisher_odds_ratio([[3, 1], [1, 3]], level=1.5)
    with pytest.raises(UndefinedEstimate, match="no single odds ratio"):
        fisher_odds_ratio([[5, 1, 1], [1, 6, 1]])
    with pytest.raises(UndefinedEstimate, match="continuity correction"):
        chi_square([[5, 1, 1], [1, 6, 1]], correction=True)
