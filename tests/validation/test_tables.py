"""Great Expectations suites: every rule bites, none passes on nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cohorts import write_cohort
from validation.cells import TypedTable, convert
from validation.cohort import read_meta, read_outcomes, read_patients
from validation.findings import Check
from validation.schema import Column, TableSchema, load_schema
from validation.tables import NOT_SHOWN, check_table, suite_of

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # Great Expectations' own imports
SCHEMA = load_schema("rectal_mri")
PARAMETERS = {"centres": ["A", "B"], "patients": 8}
Row = dict[str, str]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TypedTable]:
    """The two tables of a valid cohort of eight patients."""
    folder = write_cohort(tmp_path_factory.mktemp("tables") / "mri_test", 8)
    meta = read_meta(folder)
    return {"patients": read_patients(folder, meta), "outcomes": read_outcomes(folder, meta)}


def schema_of(name: str) -> TableSchema:
    """Return a table schema by name."""
    return SCHEMA.patients if name == "patients" else SCHEMA.outcomes


def changed(table: TypedTable, change: Callable[[int, Row], Row]) -> TypedTable:
    """Convert the table again after changing its rows."""
    records = tuple(change(i, dict(record)) for i, record in enumerate(table.text.records))
    return convert(replace(table.text, records=records), table.columns)


def failed(checks: Iterable[Check]) -> set[str]:
    """Return the ids of failed checks, without the table's name."""
    return {check.id.partition(".")[2] for check in checks if not check.success}


@pytest.mark.parametrize("name", ["patients", "outcomes"])
def test_valid_tables_pass_every_rule(tables: dict[str, TypedTable], name: str) -> None:
    """A valid table passes, every rule was made on something, and results come in the order of the suite."""
    checks = check_table(tables[name], schema_of(name), PARAMETERS)

    assert failed(checks) == set()
    assert min(check.evaluated for check in checks) >= 1
    ids = [expectation["meta"]["id"] for expectation in suite_of(schema_of(name))["expectations"]]
    assert [check.id for check in checks] == [f"{name}.{ident}" for ident in ids]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", ["patients", "outcomes"])
def test_every_rule_fails_on_an_empty_table(tables: dict[str, TypedTable], name: str) -> None:
    """Great Expectations passes most rules on no rows; here none is passed."""
    text = tables[name].text
    empty = convert(replace(text, rows=(), records=()), tables[name].columns)

    assert all(not check.success for check in check_table(empty, schema_of(name), PARAMETERS))


@pytest.mark.parametrize("name", ["patients", "outcomes"])
def test_columns_without_any_value_fail(tables: dict[str, TypedTable], name: str) -> None:
    """A column of empty cells fails all its rules, also where gaps are allowed; only counting rows does not see it."""
    blank = changed(tables[name], lambda _, row: dict.fromkeys(row, ""))
    checks = check_table(blank, schema_of(name), PARAMETERS)

    assert {check.id.partition(".")[2] for check in checks} - failed(checks) == {"row_count"}


def bad_value(column: Column) -> str | None:
    """Return a cell that is written as its type demands and breaks the column's rule; None if there is none."""
    if column.categories:
        return "7" if column.type == "integer" else "something"
    if column.pattern:
        return "not an id!"
    return str(column.maximum + 1) if column.maximum is not None else None


def shown(table: str, column: str, cell: str) -> str:
    """What a finding shows of a cell: of an outcome nothing."""
    return NOT_SHOWN if (table, column) != ("outcomes", "patient_id") and table == "outcomes" else repr(cell)


@pytest.mark.parametrize("name", ["patients", "outcomes"])
def test_every_column_rule_bites(tables: dict[str, TypedTable], name: str) -> None:
    """One bad cell per column fails that column's rule of category, pattern or range, at that row."""
    bad = {column.name: value for column in schema_of(name).columns if (value := bad_value(column))}
    checks = check_table(
        changed(tables[name], lambda i, row: {**row, **bad} if i == 2 else row), schema_of(name), PARAMETERS
    )
    rules = {c.id.partition(".")[2]: c for c in checks if c.id.endswith((".category", ".pattern", ".range"))}

    assert {ident.split(".")[0] for ident in rules} == set(bad)
    for ident, check in rules.items():
        column = ident.split(".")[0]
        assert [(f.row, f.column, f.found) for f in check.findings] == [(4, column, shown(name, column, bad[column]))]
        assert check.findings[0].file == f"{name}.csv"


CROSS: dict[str, dict[str, Row]] = {
    "patients": {
        "centre.declared": {"centre": "C"},
        "clinical_stage.matches_cn_stage": {"clinical_stage": "II", "cn_stage": "positive"},
        "pcr.matches_ypt_stage": {"pcr": "yes", "ypt_stage": "ypT2", "ypn_stage": "ypN0"},
        "pcr.matches_ypn_stage": {"pcr": "yes", "ypt_stage": "ypT0", "ypn_stage": "ypN1"},
        "pcr.follows_from_ypt0_ypn0": {"pcr": "no", "ypt_stage": "ypT0", "ypn_stage": "ypN0"},
    },
    "outcomes": {"dmfs_time_months.not_after_os_time_months": {"dmfs_time_months": "20", "os_time_months": "19.9"}},
}


@pytest.mark.parametrize(("name", "ident"), [(name, ident) for name, rules in CROSS.items() for ident in rules])
def test_every_rule_between_columns_bites(tables: dict[str, TypedTable], name: str, ident: str) -> None:
    """A row that contradicts itself fails the rule made for it, and only that one; the finding shows the cells."""
    cells = CROSS[name][ident]
    checks = check_table(
        changed(tables[name], lambda i, row: {**row, **cells} if i == 3 else row), schema_of(name), PARAMETERS
    )

    assert failed(checks) == {ident}
    (finding,) = next(check.findings for check in checks if check.id == f"{name}.{ident}")
    columns = str(finding.column).split(", ")
    assert (finding.row, finding.patient_id) == (5, "mri_test-0003")
    assert set(columns) <= set(cells)
    assert all(repr(cells[column]) in finding.found for column in columns) or finding.found == NOT_SHOWN
    assert (finding.found == NOT_SHOWN) == (name == "outcomes")


def test_every_rule_between_columns_is_tried() -> None:
    """A rule added to the YAML needs a row here that breaks it."""
    for name, rules in CROSS.items():
        written = {expectation["meta"]["id"] for expectation in schema_of(name).expectations}
        assert written == {*rules, "row_count"}


def test_condition_that_no_row_meets_was_still_asked_of_every_row(tables: dict[str, TypedTable]) -> None:
    """Without any ypT0 ypN0 patient the conditional rule counts the rows whose condition could be read."""
    none = changed(tables["patients"], lambda _, row: {**row, "pcr": "no", "ypt_stage": "ypT3", "ypn_stage": "ypN0"})
    checks = {check.id: check for check in check_table(none, SCHEMA.patients, PARAMETERS)}

    assert checks["patients.pcr.follows_from_ypt0_ypn0"].evaluated == 8
    assert checks["patients.pcr.follows_from_ypt0_ypn0"].success


def test_other_failures_of_a_column(tables: dict[str, TypedTable]) -> None:
    """Repeated ids, too many gaps, and a number of outcomes other than of patients are found."""

    def change(i: int, row: Row) -> Row:
        return {**row, "patient_id": "P" if i < 2 else row["patient_id"], "cea_ng_ml": "" if i < 5 else "1"}

    patients = check_table(changed(tables["patients"], change), SCHEMA.patients, PARAMETERS)
    outcomes = check_table(tables["outcomes"], SCHEMA.outcomes, {"patients": 9})

    assert failed(patients) == {"patient_id.unique", "cea_ng_ml.missing"}
    findings = {check.id: check.findings for check in patients + outcomes}
    assert [f.row for f in findings["patients.patient_id.unique"]] == [2, 3]
    assert findings["patients.cea_ng_ml.missing"][0].found == "0.375 observed"
    assert findings["outcomes.row_count"][0].found == "8 observed"


def test_unreadable_cell_is_not_reported_as_missing_too(tables: dict[str, TypedTable]) -> None:
    """A cell with a decimal comma is empty after conversion, but it is one finding, not two."""
    table = changed(tables["patients"], lambda i, row: {**row, "age_years": "50,5"} if i == 0 else row)

    assert [finding.column for finding in table.unreadable] == ["age_years"]
    assert failed(check_table(table, SCHEMA.patients, PARAMETERS)) == set()


def test_missing_column_fails_its_rules(tables: dict[str, TypedTable]) -> None:
    """Rules about a column that the table lacks are not run and not passed."""
    text = tables["patients"].text
    header = tuple(name for name in text.header if name != "pcr")
    records = tuple({name: record[name] for name in header} for record in text.records)
    without = replace(text, header=header, records=records)

    found = failed(check_table(convert(without, SCHEMA.patients.columns), SCHEMA.patients, PARAMETERS))
    assert found == {ident for ident in ids(SCHEMA.patients) if ident.startswith("pcr.")}


def ids(schema: TableSchema) -> list[str]:
    """Return the ids of a suite."""
    return [expectation["meta"]["id"] for expectation in suite_of(schema)["expectations"]]


def test_suite_is_what_great_expectations_takes(tmp_path: Path) -> None:
    """The suite is declarative: the same after a round trip through Great Expectations' own JSON."""
    import great_expectations as gx

    def stripped(suite: Any) -> list[tuple[Any, ...]]:
        return [(e["type"], e["severity"], e["meta"]["id"]) for e in suite["expectations"]]

    for schema in (SCHEMA.patients, SCHEMA.outcomes):
        suite = suite_of(schema)
        assert sorted(stripped(gx.ExpectationSuite(**suite).to_json_dict())) == sorted(stripped(suite))
        assert {severity for _, severity, _ in stripped(suite)} == {"critical"}
