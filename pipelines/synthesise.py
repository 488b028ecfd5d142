"""DVC stage `synthesise`: write one synthetic cohort and its oracle."""

from __future__ import annotations

import sys

from pipelines.layout import cohort_folder, oracle_table
from pipelines.params import load_params
from pipelines.stage import run_stage
from pipelines.synthetic.cohorts import COHORTS
from pipelines.synthetic.writing import write_cohort
from validation.errors import InputError


def synthesise(cohort: str) -> None:
    """Write data/cohorts/<cohort> and data/oracle/<cohort>.parquet.

    Raises:
        InputError: No such synthetic cohort, or params.yaml is wrong.
    """
    definitions = {definition.name: definition for definition in COHORTS}
    if cohort not in definitions:
        raise InputError("synthesise", f"cohort {cohort!r}", f"one of: {', '.join(definitions)}", "Correct the name.")
    params = load_params()
    write_cohort(
        definitions[cohort], params.synthetic_scale(cohort), params.seed, cohort_folder(cohort), oracle_table(cohort)
    )


if __name__ == "__main__":
    run_stage(synthesise, sys.argv[1:])
