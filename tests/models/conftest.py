"""Every model, trained and exported once on made-up patients; contract tests look at the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from models import MODELS
from models.spec import ModelSpec, load_dotted
from models.system import DevelopmentSet, System
from tests.models.specimens import Notebook, development_set, model_params, train

IDENTITY = {
    "hallmark.model": "specimen",
    "hallmark.development_cohort": "made_up",
    "hallmark.synthetic": "true",
    "hallmark.development_excluded": "2",
    "hallmark.development_patients_sha256": "0" * 64,
    "hallmark.development_outcomes_sha256": "1" * 64,
}


@dataclass(frozen=True)
class TrainedModel:
    """A model trained on made-up patients.

    Attributes:
        spec: Its spec.
        system: Its training system.
        development: The patients.
        folder: What `train` wrote.
        artifact: What `export` wrote.
        progress: What was reported while training.
    """

    spec: ModelSpec
    system: System
    development: DevelopmentSet
    folder: Path
    artifact: Path
    progress: Notebook


@pytest.fixture(scope="session", params=list(MODELS))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """Each model in turn."""
    spec = MODELS[request.param]
    system: System = load_dotted(spec.system_path)
    root = tmp_path_factory.mktemp(spec.name)
    development, progress = development_set(spec), Notebook()
    artifact = root / "artifact"
    artifact.mkdir()
    train(spec, development, model_params(spec), 1, root / "training", root / "checkpoints", progress)
    system.export(root / "training", artifact, IDENTITY)
    return TrainedModel(spec, system, development, root / "training", artifact, progress)
