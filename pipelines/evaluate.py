"""DVC stage `evaluate`: what the protocol declares, on one cohort. Opens sealed outcomes under a lock; no image."""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.anchors import anchors, who
from pipelines.evidence import evidence_digests, judged, write_documents
from pipelines.layout import (
    LEDGER,
    artifact_folder,
    cohort_folder,
    description_file,
    evidence_file,
    lock_file,
    predictions_table,
    protocol_file,
)
from pipelines.params import load_validation
from pipelines.stage import run_stage
from registry.artefact import read_artefact
from validation.cohort import load_cohort
from validation.digests import file_sha256
from validation.documents import read_yaml
from validation.errors import InputError
from validation.evaluate import check_evaluable
from validation.protocol import load_protocol
from validation.sealing.lock import read_lock
from validation.sealing.opening import Question, opened


def evaluate(model: str, cohort: str) -> None:
    """Estimate and describe everything the protocol declares for one model on one cohort.

    This opens the cohort's sealed outcomes, and adds a line to the exposure ledger unless the same was asked before.

    Raises:
        InputError: params.yaml, protocol and cohort.yaml contradict each other; predictions are missing, or were made
            by another model or for another patient table; or the outcomes may not be opened, see `opened`.
    """
    architecture = load_validation(model, cohort).architecture
    artefact = read_artefact(artifact_folder(model))
    patients = load_cohort(cohort_folder(cohort))
    predictions = read_predictions(
        model, cohort, artefact.digest, file_sha256(patients.folder / patients.meta.tables["patients"])
    )
    protocol, table = load_protocol(protocol_file(architecture)), predictions.to_pandas()
    check_evaluable(protocol, artefact.contract, patients, table)
    question = Question(
        protocol=protocol,
        plan=read_yaml(protocol.file),
        lock=read_lock(lock_file(architecture)),
        cohort=patients,
        model=model,
        artifact=artefact.digest,
        predictions=file_sha256(predictions_table(model, cohort)),
        who=who(),
    )
    with opened(question, LEDGER, anchors()) as opening:
        digests = evidence_digests(artefact, patients, question.predictions, opening.id)
        documents = judged(protocol, artefact, patients, table, opening.outcomes, digests)
        opening.release(*documents)
    write_documents(documents, evidence_file(model, cohort), description_file(model, cohort))


def read_predictions(model: str, cohort: str, artefact_digest: str, patients_digest: str) -> pa.Table:
    """Read the predictions of a model on a cohort.

    Raises:
        InputError: They are missing or broken, or of another model, folder, cohort or patients table.
    """
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
