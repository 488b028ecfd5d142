"""The command `hallmark explain`: whom it explains, what it writes and refuses, and that maps lie where they should."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from models import atomic
from models.checkpoints import serialised
from models.gradcam import ScoreMap
from models.mri_distant_metastasis import SPEC
from models.mri_distant_metastasis.network import SequenceNetwork
from models.mri_distant_metastasis.system import SEQUENCES, SYSTEM, fit_risk_models
from pipelines.cli import app
from pipelines.explain import explain, summary
from pipelines.layout import (
    artifact_folder,
    cohort_folder,
    explanation_folder,
    predictions_table,
    training_folder,
)
from pipelines.predict import predict
from pipelines.stage import exit_code_of
from registry.artefact import write_manifest
from tests.cohorts import T2W_SHAPE, box, replace_image, set_cell, write_cohort, write_nifti
from tests.models.conftest import IDENTITY
from tests.models.specimens import development_set
from tests.pipelines.repository import ROOT, copy_plan
from validation.errors import InputError

MODEL, COHORT = "mri_distant_metastasis", "mri_external"
OUTPUT = explanation_folder(MODEL, COHORT)


def write_training(folder: Path, seed: int = 0) -> None:
    """Write what a training leaves: networks with random weights, and Cox models of random scores."""
    torch.manual_seed(seed)
    networks = {sequence: SequenceNetwork(0.25, 0.2) for sequence in SEQUENCES}
    for network in networks.values():
        nn.init.normal_(network.head.weight, std=0.2)
    development = development_set(SPEC)
    scores = np.random.default_rng(seed).random((len(development.patient_ids), 2))
    table = pd.DataFrame({"t2w_prob": scores[:, 0], "adc_prob": scores[:, 1], "dl_prob": scores.sum(axis=1)})
    weights = {sequence: network.state_dict() for sequence, network in networks.items()}
    atomic.write_bytes(folder / "weights.pt", serialised(weights))
    fit_risk_models(table, development).write(folder / "risk_models.json")
    facts = {
        "model": MODEL,
        "n": 40,
        "events": 20,
        "params": {"width": 0.25, "dropout": 0.2},
        "sources_sha256": "5" * 64,
    }
    atomic.write_json(folder / "training.json", facts)
    atomic.write_json(folder / "development.json", {"cohort": "mri_development", "synthetic": True})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a training, its artefact and the predictions of a cohort of six."""
    folder = tmp_path_factory.mktemp("repository")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("tests.cohorts.ADC_MM2_PER_S", np.random.default_rng(0).uniform(0.8e-3, 1.4e-3, (5, 18, 16)))
        copy_plan(folder, MODEL)
        write_cohort(cohort_folder(COHORT), n=6)
        write_training(training_folder(MODEL))
        artifact_folder(MODEL).mkdir(parents=True)
        SYSTEM.export(training_folder(MODEL), artifact_folder(MODEL), IDENTITY)
        write_manifest(artifact_folder(MODEL))
        predict(MODEL, COHORT)
    return folder


@pytest.fixture
def repository(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in, and to damage."""
    folder = tmp_path / "repository"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def document(folder: Path = OUTPUT) -> dict[str, Any]:
    """What maps.json says."""
    found: dict[str, Any] = json.loads((folder / "maps.json").read_text(encoding="utf-8"))
    return found


def nothing_written(folder: Path = OUTPUT) -> bool:
    """Neither the folder nor a temporary one is there."""
    return not folder.exists() and (not folder.parent.exists() or not list(folder.parent.iterdir()))


def test_every_map_has_a_picture_an_array_and_an_entry(repository: Path) -> None:
    """All of it, and nothing else; values are those the ONNX file predicted; the document names every origin."""
    maps, failed = explain(MODEL, COHORT, (), OUTPUT)
    says, table = document(), pd.read_parquet(predictions_table(MODEL, COHORT)).set_index("patient_id")
    with np.load(OUTPUT / "maps.npz", allow_pickle=False) as arrays:
        found = dict(arrays)

    assert failed == {}
    assert {one["map"] for one in says["maps"]} == {"t2w", "adc"}
    pictures = {one["picture"] for one in says["maps"]}
    assert {path.name for path in OUTPUT.iterdir()} == pictures | {"maps.json", "maps.npz"}
    assert all((OUTPUT / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    assert set(found) == {one["array"] for one in says["maps"] if one["array"]}
    assert all(array.shape == (112, 112) and array.min() >= 0 and array.max() == 1 for array in found.values())
    for one in says["maps"]:
        assert one["value"] == pytest.approx(table.loc[one["patient_id"], one["output"]], abs=1e-5)
        assert (one["array"] is None) == (one["reason"] is not None)
    assert len(maps) == len(says["maps"])
    assert (says["synthetic"], says["cohort"], says["model"]) == (True, COHORT, MODEL)
    assert all(len(says[key]) == 64 for key in ("weights_sha256", "artifact_digest", "patients_sha256"))
    assert "no evidence" in says["method"]


def test_patients_are_those_with_the_highest_and_lowest_of_each_score(repository: Path) -> None:
    """The choice follows from the predictions alone."""
    explain(MODEL, COHORT, (), OUTPUT)
    table = pd.read_parquet(predictions_table(MODEL, COHORT)).set_index("patient_id")
    expected = {end(table[name]) for name in ("t2w_prob", "adc_prob") for end in (pd.Series.idxmax, pd.Series.idxmin)}

    assert {one["patient_id"] for one in document()["maps"]} == expected
    assert document()["chosen"].startswith("highest and lowest t2w_prob, adc_prob of predictions/")


def test_without_predictions_and_artefact_the_first_four_are_explained(repository: Path) -> None:
    """A model that is trained and no more can be explained; outcomes are not looked at; twice gives the same bytes."""
    shutil.rmtree("predictions")
    shutil.rmtree(artifact_folder(MODEL))
    (cohort_folder(COHORT) / "outcomes.csv").write_text("sealed")
    explain(MODEL, COHORT, (), OUTPUT)
    once = {path.name: path.read_bytes() for path in OUTPUT.iterdir()}
    explain(MODEL, COHORT, (), OUTPUT)

    assert [one["patient_id"] for one in document()["maps"][::2]] == [f"{COHORT}-{row:04d}" for row in range(4)]
    assert document()["artifact_digest"] is None
    assert {path.name: path.read_bytes() for path in OUTPUT.iterdir()} == once


def test_patients_asked_for_are_explained_and_a_bad_image_is_listed(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of two has another mask than the table says: the other is drawn, the reason is in document and summary."""
    set_cell(cohort_folder(COHORT) / "patients.csv", 3, "t2w_mask_sha256", "0" * 64)
    arguments = ["explain", MODEL, COHORT, "--patient", f"{COHORT}-0005", "--patient", f"{COHORT}-0001", "-o", "here"]
    code = exit_code_of(lambda: app(arguments, standalone_mode=False))
    printed = capsys.readouterr().out

    assert code == 0
    assert {one["patient_id"] for one in document(Path("here"))["maps"]} == {f"{COHORT}-0005"}
    (failed,) = document(Path("here"))["failed"]
    assert failed["patient_id"] == f"{COHORT}-0001"
    assert "t2w_mask.nii.gz: found sha256" in failed["reason"]
    assert "maps of 1 patients" in printed
    assert f"no map of {COHORT}-0001: images" in printed


def no_training() -> None:
    """Nothing was trained."""
    shutil.rmtree(training_folder(MODEL))


def other_weights() -> None:
    """Trained again since the export."""
    write_training(training_folder(MODEL), seed=1)


def other_table() -> None:
    """The patient table has changed since the prediction."""
    set_cell(cohort_folder(COHORT) / "patients.csv", 2, "age_years", "66")


def other_artefact() -> None:
    """Exported and not predicted again since the prediction."""
    card = artifact_folder(MODEL) / "card.md"
    card.write_text(card.read_text() + "More.\n")
    write_manifest(artifact_folder(MODEL))


def no_table() -> None:
    """The predictions are something else."""
    predictions_table(MODEL, COHORT).write_text("nothing")


def weights_that_are_no_numbers() -> None:
    """A training that went wrong, not exported."""
    weights = torch.load(training_folder(MODEL) / "weights.pt", weights_only=True)
    weights["adc"]["head.bias"][:] = torch.nan
    torch.save(weights, training_folder(MODEL) / "weights.pt")
    shutil.rmtree(artifact_folder(MODEL))


def all_bad() -> None:
    """No patient can be processed."""
    for line in range(2, 8):
        set_cell(cohort_folder(COHORT) / "patients.csv", line, "t2w_sha256", "0" * 64)
    shutil.rmtree("predictions")


@pytest.mark.parametrize(
    ("damage", "arguments", "message"),
    [
        (
            None,
            ("nothing", COHORT),
            r"params.yaml models: found no entry 'nothing'; expected one of: [a-z_, ]*mri_dist",
        ),
        (None, (MODEL, "nowhere"), r"data/cohorts/nowhere: found no such cohort; expected one of: mri_external\."),
        (None, (MODEL, COHORT, ["P9"]), r"patients.csv: found no patient P9; expected one of its 6 patients, as mri_"),
        (no_training, (MODEL, COHORT), r"training.json: found no such file; .* Run dvc repro train@mri_distant"),
        (
            other_weights,
            (MODEL, COHORT),
            r"model.onnx: found t2w_prob of .* as the weights in training/.* Run dvc repro export@mri",
        ),
        (other_table, (MODEL, COHORT), r"mri_external.parquet: found hallmark.patients_sha256 .* or name patients by"),
        (other_artefact, (MODEL, COHORT), r"mri_external.parquet: found hallmark.artifact_digest"),
        (no_table, (MODEL, COHORT), r"mri_external.parquet: found .*expected a table of predictions"),
        (weights_that_are_no_numbers, (MODEL, COHORT), r"model output not finite; .*at least one patient that can be"),
        (all_bad, (MODEL, COHORT), r"mri_external-0000: .*expected at least one patient that can be processed"),
    ],
)
def test_bad_input_is_one_clear_error_and_nothing_is_written(
    repository: Path, damage: Callable[[], None] | None, arguments: tuple[Any, ...], message: str
) -> None:
    """Where, what was found, what was expected, what to do."""
    if damage:
        damage()
    model, cohort, patients = (*arguments, ())[:3]

    with pytest.raises(InputError, match=message):
        explain(model, cohort, patients, OUTPUT)
    assert nothing_written()


def test_a_cohort_of_another_kind_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that needs an image or column which the cohort's schema does not have is named so."""
    spec = replace(SPEC, covariates=(*SPEC.covariates, "borrmann"))
    monkeypatch.setattr("pipelines.explain.MODELS", {MODEL: spec})

    with pytest.raises(InputError, match=r"no column borrmann; expected the images and covariates of mri_distant"):
        explain(MODEL, COHORT, (), OUTPUT)
    assert nothing_written()


def test_the_command_exits_with_2_and_one_line(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback for bad input."""
    code = exit_code_of(lambda: app(["explain", "nothing", COHORT], standalone_mode=False))
    error = capsys.readouterr().err

    assert code == 2
    assert error.startswith("error: params.yaml models: found no entry 'nothing'")
    assert error.count("\n") == 1


@pytest.mark.parametrize("kind", ["file", "notes", "pictures"])
def test_a_folder_of_other_things_is_never_replaced(repository: Path, kind: str) -> None:
    """What this command did not write stays, and no work is done before saying so."""
    output = Path("mine")
    if kind == "file":
        output.write_text("mine")
    else:
        output.mkdir()
        (output / ("notes.txt" if kind == "notes" else "holiday.png")).write_text("mine")

    with pytest.raises(InputError, match=r"--output mine: found a f.*expected a new folder, an empty one"):
        explain(MODEL, COHORT, (), output)
    assert (output if kind == "file" else next(output.iterdir())).read_text() == "mine"


@pytest.mark.parametrize(
    "arguments",
    [("nothing", COHORT), (MODEL, "nowhere"), (MODEL, COHORT, "--patient", "P9"), (MODEL, COHORT, "-o", "params.yaml")],
)
def test_what_is_wrong_by_its_name_is_refused_before_torch_is_loaded(
    repository: Path, arguments: tuple[str, ...]
) -> None:
    """Loading it takes longer than all the rest."""
    code = (
        "import sys; from pipelines.cli import app; from pipelines.stage import exit_code_of\n"
        f"code = exit_code_of(lambda: app({['explain', *map(str, arguments)]}, standalone_mode=False))\n"
        "print(code, 'torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "2 False\n", done.stderr


def test_a_folder_that_cannot_be_made_is_refused_before_any_work(repository: Path) -> None:
    """Below a file there is no room."""
    with pytest.raises(
        InputError, match=r"--output params.yaml/here: found .*params.yaml, which is no folder that can"
    ):
        explain(MODEL, COHORT, (), Path("params.yaml/here"))


def test_an_interruption_leaves_the_former_explanation(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures appear all at once; breaking off while the second is drawn changes nothing."""
    explain(MODEL, COHORT, [f"{COHORT}-0000"], OUTPUT)
    before = {path.name: path.read_bytes() for path in OUTPUT.iterdir()}
    calls: Iterator[int] = iter(range(9))

    def draw(_picture: Any, path: Path) -> None:
        if next(calls):
            raise KeyboardInterrupt
        path.write_bytes(b"first")

    monkeypatch.setattr("pipelines.pictures.draw_map", draw)
    with pytest.raises(KeyboardInterrupt):
        explain(MODEL, COHORT, (), OUTPUT)

    assert {path.name: path.read_bytes() for path in OUTPUT.iterdir()} == before
    assert [path.name for path in OUTPUT.parent.iterdir()] == [OUTPUT.name]


class Brightness(nn.Module):
    """The mean brightness of all slices, by way of a layer of 7 x 7 pixels; dark slices take away from it."""

    def __init__(self) -> None:
        """Build; nothing is learnt."""
        super().__init__()
        self.pool = nn.AvgPool2d(16)

    def forward(self, stack: Tensor) -> Tensor:
        """Return (N,)."""
        return self.pool(stack.clamp(min=0)).mean(dim=(1, 2, 3))


class BrightSystem:
    """A signature that answers every output of the MRI model by the brightness of its T2-weighted boxes."""

    def signature(self, _folder: Path) -> nn.Module:
        """Return it."""

        class Signature(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.bright = Brightness()

            def forward(self, t2w: Tensor, _adc: Tensor, _covariates: Tensor) -> tuple[Tensor, ...]:
                value = self.bright(t2w)
                return tuple(value.reshape(-1, *[1] * len(t.shape)).expand(-1, *t.shape) for t in SPEC.outputs)

        return Signature()


def test_a_planted_bright_square_raises_the_map_there(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From NIfTI file to array: the map is high on the quarter of the lesion that was made bright, low elsewhere."""
    folder = cohort_folder(COHORT)
    image = np.full(T2W_SHAPE, 100, np.int16) + np.random.default_rng(0).integers(0, 9, T2W_SHAPE).astype(np.int16)
    rows, columns = (np.flatnonzero(box(T2W_SHAPE)[2].any(axis=axis)) for axis in (1, 0))
    lower, right = rows[len(rows) // 2], columns[len(columns) // 2]
    image[:, lower:, right:] += 500
    for line in (2, 3):
        name = f"images/{COHORT}-{line - 2:04d}/t2w.nii.gz"
        mask = f"images/{COHORT}-{line - 2:04d}/t2w_mask.nii.gz"
        replace_image(folder, line, "t2w", write_nifti(folder / name, image))
        replace_image(folder, line, "t2w_mask", write_nifti(folder / mask, box(T2W_SHAPE)))
    shutil.rmtree("predictions")
    shutil.rmtree(artifact_folder(MODEL))
    declared = (ScoreMap("bright", "what raises t2w_prob", "t2w_prob", "t2w", "bright", "pool"),)
    doubles = {SPEC.system_path: BrightSystem(), SPEC.maps_path: lambda _folder: declared}
    monkeypatch.setattr("pipelines.gradcam_maps.load_dotted", doubles.__getitem__)

    maps, failed = explain(MODEL, COHORT, [f"{COHORT}-0000", f"{COHORT}-0001"], OUTPUT)

    assert failed == {}
    assert len(maps) == 2
    with np.load(OUTPUT / "maps.npz") as arrays:
        for values in arrays.values():
            assert values[66:, 66:].mean() > 0.8
            assert max(values[:46].max(), values[:, :46].max()) < 0.2


def test_a_map_that_does_not_exist_is_drawn_and_listed_with_its_reason(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing lowers the mean of what is not negative: the picture says so, and there is no array."""
    declared = (ScoreMap("dark", "what lowers t2w_prob", "t2w_prob", "t2w", "bright", "pool", lowers=True),)
    doubles = {SPEC.system_path: BrightSystem(), SPEC.maps_path: lambda _folder: declared}
    monkeypatch.setattr("pipelines.gradcam_maps.load_dotted", doubles.__getitem__)
    shutil.rmtree(artifact_folder(MODEL))
    maps, failed = explain(MODEL, COHORT, [f"{COHORT}-0002"], OUTPUT)
    (entry,) = document()["maps"]

    assert (entry["array"], entry["picture"]) == (None, f"{COHORT}-0002_dark.png")
    assert entry["reason"].startswith("nothing in layer pool moves the score that way")
    assert (OUTPUT / entry["picture"]).is_file()
    assert list(summary(maps, failed, OUTPUT))[1:] == [f"no map dark of {COHORT}-0002: {entry['reason']}"]
