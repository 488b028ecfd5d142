"""Training and export: the tile classifier first, then score and risk models on the maps that it makes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from models import atomic
from models.checkpoints import serialised, sources_digest
from models.crossfit import assign_folds
from models.distributed import joined
from models.histology_spatial_survival import CRS_FACTORS, SPEC, TISSUES
from models.histology_spatial_survival.inputs import PREPROCESSING
from models.histology_spatial_survival.labelled import LabelledTiles
from models.histology_spatial_survival.risk import FittedRisk, SofModel, fit_risk
from models.histology_spatial_survival.signature import Signature
from models.histology_spatial_survival.tiles import (
    TileTrainingParams,
    export_classifier,
    fit_classifier,
    probabilities,
)
from models.pretrained import pretrained_sha256
from models.results import out_of_fold, read_facts, write_artifact, write_results
from models.risk_models import RiskModels
from models.system import DevelopmentSet, Progress, TrainingParams
from models.training import Trainer

CLASSIFIER, WEIGHTS, FACTS = "tiles.onnx", "weights.pt", "tiles.json"


class HistologySpatialSurvival:
    """The training system of `histology_spatial_survival`; see `models.system.SlideSystem` for the contract."""

    params_class = TileTrainingParams

    def train_tiles(
        self,
        pixels: NDArray[np.uint8],
        tissue: NDArray[np.int8],
        slide: Sequence[str],
        params: TrainingParams,
        seed: int,
        folder: Path,
        checkpoints: Path,
        progress: Progress,
    ) -> None:
        """Train the classifier of tiles, split by slide, and write it as it ships."""
        params = _own(params)
        tiles, weights = LabelledTiles(pixels, tissue, slide), pretrained_sha256(params.pretrained)
        origin = f"{tiles.digest()} {sources_digest(Path(__file__).parent)} {weights}"
        with joined() as worker:
            trainer = Trainer(params, seed, worker, checkpoints, origin, progress)
            fitted = fit_classifier(trainer, tiles, params)
        folder.mkdir(parents=True, exist_ok=True)
        started = {**asdict(params), "pretrained": weights}
        facts = {**fitted.facts(tiles), "tiles_sha256": tiles.digest(), "params": started}
        atomic.write_bytes(folder / WEIGHTS, serialised(fitted.network.state))
        atomic.write_json(folder / FACTS, facts)
        metadata = {"hallmark.tissues": " ".join(TISSUES), "hallmark.tiles_sha256": facts["tiles_sha256"]}
        export_classifier(fitted.network.state, params, metadata, folder / CLASSIFIER)

    def train(
        self,
        development: DevelopmentSet,
        params: TrainingParams,
        seed: int,
        folder: Path,
        checkpoints: Path,
        progress: Progress,
    ) -> None:
        """Fit score and risk models on the maps of slides that the classifier in `folder` has not seen."""
        params = _own(params)
        outcome = development.follow_up[SPEC.endpoint]
        fold = assign_folds(development.patient_ids, outcome.event.astype(np.float64), params.folds, seed)
        with joined() as worker:
            fitted = fit_risk(development.inputs, outcome, fold)
            progress.message(f"features of the score: {', '.join(fitted.sof.model.cox.names)}")
            if worker.leads:  # the others have joined, and so have done with the checkpoints
                self._write(development, seed, folder, fitted)
                for path in checkpoints.glob("tiles*"):
                    path.unlink()

    def _write(self, development: DevelopmentSet, seed: int, folder: Path, fitted: FittedRisk) -> None:
        facts = {
            "model": SPEC.name,
            "seed": seed,
            "n": len(development.patient_ids),
            "events": fitted.risk_models.models["sof"].events,  # until censored at the end of follow-up
            "sof": fitted.sof.to_dict(),
            "folds": [sof.to_dict() for sof in fitted.folds],
            "params": json.loads((folder / FACTS).read_text(encoding="utf-8"))["params"],
            "sources_sha256": sources_digest(Path(__file__).parent),
        }
        covariates = pd.DataFrame(development.inputs["covariates"].astype(np.float64), columns=list(CRS_FACTORS))
        scores = fitted.scores.assign(patient_id=list(development.patient_ids))
        predictions = out_of_fold(scores, covariates, fitted.risk_models)
        weights = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
        write_results(folder, weights, predictions, fitted.risk_models, facts)

    def signature(self, folder: Path) -> nn.Module:
        """Return the signature trained into a folder, in evaluation mode; the classifier is no part of it."""
        sof = SofModel.from_dict(read_facts(folder)["sof"]["model"])
        return Signature(sof, RiskModels.read(folder / "risk_models.json")).eval()

    def classifier(self, folder: Path) -> nn.Module:
        """Return the classifier trained into a folder, in evaluation mode."""
        params = TileTrainingParams.from_mapping(read_facts(folder)["params"])
        weights = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
        return probabilities(weights, params)

    def export(self, folder: Path, artifact_folder: Path, identity: Mapping[str, str]) -> Path:
        """Write the ONNX file, its contract and its card, and the classifier beside them."""
        path = write_artifact(self.signature(folder), SPEC, folder, artifact_folder, identity, PREPROCESSING)
        atomic.write_bytes(artifact_folder / CLASSIFIER, (folder / CLASSIFIER).read_bytes())
        return path


SYSTEM = HistologySpatialSurvival()


def _own(params: TrainingParams) -> TileTrainingParams:
    if not isinstance(params, TileTrainingParams):
        raise TypeError(f"params of {type(params).__name__}, expected TileTrainingParams")
    return params
