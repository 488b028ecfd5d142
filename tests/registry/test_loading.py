"""Loading by alias: one changed byte anywhere, or an alias moved by hand, is refused."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from registry.connection import mlflow_store
from registry.errors import IntegrityError
from registry.loading import load
from tests.registry.conftest import Maker, Submission, stored_folder
from tests.registry.specimens import NAME
from validation.digests import file_sha256
from validation.errors import InputError


@pytest.fixture
def champion(store: Path, submit: Maker) -> Submission:
    """A promoted submission, alone in the store."""
    made = submit()
    made.register()
    made.promote()
    return made


def flip(path: Path, position: int = -1) -> None:
    """Flip one bit of one byte."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_load(champion: Submission, tmp_path: Path) -> None:
    """The champion comes back byte for byte, in a folder of one's own, and runs."""
    loaded = load(NAME, into=tmp_path / "here")

    assert (tmp_path / "here", 1) == (loaded.folder, loaded.version)
    assert (champion.artefact.digest, champion.artefact.files) == (loaded.artefact.digest, loaded.artefact.files)
    assert {"manifest.json", *champion.artefact.files} == {path.name for path in loaded.folder.iterdir()}
    assert onnxruntime.InferenceSession(loaded.folder / "model.onnx", providers=["CPUExecutionProvider"])
    assert loaded.folder != load(NAME).folder != load(NAME).folder


def test_flipped_byte_in_the_stored_model(champion: Submission, store: Path) -> None:
    """One bit of the stored model.onnx: refused, with file and both digests; nothing is left behind."""
    model = stored_folder(store) / "model.onnx"
    flip(model, 100)
    expected = champion.artefact.files["model.onnx"]

    with pytest.raises(
        IntegrityError, match=rf"^{NAME} version 1/model\.onnx: expected {expected}; found {file_sha256(model)}"
    ):
        load(NAME)
    assert not list((store / "temporary").iterdir())


@pytest.mark.usefixtures("champion")
def test_flipped_byte_in_any_stored_file(store: Path) -> None:
    """Every file of the version is checked: the artefact's, MLflow's and the evidence."""
    stored = stored_folder(store)
    for path in (path for path in stored.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        flip(path)
        with pytest.raises(IntegrityError, match=f"{path.name}: expected"):
            load(NAME)
        path.write_bytes(whole)
    assert load(NAME).version == 1


@pytest.mark.usefixtures("champion")
def test_extra_stored_file(store: Path) -> None:
    """A file that nobody registered is refused, wherever it lies."""
    for name in ("extra.onnx", "proof/extra.json", "sub/model.onnx", ".hidden"):
        extra = stored_folder(store) / name
        extra.parent.mkdir(exist_ok=True)
        extra.write_bytes(b"x")
        with pytest.raises(IntegrityError, match=f"{extra.name}: expected .*; found "):
            load(NAME)
        extra.unlink()


@pytest.mark.usefixtures("champion")
def test_missing_stored_file(store: Path) -> None:
    """A file that went missing is named."""
    for pattern in ("model.onnx", "manifest.json", "MLmodel", "proof/parity/*.json"):
        (path,) = stored_folder(store).glob(pattern)
        moved = path.rename(store / path.name)
        with pytest.raises(IntegrityError, match=f"{path.name}: expected [0-9a-f]{{64}}; found no such file"):
            load(NAME)
        moved.rename(path)


@pytest.mark.usefixtures("champion")
def test_all_stored_files_missing(store: Path) -> None:
    """A version without its folder is one clear message, not a traceback."""
    stored_folder(store).rename(store / "moved")

    with pytest.raises(InputError, match=r"MLflow store .*No such artifact"):
        load(NAME)


def test_consistent_replacement_of_files_and_tags(champion: Submission, store: Path, submit: Maker) -> None:
    """Files and tags of the champion replaced together by those of another artefact: the record in git finds it."""
    other = submit(shift=5.0)
    stored = stored_folder(store)
    for name in (*other.artefact.files, "manifest.json"):
        (stored / name).write_bytes((other.artefact.folder / name).read_bytes())
    with mlflow_store() as client:
        client.set_model_version_tag(NAME, "1", "artefact_sha256", other.artefact.digest)

    with pytest.raises(IntegrityError, match=f"expected artefact {champion.artefact.digest}.*{other.artefact.digest}"):
        load(NAME)


def test_alias_moved_by_hand(champion: Submission, submit: Maker) -> None:
    """The alias champion set by hand on a refused model is not loaded; the refused model is not hidden either."""
    refused = submit("FAIL", shift=1.0)
    refused.register()
    with mlflow_store() as client:
        client.set_registered_model_alias(NAME, "champion", "2")

    with pytest.raises(IntegrityError, match="The alias was moved without a promotion"):
        load(NAME)
    assert refused.artefact.digest == load(NAME, "candidate").artefact.digest
    with mlflow_store() as client:
        client.set_registered_model_alias(NAME, "champion", "1")
    assert champion.artefact.digest == load(NAME).artefact.digest


@pytest.mark.usefixtures("champion")
def test_champion_without_release_record(store: Path) -> None:
    """Without releases/<name>/champion.json no champion is loaded; the message says where it was looked for."""
    path = store / "elsewhere" / NAME / "champion.json"

    with pytest.raises(IntegrityError, match=f"@champion .*expected the record of its release, {path}; found no such"):
        load(NAME, releases_folder=store / "elsewhere")


def test_champion_with_another_verdict_since(champion: Submission, submit: Maker) -> None:
    """A champion that was registered again with a FAIL is not loaded; the message names the verdict."""
    failed = submit("FAIL")
    assert failed.artefact.digest == champion.artefact.digest
    failed.register()

    with pytest.raises(IntegrityError, match=r"expected the PASS it was promoted on .*found the verdict FAIL"):
        load(NAME)
    champion.register()
    assert load(NAME).version == 1


@pytest.mark.usefixtures("champion")
def test_unknown_name_or_alias(tmp_path: Path) -> None:
    """An unknown name or alias says which aliases there are."""
    with pytest.raises(InputError, match=r"no alias 'challenger'; expected one of champion\."):
        load(NAME, "challenger")
    with pytest.raises(InputError, match="no alias 'champion'; expected one of its aliases"):
        load("unknown")
    with pytest.raises(InputError, match="registered name: found"):
        load("a' or name='b")
    with pytest.raises(InputError, match="found files; expected an empty folder"):
        load(NAME, into=tmp_path)


@pytest.mark.usefixtures("store")
def test_version_of_somebody_else() -> None:
    """A version that was not made here has no digests and is not loaded."""
    with mlflow_store() as client:
        client.create_registered_model(NAME)
        client.create_model_version(NAME, source="s3://bucket/model")
        client.set_registered_model_alias(NAME, "candidate", "1")

    with pytest.raises(InputError, match="version 1: found no digests"):
        load(NAME, "candidate")


def test_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading creates no store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")

    with pytest.raises(InputError, match="found no database"):
        load(NAME)
    assert list(tmp_path.iterdir()) == []
