"""DVC stage `independence`: its record names the patient tables that were compared."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pipelines.independence import independence
from pipelines.layout import cohort_report, independence_file, manifest_table
from validation.check import MANIFEST_COLUMNS
from validation.documents import read_json, write_json
from validation.errors import InputError


def test_record_is_bound_to_both_patient_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record holds the digests of both patients tables; without a report of the checks there is none."""
    monkeypatch.chdir(tmp_path)
    entry = SimpleNamespace(model=lambda name: SimpleNamespace(development="mri_a"))
    monkeypatch.setattr("pipelines.independence.load_params", lambda: entry)
    for cohort in ("mri_a", "mri_b"):
        manifest_table(cohort).parent.mkdir(parents=True, exist_ok=True)
        looks = hashlib.sha512(cohort.encode()).hexdigest().ljust(240, "0" if cohort == "mri_a" else "f")
        row = (cohort, "t2w", "image", f"f{cohort}", cohort, looks)
        pd.DataFrame([row], columns=list(MANIFEST_COLUMNS)).to_parquet(manifest_table(cohort))
    write_json(cohort_report("mri_a"), {"digests": {"patients": "a" * 64}})
    with pytest.raises(InputError, match=r"mri_b.json: found no digest of the patients table"):
        independence("m", "mri_b")
    write_json(cohort_report("mri_b"), {"digests": {"patients": "b" * 64}})
    independence("m", "mri_b")

    record = read_json(independence_file("m", "mri_b")) or {}
    assert record["digests"] == {"development_patients": "a" * 64, "external_patients": "b" * 64}
    assert (record["success"], record["development"], record["cohort"]) == (True, "mri_a", "mri_b")
