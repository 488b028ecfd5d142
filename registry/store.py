"""Registering: one version in MLflow per artefact, with its evidence; the same bytes are registered once.

Aliases, each on at most one version of a registered name:

- `candidate`: registered last, whatever its verdict;
- `challenger`: the last one registered whose verdict is PASS; it may be promoted;
- `champion`: promoted; what `load` gives by default;
- `previous`: the champion before it, to go back to.

A champion keeps only its title when it is registered again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from registry.artefact import Artefact
from registry.connection import experiment_id, mlflow_store
from registry.evidence import Judged, read_judged
from registry.names import checked_name
from registry.package import MLFLOW_FILES, PROOF, VERDICT, write_model, write_proof
from registry.serving import Serving
from validation.errors import InputError
from validation.gates.base import State
from validation.verdict import Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

FIGURES = "figures/"


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered name.

    Attributes:
        name: Registered name.
        version: Number MLflow gave it.
        digest: Digest of its artefact.
        created: False if this artefact had been registered before.
        updated: What was changed on a version that existed: tags and aliases; empty if nothing was.
    """

    name: str
    version: int
    digest: str
    created: bool
    updated: tuple[str, ...] = ()


def register(
    artefact: Artefact,
    registered_name: str,
    model: str,
    *,
    evidence_files: Sequence[Path],
    verdict: Mapping[str, Any],
    tags: Mapping[str, str],
    serving: Serving | None = None,
) -> RegisteredVersion:
    """Register an artefact with its evidence, whatever the verdict; run twice, it changes nothing.

    The version appears last, with all its files and tags; what an interrupted call left behind is invisible, and the
    next call starts afresh. New evidence or a new verdict on a registered artefact is added to its version.

    Args:
        artefact: What ships.
        registered_name: Name in the registry.
        model: Entry of params.yaml.
        evidence_files: Every file the verdict was computed from.
        verdict: Content of verdict.json.
        tags: More tags for the version: commits of git and of the data.
        serving: How MLflow serves it; None where `model.onnx` alone is the model.

    Raises:
        InputError: The verdict is malformed or better than its gates, evidence is missing, a name is odd, the artefact
            cannot be served so, or the store does not answer.
        IntegrityError: The verdict is on another artefact, or evidence is not what was judged.
    """
    checked_name(registered_name, "registered name")
    judged = read_judged(artefact, verdict, evidence_files)
    if judged.verdict.model != model:
        found = f"the verdict on {judged.verdict.model}"
        raise InputError("verdict.json", found, f"the verdict on {model}", "Name the model that was judged.")
    own = _tags(judged)
    if taken := sorted(key for key in tags if key in (*own, MLFLOW_FILES) or key.startswith((FIGURES, PROOF))):
        raise InputError("tags", taken[0], "tags that the registry does not write itself", "Rename the tag.")
    with mlflow_store(create=True) as client:
        known = find_version(client, registered_name, artefact.digest)
        if known is None:
            number, updated = _create(client, registered_name, judged, {**tags, **own}, serving), []
        else:
            number, updated = int(known.version), _update(client, known, judged, own, tags)
        updated += _set_aliases(client, registered_name, number, judged.verdict.state)
    return RegisteredVersion(registered_name, number, artefact.digest, known is None, tuple(updated))


def find_version(client: MlflowClient, registered_name: str, digest: str) -> ModelVersion | None:
    """Return the version that holds an artefact, None if there is none; the oldest, should there be several."""
    found = client.search_model_versions(f"name='{registered_name}' and tags.artefact_sha256='{digest}'")
    return min(found, key=lambda version: int(version.version), default=None)


def aliases_of(client: MlflowClient, registered_name: str) -> dict[str, int]:
    """Return the version number behind every alias of a registered name; nothing for an unknown name."""
    found = client.search_registered_models(f"name='{registered_name}'")
    return {alias: int(number) for model in found for alias, number in model.aliases.items()}


def _tags(judged: Judged) -> dict[str, str]:
    """Tags that say what a version is: digests, verdict, figures per cohort."""
    verdict = judged.verdict
    answers = [result.answer for result in verdict.gates]
    cohorts = sorted({answer.cohort for answer in answers if answer.cohort and answer.value is not None})
    return {
        "model": verdict.model,
        "artefact_sha256": judged.artefact.digest,
        "onnx_sha256": judged.artefact.files["model.onnx"],
        **{f"{FIGURES}{cohort}": _figures(verdict, cohort) for cohort in cohorts},
        "synthetic": json.dumps(verdict.synthetic),
        "verdict": str(verdict.state),
        **{PROOF + slot: digest for slot, digest in judged.digests.items()},
        VERDICT: judged.verdict_sha256,
    }


def _figures(verdict: Verdict, cohort: str) -> str:
    """The gates of one cohort that have a number, as JSON."""
    return json.dumps(
        [
            {"gate": result.spec.id, "state": str(a.state), "value": a.value, "lower": a.lower, "upper": a.upper}
            for result in verdict.gates
            if (a := result.answer).cohort == cohort and a.value is not None
        ]
    )


def _create(
    client: MlflowClient, registered_name: str, judged: Judged, tags: Mapping[str, str], serving: Serving | None
) -> int:
    """Log the model and its evidence, then make the version; returns its number."""
    from mlflow.entities import LoggedModelOutput

    model = judged.verdict.model
    experiment = experiment_id(client, model)
    run_id = str(client.create_run(experiment, run_name="register", tags=dict(tags)).info.run_id)
    logged = client.create_logged_model(experiment, name=model, source_run_id=run_id)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        mlflow_files = write_model(judged.artefact, folder, logged.model_id, run_id, serving)
        write_proof(judged, folder)
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    _log_metrics(client, run_id, judged)
    client.set_terminated(run_id)
    if not client.search_registered_models(f"name='{registered_name}'"):
        client.create_registered_model(registered_name)
    made = client.create_model_version(
        registered_name,
        source=f"models:/{logged.model_id}",
        run_id=run_id,
        tags={**tags, MLFLOW_FILES: json.dumps(mlflow_files, sort_keys=True)},
        model_id=logged.model_id,
    )
    return int(made.version)


def _update(
    client: MlflowClient, known: ModelVersion, judged: Judged, own: Mapping[str, str], tags: Mapping[str, str]
) -> list[str]:
    """Bring evidence and tags of a version up to date; files come first, so that no tag ever names a missing one."""
    gone = [key for key in known.tags if key.startswith((FIGURES, PROOF)) and key not in own]
    changed = {key: value for key, value in own.items() if known.tags.get(key) != value}
    if not gone and not changed:
        return []
    with TemporaryDirectory() as scratch:
        write_proof(judged, Path(scratch))
        client.log_model_artifacts(model_id_of(known), scratch)
    _log_metrics(client, str(known.run_id), judged)
    for key in gone:
        client.delete_model_version_tag(known.name, str(known.version), key)
    for key, value in {**tags, **changed}.items():
        client.set_model_version_tag(known.name, str(known.version), key, value)
    return [f"tag {key}" for key in sorted([*gone, *changed])]


def model_id_of(version: ModelVersion) -> str:
    """Return the id of MLflow's logged model behind a version."""
    return str(version.source).removeprefix("models:/")


def _log_metrics(client: MlflowClient, run_id: str, judged: Judged) -> None:
    """Log every estimate with its limits."""
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    client.log_batch(run_id, metrics=[Metric(name, value, now, 0) for name, value in judged.metrics().items()])


def _set_aliases(client: MlflowClient, registered_name: str, version: int, verdict: State) -> list[str]:
    """Give a version the aliases its verdict earns; returns what changed."""
    present = aliases_of(client, registered_name)
    if present.get("champion") == version:
        return []
    changed = []
    for alias in ("candidate", "challenger") if verdict is State.PASS else ("candidate",):
        if present.get(alias) != version:
            client.set_registered_model_alias(registered_name, alias, str(version))
            changed.append(f"alias {alias}")
    if verdict is not State.PASS and present.get("challenger") == version:
        client.delete_registered_model_alias(registered_name, "challenger")
        changed.append("alias challenger removed")
    return changed
