"""DVC stage `evaluate`: what the protocol declares, estimated on one cohort. Opens no image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.layout import (
    artifact_folder,
    cohort_folder,
    description_file,
    evidence_file,
    predictions_table,
    protocol_file,
)
from pipelines.params import load_validation
from pipelines.stage import run_stage
from pipelines.writing import whole_file
from registry.artefact import read_artefact
from validation.cohort import load_cohort, load_outcomes
from validation.descriptive.document import encode_description
from validation.digests import file_sha256
from validation.documents import write_json
from validation.errors import InputError
from validation.evaluate import describe_cohort, evaluate_cohort
from validation.protocol import load_protocol

if TYPE_CHECKING:
    import pandas as pd

    from registry.artefact import Artefact
    from validation.cohort import Cohort


def evaluate(model: str, cohort: str) -> None:
    """Estimate and describe everything the protocol declares for one model on one cohort.

    Raises:
        InputError: params.yaml, protocol and cohort.yaml contradict each other; predictions are missing, or were made
            by another model or for another patient table.
    """
    architecture = load_validation(model, cohort).architecture
    artefact = read_artefact(artifact_folder(model))
    patients = load_cohort(cohort_folder(cohort))
    predictions = _read_predictions(
        model, cohort, artefact.digest, file_sha256(patients.folder / patients.meta.tables["patients"])
    )
    digest = file_sha256(predictions_table(model, cohort))
    paths = evidence_file(model, cohort), description_file(model, cohort)
    write_evidence(architecture, artefact, patients, predictions.to_pandas(), digest, *paths)


def write_evidence(
    architecture: str,
    artefact: Artefact,
    cohort: Cohort,
    predictions: pd.DataFrame,
    predictions_sha256: str,
    estimates: Path,
    descriptive: Path,
) -> None:
    """Evaluate and describe a cohort by the protocol of an architecture, and write both documents.

    Args:
        architecture: Names the protocol.
        artefact: The model.
        cohort: The patients; this opens their outcomes.
        predictions: One row per patient; see `evaluate_cohort`.
        predictions_sha256: Digest of the file they come from.
        estimates: Where the evidence is written.
        descriptive: Where the descriptive analyses are written.

    Raises:
        InputError: As `evaluate_cohort`.
    """
    protocol = load_protocol(protocol_file(architecture))
    given: dict[str, Any] = {
        "predictions": predictions,
        "outcomes": load_outcomes(cohort),
        "digests": {
            "artifact": artefact.digest,
            "predictions": predictions_sha256,
            **{name: file_sha256(cohort.folder / file) for name, file in cohort.meta.tables.items()},
        },
    }
    evidence = evaluate_cohort(protocol, artefact.contract, cohort, **given)
    description = describe_cohort(protocol, artefact.contract, cohort, **given)
    write_json(estimates, evidence)
    with whole_file(descriptive) as temporary:
        temporary.write_bytes(encode_description(description))


def _read_predictions(model: str, cohort: str, artefact_digest: str, patients_digest: str) -> pa.Table:
    path = predictions_table(model, cohort)
    remedy = f"Run dvc repro predict@{model}-{cohort}; never move predictions."
    if not path.is_file():
        raise InputError(str(path), "no such file", "predictions", remedy)
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        found = f"a file that cannot be read ({str(error).splitlines()[0]})"
        raise InputError(str(path), found, "a parquet file of predictions", remedy) from error
    origin = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    expected = {
        "hallmark.artifact_digest": artefact_digest,
        "hallmark.patients_sha256": patients_digest,
        "hallmark.model": model,
        "hallmark.cohort": cohort,
    }
    for key, value in expected.items():
        if origin.get(key) != value:
            found = f"{key} {origin.get(key)}"
            raise InputError(str(path), found, value, remedy)
    return table


if __name__ == "__main__":
    run_stage(evaluate, sys.argv[1:])
