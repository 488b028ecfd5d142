"""DVC stage `check`: findings and image manifest of one cohort. Always exits 0 when the cohort could be read."""

from __future__ import annotations

import sys

from pipelines.layout import cohort_folder, cohort_report, manifest_table
from pipelines.progress import LineProgress
from pipelines.stage import run_stage
from pipelines.writing import whole_file
from validation.check import CohortReport, check_cohort
from validation.documents import write_json


def check(cohort: str) -> CohortReport:
    """Check data/cohorts/<cohort>; write its report and its manifest of image digests."""
    report = check_cohort(cohort_folder(cohort), LineProgress(f"checking {cohort}"))
    with whole_file(manifest_table(cohort)) as path:
        report.manifest.to_parquet(path, index=False)
    write_json(cohort_report(cohort), report.to_dict())
    return report


if __name__ == "__main__":
    run_stage(check, sys.argv[1:])
