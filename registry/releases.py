"""The record of releases in git: releases/<registered name>/{original,champion}.json.

A record holds no clock time and no path. `version` is the number in the store the release was made in; a rebuilt store
may count otherwise, so what identifies a release is its digest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from validation.documents import read_json, write_json
from validation.errors import InputError

RELEASES = Path("releases")
RESTORE = "Restore the file from git."


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes:
        registered_name: Name in the registry.
        model: Entry of params.yaml.
        version: Version in the MLflow store.
        artefact_sha256: Digest of the artefact.
        onnx_sha256: Digest of its model.onnx.
        verdict_sha256: Digest of the verdict it was promoted on.
        synthetic: Whether cohorts behind the verdict are synthetic.
        dvc_path: Folder of the artefact, as dvc.lock names it.
        dvc_md5: Its md5 in dvc.lock, under which DVC's cache and remote keep it.
    """

    registered_name: str
    model: str
    version: int
    artefact_sha256: str
    onnx_sha256: str
    verdict_sha256: str
    synthetic: bool
    dvc_path: str
    dvc_md5: str


def champion_file(releases_folder: Path, registered_name: str) -> Path:
    """Return where the present champion of a registered name is recorded."""
    return releases_folder / registered_name / "champion.json"


def read_champion(releases_folder: Path, registered_name: str) -> Release | None:
    """Return the present champion as recorded, None if none is.

    Raises:
        InputError: The record is malformed.
    """
    path = champion_file(releases_folder, registered_name)
    content = read_json(path)
    return None if content is None else _release(content, str(path))


def write_release(releases_folder: Path, release: Release) -> bool:
    """Record a release: as the original if it is the first, and as the champion; returns whether anything was written.

    A champion already recorded with the same digests stays as it is, version number included.

    Raises:
        InputError: A record is malformed, or there is a champion but no original.
    """
    folder = releases_folder / release.registered_name
    known = read_champion(releases_folder, release.registered_name)
    original = folder / "original.json"
    if not original.exists():
        if known is not None:
            raise InputError(str(original), "no file beside champion.json", "the first release", RESTORE)
        write_json(original, asdict(release))
    if known is not None and replace(known, version=release.version) == release:
        return False
    write_json(champion_file(releases_folder, release.registered_name), asdict(release))
    return True


def _release(content: dict[str, Any], where: str) -> Release:
    """Make a release of the content of a record."""
    kinds = {field.name: {"str": str, "int": int, "bool": bool}[str(field.type)] for field in fields(Release)}
    if {name: type(value) for name, value in content.items()} != kinds:
        raise InputError(where, f"fields {sorted(content)}", f"{', '.join(kinds)}, each of its type", RESTORE)
    return Release(**content)
