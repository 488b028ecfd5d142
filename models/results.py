"""What every training leaves behind, and the folder that ships made of it: one form for all models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from models import atomic
from models.checkpoints import serialised
from models.crossfit import CrossFitted
from models.onnx_export import export_onnx
from models.risk_models import RiskModels
from models.spec import ModelSpec

CARDS = Path(__file__).parent / "cards"  # beside the sources, not among them: no word on a card trains a model again
IDENTITY = (
    "hallmark.model",
    "hallmark.synthetic",
    "hallmark.development_cohort",
    "hallmark.development_excluded",
    "hallmark.development_patients_sha256",
    "hallmark.development_outcomes_sha256",
)


def network_facts(fitted: CrossFitted) -> dict[str, Any]:
    """Return what training.json says of one cross-fitted network."""
    return {
        "best_epochs": [network.best_epoch for network in fitted.folds],
        "tuning_losses": [list(network.tuning_losses) for network in fitted.folds],
        "epochs": fitted.epochs,
        "refit_training_losses": list(fitted.refitted.training_losses),
    }


def out_of_fold(scores: pd.DataFrame, covariates: pd.DataFrame, risk_models: RiskModels) -> pd.DataFrame:
    """Return the network's out-of-fold scores with what the risk models make of them, one row per patient.

    The risk models were fitted on these very scores: what they give here is no external prediction.

    Args:
        scores: One row per development patient in order.
        covariates: The same patients; NaN = missing.
        risk_models: Their covariates are columns of either table.
    """
    scores, covariates = scores.reset_index(drop=True), covariates.reset_index(drop=True)
    predictions = risk_models.predictions(pd.concat([scores, covariates], axis=1))
    missing = covariates.isna().sum(axis=1).rename("missing_covariates")
    return pd.concat([scores, missing, predictions], axis=1)


def write_results(
    folder: Path, weights: Any, predictions: pd.DataFrame, risk_models: RiskModels, facts: Mapping[str, Any]
) -> None:
    """Write what a training leaves behind: `weights.pt`, `scores.parquet`, `risk_models.json`, `training.json`.

    Args:
        folder: Made if it does not exist.
        weights: State of the network that ships, or one per network by name.
        predictions: What `out_of_fold` returned.
        risk_models: Fitted on the out-of-fold scores.
        facts: Patients, parameters, networks; no clock times, no paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(folder / "weights.pt", serialised(weights))
    atomic.write_bytes(folder / "scores.parquet", predictions.to_parquet(index=False))
    risk_models.write(folder / "risk_models.json")
    atomic.write_json(folder / "training.json", facts)


def read_facts(folder: Path) -> dict[str, Any]:
    """Return the facts that `write_results` wrote."""
    facts: dict[str, Any] = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    return facts


def write_artifact(
    signature: nn.Module,
    spec: ModelSpec,
    folder: Path,
    artifact_folder: Path,
    identity: Mapping[str, str],
    preprocessing: Mapping[str, Any],
) -> Path:
    """Write the ONNX file, its contract and its card; return the path of the ONNX file.

    Args:
        signature: The whole signature in evaluation mode.
        spec: Of the model; its card is `models/cards/<name>.md`.
        folder: What `write_results` wrote.
        artifact_folder: Existing folder to write into.
        identity: Metadata of the ONNX file; holds at least `IDENTITY`.
        preprocessing: The parameters of the pre-processing.

    Raises:
        ValueError: The identity lacks a key.
    """
    if missing := [key for key in IDENTITY if key not in identity]:
        raise ValueError(f"identity lacks {', '.join(missing)}")
    units = {tensor.name: tensor.unit for tensor in (*spec.inputs, *spec.outputs)}
    path = artifact_folder / "model.onnx"
    export_onnx(signature, spec, {**identity, "hallmark.units": json.dumps(units, sort_keys=True)}, path)
    atomic.write_json(artifact_folder / "contract.json", _contract(spec, folder, identity, preprocessing))
    card = CARDS / f"{spec.name}.md"
    atomic.write_bytes(artifact_folder / "card.md", card.read_bytes())
    return path


def _contract(
    spec: ModelSpec, folder: Path, identity: Mapping[str, str], preprocessing: Mapping[str, Any]
) -> dict[str, Any]:
    facts = read_facts(folder)
    return {
        "model": identity["hallmark.model"],
        "architecture": spec.name,
        "endpoint": spec.endpoint,
        "other_endpoints": list(spec.other_endpoints),
        "labels": list(spec.labels),
        "horizons_months": list(spec.horizons_months),
        "inputs": [asdict(tensor) for tensor in spec.inputs],
        "outputs": [asdict(tensor) for tensor in spec.outputs],
        "cutoffs": dict(RiskModels.read(folder / "risk_models.json").cutoffs),
        "preprocessing": preprocessing,
        "development": {
            "cohort": identity["hallmark.development_cohort"],
            "n": facts["n"],
            "events": facts["events"],
            "excluded": int(identity["hallmark.development_excluded"]),
            "synthetic": identity["hallmark.synthetic"] == "true",
            "patients_sha256": identity["hallmark.development_patients_sha256"],
            "outcomes_sha256": identity["hallmark.development_outcomes_sha256"],
        },
    }
