"""Promoting: the alias `champion` moves only to an artefact whose verdict is PASS, on evidence that is what was judged.

Order of writes: alias `previous` on the old champion, alias `champion` on the new, original.json (the first time),
champion.json, then off with the aliases the new champion has outgrown. A kill in between leaves the old champion in
place, or a new one that is not in champion.json and that `load` refuses; running the promotion again completes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, cast

from registry.artefact import Artefact
from registry.connection import mlflow_store, store_uri
from registry.errors import Refusal
from registry.evidence import read_judged
from registry.loading import fetch
from registry.package import PROOF
from registry.record import checked_name
from registry.releases import RELEASES, Release, read_champion, write_release
from registry.store import aliases_of, find_version
from registry.verdict import Verdict
from validation.errors import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class Promotion:
    """A promotion that was done, or had been done before.

    Attributes:
        name: Registered name.
        version: Version that is the champion now.
        digest: Digest of its artefact.
        previous: Version that is `previous` now; None if there was no champion before.
        changed: False if it was the champion already and nothing was written.
    """

    name: str
    version: int
    digest: str
    previous: int | None
    changed: bool


def promote(
    registered_name: str,
    artefact: Artefact,
    verdict: Mapping[str, Any],
    evidence_files: Sequence[Path],
    releases_folder: Path = RELEASES,
) -> Promotion:
    """Make a registered artefact the champion; run twice, it changes nothing.

    Args:
        registered_name: Name in the registry.
        artefact: What is to be released; it must have been registered with this verdict.
        verdict: Content of verdict.json.
        evidence_files: Every file the verdict was computed from.
        releases_folder: Folder of the release records.

    Raises:
        Refusal: The verdict is not PASS; names each blocking gate that is not, with cohort, number and limit.
        IntegrityError: The verdict is on another artefact, evidence is not what was judged, or the stored files are not
            those that were registered.
        InputError: The artefact is not registered with this verdict, evidence is missing, or the store does not answer.
    """
    checked_name(registered_name, "registered name")
    read = read_judged(artefact, verdict, evidence_files).verdict
    if read.verdict != "PASS":
        raise Refusal(
            f"champion of {registered_name} to {read.model}",
            cast(Literal["FAIL", "INCONCLUSIVE"], read.verdict),
            [gate.describe() for gate in read.not_passed()],
            "Nothing was changed.",
        )
    with mlflow_store() as client:
        version = _registered(client, registered_name, artefact, read)
        with TemporaryDirectory() as scratch:
            fetch(client, version, Path(scratch))
        return _release(client, version, read, releases_folder)


def _registered(client: MlflowClient, registered_name: str, artefact: Artefact, verdict: Verdict) -> ModelVersion:
    """Find the version of the artefact, registered with this very verdict."""
    version = find_version(client, registered_name, artefact.digest)
    if version is None or version.tags.get(f"{PROOF}verdict") != verdict.sha256:
        found = "no version of this artefact" if version is None else "another verdict than the one given"
        where = f"{registered_name} in {store_uri()}"
        raise InputError(
            where, found, f"artefact {artefact.digest} with verdict {verdict.sha256}", "Run `hallmark register`."
        )
    return version


def _was_released(version: ModelVersion, releases_folder: Path) -> bool:
    """Whether a version with the alias `champion` got it by a promotion, as far as releases are recorded."""
    released = read_champion(releases_folder, version.name)
    return released is None or released.artefact_sha256 == version.tags.get("artefact_sha256")


def _release(client: MlflowClient, version: ModelVersion, verdict: Verdict, releases_folder: Path) -> Promotion:
    """Move the aliases and write the records, in the order that a second run repairs."""
    name, number = str(version.name), int(version.version)
    before = aliases_of(client, name)
    old = before.get("champion")
    if old not in (None, number) and _was_released(client.get_model_version(name, str(old)), releases_folder):
        client.set_registered_model_alias(name, "previous", str(old))
    if old != number:
        client.set_registered_model_alias(name, "champion", str(number))
    release = Release(
        registered_name=name,
        model=verdict.model,
        version=number,
        artefact_sha256=verdict.artefact,
        onnx_sha256=version.tags["onnx_sha256"],
        verdict_sha256=verdict.sha256,
        synthetic=verdict.synthetic,
    )
    written = write_release(releases_folder, release)
    after = aliases_of(client, name)
    outgrown = [alias for alias in ("candidate", "challenger", "previous") if after.get(alias) == number]
    for alias in outgrown:
        client.delete_registered_model_alias(name, alias)
    previous = None if "previous" in outgrown else after.get("previous")
    return Promotion(name, number, verdict.artefact, previous, changed=old != number or written or bool(outgrown))
