"""Great Expectations on a typed table: the suite derived from the schema, failures mapped back to rows and patients.

Great Expectations passes an empty table, a column without values, an empty suite and a condition that no row meets. So
`evaluated` is counted here, from the table itself: rows whose cells could be looked at. A check that evaluated nothing
failed. Reports of checks are kept in git: a value of the outcomes table is never named in a broken rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from validation.cells import PATIENT, TypedTable
from validation.findings import Check, Finding
from validation.schema import Column, TableSchema

NOT_NULL = "expect_column_values_to_not_be_null"
OUTCOMES = "outcomes"
NOT_SHOWN = "a value that breaks the rule"
FILLED_SHARE = "expect_column_proportion_of_non_null_values_to_be_between"
_DTYPES = {"number": ["float64"], "integer": ["int64", "float64"], "date": ["datetime64[ns]"]}


def suite_of(schema: TableSchema) -> dict[str, Any]:
    """Return the Great Expectations suite of a table: rules per column, derived from `columns`, then between columns.

    Returns:
        What `great_expectations.ExpectationSuite(**suite)` takes. Each expectation has meta `id` and `expected`.
    """
    derived = [expectation for column in schema.columns for expectation in _column_expectations(column)]
    return {"name": schema.name, "expectations": [*derived, *schema.expectations]}


def _column_expectations(column: Column) -> list[dict[str, Any]]:
    """Return the rules of one column on missing cells, type, categories, pattern, range and uniqueness, as they apply.

    Text columns have no type rule: the reader takes every cell as text.
    """

    def rule(name: str, kind: str, expected: str = column.expected, **kwargs: Any) -> dict[str, Any]:
        meta = {"id": f"{column.name}.{name}", "expected": expected}
        return {"type": kind, "kwargs": {"column": column.name, **kwargs}, "severity": "critical", "meta": meta}

    filled = 1 - column.missing_share_max
    low = column.above if column.above is not None else column.minimum
    if filled == 1:
        rules = [rule("missing", NOT_NULL, f"{column.expected}, never empty")]
    else:
        rules = [rule("missing", FILLED_SHARE, f"a share of filled cells of at least {filled:g}", min_value=filled)]
    if column.type in _DTYPES:
        rules.append(rule("type", "expect_column_values_to_be_in_type_list", type_list=_DTYPES[column.type]))
    if column.categories:
        rules.append(rule("category", "expect_column_values_to_be_in_set", value_set=list(column.categories)))
    if column.pattern:
        rules.append(rule("pattern", "expect_column_values_to_match_regex", regex=column.pattern))
    if low is not None or column.maximum is not None:
        limits: dict[str, Any] = {"min_value": low, "max_value": column.maximum, "strict_min": column.above is not None}
        rules.append(rule("range", "expect_column_values_to_be_between", **limits))
    if column.unique:
        rules.append(rule("unique", "expect_column_values_to_be_unique", "each value once"))
    return rules


def check_table(table: TypedTable, schema: TableSchema, parameters: Mapping[str, Any]) -> list[Check]:
    """Run the suite of a table.

    Args:
        table: The converted table. Cells that could not be converted are empty in it and not reported again here.
        schema: Its schema.
        parameters: Values for `$PARAMETER` in the suite.

    Returns:
        One check per expectation, in the order of the suite. One whose column the table lacks is not run and fails. A
        column that every patient may leave empty, and that all do, has no values to be judged: what looks at values of
        it is left out.
    """
    unused = _unused(table)
    expectations = [
        expectation
        for expectation in suite_of(schema)["expectations"]
        if expectation["type"] == FILLED_SHARE or unused.isdisjoint(_columns(expectation["kwargs"]))
    ]
    runnable = [e for e in expectations if set(_columns(e["kwargs"])) <= set(table.frame.columns)]
    results = _validate(schema.name, runnable, table.frame, parameters)
    return [_check(table, schema.name, e, results.get(e["meta"]["id"])) for e in expectations]


def _unused(table: TypedTable) -> set[str]:
    """Return the columns that may be empty throughout, and are."""
    return {
        column.name
        for column in table.columns
        if column.missing_share_max == 1 and not any(record[column.name] for record in table.text.records)
    }


def _columns(kwargs: Mapping[str, Any]) -> list[str]:
    """Return every column that an expectation looks at, those of its row condition included."""
    named = [str(kwargs[key]) for key in ("column", "column_A", "column_B") if key in kwargs]
    return named + _condition_columns(kwargs.get("row_condition"))


def _condition_columns(condition: Mapping[str, Any] | None) -> list[str]:
    if condition is None:
        return []
    if "conditions" in condition:
        return [column for part in condition["conditions"] for column in _condition_columns(part)]
    return [str(condition["column"]["name"])]


def _validate(
    name: str, expectations: list[dict[str, Any]], frame: pd.DataFrame, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return Great Expectations' result by expectation id; the order of its results is not that of the suite."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    suite = gx.ExpectationSuite(name=name, expectations=expectations)
    batch = context.data_sources.pandas_default.read_dataframe(frame)
    outcome = batch.validate(
        suite, expectation_parameters=dict(parameters), result_format={"result_format": "COMPLETE"}
    )
    results: list[Any] = list(outcome.results)
    return {result.expectation_config.meta["id"]: result for result in results}


def _check(table: TypedTable, name: str, expectation: Mapping[str, Any], result: Any) -> Check:
    """Return the check of one expectation; `result` is None where it could not be run."""
    kind, columns, meta = expectation["type"], _columns(expectation["kwargs"]), expectation["meta"]
    evaluated = 0
    if result is not None:
        looked_at = table.frame if kind in (NOT_NULL, FILLED_SHARE) else table.frame[columns].dropna()
        evaluated = len(looked_at)
    findings: list[Finding] = []
    if result is not None and not result.success:
        findings = _findings(table, columns, meta["expected"], result, sealed=name == OUTCOMES)
    return Check(f"{name}.{meta['id']}", meta["expected"], evaluated, tuple(findings))


def _findings(table: TypedTable, columns: list[str], expected: str, result: Any, *, sealed: bool) -> list[Finding]:
    rows = result.result.get("unexpected_index_list")
    if not rows:
        observed = result.result.get("observed_value")
        found = f"{observed} observed" if observed is not None else f"no result ({result.exception_info})"
        return [Finding(table.text.file, None, None, ", ".join(columns) or None, found, expected)]
    reported = {(finding.row, finding.column) for finding in table.unreadable}
    records = dict(zip(table.text.rows, table.text.records, strict=True))
    findings = []
    for row in rows:
        if (row, columns[0]) not in reported:
            cells = {column: records[row][column] for column in columns}
            found = _hidden(cells) if sealed else _shown(cells)
            findings.append(
                Finding(table.text.file, row, records[row][PATIENT] or None, ", ".join(columns), found, expected)
            )
    return findings


def _shown(cells: Mapping[str, str]) -> str:
    named = [f"{column} = {cell!r}" for column, cell in cells.items()]
    return " and ".join(named) if len(named) > 1 else repr(next(iter(cells.values())))


def _hidden(cells: Mapping[str, str]) -> str:
    """Say no more of outcomes than that a cell is empty; an id is no outcome."""
    return NOT_SHOWN if any(cell for column, cell in cells.items() if column != PATIENT) else _shown(cells)
