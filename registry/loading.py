"""Loading by alias: no byte is handed out that is not the certified one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

from registry.artefact import MANIFEST, Artefact, check_files, read_artefact, read_manifest
from registry.connection import mlflow_store, shown_store, store_uri
from registry.errors import IntegrityError
from registry.names import checked_name
from registry.package import MLFLOW_FILES, PROOF, VERDICT, proof_path
from registry.releases import RELEASES, champion_file, read_champion
from registry.store import aliases_of, model_id_of
from validation.errors import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

TAMPERED = "Do not use this version: delete it in MLflow, and register and promote the artefact again."


@dataclass(frozen=True)
class LoadedModel:
    """A model fetched from the registry, every byte checked.

    Attributes:
        folder: Folder with the artefact's files; the caller's to remove.
        artefact: What is in it.
        version: Number of the version in MLflow.
    """

    folder: Path
    artefact: Artefact
    version: int


def load(
    registered_name: str, alias: str = "champion", *, into: Path | None = None, releases_folder: Path = RELEASES
) -> LoadedModel:
    """Fetch the version behind an alias and recompute every digest.

    The files are copied first and checked where they will be used. The champion must also be the one that
    releases/<name>/champion.json records, with the verdict it was promoted on: without that file, with an alias moved
    by hand, or with another verdict registered since, it is refused.

    Args:
        registered_name: Name in the registry.
        alias: champion, previous, challenger or candidate.
        into: Empty or new folder for the files; by default a new temporary folder, which only a success leaves behind.
        releases_folder: Folder of the release records.

    Raises:
        InputError: No such name or alias, or the store does not answer.
        IntegrityError: A file differs from what was registered, or the champion from what was released.
    """
    checked_name(registered_name, "registered name")
    with mlflow_store() as client:
        version = _version_behind(client, registered_name, alias)
        if alias == "champion":
            _check_release(version, releases_folder)
        with ExitStack() as undo:
            folder = into or Path(mkdtemp(prefix="hallmark-"))
            if into is None:
                undo.callback(shutil.rmtree, folder)
            artefact = fetch(client, version, folder)
            undo.pop_all()
        return LoadedModel(folder, artefact, int(version.version))


def fetch(client: MlflowClient, version: ModelVersion, into: Path) -> Artefact:
    """Copy the artefact of a version into an empty or new folder and check it, and all that is stored beside it.

    Raises:
        InputError: The folder is not empty, or the version was not registered by `registry.store`.
        IntegrityError: A stored file is missing, extra or changed.
    """
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise InputError(str(into), "files", "an empty folder", "Choose another folder.")
    if not {"artefact_sha256", MLFLOW_FILES} <= set(version.tags):
        where = f"{version.name} version {version.version}"
        raise InputError(where, "no digests", "a version made by `hallmark register`", "Register the model with it.")
    with TemporaryDirectory() as scratch:
        stored = _download(client, version, Path(scratch))
        for name in _check_stored(stored, version):
            shutil.move(stored / name, into / name)
    return read_artefact(into)


def _version_behind(client: MlflowClient, registered_name: str, alias: str) -> ModelVersion:
    """Resolve an alias."""
    known = aliases_of(client, registered_name)
    if alias not in known:
        expected = f"one of {', '.join(sorted(known)) or 'its aliases (it has none)'}"
        where = f"{registered_name} in {shown_store()}"
        raise InputError(
            where, f"no alias {alias!r}", expected, "See `hallmark status`; register or promote the model."
        )
    return client.get_model_version(registered_name, str(known[alias]))


def _check_release(version: ModelVersion, releases_folder: Path) -> None:
    """Refuse a champion that was not promoted, or whose verdict is no longer the one it was promoted on."""
    where = f"{version.name}@champion (version {version.version})"
    released = read_champion(releases_folder, version.name)
    if released is None:
        path = champion_file(releases_folder, version.name).absolute()
        remedy = "Run the command in the repository root, or restore the file from git; `hallmark promote` writes it."
        raise IntegrityError(where, f"the record of its release, {path}", "no such file", remedy)
    actual = version.tags.get("artefact_sha256", "no digest")
    if released.artefact_sha256 != actual:
        raise IntegrityError(
            where,
            f"artefact {released.artefact_sha256} (releases record of version {released.version})",
            f"artefact {actual}",
            "The alias was moved without a promotion, or a promotion was interrupted: run `hallmark promote` again.",
        )
    if version.tags.get(VERDICT) != released.verdict_sha256:
        raise IntegrityError(
            where,
            f"the PASS it was promoted on (verdict.json {released.verdict_sha256})",
            f"the verdict {version.tags.get('verdict')}, registered since (verdict.json {version.tags.get(VERDICT)})",
            "Do not use a champion whose verdict is no longer PASS; after a new PASS run `hallmark promote` again.",
        )


def _download(client: MlflowClient, version: ModelVersion, scratch: Path) -> Path:
    """Copy all files of a version."""
    from mlflow.artifacts import download_artifacts

    location = client.get_logged_model(model_id_of(version)).artifact_location
    return Path(download_artifacts(artifact_uri=location, dst_path=str(scratch), tracking_uri=store_uri()))


def _check_stored(stored: Path, version: ModelVersion) -> list[str]:
    """Compare every stored file with the tags of the version; returns the names of the artefact's files."""
    tags: Mapping[str, str] = version.tags
    where = f"{version.name} version {version.version}"
    present = {file.relative_to(stored).as_posix() for file in stored.rglob("*") if not file.is_dir()}
    check_files(stored, present.intersection([MANIFEST]), {MANIFEST: tags["artefact_sha256"]}, TAMPERED, where)
    artefact = {**read_manifest(stored / MANIFEST), MANIFEST: tags["artefact_sha256"]}
    superseded = {name: Path(name).stem for name in present if name.startswith(PROOF)}
    proof = {
        proof_path(key.removeprefix(PROOF), digest): digest for key, digest in tags.items() if key.startswith(PROOF)
    }
    check_files(stored, present, {**superseded, **proof, **json.loads(tags[MLFLOW_FILES]), **artefact}, TAMPERED, where)
    return sorted(artefact)
