"""Tables read as text, then converted cell by cell as their schema says; nothing is guessed.

A spreadsheet that guesses turns "12,5" into text, "1,234" into either of two numbers and "36 months" into nothing. Here
each of them is a finding that names the row, the patient and the column.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from validation.digests import bytes_sha256
from validation.errors import InputError
from validation.findings import Finding
from validation.schema import Column

PATIENT = "patient_id"
SEALED_ENDING = ".sealed"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,15}(\.0*)?", re.ASCII)
_DATE = re.compile(r"(19|20)\d\d-\d\d-\d\d", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?\d[\d.]*(,\d+)+")
_WITH_UNIT = re.compile(r"[+-]?[\d.,]+\s*[^\d\s.,].*")
_EXPORT = "Export the table again as comma-separated UTF-8 text with decimal points."


@dataclass(frozen=True)
class TextTable:
    """A table as written.

    Attributes:
        file: Name of the file, relative to the cohort folder.
        sha256: Digest of its bytes.
        header: Column names in order.
        rows: Line of each record in a csv file (the header is line 1), or its number from 1 in a parquet file.
        records: One mapping of column to cell text per row; an empty cell is "".
    """

    file: str
    sha256: str
    header: tuple[str, ...]
    rows: tuple[int, ...]
    records: tuple[dict[str, str], ...]


@dataclass(frozen=True, eq=False)
class TypedTable:
    """A table converted as far as its cells allow.

    Attributes:
        text: The table as written.
        columns: Columns of the schema that the table has.
        frame: Typed values of these, indexed by row number; None or NaN where a cell is empty or unreadable.
        extra: Columns that the schema does not know; not in `frame`.
        missing: A finding per column that the table lacks.
        unreadable: A finding per cell that is not written as its type demands.
    """

    text: TextTable
    columns: tuple[Column, ...]
    frame: pd.DataFrame
    extra: tuple[str, ...]
    missing: tuple[Finding, ...]
    unreadable: tuple[Finding, ...]


def read_table(folder: Path, name: str) -> TextTable:
    """Read a csv or parquet table as text.

    Args:
        folder: Cohort folder.
        name: Path of the table in it, ending in .csv or .parquet.

    Raises:
        InputError: The file is missing or unreadable, is not UTF-8, uses another delimiter, repeats a column, or a line
            has more or fewer cells than the header.
    """
    where = f"{folder.absolute().name}/{name}"
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise InputError(where, f"a file that cannot be read ({error.strerror})", "a table", "Add it.") from error
    return parse_table(where, name, content)


def parse_table(where: str, name: str, content: bytes) -> TextTable:
    """Read a csv or parquet table from its bytes.

    Args:
        where: Cohort and name, for messages.
        name: Path of the table in the cohort folder; its ending is the format.
        content: Its bytes.

    Raises:
        InputError: As `read_table`.
    """
    if name.endswith(".parquet"):
        return _parquet_table(where, name, content)
    if name.endswith(".csv"):
        return _csv_table(where, name, content)
    if name.endswith(SEALED_ENDING):
        remedy = "Only an evaluation by a locked protocol opens them: hallmark evaluate MODEL COHORT."
        raise InputError(where, "sealed outcomes", "a table that may be read", remedy)
    raise InputError(where, f"the ending {Path(name).suffix!r}", ".csv or .parquet", _EXPORT)


def _csv_table(where: str, name: str, content: bytes) -> TextTable:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{where} row {row}", "bytes that are not UTF-8", "UTF-8 text", _EXPORT) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            if cells:
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{where} row {start}", f"broken csv ({error})", "comma-separated text", _EXPORT) from error
    if not lines:
        raise InputError(where, "an empty file", "a header and one row per patient", _EXPORT)
    header = lines[0][1]
    _refuse_delimiter(where, lines)
    _refuse_repeated(where, header)
    for row, cells in lines[1:]:
        if len(cells) != len(header):
            found, expected = f"{len(cells)} cells", f"{len(header)} cells, as in the header"
            remedy = "Quote cells that hold a comma; write decimal points, not commas."
            raise InputError(f"{where} row {row} ({cells[0]})", found, expected, remedy)
    records = tuple(dict(zip(header, cells, strict=True)) for _, cells in lines[1:])
    return TextTable(name, bytes_sha256(content), tuple(header), tuple(row for row, _ in lines[1:]), records)


def _refuse_delimiter(where: str, lines: Sequence[tuple[int, list[str]]]) -> None:
    """Refuse a header that was split by something else than commas; say so if decimal commas come with it."""
    joined = ",".join(lines[0][1])
    for delimiter, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")):
        if joined.count(delimiter) > joined.count(","):
            decimals = any(re.search(r"\d,\d", ",".join(cells)) for _, cells in lines[1:])
            found = f"{word} between columns" + (" and commas inside numbers" if decimals else "")
            raise InputError(f"{where} row 1", found, "commas between columns and decimal points", _EXPORT)


def _refuse_repeated(where: str, header: Sequence[str]) -> None:
    repeated = sorted({column for column in header if list(header).count(column) > 1})
    if repeated:
        found = f"column {', '.join(repr(column) for column in repeated)} more than once"
        raise InputError(f"{where} row 1", found, "each column once", "Remove or rename the repeated column.")


def _parquet_table(where: str, name: str, content: bytes) -> TextTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise InputError(where, f"broken parquet ({error})", "a parquet table", "Write the table again.") from error
    _refuse_repeated(where, table.column_names)
    columns = {column: [_as_text(value) for value in table[column].to_pylist()] for column in table.column_names}
    records = tuple({column: cells[i] for column, cells in columns.items()} for i in range(table.num_rows))
    rows = tuple(range(1, table.num_rows + 1))
    return TextTable(name, bytes_sha256(content), tuple(table.column_names), rows, records)


def _as_text(value: Any) -> str:
    """Return a parquet value as a csv cell would hold it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00")
    return repr(value) if isinstance(value, float) else str(value)


def convert(table: TextTable, columns: Iterable[Column]) -> TypedTable:
    """Convert a text table to typed columns; what cannot be converted becomes a finding and stays empty."""
    columns = tuple(columns)
    known = {column.name for column in columns}
    extra = tuple(name for name in table.header if name not in known)
    present = tuple(column for column in columns if column.name in table.header)
    missing = tuple(_missing_column(table.file, column, extra) for column in columns if column not in present)
    unreadable: list[Finding] = []
    values: dict[str, pd.Series[Any]] = {}
    for column in present:
        cells: list[Any] = []
        for row, record in zip(table.rows, table.records, strict=True):
            value, problem = parse_cell(column, record[column.name])
            cells.append(value)
            if problem:
                unreadable.append(cell_finding(table, row, record, column, problem))
        values[column.name] = _series(column, cells, table.rows)
    return TypedTable(table, present, pd.DataFrame(values, index=list(table.rows)), extra, missing, tuple(unreadable))


def _series(column: Column, cells: list[Any], rows: Sequence[int]) -> pd.Series[Any]:
    if column.type == "date":
        return pd.Series(pd.to_datetime(cells), index=list(rows), dtype="datetime64[ns]")
    if column.type == "number" or (column.type == "integer" and None in cells):
        return pd.Series(cells, index=list(rows), dtype="float64")
    return pd.Series(cells, index=list(rows), dtype="int64" if column.type == "integer" else "object")


def parse_cell(column: Column, text: str) -> tuple[Any, str | None]:
    """Return the value of a cell, and what is wrong with how it is written (None if nothing).

    An empty cell is None. "NA", "unknown", spaces around a value and the like are not empty and not accepted.
    """
    if text == "":
        return None, None
    if text != text.strip():
        return None, f"{text!r} (spaces around the value)"
    if column.type == "date":
        return _parse_date(text)
    return _parse_number(column, text) if column.type in ("number", "integer") else (text, None)


def _parse_number(column: Column, text: str) -> tuple[float | int | None, str | None]:
    if (_NUMBER if column.type == "number" else _INTEGER).fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return (value if column.type == "number" else int(value)), None
    elif _WITH_COMMA.fullmatch(text):
        return None, f"{text!r} (a number with a comma: decimal or thousands?)"
    elif _WITH_UNIT.fullmatch(text):
        return None, f"{text!r} (a number with text behind it)"
    return None, f"{text!r} (not a {'whole ' if column.type == 'integer' else ''}number)"


def _parse_date(text: str) -> tuple[pd.Timestamp | None, str | None]:
    try:
        if _DATE.fullmatch(text):
            return pd.Timestamp(date.fromisoformat(text)), None
    except ValueError:
        return None, f"{text!r} (no such day)"
    return None, f"{text!r} (not written YYYY-MM-DD)"


def cell_finding(table: TextTable, row: int, record: dict[str, str], column: Column, found: str) -> Finding:
    """Return a finding about one cell."""
    return Finding(table.file, row, record.get(PATIENT) or None, column.name, found, column.expected)


def _missing_column(file: str, column: Column, extra: Sequence[str]) -> Finding:
    close = difflib.get_close_matches(column.name, extra, n=1, cutoff=0.7)
    found = "no such column" + (f"; did you mean {close[0]!r}?" if close else "")
    expected = f"column {column.name} ({column.meaning})"
    return Finding(file, None, None, column.name, found, expected, "Add the column or correct its name.")


def rule_findings(table: TypedTable) -> list[Finding]:
    """Return a finding per cell that breaks its column's own rule: empty, out of range, unknown category, repeated."""
    reported = {(finding.row, finding.column) for finding in table.unreadable}
    findings: list[Finding] = []
    for column in table.columns:
        first_seen: dict[Any, int] = {}
        for row, record, value in zip(table.text.rows, table.text.records, table.frame[column.name], strict=True):
            if (row, column.name) in reported:
                continue
            found = repr(record[column.name]) if _breaks_rule(column, value) else None
            if found is None and column.unique and first_seen.setdefault(value, row) != row:
                found = f"{value!r}, already in row {first_seen[value]}"
            if found:
                findings.append(cell_finding(table.text, row, record, column, found))
    return findings


def _breaks_rule(column: Column, value: Any) -> bool:
    if pd.isna(value):
        return column.missing_share_max == 0
    return bool(
        (column.categories and value not in column.categories)
        or (column.pattern and not re.search(column.pattern, str(value)))
        or (column.minimum is not None and value < column.minimum)
        or (column.above is not None and value <= column.above)
        or (column.maximum is not None and value > column.maximum)
    )
