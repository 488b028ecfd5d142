"""What every model must fulfil, without exception: parametrised by the fixture `trained`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
import torch

from models import MODELS
from models.gradcam import ScoreMap, explained
from models.onnx_export import parity
from models.runtime import OnnxModel
from models.spec import load_dotted
from tests.models.conftest import IDENTITY, TrainedModel
from tests.models.specimens import (
    MORE_FILES,
    MORE_SHIPPED,
    Notebook,
    folder_bytes,
    model_inputs,
    model_params,
    train,
)

ROOT = Path(__file__).parent.parent.parent
HEADINGS = (
    "Overview",
    "Intended use",
    "Data",
    "Pre-processing",
    "Network",
    "Risk models",
    "Training",
    "Input",
    "Output",
    "Performance",
    "Where the paper is silent and what we chose",
    "Limitations",
)


def test_training_writes_everything_and_leaves_no_checkpoint(trained: TrainedModel) -> None:
    """After training the model's files are there, no temporary file is, and the checkpoints are gone."""
    names = {path.name for path in trained.folder.iterdir()}
    expected = {"weights.pt", "scores.parquet", "risk_models.json", "training.json"}

    assert expected | MORE_FILES.get(trained.spec.name, set()) == names
    assert not list((trained.folder.parent / "checkpoints").iterdir())
    assert trained.progress.epochs


def test_training_keeps_an_out_of_fold_prediction_of_every_patient(trained: TrainedModel) -> None:
    """Every output that ships, and who lacks covariates, for every development patient, in their order."""
    table = pd.read_parquet(trained.folder / "scores.parquet")
    columns = list(trained.spec.prediction_columns())
    shares = [column for column in columns if column.startswith("risk_") or column.endswith("_prob")]

    assert tuple(table["patient_id"]) == trained.development.patient_ids
    assert np.isfinite(table[columns]).all(axis=None)
    assert table[[column for column in shares if column != "dl_prob"]].apply(lambda c: c.between(0, 1)).all(axis=None)
    missing = np.isnan(trained.development.inputs["covariates"]).sum(axis=1)
    np.testing.assert_array_equal(table["missing_covariates"], missing)


def test_same_seed_gives_the_same_files_and_another_seed_other_weights(trained: TrainedModel, tmp_path: Path) -> None:
    """Training is a function of data, parameters and seed: every file it writes is the same, byte for byte."""
    for folder, seed in (("again", 1), ("other", 2)):
        train(
            trained.spec,
            trained.development,
            model_params(trained.spec),
            seed,
            tmp_path / folder,
            tmp_path / "checkpoints",
            Notebook(),
        )

    assert folder_bytes(trained.folder) == folder_bytes(tmp_path / "again")
    assert folder_bytes(trained.folder)["weights.pt"] != folder_bytes(tmp_path / "other")["weights.pt"]


class StopsAtLast(Notebook):
    """Progress that breaks the training off in the midst of the last network: of one that is the only one, after it."""

    def epoch(self, run: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep one epoch, or break off."""
        super().epoch(run, epoch, metrics)
        if run.endswith("/refit") or (run == "tiles" and epoch == 2):
            raise KeyboardInterrupt


def test_training_resumed_after_an_interruption_gives_the_same_files(trained: TrainedModel, tmp_path: Path) -> None:
    """What was broken off leaves no result; resumed, it ends in the very bytes of a training in one go."""
    given, folder, before, after = model_params(trained.spec), tmp_path / "training", StopsAtLast(), Notebook()
    with pytest.raises(KeyboardInterrupt):
        train(trained.spec, trained.development, given, 1, folder, tmp_path / "checkpoints", before)
    assert not folder.exists()
    train(trained.spec, trained.development, given, 1, folder, tmp_path / "checkpoints", after)
    finished = {run for run, _, _ in before.epochs if not run.endswith(("/refit", "/deepsmote"))}

    assert finished
    assert finished.isdisjoint(run for run, _, _ in after.epochs)
    assert folder_bytes(trained.folder) == folder_bytes(folder)


def declared_maps(trained: TrainedModel) -> tuple[ScoreMap, ...]:
    """What Grad-CAM explains of a model; nothing of one whose tile maps show what it read."""
    if trained.spec.maps_path is None:
        assert trained.spec.tiles is not None
        return ()
    found: tuple[ScoreMap, ...] = load_dotted(trained.spec.maps_path)(trained.folder)
    return found


def test_maps_are_of_scalar_outputs_and_image_inputs(trained: TrainedModel) -> None:
    """Each model of volumes declares at least one map, by names of its own spec; map names fit into file names."""
    declared = declared_maps(trained)
    scalars = {tensor.name for tensor in trained.spec.outputs if tensor.shape == ()}
    images = {tensor.name for tensor in trained.spec.inputs if len(tensor.shape) == 3}

    assert declared or trained.spec.tiles is not None
    assert len({one.name for one in declared}) == len(declared)
    for one in declared:
        assert re.fullmatch(r"[a-z0-9_]+", one.name)
        assert one.output in scalars
        assert one.input in images
        assert one.explains.startswith(f"what {'lowers' if one.lowers else 'raises'} {one.output}")


def test_the_score_explained_is_that_of_what_ships(trained: TrainedModel) -> None:
    """Among patients the score picked from the network rises, or falls, with the output of the ONNX file."""
    inputs, signature = model_inputs(trained.spec, 8), trained.system.signature(trained.folder)
    shipped = OnnxModel(trained.artifact / "model.onnx").run(inputs)

    for one in declared_maps(trained):
        with torch.inference_mode():
            scores = signature.get_submodule(one.network)(torch.from_numpy(inputs[one.input]))
        order = np.argsort([float(one.score(scores[[row]])) for row in range(8)])
        expected = np.argsort(shipped[one.output])
        np.testing.assert_array_equal(order, expected[::-1] if one.lowers else expected, err_msg=one.name)


def test_every_map_lies_on_the_input_or_has_a_reason(trained: TrainedModel) -> None:
    """A map has the pixels of the image and runs up to 1; of a few patients and maps not all are without."""
    inputs, signature = model_inputs(trained.spec, 4), trained.system.signature(trained.folder)
    found = [(image, explained(signature, one, image)) for one in declared_maps(trained) for image in inputs[one.input]]

    for image, result in found:
        assert (result.values is None) == (result.reason is not None)
        if result.values is not None:
            assert result.values.shape == image.shape[1:]
            assert (result.values.min() >= 0, result.values.max()) == (True, 1)
    assert any(result.values is not None for _, result in found) or not found


def test_every_parameter_gets_a_gradient(trained: TrainedModel) -> None:
    """No part of a network is cut off from the outputs; a classifier of tiles is a file and a test of its own."""
    signature = trained.system.signature(trained.folder).train()
    if trained.spec.tiles is not None:
        assert not list(signature.parameters())
        return
    inputs = model_inputs(trained.spec, 8)

    outputs = signature(*(torch.from_numpy(inputs[tensor.name]) for tensor in trained.spec.inputs))
    sum(output.sum() for output in outputs).backward()

    for name, parameter in signature.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_shapes_are_those_of_the_spec(trained: TrainedModel) -> None:
    """Inputs and outputs of the ONNX file carry the names, order and shapes of the spec; a label names each column."""
    network = OnnxModel(trained.artifact / "model.onnx")
    outputs = network.run(model_inputs(trained.spec, 3))

    assert {tensor.name: tensor.shape for tensor in trained.spec.inputs} == network.input_shapes
    assert [tensor.name for tensor in trained.spec.outputs] == list(outputs)
    for tensor in trained.spec.outputs:
        assert (3, *tensor.shape) == outputs[tensor.name].shape
        assert np.isfinite(outputs[tensor.name]).all()
        assert not tensor.labels or tensor.shape[-1] == len(tensor.labels)
    assert len(set(trained.spec.prediction_columns())) == len(trained.spec.prediction_columns())


def test_onnx_equals_torch(trained: TrainedModel) -> None:
    """What ships computes what was trained, also with every covariate missing."""
    inputs = model_inputs(trained.spec, 16)
    for tensor in trained.spec.inputs:
        if tensor.labels:
            inputs[tensor.name][-1] = np.nan

    differences = parity(trained.system.signature(trained.folder), trained.artifact / "model.onnx", inputs)

    assert {tensor.name for tensor in trained.spec.outputs} == set(differences)
    assert all(difference is not None and difference <= 1e-4 for difference in differences.values())


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_a_patient_does_not_depend_on_the_batch(trained: TrainedModel, batch_size: int) -> None:
    """A patient's outputs are the same alone, in a small batch and in a large one."""
    inputs = model_inputs(trained.spec, 5)
    together = OnnxModel(trained.artifact / "model.onnx", batch_size=5).run(inputs)
    apart = OnnxModel(trained.artifact / "model.onnx", batch_size=batch_size).run(inputs)

    for name, expected in together.items():
        np.testing.assert_allclose(expected, apart[name], rtol=0, atol=1e-6, err_msg=name)


def test_export_is_one_valid_file_with_its_identity_and_no_path(trained: TrainedModel) -> None:
    """The ONNX file passes the full check, says where it comes from, and holds no path of this machine."""
    path = trained.artifact / "model.onnx"
    model, content = onnx.load(path), path.read_bytes()

    onnx.checker.check_model(model, full_check=True)
    metadata = OnnxModel(path).metadata
    assert {key: metadata.get(key) for key in IDENTITY} == IDENTITY
    assert set(json.loads(metadata["hallmark.units"])) == {
        t.name for t in (*trained.spec.inputs, *trained.spec.outputs)
    }
    for place in (ROOT, Path.home(), Path(sys.prefix), Path(torch.__file__).parent, trained.folder):
        assert str(place).encode() not in content
    assert b".py" not in content
    shipped = {"model.onnx", "contract.json", "card.md"} | MORE_SHIPPED.get(trained.spec.name, set())
    assert shipped == {file.name for file in trained.artifact.iterdir()}


def test_export_is_the_same_from_another_working_directory(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second export, from elsewhere to elsewhere, gives the same bytes."""
    monkeypatch.chdir(tmp_path)
    again = tmp_path / "elsewhere"
    again.mkdir()
    trained.system.export(trained.folder, again, IDENTITY)

    assert folder_bytes(trained.artifact) == folder_bytes(again)


@pytest.mark.slow
def test_export_is_the_same_from_sources_elsewhere(trained: TrainedModel, tmp_path: Path) -> None:
    """Of the source paths that the exporter notes none is left: sources elsewhere give the same bytes."""
    import shutil

    for package in ("models", "validation"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "out").mkdir()
    script = (
        "import importlib, json, sys, pathlib; from models.spec import load_dotted\n"
        "system = load_dotted(importlib.import_module(f'models.{sys.argv[1]}').SPEC.system_path)\n"
        "system.export(pathlib.Path(sys.argv[2]), pathlib.Path('out'), json.loads(sys.argv[3]))\n"
        "assert pathlib.Path(sys.modules['models'].__file__).is_relative_to(pathlib.Path.cwd())\n"
    )
    command = [sys.executable, "-c", script, trained.spec.name, str(trained.folder), json.dumps(IDENTITY)]
    subprocess.run(
        command, cwd=tmp_path, check=True, capture_output=True, env={"PYTHONPATH": ".", "PYTHONHASHSEED": "7"}
    )

    assert folder_bytes(trained.artifact) == folder_bytes(tmp_path / "out")


def test_export_refuses_an_identity_that_lacks_a_key(trained: TrainedModel, tmp_path: Path) -> None:
    """An artefact that would not say from which cohort it comes is not written."""
    identity = {key: value for key, value in IDENTITY.items() if key != "hallmark.development_cohort"}

    with pytest.raises(ValueError, match=r"identity lacks hallmark\.development_cohort"):
        trained.system.export(trained.folder, tmp_path, identity)
    assert not list(tmp_path.iterdir())


def test_contract_says_what_is_needed_to_use_the_model(trained: TrainedModel) -> None:
    """contract.json holds the spec's inputs and outputs, cut-offs of its own outputs, and the development cohort."""
    contract = json.loads((trained.artifact / "contract.json").read_text())
    names = {tensor.name for tensor in trained.spec.outputs}

    assert (contract["model"], contract["architecture"]) == ("specimen", trained.spec.name)
    assert contract["endpoint"] == trained.spec.endpoint
    assert contract["horizons_months"] == list(trained.spec.horizons_months)
    assert [tensor["name"] for tensor in contract["inputs"]] == [tensor.name for tensor in trained.spec.inputs]
    assert [tensor["name"] for tensor in contract["outputs"]] == [tensor.name for tensor in trained.spec.outputs]
    assert set(contract["cutoffs"]) <= names
    assert contract["development"] == {
        "cohort": "made_up",
        "n": len(trained.development.patient_ids),
        "events": int(trained.development.follow_up[trained.spec.endpoint].event.sum()),
        "excluded": 2,
        "synthetic": True,
        "patients_sha256": "0" * 64,
        "outcomes_sha256": "1" * 64,
    }


def test_card_has_all_headings(trained: TrainedModel) -> None:
    """Every card answers the same questions in the same order."""
    lines = (trained.artifact / "card.md").read_text(encoding="utf-8").splitlines()

    assert list(HEADINGS) == [line.removeprefix("## ") for line in lines if line.startswith("## ")]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_specs_inputs_and_runtime_import_neither_torch_nor_monai(name: str) -> None:
    """Judging and serving need spec, pre-processing and runtime, and none of these needs torch or MONAI."""
    script = (
        "import sys, models.runtime, models.system\n"
        f"from models.{name} import SPEC; from models.spec import load_dotted\n"
        "load_dotted(SPEC.prepare_path)\n"
        "heavy = {'torch', 'monai', 'lifelines', 'pandas', 'onnxruntime'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
