"""DVC stage `independence`: patients and images that a model's development and external cohort share."""

from __future__ import annotations

import sys

import pandas as pd

from pipelines.layout import cohort_report, independence_file, manifest_table
from pipelines.params import load_params
from pipelines.stage import run_stage
from validation.documents import read_json, write_json
from validation.errors import InputError
from validation.independence import compare_manifests


def independence(model: str, cohort: str) -> None:
    """Compare the manifests of the two cohorts; write what they share, and which patients were compared."""
    development = load_params().model(model).development
    manifests = {name: pd.read_parquet(manifest_table(name)) for name in (development, cohort)}
    shared = compare_manifests(manifests[development], manifests[cohort])
    digests = {"development_patients": checked_patients(development), "external_patients": checked_patients(cohort)}
    about = {"model": model, "development": development, "cohort": cohort, "digests": digests}
    write_json(independence_file(model, cohort), {**about, **shared})


def checked_patients(cohort: str) -> str:
    """Return the digest of the patients table that a cohort's manifest was made from, as its report states it.

    Raises:
        InputError: The cohort was not checked.
    """
    path = cohort_report(cohort)
    report = read_json(path) or {}
    digest = report.get("digests", {}).get("patients")
    if not isinstance(digest, str):
        raise InputError(str(path), "no digest of the patients table", "a report", f"Run dvc repro check@{cohort}.")
    return digest


if __name__ == "__main__":
    run_stage(independence, sys.argv[1:])
