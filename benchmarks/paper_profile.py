"""The `paper` profile on a GPU: full-width networks at the published n, exported and run on every cohort.

    python benchmarks/paper_profile.py MODEL FOLDER

Synthesises the cohorts of one model at the scales of profiles.paper in params.yaml into FOLDER, trains, exports, runs
the ONNX file on the internal and external cohorts by the protocol, and puts the figures into
benchmarks/paper_profile.json. `profile: paper` and `dvc repro` do the same on the road; this script leaves data and
evidence of the demonstration alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from models import MODELS
from models.onnx_export import parity
from models.results import IDENTITY
from models.runtime import OnnxModel
from models.spec import ModelSpec, load_dotted
from models.system import System
from pipelines.params import load_params
from pipelines.patients import prepared_patients, stack_inputs
from pipelines.progress import LineProgress, TrainingProgress
from pipelines.synthetic.cohorts import COHORTS
from pipelines.synthetic.writing import write_cohort
from pipelines.train import development_set
from validation.cohort import Cohort, load_cohort
from validation.documents import read_json, write_json
from validation.evaluate import evaluate_cohort
from validation.evidence import GIVEN_DIGESTS, OF_GROUP
from validation.protocol import load_protocol
from validation.sealing.opening import open_demonstration

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "paper_profile.json"
BATCH, PARITY_PATIENTS = 64, 16
SHOWN = ("c_os", "c_mdls", "auc_tsr", "auc_dlcs", "auc_dl", "auc_clinical", "c_nomogram", "auc36_nomogram")


def predicted(network: OnnxModel, spec: ModelSpec, cohort: Cohort) -> pd.DataFrame:
    """Return one row per patient in the form of predictions; a patient who could not be processed says why."""
    patients = list(prepared_patients(cohort, spec, LineProgress(f"predicting {cohort.meta.name}")))
    kept = [patient for patient in patients if patient.inputs is not None]
    parts = []
    for start in range(0, len(kept), BATCH):
        batch = kept[start : start + BATCH]
        outputs = network.run(stack_inputs(batch))
        parts.append(np.column_stack([outputs[tensor.name].reshape(len(batch), -1) for tensor in spec.outputs]))
    table = pd.DataFrame(np.concatenate(parts).astype(np.float64), columns=list(spec.prediction_columns()))
    table.insert(0, "patient_id", [patient.patient_id for patient in kept])
    about = pd.DataFrame({"patient_id": [p.patient_id for p in patients], "reason": [p.reason for p in patients]})
    about["status"] = about["reason"].isna().map({True: "ok", False: "failed"})
    about["missing_covariates"] = 0  # counted by the road, not here
    return about.merge(table, on="patient_id", how="left", validate="1:1")


def run(model: str, folder: Path) -> dict[str, Any]:
    """Synthesise, train, export and evaluate one model; return its figures."""
    params, spec = load_params(profile="paper"), MODELS[model]
    protocol = load_protocol(ROOT / "validation" / "protocols" / f"{model}.yaml")
    development_name, cohorts = (
        params.model(model).development,
        (*protocol.analysis.internal, *protocol.analysis.external),
    )
    definitions = {definition.name: definition for definition in COHORTS}
    for name in (development_name, *cohorts):
        write_cohort(
            definitions[name], params.synthetic_scale(name), params.seed, folder / name, folder / f"{name}.parquet"
        )
    development, excluded = development_set(load_cohort(folder / development_name), spec)
    system: System = load_dotted(spec.system_path)
    training, artifact, since = folder / "training", folder / "artifact", time.monotonic()
    artifact.mkdir()
    block = params.training(model)
    system.train(
        development,
        system.params_class.from_mapping(block),
        params.seed,
        training,
        folder / "checkpoints",
        TrainingProgress(),
    )
    seconds = time.monotonic() - since
    identity = dict.fromkeys(IDENTITY, "benchmark") | {"hallmark.model": model, "hallmark.synthetic": "true"}
    identity["hallmark.development_excluded"] = str(len(excluded))
    path, signature = system.export(training, artifact, identity), system.signature(training)
    network, contract = OnnxModel(path), read_json(artifact / "contract.json") or {}
    evidence = {}
    for name in cohorts:
        cohort = load_cohort(folder / name)
        document = evaluate_cohort(
            protocol,
            contract,
            cohort,
            predictions=predicted(network, spec, cohort),
            outcomes=open_demonstration(cohort),
            digests=dict.fromkeys(GIVEN_DIGESTS, "benchmark"),
        )
        evidence[name] = [
            {key: entry.get(key) for key in ("id", "value", "lower", "upper", "n", "events")}
            for entry in document["estimates"]
            if OF_GROUP not in entry["id"]
        ]
    few = {name: array[:PARITY_PATIENTS].astype(np.float32) for name, array in development.inputs.items()}
    return {
        "n": len(development.patient_ids),
        "parameters": sum(parameter.numel() for parameter in signature.parameters()),
        "training": dict(block),
        "training_seconds": round(seconds, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "gpu_memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "parity": parity(signature, path, few),
        "cohorts": evidence,
    }


def table(figures: Mapping[str, Any]) -> str:
    """Return the discrimination of every model on every cohort as a Markdown table."""
    lines = ["| model | cohort | estimate | value | n | events |", "| --- | --- | --- | --- | --- | --- |"]
    for model, found in figures.items():
        for cohort, estimates in found["cohorts"].items():
            for entry in estimates:
                if entry["id"] in SHOWN and entry["value"] is not None:
                    value = f"{entry['value']:.3f} [{entry['lower']:.3f}, {entry['upper']:.3f}]"
                    lines.append(f"| {model} | {cohort} | {entry['id']} | {value} | {entry['n']} | {entry['events']} |")
    return "\n".join(lines)


def main(model: str, folder: Path) -> None:
    """Run one model, keep its figures beside those of the others, and print the table of docs/experiments.md."""
    figures = {**(read_json(OUTPUT) or {}), model: run(model, folder)}
    write_json(OUTPUT, figures)
    sys.stdout.write(table(dict(sorted(figures.items()))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
