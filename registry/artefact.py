"""The folder that ships, `artifacts/<model>/`: its manifest names every file, its digest is the manifest's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.errors import IntegrityError
from validation.digests import file_sha256
from validation.documents import document_sha256, encode, read_json, write_json
from validation.errors import InputError

MANIFEST = "manifest.json"
REQUIRED = ("model.onnx", "contract.json", "card.md")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DIGEST = re.compile(r"[0-9a-f]{64}")
NO_FILE = "no such file"
RESTORE = "Do not use this folder; export the model again or `dvc checkout` it."


@dataclass(frozen=True)
class Artefact:
    """A folder whose every byte was found to be what its manifest says.

    Attributes:
        folder: Where it lies.
        digest: sha256 of the bytes of manifest.json; names the whole.
        files: sha256 of every other file, by name.
        contract: Content of contract.json.
    """

    folder: Path
    digest: str
    files: Mapping[str, str]
    contract: Mapping[str, Any]


def write_manifest(folder: Path) -> str:
    """Write manifest.json over every file of the folder and return the artefact's digest.

    Raises:
        InputError: A file that must be there is missing, or the folder holds a link, a subfolder or an odd name.
    """
    files = {name: file_sha256(folder / name) for name in _plain_files(folder) if name != MANIFEST}
    _require(folder, files)
    write_json(folder / MANIFEST, {"files": files})
    return document_sha256({"files": files})


def read_artefact(folder: Path) -> Artefact:
    """Read a folder that ships and recompute every digest.

    Raises:
        InputError: The folder or its manifest is missing or malformed, or it holds a link, a subfolder or an odd name.
        IntegrityError: A file is missing, not in the manifest, or changed; names the file and both digests.
    """
    present = set(_plain_files(folder))
    listed = read_manifest(folder / MANIFEST)
    _require(folder, listed)
    check_files(folder, present - {MANIFEST}, listed, RESTORE)
    return Artefact(folder, document_sha256({"files": listed}), listed, _document(folder / "contract.json"))


def check_files(
    folder: Path, present: Iterable[str], expected: Mapping[str, str], remedy: str, where: str | None = None
) -> None:
    """Compare the files of a folder with the digests they must have.

    Args:
        folder: The folder.
        present: Names of the files found in it, relative to it.
        expected: sha256 of every file that must be in it, by name.
        remedy: What to do if they differ.
        where: Name of the folder in the message; by default its path.

    Raises:
        IntegrityError: A file is missing, extra or changed; names the file and both digests.
    """
    found = set(present)
    for name in sorted(found.union(expected)):
        wanted = expected.get(name, NO_FILE)
        actual = file_sha256(folder / name) if name in found else NO_FILE
        if actual != wanted:
            raise IntegrityError(f"{where or folder}/{name}", wanted, actual, remedy)


def read_manifest(path: Path) -> dict[str, str]:
    """Read manifest.json: {"files": {name: sha256}}, in the one form `write_manifest` gives it.

    Raises:
        InputError: It is missing, malformed, names a path or itself, or is not in that form (spaces, duplicate keys).
    """
    content = _document(path)
    files = content.get("files")
    form = 'as `write_manifest` writes it: {"files": {name: sha256}}, sorted, plain file names'
    if not isinstance(files, dict) or encode(content) != path.read_bytes() or set(content) != {"files"}:
        raise InputError(str(path), "another form", form, RESTORE)
    for name, digest in files.items():
        if not FILE_NAME.fullmatch(name) or name == MANIFEST:
            raise InputError(str(path), f"the name {name!r}", form, RESTORE)
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise InputError(str(path), f"the digest {digest!r} of {name}", form, RESTORE)
    return files


def _document(path: Path) -> dict[str, Any]:
    """Read a JSON file that must be there."""
    content = read_json(path)
    if content is None:
        raise InputError(str(path), "no such file", "a JSON file", RESTORE)
    return content


def _plain_files(folder: Path) -> list[str]:
    """Names in the folder, sorted, all of them regular files with plain names."""
    if folder.is_symlink() or not folder.is_dir():
        raise InputError(str(folder), "no folder", "the folder of an exported model", "Run the export.")
    for entry in folder.iterdir():
        kind = "a symbolic link" if entry.is_symlink() else "no regular file"
        if entry.is_symlink() or not entry.is_file():
            raise InputError(str(entry), kind, "regular files only", RESTORE)
        if not FILE_NAME.fullmatch(entry.name):
            raise InputError(str(entry), "an odd name", "letters, digits, dots, _ and -", RESTORE)
    return sorted(entry.name for entry in folder.iterdir())


def _require(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse a list of files that cannot be a model."""
    for name in REQUIRED:
        if name not in files:
            raise InputError(str(folder), f"no {name}", f"at least {', '.join(REQUIRED)}", "Run the export again.")
