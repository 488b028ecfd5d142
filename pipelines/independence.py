"""DVC stage `independence`: patients and images that a model's development and external cohort share."""

from __future__ import annotations

import sys

import pandas as pd

from pipelines.layout import independence_file, manifest_table
from pipelines.params import load_params
from pipelines.stage import run_stage
from validation.evidence import write_json
from validation.independence import compare


def independence(model: str, cohort: str) -> None:
    """Compare the manifests of the two cohorts; write what they share."""
    development = load_params().model(model).development
    manifests = {name: pd.read_parquet(manifest_table(name)) for name in (development, cohort)}
    shared = compare(manifests[development], manifests[cohort])
    write_json(
        independence_file(model, cohort), {"model": model, "development": development, "cohort": cohort, **shared}
    )


if __name__ == "__main__":
    run_stage(independence, sys.argv[1:])
