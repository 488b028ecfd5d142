"""Training from the labelled tiles to the risk models: what is recorded, what is resumed, and what is left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.checkpoints import serialised
from models.distributed import Worker
from models.histology_spatial_survival import FOLLOW_UP_MONTHS, TILE_PX
from models.histology_spatial_survival.system import FACTS, SYSTEM, WEIGHTS
from models.results import read_facts
from models.risk_models import RiskModels
from models.system import DevelopmentSet
from tests.models.histology_spatial_survival.people import people
from tests.models.histology_spatial_survival.test_tiles import params
from tests.models.specimens import Notebook


class StoppedError(Exception):
    """Raised in place of a training."""


def test_checkpoints_of_other_pretrained_weights_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is resumed only from the same weights, by their content: tiles, sources and they are its origin."""
    origins: list[str] = []

    def stop(trainer: Any, *_: Any) -> None:
        origins.append(trainer.origin)
        raise StoppedError

    monkeypatch.setattr("models.histology_spatial_survival.system.fit_classifier", stop)
    tiles = np.zeros((1, TILE_PX, TILE_PX, 3), dtype=np.uint8), np.zeros(1, dtype=np.int8), ("S1",)
    weights = tmp_path / "weights.pt"
    for content in (b"published", b"published", b"others"):
        weights.write_bytes(content)
        given = params(width=1.0, pretrained=str(weights))
        with pytest.raises(StoppedError):
            SYSTEM.train_tiles(*tiles, given, 1, tmp_path / "out", tmp_path / "checkpoints", Notebook())

    assert origins[0] == origins[1] != origins[2]
    assert origins[2].endswith(sha256(b"others").hexdigest())


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A training folder with what the classifier's training wrote, and checkpoints that it left."""
    training, checkpoints = tmp_path / "training", tmp_path / "checkpoints"
    training.mkdir()
    checkpoints.mkdir()
    (training / FACTS).write_text(json.dumps({"params": {**asdict(params()), "pretrained": "5" * 64}}))
    (training / WEIGHTS).write_bytes(serialised({"weight": torch.zeros(1)}))
    for name in ("tiles.pt", "tiles-0.pixels", "tiles-1.pixels"):
        (checkpoints / name).write_bytes(b"")
    return training, checkpoints


def train(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    """Train the risk models as the process of a rank."""

    @contextmanager
    def alone() -> Iterator[Worker]:
        yield Worker(rank=rank, device=torch.device("cpu"))

    monkeypatch.setattr("models.histology_spatial_survival.system.joined", alone)
    patients = people()
    ids = tuple(f"P{row}" for row in range(len(patients.hazard)))
    development = DevelopmentSet(ids, patients.inputs, {"os": patients.outcome})
    SYSTEM.train(development, params(), 1, *folders, Notebook())


def test_facts_are_those_of_what_was_fitted(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Deaths after the end of follow-up are no events; weights to start from are named by the digest trained with."""
    outcome = people().outcome
    train(folders, monkeypatch, rank=0)
    facts, fitted = read_facts(folders[0]), RiskModels.read(folders[0] / "risk_models.json").models

    counted = int((outcome.event & (outcome.time_months <= FOLLOW_UP_MONTHS)).sum())
    assert counted < outcome.event.sum()
    assert facts["events"] == counted
    assert {model.events for model in fitted.values()} == {counted}
    assert facts["params"]["pretrained"] == "5" * 64


def test_only_the_first_process_removes_checkpoints(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process leaves all as it is; the first removes checkpoint and scratch files of every process."""
    train(folders, monkeypatch, rank=1)
    assert len(list(folders[1].iterdir())) == 3
    assert not (folders[0] / "training.json").exists()

    train(folders, monkeypatch, rank=0)
    assert list(folders[1].iterdir()) == []
