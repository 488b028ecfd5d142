"""Tables read as text and converted cell by cell."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.cells import TypedTable, convert, parse_cell, read_table, rule_findings
from validation.errors import InputError
from validation.schema import Column

ID = Column("patient_id", "text", "id", pattern="^P[0-9]+$", unique=True)
AGE = Column("age_years", "number", "age", unit="years", minimum=18, maximum=110)
TIME = Column("time_months", "number", "time", unit="months", above=0, maximum=240)
EVENT = Column("event", "integer", "event", categories=(0, 1))
DAY = Column("day", "date", "day")
SEX = Column("sex", "category", "sex", categories=("male", "female"), missing_share_max=0.5)


def table(folder: Path, text: str, *columns: Column) -> TypedTable:
    """Convert a csv table given as text."""
    (folder / "t.csv").write_text(text)
    return convert(read_table(folder, "t.csv"), columns)


@pytest.mark.parametrize(
    ("column", "text", "problem"),
    [
        (TIME, "12,5", "a number with a comma"),
        (TIME, "1,234", "a number with a comma"),
        (TIME, "1.234,5", "a number with a comma"),
        (TIME, "36 months", "a number with text behind it"),
        (TIME, "36m", "a number with text behind it"),
        (TIME, " 36", "spaces around the value"),
        (TIME, "NA", "not a number"),
        (TIME, "nan", "not a number"),
        (TIME, "inf", "not a number"),
        (TIME, "1e999", "not a number"),
        (TIME, "٣", "not a number"),
        (EVENT, "0.5", "not a whole number"),
        (EVENT, "yes", "not a whole number"),
        (EVENT, "9" * 30, "not a whole number"),
        (DAY, "03/05/2013", "not written YYYY-MM-DD"),
        (DAY, "20130503", "not written YYYY-MM-DD"),
        (DAY, "2013-02-30", "no such day"),
    ],
)
def test_cells_of_another_type_are_named(column: Column, text: str, problem: str) -> None:
    """What is not written as its type demands is not converted, and the reason shows the text."""
    value, found = parse_cell(column, text)

    assert value is None
    assert found is not None
    assert found.startswith(repr(text))
    assert problem in found


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_back(value: float) -> None:
    """A number written by Python is read back to the last bit."""
    assert parse_cell(TIME, repr(value)) == (value, None)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    """Whatever a cell holds, it is converted or refused with a reason, never an exception."""
    for column in (TIME, EVENT, DAY, SEX):
        value, problem = parse_cell(column, text)
        assert value is None or problem is None


def test_types_and_row_numbers(tmp_path: Path) -> None:
    """Cells become typed values indexed by their line in the file, also behind a quoted line break."""
    typed = table(
        tmp_path,
        'patient_id,age_years,event,day,sex,note\nP1,50.5,1,2013-05-03,male,"two\nlines"\nP2,61,0.0,2013-05-04,,\n',
        ID, AGE, EVENT, DAY, SEX,
    )  # fmt: skip

    assert list(typed.frame.index) == [2, 4]
    assert typed.frame["age_years"].tolist() == [50.5, 61.0]
    assert typed.frame["event"].tolist() == [1, 0]
    assert str(typed.frame["event"].dtype) == "int64"
    assert typed.frame["day"].tolist() == [pd.Timestamp("2013-05-03"), pd.Timestamp("2013-05-04")]
    assert typed.frame["sex"].tolist() == ["male", None]
    assert typed.extra == ("note",)
    assert not typed.missing + typed.unreadable


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"patient_id;age\nP1;12,5\n", "row 1: found semicolons between columns and commas inside numbers"),
        (b"patient_id;age\nP1;12\n", "row 1: found semicolons between columns; expected commas"),
        (b"patient_id\tage\nP1\t12\n", "found tabs between columns"),
        (b"patient_id,age\nP1,50\nP2,12,5\n", r"row 3 \(P2\): found 3 cells; expected 2 cells.*decimal points"),
        (b"patient_id,age\nP1\n", r"row 2 \(P1\): found 1 cells"),
        (b"patient_id,age,age\nP1,1,2\n", "column 'age' more than once"),
        (b"patient_id,age\nP\xfc,1\n", "row 2: found bytes that are not UTF-8"),
        (b'patient_id,age\n"P1,1\n', "broken csv"),
        (b"", "an empty file"),
    ],
)
def test_unreadable_csv_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """Other delimiters, other encodings, ragged rows and repeated columns are refused with file and row."""
    (tmp_path / "t.csv").write_bytes(content)

    with pytest.raises(InputError, match=message) as error:
        read_table(tmp_path, "t.csv")
    assert error.value.where.startswith(f"{tmp_path.name}/t.csv")


def test_byte_order_mark_and_blank_end_are_accepted(tmp_path: Path) -> None:
    """The byte order mark that Excel writes, and blank lines at the end, do not matter."""
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfpatient_id,sex\r\nP1,male\r\n\r\n")

    assert read_table(tmp_path, "t.csv").records == ({"patient_id": "P1", "sex": "male"},)


def test_missing_file_and_other_formats_are_refused(tmp_path: Path) -> None:
    """A table that is not there, not csv or parquet, or broken parquet is an input error."""
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no")

    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path, "none.csv")
    with pytest.raises(InputError, match=r"the ending '\.xlsx'"):
        read_table(tmp_path, "t.xlsx")
    with pytest.raises(InputError, match="broken parquet"):
        read_table(tmp_path, "t.parquet")


def test_misspelt_column_is_recognised(tmp_path: Path) -> None:
    """A column that is missing is named, with the column that was probably meant."""
    typed = table(tmp_path, "patient_id,age_year\nP1,50\n", ID, AGE, SEX)

    assert [finding.column for finding in typed.missing] == ["age_years", "sex"]
    assert typed.missing[0].found == "no such column; did you mean 'age_year'?"


def test_broken_column_rules_name_row_and_patient(tmp_path: Path) -> None:
    """Range, category, pattern, uniqueness and gaps are checked per cell; allowed gaps are not findings."""
    typed = table(
        tmp_path,
        "patient_id,age_years,time_months,event,sex\nP1,17,0,2,M\nP1,111,1095,0,\nX,,12,1,male\n",
        ID, AGE, TIME, EVENT, SEX,
    )  # fmt: skip
    found = {(f.row, f.column, f.found) for f in rule_findings(typed)}

    assert found == {
        (2, "age_years", "'17'"),
        (2, "time_months", "'0'"),
        (2, "event", "'2'"),
        (2, "sex", "'M'"),
        (3, "patient_id", "'P1', already in row 2"),
        (3, "age_years", "'111'"),
        (3, "time_months", "'1095'"),
        (4, "patient_id", "'X'"),
        (4, "age_years", "''"),
    }
    assert {f.expected for f in rule_findings(typed) if f.column == "time_months"} == {
        "a number with a decimal point, above 0, at most 240, in months"
    }


def test_parquet_follows_the_same_rules(tmp_path: Path) -> None:
    """Typed parquet is read as csv would be: nulls are empty cells, whole floats are integers, commas are refused."""
    frame = pd.DataFrame(
        {
            "patient_id": ["P1", "P2"],
            "age_years": [50.25, None],
            "time_months": ["12", "12,5"],
            "event": [1.0, 0.0],
            "day": pd.to_datetime(["2013-05-03", "2013-05-04"]),
            "sex": ["male", None],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    typed = convert(read_table(tmp_path, "t.parquet"), (ID, AGE, TIME, EVENT, DAY, SEX))

    assert typed.frame["age_years"].isna().tolist() == [False, True]
    assert typed.frame["event"].tolist() == [1, 0]
    assert typed.frame["day"].iloc[0] == pd.Timestamp("2013-05-03")
    assert [(f.row, f.column) for f in typed.unreadable] == [(2, "time_months")]
