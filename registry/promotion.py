"""Promoting: the alias `champion` moves only to an artefact whose verdict is PASS, on evidence that is what was judged.

Order of writes: alias `previous` on the old champion, alias `champion` on the new, original.json (the first time),
champion.json, then off with the aliases the new champion has outgrown. A kill in between leaves the old champion in
place, or a new one that is not in champion.json and that `load` refuses; running the promotion again completes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from registry.artefact import Artefact
from registry.connection import mlflow_store, shown_store
from registry.errors import Refusal
from registry.evidence import Judged, read_judged
from registry.loading import fetch
from registry.names import checked_name
from registry.package import VERDICT
from registry.releases import RELEASES, Release, read_champion, write_release
from registry.store import aliases_of, find_version
from validation.errors import InputError
from validation.gates.base import State
from validation.report import Row, rows
from validation.verdict import Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

NOTHING = "–"
"""What a row of the verdict's table shows where there is nothing to show."""


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
    *,
    evidence_files: Sequence[Path],
    dvc_pointer: Mapping[str, str],
    releases_folder: Path = RELEASES,
) -> Promotion:
    """Make a registered artefact the champion; run twice, it changes nothing.

    Args:
        registered_name: Name in the registry.
        artefact: What is to be released; it must have been registered with this verdict.
        verdict: Content of verdict.json.
        evidence_files: Every file the verdict was computed from.
        dvc_pointer: Path and md5 under which DVC keeps the artefact: {"path": "artifacts/x", "md5": "....dir"}.
        releases_folder: Folder of the release records.

    Raises:
        Refusal: The verdict is not PASS; a line for each blocking gate that is not, as in `not_passed`.
        IntegrityError: The verdict is on another artefact, evidence is not what was judged, or the stored files are not
            those that were registered.
        InputError: The verdict is malformed or better than its gates, the artefact is not registered with it, evidence
            is missing, or the store does not answer.
    """
    checked_name(registered_name, "registered name")
    judged = read_judged(artefact, verdict, evidence_files)
    refuse_unless_passed(registered_name, judged.verdict)
    with mlflow_store() as client:
        version = _registered(client, registered_name, judged)
        with TemporaryDirectory() as scratch:
            fetch(client, version, Path(scratch))
        return _release(client, version, judged, dvc_pointer, releases_folder)


def refuse_unless_passed(registered_name: str, verdict: Verdict) -> None:
    """Refuse to promote on anything but PASS.

    Raises:
        Refusal: The verdict is FAIL or INCONCLUSIVE; a line for each blocking gate that is not PASS.
    """
    if verdict.state is not State.PASS:
        what = f"champion of {registered_name} to {verdict.model}"
        raise Refusal(what, str(verdict.state), verdict.exit_code, not_passed(verdict), "Nothing was changed.")


def not_passed(verdict: Verdict) -> list[str]:
    """Return a line for each blocking gate that is not PASS: gate, cohort, what `validation.report` says of it."""
    gates = tuple(r for r in verdict.gates if r.spec.blocking and r.answer.state is not State.PASS)
    return [_line(row) for row in rows(replace(verdict, gates=gates))]


def _line(row: Row) -> str:
    """Write a row of the verdict's table as one line, without what does not apply to its gate."""
    cells = {"value": row.value, "limit": row.limit, "n": row.n, "events": row.events}
    numbers = ", ".join(f"{name} {text}" for name, text in cells.items() if text != NOTHING)
    place = "the model" if row.cohort == NOTHING else row.cohort
    return "; ".join(part for part in (f"{row.gate} on {place}: {row.state}", numbers, row.note) if part)


def _registered(client: MlflowClient, registered_name: str, judged: Judged) -> ModelVersion:
    """Find the version of the artefact, registered with this very verdict."""
    artefact, verdict = judged.artefact.digest, judged.verdict_sha256
    version = find_version(client, registered_name, artefact)
    if version is None or version.tags.get(VERDICT) != verdict:
        found = "no version of this artefact" if version is None else "another verdict than the one given"
        where = f"{registered_name} in {shown_store()}"
        raise InputError(where, found, f"artefact {artefact} with verdict {verdict}", "Run `hallmark register`.")
    return version


def _was_released(version: ModelVersion, releases_folder: Path) -> bool:
    """Whether a version with the alias `champion` got it by a promotion, as far as releases are recorded."""
    released = read_champion(releases_folder, version.name)
    return released is None or released.artefact_sha256 == version.tags.get("artefact_sha256")


def _release(
    client: MlflowClient, version: ModelVersion, judged: Judged, dvc_pointer: Mapping[str, str], releases_folder: Path
) -> Promotion:
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
        model=judged.verdict.model,
        version=number,
        artefact_sha256=judged.artefact.digest,
        onnx_sha256=judged.artefact.files["model.onnx"],
        verdict_sha256=judged.verdict_sha256,
        synthetic=judged.verdict.synthetic,
        dvc_path=dvc_pointer["path"],
        dvc_md5=dvc_pointer["md5"],
    )
    written = write_release(releases_folder, release)
    after = aliases_of(client, name)
    outgrown = [alias for alias in ("candidate", "challenger", "previous") if after.get(alias) == number]
    for alias in outgrown:
        client.delete_registered_model_alias(name, alias)
    previous = None if "previous" in outgrown else after.get("previous")
    changed = old != number or written or bool(outgrown)
    return Promotion(name, number, judged.artefact.digest, previous, changed)
