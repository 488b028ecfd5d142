"""A synthetic cohort on disk: tables, images, cohort.yaml, and the oracle apart."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import yaml

from pipelines.progress import LineProgress
from pipelines.synthetic.definition import OUTCOMES, PATIENTS, CohortDefinition, Disease, Patient
from pipelines.synthetic.simulation import simulate
from pipelines.writing import whole_file, whole_folder
from validation.cohort import meta_from, read_patients
from validation.digests import file_sha256
from validation.sealing.keys import demo_key
from validation.sealing.seal import seal_table


def write_cohort(
    definition: CohortDefinition, scale: float, seed: int, folder: Path, oracle_path: Path, *, jobs: int | None = None
) -> None:
    """Write a synthetic cohort to `folder` and its oracle to `oracle_path`, each whole or not at all.

    The same definition, scale and seed give the same bytes, whatever the number of processes. Outcomes of internal and
    external cohorts are sealed with the published key before anything is written.

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
        patients.to_csv(temporary / PATIENTS, index=False, lineterminator="\n")
        outcomes = cohort.outcomes.to_csv(index=False, lineterminator="\n").encode()
        provenance = (
            f"Simulated by pipelines/synthetic (mechanism.md) with seed {seed}, {scale:g} times the "
            f"{definition.published_n} patients of {definition.disease.source}."
        )
        document = definition.meta(provenance)
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
        (temporary / "cohort.yaml").write_text(text, encoding="utf-8")
        table = document["tables"]["outcomes"]
        if definition.sealed:
            meta = meta_from(document, folder)
            outcomes = seal_table(meta, read_patients(temporary, meta), OUTCOMES, outcomes, demo_key())
        (temporary / table).write_bytes(outcomes)
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
