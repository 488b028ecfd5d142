"""Register and promote: the verdict is derived again from the evidence on disk, never taken on trust."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pipelines.gate import derive_verdict, evidence_paths
from pipelines.layout import RELEASES, artifact_folder, parity_file, protocol_file, verdict_file
from pipelines.params import Params, load_params
from registry.artefact import read_artefact
from registry.promotion import Promotion
from registry.promotion import promote as promote_version
from registry.store import RegisteredVersion
from registry.store import register as register_version
from validation.digests import file_sha256
from validation.errors import InputError
from validation.evidence import read_json
from validation.protocol import load_protocol
from validation.verdict import Verdict


def current_verdict(params: Params, model: str) -> Verdict:
    """Return the verdict on disk, if it is what the evidence and the protocol on disk say.

    Raises:
        InputError: No verdict, or one that is edited or out of date.
    """
    path = verdict_file(model)
    remedy = f"Run dvc repro gate@{model}."
    written = read_json(path)
    if written is None:
        raise InputError(str(path), "no such file", "a verdict", remedy)
    derived = derive_verdict(params, model)
    if derived.to_dict() != written:
        found = f"verdict {written.get('verdict')}, not what evidence and protocol on disk say ({derived.state})"
        raise InputError(str(path), found, "the verdict that follows from them", remedy)
    return derived


def judged_files(params: Params, model: str) -> list[Path]:
    """Return the files a verdict was computed from, those that exist."""
    protocol = load_protocol(protocol_file(params.model(model).architecture))
    paths = [path for by_cohort in evidence_paths(params, protocol, model).values() for path in by_cohort.values()]
    return [path for path in [*paths, parity_file(model)] if path.is_file()]


def provenance_tags() -> dict[str, str]:
    """Return what ties a version to the sources: the commit (and whether files differ from it) and the DVC lock."""
    tags = {}
    if Path("dvc.lock").is_file():
        tags["dvc_lock_sha256"] = file_sha256(Path("dvc.lock"))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if commit.returncode == 0:
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
        tags["git_commit"] = commit.stdout.strip() + ("+changes" if changed.stdout else "")
    return tags


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
    )


def promote(model: str) -> Promotion:
    """Make a registered model the champion, or raise the refusal."""
    params = load_params()
    verdict = current_verdict(params, model)
    return promote_version(
        params.model(model).registered_name,
        read_artefact(artifact_folder(model)),
        verdict.to_dict(),
        judged_files(params, model),
        RELEASES,
    )
