"""DVC stage `export`: the folder that ships, and the parity of its ONNX file with torch."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import MODELS
from models.onnx_export import parity
from models.spec import ModelSpec, TileReading, load_dotted
from pipelines.layout import artifact_folder, cohort_folder, parity_file, training_folder
from pipelines.params import load_params
from pipelines.patients import PreparedPatient, prepared_patients, stack_inputs
from pipelines.slides import CLASSIFIER, annotated_patients, labelled_tiles
from pipelines.stage import run_stage
from pipelines.writing import whole_folder
from registry.artefact import read_artefact, write_manifest
from validation.cohort import Cohort, load_cohort
from validation.documents import read_json, write_json
from validation.errors import InputError

PARITY_PATIENTS = 16
PARITY_SLIDES, TILES_PER_SLIDE = 4, 4  # of the parity of a tile classifier
TILES = "tiles"  # input of a tile classifier
METHOD = (
    "torch eager against ONNX Runtime, CPU, same inputs, largest absolute difference per output, null where a value is "
    "not finite"
)


def identity(model: str, spec: ModelSpec) -> dict[str, str]:
    """What the ONNX file says of itself: where it comes from, its horizons and units. No clock, no commit, no path.

    Raises:
        InputError: The model was not trained.
    """
    training, development = (_trained(model, name) for name in ("training.json", "development.json"))
    return {
        "hallmark.model": model,
        "hallmark.architecture": spec.name,
        "hallmark.endpoint": spec.endpoint,
        "hallmark.horizons_months": json.dumps(spec.horizons_months),
        "hallmark.synthetic": json.dumps(development["synthetic"]),
        "hallmark.development_cohort": development["cohort"],
        "hallmark.development_n": str(training["n"]),
        "hallmark.development_excluded": str(len(development["excluded"])),
        "hallmark.development_patients_sha256": development["patients_sha256"],
        "hallmark.development_outcomes_sha256": development["outcomes_sha256"],
        "hallmark.training_sources_sha256": training["sources_sha256"],
    }


def _trained(model: str, name: str) -> dict[str, Any]:
    """Read a document that the training wrote."""
    path = training_folder(model) / name
    document = read_json(path)
    if document is None:
        raise InputError(str(path), "no such file", "a finished training", f"Run dvc repro train@{model}.")
    return document


def parity_inputs(cohort: Cohort, spec: ModelSpec, folder: Path | None = None) -> dict[str, NDArray[np.float32]]:
    """Inputs of the first development patients that can be processed; the last without covariates: missing values.

    Args:
        cohort: The development cohort.
        spec: Of the model.
        folder: That ships, with the tile classifier of a model that reads slides.
    """
    kept: list[PreparedPatient] = []
    for start in range(0, len(cohort.patients), PARITY_PATIENTS):
        part = replace(cohort, patients=cohort.patients.iloc[start : start + PARITY_PATIENTS])
        stream = prepared_patients(part, spec, networks=folder)
        kept += [patient for patient in stream if patient.inputs is not None]
        if len(kept) >= PARITY_PATIENTS:
            break
    inputs = stack_inputs(kept[:PARITY_PATIENTS])
    if "covariates" in inputs:
        inputs["covariates"][-1] = np.nan
    return inputs


def parity_tiles(cohort: Cohort, image: str, tiles: TileReading) -> NDArray[np.uint8]:
    """Annotated tiles of some annotated slides; slides and tiles are spread evenly over all of them."""
    annotated = cohort.patients[annotated_patients(cohort, tiles)]
    slides = np.unique(np.linspace(0, len(annotated) - 1, PARITY_SLIDES).astype(np.intp))
    rows = [dict(zip(annotated.columns, annotated.iloc[slide], strict=True)) for slide in slides]
    found = [pixels for row in rows for pixels, _ in labelled_tiles(cohort, row, image, tiles, TILES_PER_SLIDE)]
    return np.stack(found)


def export(model: str) -> None:
    """Export one entry of params.yaml to artifacts/<model> and record its parity."""
    entry = load_params().model(model)
    spec = MODELS[entry.architecture]
    says = identity(model, spec)
    system = load_dotted(spec.system_path)
    with whole_folder(artifact_folder(model)) as folder:
        system.export(training_folder(model), folder, says)
        write_manifest(folder)
    artefact = read_artefact(artifact_folder(model))
    cohort = load_cohort(cohort_folder(entry.development))
    inputs = parity_inputs(cohort, spec, artefact.folder)
    method = METHOD
    differences = parity(system.signature(training_folder(model)), artefact.folder / "model.onnx", inputs)
    if spec.tiles is not None:
        classifier = system.classifier(training_folder(model))
        tiles = parity_tiles(cohort, spec.images[0].name, spec.tiles)
        found = parity(classifier, artefact.folder / CLASSIFIER, {TILES: tiles}).values()
        method += f"; of {CLASSIFIER} on {len(tiles)} tiles, of annotated slides"
        differences[CLASSIFIER] = None if None in found else max(value for value in found if value is not None)
    write_json(
        parity_file(model),
        {
            "model": model,
            "artifact": artefact.digest,
            "max_abs_difference": differences,
            "n": len(next(iter(inputs.values()))),
            "method": method,
        },
    )


if __name__ == "__main__":
    run_stage(export, sys.argv[1:])
