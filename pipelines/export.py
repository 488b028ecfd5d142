"""DVC stage `export`: the folder that ships, and the parity of its ONNX file with torch."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import MODELS
from models.onnx_export import parity
from models.spec import ModelSpec, load_dotted
from pipelines.layout import artifact_folder, cohort_folder, parity_file, training_folder
from pipelines.params import load_params
from pipelines.patients import prepared_patients, stack_inputs
from pipelines.stage import run_stage
from pipelines.writing import whole_folder
from registry.artefact import read_artefact, write_manifest
from validation.cohort import Cohort, load_cohort
from validation.digests import file_sha256, json_sha256
from validation.evidence import write_json

PARITY_PATIENTS = 16


def sources_digest(architecture: str) -> str:
    """Digest of the sources that trained and exported the model: the shared files of models/ and its own folder."""
    root = Path(__file__).parent.parent / "models"
    files = [*root.glob("*.py"), *(root / architecture).glob("*.py")]
    return json_sha256({f.relative_to(root).as_posix(): file_sha256(f) for f in files})


def identity(model: str, spec: ModelSpec, development: str) -> dict[str, str]:
    """What the ONNX file says of itself: where it comes from, its horizons and units. No clock, no commit, no path."""
    cohort = load_cohort(cohort_folder(development))
    tables = {name: file_sha256(cohort.folder / file) for name, file in sorted(cohort.meta.tables.items())}
    return {
        "hallmark.model": model,
        "hallmark.architecture": spec.name,
        "hallmark.endpoint": spec.endpoint,
        "hallmark.horizons_months": json.dumps(spec.horizons_months),
        "hallmark.development_cohort": development,
        "hallmark.development_n": str(len(cohort.patients)),
        "hallmark.synthetic": json.dumps(cohort.meta.synthetic),
        "hallmark.training_data_sha256": json_sha256(tables),
        "hallmark.training_sources_sha256": sources_digest(spec.name),
    }


def parity_inputs(cohort: Cohort, spec: ModelSpec) -> dict[str, NDArray[np.float32]]:
    """Inputs of the first development patients; the last one without any covariate, to exercise missing values."""
    first = replace(cohort, patients=cohort.patients.head(PARITY_PATIENTS))
    inputs = stack_inputs([p for p in prepared_patients(first, spec) if p.inputs is not None])
    if "covariates" in inputs:
        inputs["covariates"][-1] = np.nan
    return inputs


def export(model: str) -> None:
    """Export one entry of params.yaml to artifacts/<model> and record its parity."""
    entry = load_params().model(model)
    spec = MODELS[entry.architecture]
    system = load_dotted(spec.system_path)
    with whole_folder(artifact_folder(model)) as folder:
        system.export(training_folder(model), folder, identity(model, spec, entry.development))
        write_manifest(folder)
    artefact = read_artefact(artifact_folder(model))
    inputs = parity_inputs(load_cohort(cohort_folder(entry.development)), spec)
    differences = parity(system.signature(training_folder(model)), artefact.folder / "model.onnx", inputs)
    write_json(
        parity_file(model),
        {
            "model": model,
            "artifact": artefact.digest,
            "max_abs_difference": differences,
            "n": len(next(iter(inputs.values()))),
            "method": "torch eager against ONNX Runtime, CPU, same inputs, largest absolute difference per output",
        },
    )


if __name__ == "__main__":
    run_stage(export, sys.argv[1:])
