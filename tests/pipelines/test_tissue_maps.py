"""`hallmark explain` of a model that reads slides: whom it draws, what it writes, and where tissues lie."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.explain import explain, summary
from pipelines.layout import (
    artifact_folder,
    cohort_folder,
    explanation_folder,
    predictions_table,
    tile_map_folder,
    training_folder,
)
from pipelines.predict import predict
from registry.artefact import read_artefact
from tests.cohorts import edit_meta, set_cell
from tests.pipelines.repository import ROOT, copy_plan
from tests.pipelines.tissue_cohort import COHORT, MODEL, planted, write_artefact, write_slide_cohort
from validation.digests import file_sha256
from validation.errors import InputError

OUTPUT = explanation_folder(MODEL, COHORT)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with an artefact, three slides, their finished maps and the predictions."""
    folder = tmp_path_factory.mktemp("repository")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        copy_plan(folder, MODEL)
        write_slide_cohort(cohort_folder(COHORT))
        write_artefact(artifact_folder(MODEL), cohort_folder(COHORT))
        predict(MODEL, COHORT)
    return folder


@pytest.fixture
def repository(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in, and to damage."""
    folder = tmp_path / "repository"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def document() -> dict[str, Any]:
    """What maps.json says."""
    found: dict[str, Any] = json.loads((OUTPUT / "maps.json").read_text(encoding="utf-8"))
    return found


def arrays() -> dict[str, Any]:
    """What maps.npz holds."""
    with np.load(OUTPUT / "maps.npz", allow_pickle=False) as file:
        return dict(file)


def test_highest_and_lowest_score_are_drawn(repository: Path) -> None:
    """Two patients have a score: both have a picture, an array and an entry whose value is that of the prediction."""
    maps, failed = explain(MODEL, COHORT, (), OUTPUT)
    says, table = document(), pd.read_parquet(predictions_table(MODEL, COHORT)).set_index("patient_id")

    assert failed == {}
    assert {one.patient_id for one in maps} == {"LE1", "LE2"}
    assert table.loc["LE1", "sof"] > table.loc["LE2", "sof"]
    assert says["chosen"] == f"highest and lowest sof of {predictions_table(MODEL, COHORT)}, of equal ones the first"
    assert {path.name for path in OUTPUT.iterdir()} == {
        "LE1_tissue.png",
        "LE2_tissue.png",
        "maps.json",
        "maps.npz",
    }
    assert all((OUTPUT / one["picture"]).read_bytes().startswith(b"\x89PNG") for one in says["maps"])
    for one in says["maps"]:
        assert one["value"] == pytest.approx(table.loc[one["patient_id"], "sof"])
        assert one["reason"] is None
        assert one["features"]["overall_lym"] == pytest.approx(table.loc[one["patient_id"], "feature_overall_lym"])
    assert list(summary(maps, failed, OUTPUT)) == [f"{OUTPUT}: 2 maps of 2 patients"]


def test_the_map_shows_the_tissues_that_were_planted(repository: Path) -> None:
    """From TIFF to array: every tile has its tissue, glass is dropped; counts and shares are those of the tiles."""
    explain(MODEL, COHORT, ["LE2"], OUTPUT)
    (one,) = document()["maps"]
    expected = planted("LE2")

    np.testing.assert_array_equal(arrays()["LE2_tissue"], expected)
    assert {code: row["tiles"] for code, row in one["tiles"].items()} == {
        "BACK": 0,
        "DEB": 0,
        "HEP": 0,
        "LYM": 5,
        "MUC": 0,
        "STR": 21,
        "TUM": 64,
    }
    assert one["tiles"]["LYM"] == {"name": "lymphocytes", "tiles": 5, "share": pytest.approx(5 / 90)}
    assert (one["rows"], one["columns"], one["dropped_tiles"]) == (10, 10, 10)
    assert (one["tumour_regions"], one["largest_region_tumour_tiles"]) == (1, 64)


def test_the_document_names_every_origin(repository: Path) -> None:
    """Method, classifier, artefact, patient table, cohort."""
    explain(MODEL, COHORT, ["LE1"], OUTPUT)
    says = document()

    assert says["classifier_sha256"] == file_sha256(artifact_folder(MODEL) / "tiles.onnx")
    assert says["artifact_digest"] == read_artefact(artifact_folder(MODEL)).digest
    assert says["patients_sha256"] == file_sha256(cohort_folder(COHORT) / "patients.csv")
    assert (says["synthetic"], says["cohort"], says["model"]) == (True, COHORT, MODEL)
    assert says["tissues"] == ["BACK", "DEB", "HEP", "LYM", "MUC", "STR", "TUM"]
    assert "no evidence" in says["method"]


def test_a_slide_without_score_has_a_map_and_the_reason(repository: Path) -> None:
    """Too little tumour for the model is still a map to look at."""
    maps, failed = explain(MODEL, COHORT, ["LE3"], OUTPUT)
    (one,) = document()["maps"]
    reason = "slide: the largest tumour region holds 15 tumour tiles, expected at least 50"

    assert (one["value"], one["reason"], one["features"]) == (None, reason, {})
    np.testing.assert_array_equal(arrays()["LE3_tissue"], planted("LE3"))
    assert (OUTPUT / "LE3_tissue.png").is_file()
    assert list(summary(maps, failed, OUTPUT)) == [f"{OUTPUT}: 1 maps of 1 patients", f"no sof of LE3: {reason}"]


def test_finished_maps_are_not_read_again(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The road has read the slides: no tile is classified; without its maps all is read again, to the same bytes."""
    with monkeypatch.context() as patch:
        patch.delattr("models.histology_spatial_survival.inputs.read_tiles")
        explain(MODEL, COHORT, (), OUTPUT)
    once = {path.name: path.read_bytes() for path in OUTPUT.iterdir()}
    shutil.rmtree(tile_map_folder())
    explain(MODEL, COHORT, (), OUTPUT)

    assert {path.name: path.read_bytes() for path in OUTPUT.iterdir()} == once


def test_before_any_export_the_classifier_of_the_training_draws(repository: Path) -> None:
    """No predictions and no artefact: the first of the table, each without a score."""
    training_folder(MODEL).mkdir(parents=True)
    shutil.copy(artifact_folder(MODEL) / "tiles.onnx", training_folder(MODEL))
    (training_folder(MODEL) / "training.json").write_text("{}")
    shutil.rmtree(artifact_folder(MODEL))
    shutil.rmtree("predictions")
    explain(MODEL, COHORT, (), OUTPUT)
    says = document()

    assert [one["patient_id"] for one in says["maps"]] == ["LE1", "LE2", "LE3"]
    assert says["artifact_digest"] is None
    assert {one["value"] for one in says["maps"]} == {None}
    assert says["maps"][0]["reason"] == "not exported, and only the model that ships computes it"


def test_a_slide_that_is_not_the_tables_is_listed(repository: Path) -> None:
    """The other is drawn; the place in the reason is one of the cohort, not of this machine."""
    set_cell(cohort_folder(COHORT) / "patients.csv", 2, "slide_sha256", "0" * 64)
    maps, failed = explain(MODEL, COHORT, ["LE1", "LE2"], OUTPUT)

    assert [one.patient_id for one in maps] == ["LE2"]
    assert failed["LE1"].startswith("images/LE1/slide.tiff: found sha256")
    assert document()["failed"] == [{"patient_id": "LE1", "reason": failed["LE1"]}]


def test_without_any_slide_that_can_be_read_nothing_is_written(repository: Path) -> None:
    """One clear error."""
    set_cell(cohort_folder(COHORT) / "patients.csv", 2, "slide_sha256", "0" * 64)

    with pytest.raises(InputError, match=r"LE1: images/LE1/slide.tiff: .*at least one patient that can be processed"):
        explain(MODEL, COHORT, ["LE1"], OUTPUT)
    assert not OUTPUT.exists()


def test_nothing_trained_and_nothing_exported_is_refused(repository: Path) -> None:
    """There is no classifier."""
    shutil.rmtree(artifact_folder(MODEL))

    with pytest.raises(InputError, match=r"training.json: found no such file; .* Run dvc repro train@histology"):
        explain(MODEL, COHORT, (), OUTPUT)


def test_a_cohort_of_people_is_not_called_synthetic(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture says SYNTHETIC where cohort.yaml does, and only there; the title holds patient and score."""
    drawn: list[Any] = []
    monkeypatch.setattr("pipelines.tissue_pictures.draw_tissue_map", lambda picture, _path: drawn.append(picture))
    explain(MODEL, COHORT, ["LE1"], OUTPUT)
    edit_meta(cohort_folder(COHORT), synthetic=False)
    explain(MODEL, COHORT, ["LE1"], OUTPUT)

    assert [picture.note.split(" liver")[0] for picture in drawn] == ["SYNTHETIC cohort", "Cohort"]
    assert drawn[0].title == f"LE1   sof = {document()['maps'][0]['value']:.2f}"
    assert drawn[0].meaning.startswith("spatial organisation score, 0 = average development patient")
    assert [row.name for row in drawn[0].legend][-2:] == ["stroma", "tumour"]
    assert drawn[0].size_um == (10 * 112 + 15, 10 * 112 + 25)


def test_torch_is_not_loaded(repository: Path) -> None:
    """What ships is ONNX: the whole command runs without torch."""
    code = (
        "import sys; from pipelines.cli import app\n"
        f"app({['explain', MODEL, COHORT]}, standalone_mode=False)\n"
        "print('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert (OUTPUT / "maps.json").is_file(), done.stderr
    assert done.stdout.endswith("False\n"), done.stdout
