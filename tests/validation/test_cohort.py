"""The one loader of cohorts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cohorts import cohort_meta, edit_meta, edit_rows, read_rows, set_cell, write_cohort
from validation.cohort import load_cohort, load_outcomes
from validation.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid cohort of six patients."""
    return write_cohort(tmp_path / "mri_test")


def test_cohort_is_loaded_with_types(folder: Path) -> None:
    """The loader returns the description, typed patients in table order, and no outcome."""
    cohort = load_cohort(folder)

    assert cohort.meta.name == "mri_test"
    assert cohort.meta.endpoints["dmfs"].time == "dmfs_time_months"
    assert cohort.meta.tables["patients"] == "patients.csv"
    assert len(cohort.patients) == 6
    assert cohort.patients["age_years"].dtype == "float64"
    assert cohort.patients["surgery_date"].iloc[0] == pd.Timestamp("2013-01-01")
    assert cohort.patients["cea_ng_ml"].isna().tolist() == [False, False, False, False, True, False]
    assert cohort.patients["tumour_location"].iloc[4] is None
    assert not [column for column in cohort.patients if "event" in column or "time" in column]


def test_outcomes_come_in_the_order_of_the_patients(folder: Path) -> None:
    """Outcomes are matched by id, whatever the order of their rows."""
    before = load_outcomes(load_cohort(folder))
    edit_rows(folder / "outcomes.csv", lambda rows: rows[::-1])

    pd.testing.assert_frame_equal(load_outcomes(load_cohort(folder)), before)
    assert before["dmfs_event"].dtype == "int64"


def test_parquet_and_csv_give_the_same_cohort(tmp_path: Path) -> None:
    """A cohort delivered as typed parquet is the cohort delivered as csv."""
    a, b = (write_cohort(tmp_path / kind / "mri_test", tables=kind) for kind in ("csv", "parquet"))

    pd.testing.assert_frame_equal(load_cohort(a).patients, load_cohort(b).patients)
    pd.testing.assert_frame_equal(load_outcomes(load_cohort(a)), load_outcomes(load_cohort(b)))


def test_unknown_columns_are_left_out(folder: Path) -> None:
    """Columns that the schema does not know are allowed and not loaded."""
    edit_rows(folder / "patients.csv", lambda rows: [{**row, "note": "x"} for row in rows])

    assert "note" not in load_cohort(folder).patients


@pytest.mark.parametrize(
    ("line", "column", "text", "message"),
    [
        (3, "patient_id", "mri_test-0000", r"row 3 \(mri_test-0000\) column patient_id.*already in row 2"),
        (3, "patient_id", "a b", r"row 3 \(a b\) column patient_id: found 'a b'"),
        (4, "sex", "M", r"row 4 \(mri_test-0002\) column sex: found 'M'; expected one of male, female"),
        (4, "sex", "", r"row 4 .*column sex: found ''"),
        (5, "age_years", "54,5", "row 5 .*column age_years: found '54,5' .a number with a comma"),
        (5, "age_years", "54 years", "row 5 .*column age_years.*a number with text behind it.*in years"),
        (5, "age_years", "540", "row 5 .*column age_years: found '540'; expected .*at most 110, in years"),
        (6, "cea_ng_ml", "1,234", "row 6 .*column cea_ng_ml.*decimal or thousands"),
        (6, "cea_ng_ml", "unknown", "row 6 .*column cea_ng_ml: found 'unknown' .not a number"),
        (7, "surgery_date", "1.3.2013", "row 7 .*column surgery_date.*not written YYYY-MM-DD"),
        (7, "centre", "C", "row 7 .*column centre: found 'C'; expected a centre declared in cohort.yaml: A, B"),
        (2, "t2w_path", "../other/t2w.nii.gz", "row 2 .*column t2w_path.*leaves the cohort folder"),
        (2, "t2w_path", "/data/t2w.nii.gz", "row 2 .*column t2w_path.*an absolute path"),
        (2, "dwi_b0_sha256", "abc", "row 2 .*column dwi_b0_sha256: found 'abc'"),
    ],
)
def test_bad_cells_are_refused(folder: Path, line: int, column: str, text: str, message: str) -> None:
    """Each bad cell is one error that names file, row, patient, column, what was found and what is expected."""
    set_cell(folder / "patients.csv", line, column, text)

    with pytest.raises(InputError, match=f"^mri_test/patients.csv {message}"):
        load_cohort(folder)


@pytest.mark.parametrize(
    ("line", "column", "text", "message"),
    [
        (3, "dmfs_time_months", "0", "row 3 .*column dmfs_time_months: found '0'; expected .*above 0"),
        (3, "dmfs_time_months", "-2", "row 3 .*column dmfs_time_months: found '-2'"),
        (4, "os_time_months", "1095", "row 4 .*column os_time_months: found '1095'.*at most 240, in months"),
        (4, "os_time_months", "36 months", "row 4 .*a number with text behind it"),
        (5, "dmfs_event", "yes", "row 5 .*column dmfs_event: found 'yes'"),
        (5, "dmfs_event", "2", "row 5 .*column dmfs_event: found '2'; expected one of 0, 1"),
        (5, "dmfs_event", "", "row 5 .*column dmfs_event: found ''"),
        (6, "patient_id", "other", r"row 6 \(other\) column patient_id: found an outcome without patient"),
    ],
)
def test_bad_outcomes_are_refused(folder: Path, line: int, column: str, text: str, message: str) -> None:
    """Bad outcome cells are refused like patient cells, and only when outcomes are asked for."""
    set_cell(folder / "outcomes.csv", line, column, text)
    cohort = load_cohort(folder)

    with pytest.raises(InputError, match=f"^mri_test/outcomes.csv {message}"):
        load_outcomes(cohort)


def test_patient_without_outcome_is_refused(folder: Path) -> None:
    """A patient of whom no outcome is recorded is named."""
    edit_rows(folder / "outcomes.csv", lambda rows: rows[1:])

    with pytest.raises(InputError, match=r"outcomes.csv \(mri_test-0000\) .*no outcome for this patient"):
        load_outcomes(load_cohort(folder))


def test_outcome_in_the_patients_table_is_refused(folder: Path) -> None:
    """An outcome column in the patients table would reach prediction; it is refused."""
    edit_rows(folder / "patients.csv", lambda rows: [{**row, "dmfs_event": "1"} for row in rows])

    with pytest.raises(InputError, match="column dmfs_event: found an outcome in the patients table"):
        load_cohort(folder)


def test_table_without_rows_is_refused(folder: Path) -> None:
    """A header alone is no cohort."""
    (folder / "patients.csv").write_text(",".join(read_rows(folder / "patients.csv")[0]) + "\n")

    with pytest.raises(InputError, match=r"patients\.csv: found no rows; expected one row per patient"):
        load_cohort(folder)


def test_table_without_ids_is_refused(folder: Path) -> None:
    """Without the column of ids nothing else is looked at by patient, and the missing column is named."""
    edit_rows(folder / "patients.csv", lambda rows: [{k: v for k, v in r.items() if k != "patient_id"} for r in rows])

    with pytest.raises(InputError, match="column patient_id: found no such column"):
        load_cohort(folder)


def test_misspelt_column_is_refused(folder: Path) -> None:
    """A required column that is missing is refused, with the column that was probably meant."""
    edit_rows(
        folder / "patients.csv", lambda rows: [{k.replace("ct_st", "ct_s"): v for k, v in r.items()} for r in rows]
    )

    with pytest.raises(InputError, match="column ct_stage: found no such column; did you mean 'ct_sage'"):
        load_cohort(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "other"}, "key name: found 'other'; expected 'mri_test'"),
        ({"schema": "rectal_ct"}, r"found 'rectal_ct'; expected one of .*rectal_mri"),
        ({"modality": "CT"}, "key modality: found 'CT'; expected 'MR'"),
        ({"role": "test"}, "key role: found 'test'"),
        ({"ethics": None}, "found no ethics"),
        ({"contact": "x"}, "unknown key.s. contact"),
        ({"synthetic": "yes"}, "key synthetic: found 'yes'; expected a bool"),
        ({"centres": []}, "key centres: found \\[\\]"),
        ({"centres": ["A", "A"]}, "expected names, each once"),
        ({"centres": [1, 2]}, "quote numbers"),
        ({"period": {"start": "2015-03", "end": "2012-08"}}, "key period.*in order"),
        ({"period": {"start": "2012", "end": "2013"}}, "expected start and end as YYYY-MM"),
        ({"endpoints": {}}, "key endpoints: found none"),
        ({"endpoints": {"dmfs": "x"}}, "key endpoints.dmfs: found 'x'"),
        ({"tables": {"patients": "../patients.csv", "outcomes": "outcomes.csv"}}, "key tables.patients.*leaves"),
        (
            {"tables": {"patients": "none.csv", "outcomes": "outcomes.csv"}},
            "none.csv: found a file that cannot be read",
        ),
    ],
)
def test_bad_description_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    """A wrong cohort.yaml is an input error that names the key."""
    edit_meta(folder, **changes)

    with pytest.raises(InputError, match=message):
        load_cohort(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "days"}, "endpoints.dmfs.unit: found 'days'; expected 'months'"),
        ({"time": "dmfs_days"}, "endpoints.dmfs.time: found 'dmfs_days'"),
        ({"time": "os_time_months"}, "endpoints.dmfs.time: found 'os_time_months'; expected 'dmfs_time_months'"),
        ({"event": "os_event"}, "endpoints.dmfs.time: found 'dmfs_time_months'; expected 'os_time_months'"),
        ({"event": "dmfs_time_months"}, "endpoints.dmfs.event: found 'dmfs_time_months'"),
    ],
)
def test_endpoint_must_agree_with_the_schema(folder: Path, change: dict[str, str], message: str) -> None:
    """An endpoint in other units, or of columns that the outcomes table does not have, is refused."""
    endpoints = cohort_meta("x")["endpoints"]
    edit_meta(folder, endpoints={**endpoints, "dmfs": {**endpoints["dmfs"], **change}})

    with pytest.raises(InputError, match=message):
        load_cohort(folder)


@pytest.mark.parametrize("module", ["validation.cohort", "validation.check", "validation.independence"])
def test_import_is_light(module: str) -> None:
    """Importing the judge's data modules imports no network framework, no registry and no Great Expectations."""
    heavy = {"torch", "monai", "mlflow", "dvc", "great_expectations", "SimpleITK", "joblib"}
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & {heavy!r}))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_semicolons_and_decimal_commas_are_recognised(folder: Path) -> None:
    """A table as a continental spreadsheet exports it is refused with what is wrong with all of it."""

    def continental(text: str) -> str:
        return text.replace(",", ";").replace(".5;", ",5;")

    rewrite(folder / "patients.csv", continental)

    with pytest.raises(InputError, match=r"semicolons between columns and commas inside numbers.*decimal points"):
        load_cohort(folder)


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Change the text of a file."""
    path.write_text(change(path.read_text()))
