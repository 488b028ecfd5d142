"""DVC stage `development`: the model on its own development patients, out of fold; no gate looks at it."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipelines.evidence import evidence_digests, judged, write_documents
from pipelines.layout import (
    artifact_folder,
    cohort_folder,
    description_file,
    development_file,
    protocol_file,
    training_folder,
)
from pipelines.params import load_params
from pipelines.stage import run_stage
from registry.artefact import Artefact, read_artefact
from validation.cohort import Cohort, load_cohort, load_outcomes
from validation.digests import file_sha256
from validation.documents import read_json
from validation.errors import InputError
from validation.evaluate import outputs_by_column
from validation.protocol import load_protocol


def development(model: str) -> None:
    """Estimate and describe what the protocol declares on the development cohort, from out-of-fold scores.

    Each patient's score is that of a network that has not seen the patient. The risk models on top, and the cut-offs,
    were fitted on these very scores: the figures are not external evidence.

    Raises:
        InputError: The model was not trained.
    """
    entry = load_params().model(model)
    cohort = load_cohort(cohort_folder(entry.development))
    artefact = read_artefact(artifact_folder(model))
    predictions = out_of_fold_predictions(model, cohort, prediction_columns(artefact))
    digest = file_sha256(training_folder(model) / "scores.parquet")
    protocol = load_protocol(protocol_file(entry.architecture))
    digests = evidence_digests(artefact, cohort, digest, opening=None)
    documents = judged(protocol, artefact, cohort, predictions, load_outcomes(cohort), digests)
    write_documents(documents, development_file(model), description_file(model, entry.development))


def prediction_columns(artefact: Artefact) -> list[str]:
    """Return the names of the model's outputs as columns of a table of predictions, as the contract states them."""
    return list(outputs_by_column(artefact.contract))


def out_of_fold_predictions(model: str, cohort: Cohort, columns: list[str]) -> pd.DataFrame:
    """Return what training kept of every development patient, in the form of predictions.

    Patients whom training left out are there, failed, with their reason.

    Args:
        model: Entry of params.yaml.
        cohort: Its development cohort.
        columns: Predictions to return.

    Raises:
        InputError: The model was not trained, or on other tables; a patient was neither scored nor left out, or both.
    """
    folder, remedy = training_folder(model), f"Run dvc repro train@{model}."
    trained = read_json(folder / "development.json")
    if trained is None or not (folder / "scores.parquet").is_file():
        raise InputError(str(folder), "no finished training", "scores.parquet", remedy)
    for name, file in cohort.meta.tables.items():
        if trained.get(f"{name}_sha256") != file_sha256(cohort.folder / file):
            expected = f"a training on {cohort.meta.name} as it is"
            raise InputError(str(folder), f"another table of {name}", expected, remedy)
    scores = _scores(folder / "scores.parquet", remedy).set_index("patient_id")[["missing_covariates", *columns]]
    reason = pd.Series(trained["excluded"], dtype=object)
    if sorted([*scores.index, *reason.index]) != sorted(cohort.patients["patient_id"]):
        others = sorted({*scores.index, *reason.index} ^ {*cohort.patients["patient_id"]})
        which = f", not the same: first {others[0]}" if others else ""
        found = f"{len(scores)} patients scored and {len(reason)} left out{which}"
        raise InputError(str(folder), found, f"each of the {len(cohort.patients)} of {cohort.meta.name} once", remedy)
    table = scores.reindex(cohort.patients["patient_id"]).rename_axis("patient_id").reset_index()
    table["reason"] = table["patient_id"].map(reason)
    table["status"] = table["reason"].isna().map({True: "ok", False: "failed"})
    table["missing_covariates"] = table["missing_covariates"].astype("Int64")
    return table


def _scores(path: Path, remedy: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (pa.ArrowException, OSError) as error:
        found = f"a file that cannot be read ({str(error).splitlines()[0]})"
        raise InputError(str(path), found, "a parquet file of out-of-fold scores", remedy) from error


if __name__ == "__main__":
    run_stage(development, sys.argv[1:])
