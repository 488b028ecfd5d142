"""The `paper` profile: every network at full width trains and is exported, here for one short epoch on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import MODELS
from models.onnx_export import parity
from models.spec import load_dotted
from models.system import System
from pipelines.params import load_params
from tests.models.conftest import IDENTITY
from tests.models.specimens import Notebook, development_set, model_inputs, train

SHORT = {"epochs": 1, "patience": 1, "precision": "fp32", "threads": 2}
TUNED = {"histology_spatial_survival": 0.5}  # of two slides
FOLDS = {"ct_chemo_response": 3}
FIRST = {"deepsmote_epochs": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_full_width_trains_and_is_exported(name: str, tmp_path: Path) -> None:
    """The block of params.yaml as it stands, but for the length of the training; ONNX and torch agree."""
    spec = MODELS[name]
    system: System = load_dotted(spec.system_path)
    block = dict(load_params(profile="paper").training(name))
    assert block["width"] == 1.0
    folds, tuned = FOLDS.get(name, 2), TUNED.get(name, 0.2)
    first = {key: value for key, value in FIRST.items() if key in block}
    block |= {**SHORT, "folds": folds, "tuning_fraction": tuned, **first}
    training, artifact = tmp_path / "training", tmp_path / "artifact"
    artifact.mkdir()

    params = system.params_class.from_mapping(block)
    train(spec, development_set(spec), params, 1, training, tmp_path / "checkpoints", Notebook())
    path = system.export(training, artifact, IDENTITY)

    differences = parity(system.signature(training), path, model_inputs(spec, 3))
    assert max(differences.values()) < 1e-4
