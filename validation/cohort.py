"""The one loader of cohorts: `cohort.yaml` and the patients table; the outcomes table only on demand.

    cohort = load_cohort(Path("data/cohorts/mri_external"))
    outcomes = load_outcomes(cohort)

A cohort never holds outcomes: columns that the schema does not know are left out, so that none can slip in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from validation.cells import PATIENT, SEALED_ENDING, TextTable, TypedTable, convert, read_table, rule_findings
from validation.digests import file_sha256
from validation.documents import read_yaml, require_keys
from validation.errors import InputError
from validation.findings import Finding, as_error
from validation.paths import path_problem
from validation.schema import CohortSchema, Column, TableSchema, column_names, load_schema

META = "cohort.yaml"
ROLES = ("development", "internal", "external")
_KEYS: dict[str, type] = {
    "name": str,
    "schema": str,
    "modality": str,
    "role": str,
    "centres": list,
    "period": dict,
    "endpoints": dict,
    "eligibility": str,
    "ethics": str,
    "licence": str,
    "provenance": str,
    "synthetic": bool,
    "tables": dict,
}
_ENDPOINT_KEYS: dict[str, type] = dict.fromkeys(("event", "time", "unit", "origin", "meaning"), str)
_BINARY_KEYS: dict[str, type] = dict.fromkeys(("case", "meaning"), str)
_MONTH = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class BinaryEndpoint:
    """An endpoint without time: its column of the outcomes table, and what it means.

    Attributes:
        case: Column that is 1 for cases, 0 for controls and empty where it is not known.
        meaning: The case in words.
    """

    case: str
    meaning: str


@dataclass(frozen=True)
class Endpoint:
    """An endpoint with time: its two columns of the outcomes table, and what they mean.

    Attributes:
        event: Column that is 1 for the event and 0 for censored.
        time: Column that holds the time to either.
        unit: Unit of the time.
        origin: Time zero.
        meaning: The event in words.
    """

    event: str
    time: str
    unit: str
    origin: str
    meaning: str


@dataclass(frozen=True)
class Period:
    """First and last month of recruitment, as YYYY-MM."""

    start: str
    end: str


@dataclass(frozen=True)
class CohortMeta:
    """The content of `cohort.yaml`.

    Attributes:
        name: Name of the cohort and of its folder.
        schema: Folder in `validation/schemas/`.
        modality: DICOM modality, for instance MR.
        role: What the cohort is for.
        centres: Hospitals that delivered patients.
        period: When the patients were recruited.
        endpoints: Endpoints by name; a cohort that never recorded one does not list it.
        eligibility: Who is in the cohort.
        ethics: Approval.
        licence: Terms of use.
        provenance: Where the data come from.
        synthetic: Whether the patients are simulated.
        tables: Paths of the tables `patients` and `outcomes`, relative to the folder.
    """

    name: str
    schema: str
    modality: str
    role: Literal["development", "internal", "external"]
    centres: tuple[str, ...]
    period: Period
    endpoints: Mapping[str, Endpoint | BinaryEndpoint]
    eligibility: str
    ethics: str
    licence: str
    provenance: str
    synthetic: bool
    tables: Mapping[str, str]

    @property
    def sealed(self) -> bool:
        """Whether the outcomes are sealed."""
        return self.tables["outcomes"].endswith(SEALED_ENDING)


@dataclass(frozen=True, eq=False)
class Cohort:
    """A set of patients with their images; never with outcomes.

    Attributes:
        folder: Cohort folder.
        meta: Content of `cohort.yaml`.
        patients: One row per patient, the columns of the schema only; None or NaN where a cell is empty.
    """

    folder: Path
    meta: CohortMeta
    patients: pd.DataFrame


def read_meta(folder: Path) -> CohortMeta:
    """Read `cohort.yaml`.

    Raises:
        InputError: A key is missing, unknown or has an inadmissible value.
    """
    return meta_from(read_yaml(folder / META), folder)


def meta_from(document: dict[str, Any], folder: Path) -> CohortMeta:
    """Return the content of `cohort.yaml` as it has to be in a folder, which need not be there yet.

    Raises:
        InputError: As `read_meta`.
    """
    where = str(folder / META)
    require_keys(document, _KEYS, where)
    schema = load_schema(document["schema"])
    _one_of(f"{where} key name", document["name"], (folder.absolute().name,))
    _one_of(f"{where} key modality", document["modality"], (schema.modality,))
    _one_of(f"{where} key role", document["role"], ROLES)
    require_keys(document["period"], {"start": str, "end": str}, f"{where} key period")
    require_keys(document["tables"], {"patients": str, "outcomes": str}, f"{where} key tables")
    period = Period(**document["period"])
    if not all(_MONTH.fullmatch(month) for month in (period.start, period.end)) or period.start > period.end:
        found = f"{period.start} to {period.end}"
        raise InputError(f"{where} key period", found, "start and end as YYYY-MM, in order", "Correct the period.")
    for key, table in document["tables"].items():
        if problem := path_problem(folder, table):
            raise InputError(f"{where} key tables.{key}", problem, "a path in the cohort folder", "Move the table.")
    return CohortMeta(
        **{
            **document,
            "centres": _centres(document["centres"], where),
            "period": period,
            "endpoints": _endpoints(document["endpoints"], schema, where),
        }
    )


def _one_of(where: str, found: str, admissible: tuple[str, ...]) -> None:
    if found not in admissible:
        raise InputError(where, repr(found), " or ".join(repr(value) for value in admissible), "Correct the value.")


def _centres(centres: list[Any], where: str) -> tuple[str, ...]:
    if not centres or not all(isinstance(c, str) and c for c in centres) or len(set(centres)) < len(centres):
        raise InputError(f"{where} key centres", repr(centres), "names, each once", "List the centres; quote numbers.")
    return tuple(centres)


def _endpoints(document: dict[str, Any], schema: CohortSchema, where: str) -> dict[str, Endpoint | BinaryEndpoint]:
    """Return the endpoints, their columns and units in agreement with the outcomes schema."""
    columns = {column.name: column for column in schema.outcomes.columns}
    endpoints: dict[str, Endpoint | BinaryEndpoint] = {}
    for name, value in document.items():
        key = f"{where} key endpoints.{name}"
        if not isinstance(value, dict):
            raise InputError(key, repr(value), f"the keys {', '.join(_ENDPOINT_KEYS)}", "Describe the endpoint.")
        endpoints[str(name)] = _binary(value, columns, key) if "case" in value else _timed(value, columns, key)
    if not endpoints:
        raise InputError(f"{where} key endpoints", "none", "at least one endpoint", "Describe the endpoint.")
    return endpoints


def _binary(value: dict[str, Any], columns: Mapping[str, Column], key: str) -> BinaryEndpoint:
    require_keys(value, _BINARY_KEYS, key)
    indicators = (c.name for c in columns.values() if c.categories == (0, 1) and not c.name.endswith("_event"))
    _one_of(f"{key}.case", value["case"], tuple(indicators))
    return BinaryEndpoint(**value)


def _timed(value: dict[str, Any], columns: Mapping[str, Column], key: str) -> Endpoint:
    require_keys(value, _ENDPOINT_KEYS, key)
    endpoint = Endpoint(**value)
    events = tuple(c.name for c in columns.values() if c.type == "integer" and c.name.endswith("_event"))
    times = tuple(column.name for column in columns.values() if column.type == "number")
    _one_of(f"{key}.event", endpoint.event, events)
    its_time = f"{endpoint.event.removesuffix('_event')}_time"
    _one_of(f"{key}.time", endpoint.time, tuple(time for time in times if time.startswith(its_time)))
    _one_of(f"{key}.unit", endpoint.unit, (str(columns[endpoint.time].unit),))
    return endpoint


def read_patients(folder: Path, meta: CohortMeta) -> TypedTable:
    """Read and convert the patients table; what is wrong with it is in the result, not raised.

    Raises:
        InputError: The table cannot be read at all.
    """
    return _read(folder, meta.tables["patients"], load_schema(meta.schema).patients)


def read_outcomes(folder: Path, meta: CohortMeta) -> TypedTable:
    """Read and convert the outcomes table; nothing else opens it. What is wrong with it is in the result, not raised.

    Raises:
        InputError: The table cannot be read at all.
    """
    return _read(folder, meta.tables["outcomes"], load_schema(meta.schema).outcomes)


def _read(folder: Path, name: str, schema: TableSchema) -> TypedTable:
    return convert(read_table(folder, name), schema.columns)


def load_cohort(folder: Path) -> Cohort:
    """Load a cohort: `cohort.yaml` and the patients table, every cell as its schema demands.

    Rules between columns and the images themselves are the business of `validation.check`.

    Args:
        folder: Cohort folder.

    Returns:
        The cohort. Numbers are float64, integers int64, dates datetime64, all else object; patients in table order.

    Raises:
        InputError: Something cannot be read, a column is missing, a cell is not of its type, out of range, of an
            unknown category, empty where it may not be, or repeats an id; an outcome stands in the patients table; a
            path leads out of the folder. The first such place is named, and how many more there are.
    """
    meta = read_meta(folder)
    table = read_patients(folder, meta)
    findings = [
        *table_findings(table),
        *outcome_columns(table, load_schema(meta.schema)),
        *_centre_findings(table, meta),
        *_path_findings(table, folder, load_schema(meta.schema)),
    ]
    if findings:
        raise as_error(findings, meta.name)
    return Cohort(folder, meta, table.frame.reset_index(drop=True))


def cohort_digests(folder: Path, meta: CohortMeta) -> dict[str, str]:
    """Return the digests by which a lock knows a cohort; its images are known by the patients table.

    Raises:
        InputError: A table cannot be read.
    """
    files = {"cohort_yaml": META, **meta.tables}
    try:
        return {name: file_sha256(folder / file) for name, file in files.items()}
    except OSError as error:
        where, remedy = str(error.filename), "Restore the cohort: dvc pull, or dvc repro check."
        raise InputError(where, f"a file that cannot be read ({error.strerror})", "the cohort", remedy) from error


def endpoint_in_months(meta: CohortMeta, name: str) -> Endpoint:
    """Return an endpoint with time, in months.

    Raises:
        InputError: The cohort lacks it, or counts in another unit.
    """
    endpoint = meta.endpoints.get(name)
    if not isinstance(endpoint, Endpoint) or endpoint.unit != "months":
        found = f"{name} in {endpoint.unit}" if isinstance(endpoint, Endpoint) else f"no {name} with a time"
        remedy = "Add it, with its columns in the outcomes table."
        raise InputError(f"{meta.name}/{META} key endpoints", found, f"{name} in months", remedy)
    return endpoint


def binary_endpoint(meta: CohortMeta, name: str) -> BinaryEndpoint | None:
    """Return an endpoint without time, None where the cohort never recorded it."""
    endpoint = meta.endpoints.get(name)
    return endpoint if isinstance(endpoint, BinaryEndpoint) else None


def load_outcomes(cohort: Cohort) -> pd.DataFrame:
    """Load outcomes that lie open, in the order of the cohort's patients.

    Raises:
        InputError: As `load_cohort`; the ids are not exactly those of the patients table; or the outcomes are sealed:
            `validation.sealing.opening` opens them.
    """
    return outcomes_of(cohort, read_outcomes(cohort.folder, cohort.meta))


def outcomes_of(cohort: Cohort, table: TypedTable) -> pd.DataFrame:
    """Return an outcomes table in the order of the cohort's patients.

    Raises:
        InputError: Something is wrong with the table, or its ids are not exactly those of the patients table.
    """
    findings = table_findings(table) or id_findings(table, tuple(cohort.patients[PATIENT]))
    if findings:
        raise as_error(findings, cohort.meta.name)
    return table.frame.set_index(PATIENT).loc[list(cohort.patients[PATIENT])].reset_index()


def table_findings(table: TypedTable) -> list[Finding]:
    """Return what is wrong with a table by itself: missing columns, no rows, unreadable cells, broken column rules."""
    if not table.text.rows:
        expected, remedy = "one row per patient", "Export the table again."
        return [*table.missing, Finding(table.text.file, None, None, None, "no rows", expected, remedy)]
    return [*table.missing, *table.unreadable, *rule_findings(table)]


def outcome_columns(table: TypedTable, schema: CohortSchema) -> list[Finding]:
    """Return a finding per column of the outcomes table that stands in the patients table."""
    remedy = "Move it to the outcomes table: prediction must not see outcomes."
    return [
        Finding(table.text.file, None, None, name, "an outcome in the patients table", "no outcomes here", remedy)
        for name in table.extra
        if name in column_names(schema.outcomes)
    ]


def id_findings(outcomes: TypedTable, patients: tuple[str, ...]) -> list[Finding]:
    """Return a finding per outcome without patient and per patient without outcome."""
    expected, remedy = "the ids of the patients table, each once", "Export both tables from the same query."
    file, ids = outcomes.text.file, [record.get(PATIENT, "") for record in outcomes.text.records]
    known, recorded = set(patients), set(ids)
    extra = [
        Finding(file, row, patient, PATIENT, "an outcome without patient", expected, remedy)
        for row, patient in zip(outcomes.text.rows, ids, strict=True)
        if patient not in known
    ]
    absent = [
        Finding(file, None, patient, PATIENT, "no outcome for this patient", expected, remedy)
        for patient in patients
        if patient not in recorded
    ]
    return extra + absent


def _centre_findings(table: TypedTable, meta: CohortMeta) -> list[Finding]:
    def problem(cell: str) -> str | None:
        return None if cell in meta.centres else f"{cell!r}"

    return _cell_findings(table.text, "centre", problem, f"a centre declared in {META}: {', '.join(meta.centres)}")


def _path_findings(table: TypedTable, folder: Path, schema: CohortSchema) -> list[Finding]:
    def problem(cell: str) -> str | None:
        reason = path_problem(folder, cell)
        return f"{cell!r}, {reason}" if reason else None

    columns = [image.path_column for image in schema.images]
    return [f for name in columns for f in _cell_findings(table.text, name, problem, "a path inside the cohort folder")]


def _cell_findings(table: TextTable, column: str, problem: Callable[[str], str | None], expected: str) -> list[Finding]:
    """Return a finding per filled cell of a column with which something is wrong."""
    return [
        Finding(table.file, row, record.get(PATIENT) or None, column, found, expected)
        for row, record in zip(table.rows, table.records, strict=True)
        if record.get(column) and (found := problem(record[column]))
    ]
