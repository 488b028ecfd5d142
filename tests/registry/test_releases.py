"""The record of releases in git."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from pipelines.release import dvc_pointer
from registry.artefact import Artefact, read_artefact, write_manifest
from registry.releases import Release, read_champion, write_release
from validation.documents import write_json
from validation.errors import InputError

FIRST = Release("name", "model", 1, "a" * 64, "b" * 64, "c" * 64, True, "artifacts/model", f"{'d' * 32}.dir")
MD5 = "1cb8067e51532af29f3a37efd269012f.dir"
SECOND = replace(FIRST, version=2, artefact_sha256="d" * 64)


def test_original_is_never_overwritten(tmp_path: Path) -> None:
    """The first release is original and champion; later ones are champion only."""
    assert None is read_champion(tmp_path, "name")
    assert write_release(tmp_path, FIRST)
    original = (tmp_path / "name/original.json").read_bytes()
    assert write_release(tmp_path, SECOND)

    assert read_champion(tmp_path, "name") == SECOND
    assert original == (tmp_path / "name/original.json").read_bytes()
    assert {"original.json", "champion.json"} == {path.name for path in (tmp_path / "name").iterdir()}


def test_rebuilt_store_leaves_the_record_alone(tmp_path: Path) -> None:
    """The same release under another version number, as in a store built anew from git, changes no file."""
    write_release(tmp_path, SECOND)

    assert not write_release(tmp_path, replace(SECOND, version=1))
    assert read_champion(tmp_path, "name") == SECOND


def test_lost_original(tmp_path: Path) -> None:
    """A champion without original is not papered over."""
    write_release(tmp_path, FIRST)
    (tmp_path / "name/original.json").unlink()

    with pytest.raises(
        InputError, match=r"original\.json: found no file beside champion\.json.*Restore the file from git"
    ):
        write_release(tmp_path, SECOND)


@pytest.mark.parametrize("change", [{"version": "1"}, {"synthetic": 1}, {"note": "x"}, {"dvc_md5": None}])
def test_malformed_record(tmp_path: Path, change: dict[str, object]) -> None:
    """A record with another field, or a field of another type, is bad input."""
    write_json(tmp_path / "name/champion.json", {**asdict(FIRST), **change})

    with pytest.raises(InputError, match=r"champion\.json: found .*, each of its type"):
        read_champion(tmp_path, "name")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artefact:
    """An artefact with the dvc.lock that DVC 3.67 wrote for it; the working folder is that of the lock."""
    monkeypatch.chdir(tmp_path)
    folder = Path("artifacts/model")
    folder.mkdir(parents=True)
    for name, text in (("model.onnx", "one"), ("contract.json", "{}\n"), ("card.md", "# C\n")):
        (folder / name).write_text(text, encoding="utf-8")
    write_manifest(folder)
    write_lock(MD5, "artifacts/model")
    return read_artefact(folder)


def write_lock(md5: str, path: str) -> None:
    """Write a dvc.lock with one output."""
    output = {"path": path, "hash": "md5", "md5": md5, "size": 500, "nfiles": 4}
    stages = {"export@model": {"cmd": "python -m pipelines.export model", "outs": [output]}}
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")


def test_pointer_is_that_of_dvc_lock(kept: Artefact) -> None:
    """The md5 computed for the folder is the one that DVC recorded."""
    assert dvc_pointer("model", kept) == {"path": "artifacts/model", "md5": MD5}


def test_pointer_to_other_bytes(kept: Artefact) -> None:
    """A dvc.lock that was written for another export is refused."""
    write_lock(f"{'0' * 32}.dir", "artifacts/model")

    with pytest.raises(InputError, match=rf"dvc\.lock stage export@model: found md5 0+\.dir; expected md5 {MD5}"):
        dvc_pointer("model", kept)


def test_no_pointer(kept: Artefact) -> None:
    """Without dvc.lock, or without the output in it, there is nothing to record: run the export."""
    message = r"dvc\.lock stage export@model: found no output artifacts/model; .* Run dvc repro export@model"
    for spoil in (lambda: write_lock(MD5, "artifacts/other"), Path("dvc.lock").unlink):
        spoil()
        with pytest.raises(InputError, match=message):
            dvc_pointer("model", kept)
