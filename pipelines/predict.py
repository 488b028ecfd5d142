"""DVC stage `predict`: the ONNX file on a cohort. Never opens outcomes; imports neither torch nor MONAI."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models import MODELS
from models.runtime import OnnxModel
from models.spec import ModelSpec
from pipelines.layout import artifact_folder, cohort_folder, predictions_table
from pipelines.params import load_params, load_validation
from pipelines.patients import PreparedPatient, prepared_patients, stack_inputs
from pipelines.progress import LineProgress
from pipelines.stage import run_stage
from pipelines.workers import LOCAL, Workers
from pipelines.writing import whole_file
from registry.artefact import read_artefact
from validation.cohort import Cohort, load_cohort
from validation.digests import file_sha256

if TYPE_CHECKING:
    from registry.artefact import Artefact

BATCH = 32  # patients whose inputs are in memory at once
TILE_COLUMNS = ("tile_tissue", "tile_probability")  # of a model that reads slides: of patients with named tiles


def _batch_rows(spec: ModelSpec, network: OnnxModel, batch: list[PreparedPatient]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"patient_id": p.patient_id, "status": "failed" if p.inputs is None else "ok", "reason": p.reason}
        for p in batch
    ]
    for row, patient in zip(rows, batch, strict=True):
        if patient.named_tiles is not None:
            row.update(
                tile_tissue=patient.named_tiles.tissue.tolist(),
                tile_probability=patient.named_tiles.probability.ravel().tolist(),
            )
    processed = [p for p in batch if p.inputs is not None]
    if processed:
        inputs = stack_inputs(processed)
        outputs = network.run(inputs)
        table = np.column_stack([outputs[out.name].reshape(len(processed), -1) for out in spec.outputs]).astype(
            np.float64
        )
        missing = np.isnan(inputs["covariates"]).sum(axis=1) if "covariates" in inputs else np.zeros(len(processed))
        done = (row for row in rows if row["status"] == "ok")
        for row, values, absent in zip(done, table, missing, strict=True):
            row.update(zip(spec.prediction_columns(), values.tolist(), strict=True), missing_covariates=int(absent))
            if not np.isfinite(values).all():
                row.update(
                    dict.fromkeys(spec.prediction_columns(), np.nan), status="failed", reason="model output not finite"
                )
    return rows


def predicted_rows(spec: ModelSpec, network: OnnxModel, patients: Iterator[PreparedPatient]) -> list[dict[str, Any]]:
    """Return the predictions of prepared patients, in order: a row each, those that failed with the reason.

    Args:
        spec: Of the model.
        network: Its `model.onnx`.
        patients: Taken in batches, so that memory stays bounded.
    """
    rows: list[dict[str, Any]] = []
    while batch := list(islice(patients, BATCH)):
        rows.extend(_batch_rows(spec, network, batch))
    return rows


def predict_cohort(artefact: Artefact, cohort: Cohort, workers: Workers = LOCAL) -> pd.DataFrame:
    """Predict every patient of a cohort with an artefact whose digests have been checked.

    Returns:
        One row per patient in table order: patient_id, centre, scanner, status, reason, missing_covariates and the
        prediction columns of the model; NaN where the patient could not be processed, with the reason. Of a model that
        reads slides also `tile_tissue` and `tile_probability`, lists, of patients on whose slide tiles were named; a
        reason beside a prediction says why these could not be read.
    """
    spec = MODELS[artefact.contract["architecture"]]
    network = OnnxModel(artefact.folder / "model.onnx")
    progress = LineProgress(f"predicting {cohort.meta.name}")
    stream = prepared_patients(cohort, spec, progress, networks=artefact.folder, workers=workers)
    rows = predicted_rows(spec, network, stream)
    columns = ["patient_id", "status", "reason", "missing_covariates", *spec.prediction_columns()]
    if spec.tiles is not None:
        columns += TILE_COLUMNS
    predictions = pd.DataFrame(rows).reindex(columns=columns)
    predictions["missing_covariates"] = predictions["missing_covariates"].astype("Int64")
    return cohort.patients[["patient_id", "centre", "scanner"]].merge(predictions, on="patient_id", validate="1:1")


def write_predictions(predictions: pd.DataFrame, artefact: Artefact, cohort: Cohort, path: Path) -> None:
    """Write predictions with the digests of the model and of the patient table in the file's own metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(predictions, preserve_index=False)
    origin = {
        "hallmark.artifact_digest": artefact.digest,
        "hallmark.patients_sha256": file_sha256(cohort.folder / cohort.meta.tables["patients"]),
        "hallmark.model": str(artefact.contract["model"]),
        "hallmark.cohort": cohort.meta.name,
    }
    with whole_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **origin}), temporary)


def predict(model: str, cohort: str) -> None:
    """Predict one declared cohort with artifacts/<model>."""
    load_validation(model, cohort)
    artefact = read_artefact(artifact_folder(model))
    patients = load_cohort(cohort_folder(cohort))
    write_predictions(
        predict_cohort(artefact, patients, load_params().workers), artefact, patients, predictions_table(model, cohort)
    )


if __name__ == "__main__":
    run_stage(predict, sys.argv[1:])
