"""Register and promote: the verdict is derived again from the evidence on disk, never taken on trust."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from models import MODELS
from pipelines.gate import derive_verdict, evidence_paths
from pipelines.layout import DVC_LOCK, RELEASES, artifact_folder, parity_file, protocol_file, verdict_file
from pipelines.params import Params, load_params
from pipelines.serving import serving_of
from registry.artefact import Artefact, read_artefact
from registry.promotion import Promotion, refuse_unless_passed
from registry.promotion import promote as promote_version
from registry.store import RegisteredVersion
from registry.store import register as register_version
from validation.digests import file_sha256
from validation.documents import read_json, read_yaml
from validation.errors import InputError
from validation.protocol import load_protocol
from validation.verdict import Verdict


def current_verdict(params: Params, model: str) -> Verdict:
    """Return the verdict on disk, if it is what the evidence and the protocol on disk say.

    Raises:
        InputError: No verdict, or one that is edited or out of date.
    """
    params.model(model)  # an unknown model is said to be unknown, before anything else
    path = verdict_file(model)
    remedy = f"Run dvc repro gate@{model}."
    written = read_json(path)
    if written is None:
        raise InputError(str(path), "no such file", "a verdict", remedy)
    derived = derive_verdict(params, model)
    if derived.to_dict() != written:
        found = f"verdict {written.get('verdict')}, made of other evidence, protocol or limits than those on disk"
        raise InputError(str(path), found, f"the verdict that follows from them ({derived.state})", remedy)
    return derived


def judged_files(params: Params, model: str) -> list[Path]:
    """Return the files a verdict was computed from, those that exist."""
    protocol = load_protocol(protocol_file(params.model(model).architecture))
    paths = [path for by_cohort in evidence_paths(params, protocol, model).values() for path in by_cohort.values()]
    return [path for path in [*paths, parity_file(model)] if path.is_file()]


def provenance_tags() -> dict[str, str]:
    """Return what ties a version to the sources: the commit (and whether files differ from it) and the DVC lock."""
    tags = {}
    if DVC_LOCK.is_file():
        tags["dvc_lock_sha256"] = file_sha256(DVC_LOCK)
    if commit := _git("rev-parse", "HEAD"):
        tags["git_commit"] = commit + ("" if _git("status", "--porcelain", "-uno") == "" else "+changes")
    return tags


def _git(*arguments: str) -> str | None:
    """Return what git says; None where there is no git or no repository."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def dvc_pointer(model: str, artefact: Artefact) -> dict[str, str]:
    """Return path and md5 under which DVC keeps the artefact of a model, as dvc.lock records them.

    Raises:
        InputError: dvc.lock has no such entry, or one for other bytes than those of the artefact.
    """
    stage, path = f"export@{model}", artifact_folder(model).as_posix()
    lock = read_yaml(DVC_LOCK) if DVC_LOCK.is_file() else {}
    outputs = lock.get("stages", {}).get(stage, {}).get("outs", [])
    recorded = next((out.get("md5") for out in outputs if out["path"] == path), None)
    actual = _dvc_md5(artefact)
    if recorded != actual:
        found = f"md5 {recorded}" if recorded else f"no output {path}"
        expected, remedy = f"md5 {actual}, that of the folder", f"Run dvc repro {stage}."
        raise InputError(f"{DVC_LOCK} stage {stage}", found, expected, remedy)
    return {"path": path, "md5": actual}


def _dvc_md5(artefact: Artefact) -> str:
    """MD5 that DVC 3 gives a flat folder: of the JSON list of its files with their MD5, sorted by name."""
    names = sorted(file.name for file in artefact.folder.iterdir())
    md5 = {name: hashlib.md5((artefact.folder / name).read_bytes(), usedforsecurity=False) for name in names}
    listing = json.dumps([{"md5": md5[name].hexdigest(), "relpath": name} for name in names])
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"


def register(model: str) -> RegisteredVersion:
    """Register artifacts/<model> with its evidence, whatever the verdict."""
    params = load_params()
    verdict = current_verdict(params, model)
    return register_version(
        read_artefact(artifact_folder(model)),
        params.model(model).registered_name,
        model,
        evidence_files=judged_files(params, model),
        verdict=verdict.to_dict(),
        tags=provenance_tags(),
        serving=serving_of(MODELS[params.model(model).architecture]),
    )


def promote(model: str) -> Promotion:
    """Make a registered model the champion, or raise the refusal, whatever else may be amiss."""
    params = load_params()
    verdict = current_verdict(params, model)
    refuse_unless_passed(params.model(model).registered_name, verdict)
    artefact = read_artefact(artifact_folder(model))
    return promote_version(
        params.model(model).registered_name,
        artefact,
        verdict.to_dict(),
        evidence_files=judged_files(params, model),
        dvc_pointer=dvc_pointer(model, artefact),
        releases_folder=RELEASES,
    )
