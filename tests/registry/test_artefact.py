"""The folder that ships: nothing missing, nothing extra, nothing changed, nothing but plain files."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from registry.artefact import read_artefact, write_manifest
from registry.errors import IntegrityError
from tests.registry.specimens import make_artefact
from validation.digests import file_sha256
from validation.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole artefact."""
    return make_artefact(tmp_path / "artifact").folder


def rewrite_manifest(folder: Path, files: dict[str, str]) -> None:
    """Write a manifest in the canonical form, whatever it lists."""
    text = json.dumps({"files": files}, indent=2, sort_keys=True) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def test_digest_is_that_of_the_manifest(folder: Path) -> None:
    """The digest of an artefact is what sha256sum prints for its manifest."""
    artefact = read_artefact(folder)

    assert sha256((folder / "manifest.json").read_bytes()).hexdigest() == artefact.digest
    assert {"card.md", "contract.json", "model.onnx"} == set(artefact.files)
    assert file_sha256(folder / "model.onnx") == artefact.files["model.onnx"]
    assert artefact.contract["inputs"][0]["shape"] == [4]


def test_manifest_written_twice_is_the_same(folder: Path) -> None:
    """The manifest depends on the files alone; writing it again changes no byte."""
    before = (folder / "manifest.json").read_bytes()

    assert read_artefact(folder).digest == write_manifest(folder)
    assert before == (folder / "manifest.json").read_bytes()


def test_every_flipped_byte_is_found(folder: Path) -> None:
    """One changed byte in any file but the manifest names the file, the digest expected and the digest found."""
    for name, expected in read_artefact(folder).files.items():
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(IntegrityError, match=f"{name}: expected {expected}; found {file_sha256(folder / name)}"):
            read_artefact(folder)
        (folder / name).write_bytes(whole)


def test_missing_file(folder: Path) -> None:
    """A file of the manifest that is not there is named."""
    (folder / "card.md").unlink()

    with pytest.raises(IntegrityError, match=r"card\.md: expected [0-9a-f]{64}; found no such file"):
        read_artefact(folder)


def test_extra_file(folder: Path) -> None:
    """A file that the manifest does not list is named."""
    (folder / "extra.onnx").write_bytes(b"x")

    with pytest.raises(IntegrityError, match=r"extra\.onnx: expected no such file; found [0-9a-f]{64}"):
        read_artefact(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "sub/file", "manifest.json", "..", "", ".hidden"])
def test_manifest_names_no_path(folder: Path, name: str) -> None:
    """A manifest that names a path, a hidden file or itself is refused before any file is opened."""
    rewrite_manifest(folder, {**read_artefact(folder).files, name: "0" * 64})

    with pytest.raises(InputError, match="the name"):
        read_artefact(folder)


def twice(text: str) -> str:
    """Give one key twice, first with another digest."""
    return text.replace('"card.md"', f'"card.md": "{"0" * 64}",\n    "card.md"')


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (twice, "a key is given twice"),
        (lambda text: text.replace("\n", "\n "), "another form"),
        (lambda text: text.replace('{\n  "files"', '{\n  "also": 1,\n  "files"'), "another form"),
        (lambda text: json.dumps({"files": list(json.loads(text)["files"])}), "another form"),
        (lambda text: text[:-30], "Expecting|Unterminated"),
        (lambda text: "[]", "a list"),
        (lambda text: text.replace(json.loads(text)["files"]["card.md"], "ABC"), "the digest 'ABC' of card.md"),
    ],
)
def test_malformed_manifest(folder: Path, change: Callable[[str], str], message: str) -> None:
    """A manifest is taken only in the one form in which it is written."""
    manifest = folder / "manifest.json"
    manifest.write_text(change(manifest.read_text(encoding="utf-8")), encoding="utf-8")

    with pytest.raises(InputError, match=message):
        read_artefact(folder)


@pytest.mark.parametrize("target", ["card.md", "/etc/hostname", "nowhere"])
def test_symbolic_links_are_refused(folder: Path, target: str) -> None:
    """A link is refused on reading and on writing, wherever it points."""
    (folder / "link.md").symlink_to(target)

    with pytest.raises(InputError, match="a symbolic link"):
        read_artefact(folder)
    with pytest.raises(InputError, match="a symbolic link"):
        write_manifest(folder)


def test_linked_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    """The folder itself may not be a link either."""
    (tmp_path / "link").symlink_to(folder)

    with pytest.raises(InputError, match="no folder"):
        read_artefact(tmp_path / "link")


def test_subfolders_are_refused(folder: Path) -> None:
    """Everything lies flat."""
    (folder / "sub").mkdir()

    with pytest.raises(InputError, match="no regular file"):
        read_artefact(folder)


def test_odd_names_are_refused(folder: Path) -> None:
    """A name that a shell or a URL could misread is refused."""
    (folder / "model onnx").write_bytes(b"x")

    with pytest.raises(InputError, match="an odd name"):
        write_manifest(folder)


@pytest.mark.parametrize("name", ["model.onnx", "contract.json", "card.md"])
def test_no_manifest_without_a_model(folder: Path, name: str) -> None:
    """A folder without model, contract or card gets no manifest, and a manifest without them is refused."""
    files = dict(read_artefact(folder).files)
    (folder / name).unlink()

    with pytest.raises(InputError, match=f"no {name}"):
        write_manifest(folder)
    del files[name]
    rewrite_manifest(folder, files)
    with pytest.raises(InputError, match=f"no {name}"):
        read_artefact(folder)


def test_no_manifest(folder: Path) -> None:
    """A folder without manifest is no artefact."""
    (folder / "manifest.json").unlink()

    with pytest.raises(InputError, match=r"manifest\.json: found no such file"):
        read_artefact(folder)
