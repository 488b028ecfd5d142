"""A synthetic cohort on disk: tables, images, cohort.yaml, and the oracle apart."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import yaml

from pipelines.progress import LineProgress
from pipelines.synthetic.definition import CohortDefinition, Disease, Patient
from pipelines.synthetic.simulation import simulate
from pipelines.writing import whole_file, whole_folder
from validation.digests import file_sha256


def write_cohort(
    definition: CohortDefinition, scale: float, seed: int, folder: Path, oracle_path: Path, *, jobs: int | None = None
) -> None:
    """Write a synthetic cohort to `folder` and its oracle to `oracle_path`, each whole or not at all.

    The same definition, scale and seed give the same bytes, whatever the number of processes.

    Args:
        definition: The cohort.
        scale: Size as a multiple of the published n.
        seed: Seed of all cohorts.
        folder: Cohort folder; replaced if it exists.
        oracle_path: Parquet file with linear predictor, risks, latent variables and artefact by patient.
        jobs: Processes; all processors (at most 8) by default.

    Raises:
        InputError: The scale leaves no patient.
    """
    cohort = simulate(definition, scale, seed)
    with whole_folder(folder.absolute()) as temporary:  # a reused worker process may stand in another folder
        images = _render_all(definition, cohort.renderings, list(cohort.patients["patient_id"]), temporary, jobs)
        patients = pd.concat([cohort.patients, images], axis=1)
        patients.to_csv(temporary / "patients.csv", index=False, lineterminator="\n")
        cohort.outcomes.to_csv(temporary / "outcomes.csv", index=False, lineterminator="\n")
        provenance = (
            f"Simulated by pipelines/synthetic (mechanism.md) with seed {seed}, {scale:g} times the "
            f"{definition.published_n} patients of {definition.disease.source}."
        )
        text = yaml.safe_dump(definition.meta(provenance), sort_keys=False, allow_unicode=True, width=100)
        (temporary / "cohort.yaml").write_text(text, encoding="utf-8")
    with whole_file(oracle_path) as path:
        cohort.oracle.to_parquet(path, index=False)


def _render_all(
    definition: CohortDefinition, renderings: tuple[Patient, ...], ids: list[str], folder: Path, jobs: int | None
) -> pd.DataFrame:
    """Render every patient; return path and digest columns in patient order."""
    from joblib import Parallel, delayed

    jobs = jobs or min(os.cpu_count() or 1, 8)
    progress = LineProgress(f"synthesising {definition.name}")
    parallel = Parallel(n_jobs=jobs, return_as="generator", batch_size=4)
    tasks = (
        delayed(_render_one)(definition.disease, patient, patient_id, folder)
        for patient, patient_id in zip(renderings, ids, strict=True)
    )
    rows = []
    for row in parallel(tasks):
        rows.append(row)
        progress(len(rows), len(ids))
    return pd.DataFrame(rows)


def _render_one(disease: Disease, patient: Patient, patient_id: str, folder: Path) -> dict[str, str]:
    """Render one patient; return its cells of the image columns."""
    relative = Path("images") / patient_id
    (folder / relative).mkdir(parents=True)
    cells = {}
    for name, file in disease.render(patient, folder / relative).items():
        cells[f"{name}_path"] = (relative / file).as_posix()
        cells[f"{name}_sha256"] = file_sha256(folder / relative / file)
    return cells
