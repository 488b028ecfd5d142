"""Small made-up tasks and patients on which training is a matter of seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.spec import ModelSpec, load_dotted
from models.system import DevelopmentSet, FollowUp, Progress, System, TrainingParams

TINY = {
    "width": 0.25,
    "dropout": 0.2,
    "epochs": 1,
    "patience": 1,
    "batch_size": 16,
    "learning_rate": 0.003,
    "schedule": "cosine",
    "weight_decay": 0.01,
    "folds": 2,
    "tuning_fraction": 0.2,
    "precision": "fp32",
    "threads": 1,
    "pretrained": None,
}
PATIENTS = {  # enough for 29 covariates; for a screen of features that finds something in noise
    "ct_chemo_response": 120,
    "histology_spatial_survival": 160,
}
MORE: dict[str, dict[str, Any]] = {  # what a model's own training parameters add
    "ct_stroma_survival": {
        "epochs": 3,  # as many steps as its normalisations need to know the images
        "patience": 3,
        "batch_size": 2,
        "learning_rate": 0.001,
        "trunk": "se_resnet50",
        "multitask": True,
        "multiscale": True,
        "attention": True,
        "autoencoder": True,
        "tsr_weight": 1.0,
        "survival_weight": 1.0,
        "reconstruction_weight": 1.0,
        "discrepancy_weight": 1.0,
    },
    "ct_chemo_response": {
        "folds": 3,
        "deepsmote_channels": 16,
        "deepsmote_latent": 8,
        "deepsmote_epochs": 1,
        "deepsmote_batch_size": 16,
        "deepsmote_learning_rate": 2e-4,
        "deepsmote_penalty_weight": 1.0,
        "deepsmote_neighbours": 3,
    },
    "histology_spatial_survival": {
        "epochs": 2,
        "patience": 2,
        "tuning_fraction": 0.5,
        "optimiser": "sgd",
        "momentum": 0.9,
        "stain_jitter": 0.1,
        "blur": 0.1,
        "crop_px": 96,
        "joined": 0.5,
        "balance": 0.5,
    },
}
MORE_FILES = {  # what a model's training leaves besides the files of all
    "ct_chemo_response": {"deepsmote.npz"},
    "histology_spatial_survival": {"tiles.onnx", "tiles.json"},
}
MORE_SHIPPED = {"histology_spatial_survival": {"tiles.onnx"}}  # what ships besides the files of all


def params(**changes: Any) -> TrainingParams:
    """Training parameters for the smallest sensible training."""
    return TrainingParams.from_mapping({**TINY, **changes})


def model_params(spec: ModelSpec, **changes: Any) -> TrainingParams:
    """Training parameters of one model for the smallest sensible training."""
    system: System = load_dotted(spec.system_path)
    return system.params_class.from_mapping({**TINY, **MORE.get(spec.name, {}), **changes})


class Notebook:
    """Progress that keeps what it is told."""

    def __init__(self) -> None:
        """Start empty."""
        self.epochs: list[tuple[str, int, dict[str, float]]] = []
        self.messages: list[str] = []

    def epoch(self, run: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep one epoch."""
        self.epochs.append((run, epoch, dict(metrics)))

    def message(self, text: str) -> None:
        """Keep one message."""
        self.messages.append(text)


def train(
    spec: ModelSpec,
    development: DevelopmentSet,
    params: TrainingParams,
    seed: int,
    folder: Path,
    checkpoints: Path,
    progress: Progress,
) -> None:
    """Train any model as the road does: of one that reads slides the classifier of tiles first."""
    system = load_dotted(spec.system_path)
    if spec.tiles is not None:
        system.train_tiles(*tiles(len(spec.tiles.tissues)), params, seed, folder, checkpoints, progress)
    system.train(development, params, seed, folder, checkpoints, progress)


def tiles(tissues: int) -> tuple[NDArray[np.uint8], NDArray[np.int8], tuple[str, ...]]:
    """Tiles of two slides, one of each tissue on each: every tissue has a grey of its own."""
    rng = np.random.default_rng(0)
    tissue = np.tile(np.arange(tissues, dtype=np.int8), 2)
    level = 40 + 25 * tissue[:, None, None, None] + rng.integers(0, 20, (len(tissue), 224, 224, 3))
    return level.astype(np.uint8), tissue, tuple(f"S{index // tissues}" for index in range(len(tissue)))


def model_inputs(spec: ModelSpec, n: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Inputs of n patients for any model: standard normal images, 0/1 covariates, some NaN.

    Images of a window lie within 0 to 1; tiles are counts, several of each kind, and shares add up to less than 1.
    """
    rng = np.random.default_rng(seed)
    inputs = {}
    for tensor in spec.inputs:
        values = rng.standard_normal((n, *tensor.shape), dtype=np.float32)
        if tensor.labels:
            values = (values > 0).astype(np.float32)
            values[rng.random(values.shape) < 0.1] = np.nan
        elif tensor.unit == "share of the window":
            values = rng.random(values.shape, dtype=np.float32)
            values *= rng.random((n, *(1 for _ in tensor.shape)), dtype=np.float32)  # some patients are brighter
        elif tensor.unit == "tiles":
            values = rng.integers(1, 40, values.shape).astype(np.float32)
        elif tensor.unit == "share":
            values = rng.random(values.shape, dtype=np.float32) / (1 + tensor.shape[0])
        inputs[tensor.name] = values
    return inputs


def development_set(spec: ModelSpec, n: int | None = None, seed: int = 0) -> DevelopmentSet:
    """Development patients for any model, without any signal; about half have the event, a few are lost early."""
    n = n or PATIENTS.get(spec.name, 40)
    rng = np.random.default_rng(seed)
    longer = max(1.0, max(spec.horizons_months) / 60)  # follow-up reaches the last horizon
    event_months, censoring_months = longer * rng.exponential(40.0, n), longer * rng.uniform(30.0, 70.0, n)
    outcome = FollowUp(event_months <= censoring_months, np.minimum(event_months, censoring_months))
    return DevelopmentSet(
        patient_ids=tuple(f"P{number:03d}" for number in range(n)),
        inputs=model_inputs(spec, n, seed),
        follow_up=dict.fromkeys((spec.endpoint, *spec.other_endpoints), outcome),
        labels={name: (rng.random(n) < 0.5).astype(np.float64) for name in spec.labels},
    )


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Content of every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
