"""The table of patient characteristics: the rule that chooses the tests, summaries, missing values, refusals."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import FOLDER, from_r, gbsg
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.contingency import fisher_exact
from validation.estimators.groups.table_one import Characteristic, independence, is_normal, table_one


def one_row(values: Any, kind: Any, group: Any) -> Characteristic:
    """The only row of a table with one column."""
    return table_one({"column": values}, {"column": kind}, group).rows[0]


def test_gbsg_by_hormone_therapy_equals_r() -> None:
    """Every row has the test of the rule and R's P value; sizes, summaries and standardised difference likewise."""
    data, r = gbsg(), from_r()["table1"]
    columns = {name: data[name] for name in ("age", "nodes", "meno", "grade")}
    table = table_one(
        columns, {"age": "continuous", "nodes": "skewed", "meno": "categorical", "grade": "categorical"}, data.hormon
    )
    age, nodes, meno, grade = table.rows

    assert (table.groups, table.sizes) == (("0", "1"), (440, 246))
    for row, name, p_value in (
        (age, "Welch t", r["age_welch"]["p"]),
        (nodes, "Mann-Whitney", r["nodes_mw"]["p"]),
        (meno, "chi-square", r["chisq_yates"]["p"]),
        (grade, "chi-square", r["grade_chisq"]["p"]),
    ):
        assert row.test is not None
        assert row.undefined is None
        assert row.test.name == name
        assert row.test.p_value == pytest.approx(p_value, rel=1e-9)
    assert age.standardised_difference == pytest.approx(r["smd_age"], abs=1e-13)
    assert age.groups[1].values == pytest.approx((data.age[data.hormon == 1].mean(), data.age[data.hormon == 1].std()))
    quartiles = json.loads((FOLDER / "groups.json").read_text(encoding="utf-8"))["quartiles_nodes"]
    assert nodes.groups[1].values == pytest.approx(quartiles)
    assert [group.values for group in grade.groups] == [(48, 281, 111), (33, 163, 50)]
    assert list(grade.overall.values) == [81, 444, 161]
    assert json.loads(json.dumps(asdict(table)))["rows"][3]["categories"] == ["1", "2", "3"]


def test_three_groups() -> None:
    """With three groups the analysis of variance and Kruskal-Wallis take over, and there is no single difference."""
    data, r = gbsg(), from_r()["table1"]
    table = table_one(
        {"mean": data.age, "rank": data.age, "meno": data.meno},
        {"mean": "continuous", "rank": "skewed", "meno": "categorical"},
        data.grade,
    )
    tests = [row.test for row in table.rows]

    assert [test.name for test in tests if test] == ["analysis of variance", "Kruskal-Wallis", "chi-square"]
    assert [test.p_value for test in tests if test][:2] == pytest.approx(
        [r["age_anova_grade"]["p"], r["age_kw_grade"]["p"]], rel=1e-9
    )
    assert [row.standardised_difference for row in table.rows] == [None] * 3


def test_fisher_where_an_expected_count_is_below_five() -> None:
    """The least expected count decides: exactly 5 keeps chi-square, below it Fisher takes over."""
    assert independence([[5, 15], [5, 15]]).name == "chi-square"
    assert "with Yates" in independence([[5, 15], [5, 15]]).method
    small = independence([[9, 15], [0, 16]])
    exact = fisher_exact([[9, 15], [0, 16]])
    assert (small.name, small.p_value) == (exact.name, exact.p_value)
    assert "no continuity correction" in independence([[10, 20], [30, 20], [9, 9]]).method


def test_smallest_expected_count_is_stated() -> None:
    """By hand: 9 of 40 in the first column, 16 of 40 in the second row make 3.6; the row of 18 of 98 makes 9 of 49."""
    assert independence([[9, 15], [0, 16]]).method.endswith("; smallest expected count 3.6, below 5")
    assert independence([[10, 20], [30, 20], [9, 9]]).method.endswith("; smallest expected count 9")


def test_levels_of_a_score_by_hand() -> None:
    """Six levels in two groups of 60, 10 +- d per cell: the sum of d * d / 10 over twelve cells, here 4.4, on 5 df."""
    test = independence([[10 + d, 10 - d] for d in (1, -1, 2, -2, 4, -4)])

    assert test.statistic == pytest.approx(2 * (1 + 1 + 4 + 4 + 16 + 16) / 10)
    assert test.degrees_of_freedom == (5.0,)
    assert test.p_value == pytest.approx(0.1355, abs=5e-4)


def test_auto_follows_shapiro_wilk() -> None:
    """Normal in both groups means continuous; a skewed group is enough for ranks."""
    quantiles = np.linspace(-2, 2, 30)
    group = np.repeat([0, 1], 30)
    for values, kind, test in (
        (np.concatenate((quantiles, quantiles + 0.3)), "continuous", "Welch t"),
        (np.concatenate((quantiles, np.exp(2 * quantiles))), "skewed", "Mann-Whitney"),
    ):
        row = one_row(values, "auto", group)
        assert row.test is not None
        assert (row.kind, row.test.name) == (kind, test)
        assert is_normal(values, group) == (kind == "continuous")


def test_missing_values_are_counted_and_left_out() -> None:
    """Missing values of numbers and categories are counted per group and enter neither summary nor test."""
    group = ["a"] * 5 + ["b"] * 5
    numbers = [1.0, 2.0, 4.0, np.nan, np.nan, 2.0, 5.0, 9.0, 7.0, np.nan]
    words = ["x", "y", pd.NA, "x", "x", "y", "y", "x", np.nan, None]
    row = one_row(numbers, "continuous", group)
    complete = one_row([1, 2, 4, 2, 5, 9, 7], "continuous", ["a"] * 3 + ["b"] * 4)
    assert [(summary.n, summary.missing) for summary in row.groups] == [(3, 2), (4, 1)]
    assert (row.overall.n, row.overall.missing) == (7, 3)
    assert row.test == complete.test
    assert one_row(pd.Series(numbers, dtype="Float64"), "continuous", group) == row

    row = one_row(words, "categorical", group)
    assert row.categories == ("x", "y")
    assert [(summary.n, summary.missing, summary.values) for summary in row.groups] == [
        (4, 1, (3, 1)),
        (3, 2, (1, 2)),
    ]


def test_printed_text() -> None:
    """Mean (SD), median (quartiles), n (%), and a group in which nothing is known."""
    group = [0, 0, 0, 1, 1, 1]
    row = one_row([1, 2, 3, 4, 5, 9], "continuous", group)
    assert [row.text(summary) for summary in row.groups] == [("2.0 (1.0)",), ("6.0 (2.6)",)]
    row = one_row([1, 2, 3, 4, 5, 9], "skewed", group)
    assert row.text(row.groups[1]) == ("5.0 (4.5-7.0)",)
    row = one_row(["f", "m", "f", "m", "m", "m"], "categorical", group)
    assert row.text(row.groups[0]) == ("2 (66.7 %)", "1 (33.3 %)")
    row = one_row([1, np.nan, np.nan, np.nan, np.nan, np.nan], "continuous", group)
    assert [row.text(summary) for summary in row.groups] == [("1.0",), ("no value",)]


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        ([1, 1, 1, 1, 1, 1], "continuous", "is 1 for all 6"),
        ([1, 2, 3, np.nan, np.nan, np.nan], "skewed", "a group has no value"),
        ([1, 2, 3, 4, np.nan, np.nan], "continuous", "single value"),
        (["x"] * 6, "categorical", "two rows and columns"),
        (["x", "y", "x", None, None, None], "categorical", "empty row or column"),
        ([1, 2, 3, 4, 5, np.nan], "auto", "undecided: Shapiro-Wilk needs 3"),
    ],
)
def test_undefined_test_leaves_its_reason(values: Any, kind: Any, reason: str) -> None:
    """A row whose test is undefined says why instead of a P value."""
    row = one_row(values, kind, [0, 0, 0, 1, 1, 1])

    assert row.test is None
    assert row.undefined is not None
    assert reason in row.undefined


@pytest.mark.parametrize(
    ("columns", "kinds", "group", "reason"),
    [
        ({"a": [1, 2, 3]}, {"a": "continuous"}, [0, 1], "a has shape"),
        ({"a": [1, 2]}, {}, [0, 1], "kinds are declared"),
        ({"a": [1, 2]}, {"a": "continuous"}, [0, 0], "1 groups"),
        ({"a": [1, 2]}, {"a": "continuous"}, [0, None], "group is missing for 1"),
        ({"a": [1, 2]}, {"a": "continuous"}, ["x", pd.NA], "group is missing for 1"),
        ({"a": [1, 2]}, {"a": "continuous"}, ["x", np.nan], "group is missing for 1"),
        ({"a": [1, 2]}, {"a": "continuous"}, [], "0 groups"),
        ({"a": [None, np.nan]}, {"a": "categorical"}, [0, 1], "no value in any"),
        ({"a": ["x", "y"]}, {"a": "skewed"}, [0, 1], "no numbers"),
        ({"a": [1, np.inf]}, {"a": "continuous"}, [0, 1], "infinite in 1"),
    ],
)
def test_refusals(columns: Any, kinds: Any, group: Any, reason: str) -> None:
    """No table of damaged columns or of one group."""
    with pytest.raises(UndefinedEstimate, match=reason):
        table_one(columns, kinds, group)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_order_of_patients_does_not_matter(seed: int) -> None:
    """Shuffling the patients changes nothing, missing values included."""
    generator = np.random.default_rng(seed)
    n = 40
    columns = {
        "number": np.where(generator.random(n) < 0.1, np.nan, generator.normal(size=n)),
        "code": generator.integers(0, 3, n),
    }
    group = np.arange(n) % 2
    order = generator.permutation(n)
    first = table_one(columns, {"number": "skewed", "code": "categorical"}, group)
    second = table_one(
        {name: values[order] for name, values in columns.items()},
        {"number": "skewed", "code": "categorical"},
        group[order],
    )

    for a, b in zip(first.rows, second.rows, strict=True):
        assert (a.test, a.overall, a.groups) == (b.test, b.overall, b.groups)
        assert a.standardised_difference == pytest.approx(b.standardised_difference)
