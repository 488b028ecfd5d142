"""A version with more than one ONNX file: stored, checked and released like any other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import mlflow.pyfunc
import pytest

from registry.artefact import read_artefact, write_manifest
from registry.errors import IntegrityError
from registry.loading import load
from registry.package import write_model
from registry.promotion import promote
from registry.serving import Column, Serving, read_served
from registry.store import RegisteredVersion, register
from tests.registry.conftest import DVC_POINTER, Maker, Submission, stored_folder
from tests.registry.specimens import NAME, make_judged
from tests.registry.test_loading import flip
from validation.errors import InputError

SERVING = Serving(
    loader="tests.registry.test_serving",
    inputs=(Column("slide_path", "string"), Column("mpp_given", "any", required=False)),
    outputs=(Column("risk", "double"),),
    packages=("numpy",),
)


class Loaded:
    """What the loader of these tests returns: tells from which artefact it was made."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def predict(self, table: object) -> str:
        """Return the digest, whatever is asked."""
        return self.digest


def _load_pyfunc(folder: str) -> Loaded:
    return Loaded(read_served(Path(folder)).digest)


@pytest.fixture
def two_graphs(submit: Maker, tmp_path: Path) -> Submission:
    """A submission whose artefact holds a second ONNX file."""
    folder = submit().artefact.folder
    shutil.copyfile(folder / "model.onnx", folder / "tiles.onnx")
    write_manifest(folder)
    artefact = read_artefact(folder)
    return Submission(artefact, *make_judged(tmp_path / "judged", artefact))


def register_served(made: Submission, serving: Serving | None = SERVING) -> RegisteredVersion:
    """Register a submission that is served by a loader."""
    model = made.verdict["model"]
    return register(
        made.artefact,
        NAME,
        model,
        evidence_files=made.evidence_files,
        verdict=made.verdict,
        tags={},
        serving=serving,
    )


def test_a_served_version_is_registered_promoted_and_loaded(store: Path, two_graphs: Submission) -> None:
    """Once per artefact; the champion comes back byte for byte, and MLflow finds the loader by alias."""
    assert register_served(two_graphs).created
    assert not register_served(two_graphs).created
    promote(
        NAME,
        two_graphs.artefact,
        two_graphs.verdict,
        evidence_files=two_graphs.evidence_files,
        dvc_pointer=DVC_POINTER,
    )

    loaded = load(NAME, into=store / "here")

    assert loaded.artefact.files == two_graphs.artefact.files
    assert {"manifest.json", *two_graphs.artefact.files} == {path.name for path in loaded.folder.iterdir()}
    mlflow.set_tracking_uri(f"sqlite:///{store}/mlflow.db")
    try:
        model = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    finally:
        mlflow.set_tracking_uri(None)
    assert model.predict({"slide_path": ["a"]}) == two_graphs.artefact.digest


def test_every_changed_file_is_found(store: Path, two_graphs: Submission) -> None:
    """Verification covers the second ONNX file and what MLflow wrote about the loader."""
    register_served(two_graphs)
    stored = stored_folder(store)
    assert {"tiles.onnx", "model.onnx", "MLmodel", "requirements.txt"} <= {path.name for path in stored.iterdir()}
    for path in (path for path in stored.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        flip(path)
        with pytest.raises(IntegrityError, match=f"{path.name}: expected"):
            load(NAME, "candidate")
        path.write_bytes(whole)
    (stored / "tiles.onnx").unlink()

    with pytest.raises(IntegrityError, match=r"tiles\.onnx: expected [0-9a-f]{64}; found no such file"):
        load(NAME, "candidate")


@pytest.mark.usefixtures("store")
def test_two_graphs_without_a_loader_are_refused(two_graphs: Submission) -> None:
    """MLflow would serve model.onnx and be silent on the other."""
    with pytest.raises(InputError, match=r"found model\.onnx, tiles\.onnx and no loader"):
        register_served(two_graphs, serving=None)


def test_a_second_file_that_is_no_graph_is_refused(two_graphs: Submission, tmp_path: Path) -> None:
    """Every ONNX file is read before it is stored."""
    folder = two_graphs.artefact.folder
    (folder / "tiles.onnx").write_bytes(b"no graph")
    write_manifest(folder)

    with pytest.raises(InputError, match=r"tiles\.onnx: found bytes that are not ONNX"):
        write_model(read_artefact(folder), tmp_path / "model", "m-0", "run-0", SERVING)


def test_an_artefact_that_changed_since_it_was_read_is_refused(two_graphs: Submission, tmp_path: Path) -> None:
    """What is stored is what was checked."""
    files = {**two_graphs.artefact.files, "tiles.onnx": "0" * 64}

    with pytest.raises(IntegrityError, match=r"tiles\.onnx: expected 0{64}"):
        write_model(replace(two_graphs.artefact, files=files), tmp_path / "model", "m-0", "run-0", SERVING)
