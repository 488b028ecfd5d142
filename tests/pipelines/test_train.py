"""DVC stage `train`: who is trained on, and what is refused before and after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.mri_distant_metastasis import SPEC
from models.system import TrainingParams
from pipelines.export import identity
from pipelines.layout import checkpoint_folder, cohort_folder, training_folder
from pipelines.train import development_set, scratch_file, train
from tests.cohorts import set_cell, write_cohort
from tests.pipelines.repository import copy_plan
from validation.cohort import load_cohort
from validation.digests import file_sha256
from validation.errors import InputError

MODEL = "mri_distant_metastasis"
COHORT = "mri_development"
pytestmark = pytest.mark.usefixtures("varied_diffusion")


class FakeSystem:
    """A training system that writes training.json, or says that the data do not define the model."""

    params_class = TrainingParams

    def __init__(self, problem: str | None = None) -> None:
        """Take what it says."""
        self.problem = problem

    def train(self, development: Any, params: Any, seed: int, folder: Path, *_: Any) -> None:
        """Train nothing."""
        if self.problem:
            raise ValueError(self.problem)
        facts = {"n": len(development.patient_ids), "events": 1, "sources_sha256": "5" * 64}
        (folder / "training.json").write_text(json.dumps(facts))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A development cohort of 20, of whom one names a mask of another digest; MLflow is left out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("registry.tracking.TrainingTracker._start", lambda self: None)
    copy_plan(tmp_path, MODEL)
    folder = write_cohort(cohort_folder(COHORT), n=20, role="development")
    set_cell(folder / "patients.csv", 3, "t2w_mask_sha256", "0" * 64)
    return folder


def test_tables_and_excluded_patients_travel_with_the_model(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ONNX file will say how many were trained on, how many not, and from which tables and sources."""
    monkeypatch.setattr("pipelines.train.load_dotted", lambda path: FakeSystem())

    train(MODEL)
    says = identity(MODEL, SPEC)

    document = json.loads((training_folder(MODEL) / "development.json").read_text())
    assert list(document["excluded"]) == [f"{COHORT}-0001"]
    assert (says["hallmark.development_n"], says["hallmark.development_excluded"]) == ("19", "1")
    assert says["hallmark.development_patients_sha256"] == file_sha256(repository / "patients.csv")
    assert says["hallmark.development_outcomes_sha256"] == file_sha256(repository / "outcomes.csv")
    assert says["hallmark.training_sources_sha256"] == "5" * 64
    assert says["hallmark.synthetic"] == "true"


def test_data_that_define_no_model_are_bad_input(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training system's own refusal names cohort and parameters, and nothing is left behind."""
    monkeypatch.setattr("pipelines.train.load_dotted", lambda path: FakeSystem("no events"))

    with pytest.raises(InputError, match=rf"{repository}, params.yaml profiles.*found no events"):
        train(MODEL)
    assert not training_folder(MODEL).exists()


def test_too_many_excluded_patients_are_refused(repository: Path) -> None:
    """Three of twenty is more than a tenth; the first reasons are named."""
    for line in (4, 5):
        set_cell(repository / "patients.csv", line, "t2w_mask_sha256", "0" * 64)

    with pytest.raises(InputError, match=rf"3 of 20 patients .*{COHORT}-0001: .*at most 10%"):
        development_set(load_cohort(repository), SPEC)


def test_export_before_training_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to run."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError, match=f"Run dvc repro train@{MODEL}"):
        identity(MODEL, SPEC)


def test_every_process_gathers_tiles_into_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under torchrun no process truncates the tiles that another one learns from."""
    alone = scratch_file(MODEL)
    monkeypatch.setenv("RANK", "1")

    assert alone == checkpoint_folder(MODEL) / "tiles-0.pixels"
    assert scratch_file(MODEL) == checkpoint_folder(MODEL) / "tiles-1.pixels"
