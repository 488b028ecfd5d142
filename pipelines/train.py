"""DVC stage `train`: networks cross-fitted and refitted, risk models fitted on out-of-fold scores."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from models import MODELS
from models.spec import ModelSpec, load_dotted
from models.system import DevelopmentSet, FollowUp
from pipelines.layout import PARAMS, checkpoint_folder, cohort_folder, training_folder
from pipelines.params import load_params, require_role
from pipelines.patients import prepared_patients, stack_inputs
from pipelines.progress import LineProgress, TrainingProgress
from pipelines.slides import annotated_patients
from pipelines.stage import run_stage
from pipelines.tiles import gathered_tiles
from pipelines.workers import LOCAL, Workers
from pipelines.writing import whole_folder
from registry.tracking import track_training
from validation.cohort import Cohort, binary_endpoint, endpoint_in_months, load_cohort, load_outcomes
from validation.digests import file_sha256
from validation.documents import write_json
from validation.errors import InputError

TAUGHT = "the tile classifier was trained on this patient's slide"


def development_set(
    cohort: Cohort, spec: ModelSpec, networks: Path | None = None, workers: Workers = LOCAL
) -> tuple[DevelopmentSet, dict[str, str]]:
    """Read and pre-process a development cohort with its outcomes.

    Args:
        cohort: The patients. Those whose slide has taught the tile classifier are left out: the others' slides are
            read by a classifier that has not seen them, as external ones are.
        spec: Of the model.
        networks: Folder of the tile classifier; of a model that reads slides only.
        workers: Who reads.

    Returns:
        The patients that could be processed, and the reasons of those that could not or were left out.

    Raises:
        InputError: The cohort is not for development, lacks the endpoint, or more of its patients could not be
            processed than the model allows (`excluded_share_max`, among those not left out); nobody is left.
    """
    if cohort.meta.role != "development":
        raise InputError(
            str(cohort.folder / "cohort.yaml"),
            f"role {cohort.meta.role}",
            "role development",
            "Never train on another cohort.",
        )
    outcomes = load_outcomes(cohort).set_index("patient_id")
    taught = (
        np.zeros(len(cohort.patients), dtype=bool) if spec.tiles is None else annotated_patients(cohort, spec.tiles)
    )
    set_apart = dict.fromkeys(cohort.patients.loc[taught, "patient_id"], TAUGHT)
    cohort = replace(cohort, patients=cohort.patients[~taught])
    stream = prepared_patients(
        cohort, spec, LineProgress(f"reading {cohort.meta.name}"), networks=networks, workers=workers
    )
    patients = list(stream)
    kept = [p for p in patients if p.inputs is not None]
    excluded = {p.patient_id: str(p.reason) for p in patients if p.inputs is None}
    if len(excluded) > spec.excluded_share_max * len(patients):
        first = "; ".join(f"{patient}: {reason}" for patient, reason in list(excluded.items())[:3])
        found = f"{len(excluded)} of {len(patients)} patients that could not be processed ({first})"
        expected = f"at most {spec.excluded_share_max:.0%}"
        raise InputError(str(cohort.folder), found, expected, f"Run hallmark check {cohort.folder} and correct them.")
    if not kept:
        found, expected = f"{len(set_apart)} patients, all left out: {TAUGHT}", "others to fit the risk model on"
        raise InputError(str(cohort.folder), found, expected, "Annotate the slides of fewer patients.")
    ids = [p.patient_id for p in kept]
    follow_up = {}
    for name in (spec.endpoint, *spec.other_endpoints):
        endpoint = endpoint_in_months(cohort.meta, name)
        event = outcomes.loc[ids, endpoint.event].to_numpy(dtype=bool)
        follow_up[name] = FollowUp(event, outcomes.loc[ids, endpoint.time].to_numpy(dtype=np.float64))
    labels = {name: outcomes.loc[ids, _label(cohort, name)].to_numpy(dtype=np.float64) for name in spec.labels}
    return DevelopmentSet(tuple(ids), stack_inputs(kept), follow_up, labels), set_apart | excluded


def _label(cohort: Cohort, name: str) -> str:
    """Return the column of a binary endpoint.

    Raises:
        InputError: The cohort lacks it.
    """
    endpoint = binary_endpoint(cohort.meta, name)
    if endpoint is None:
        where = f"{cohort.folder / 'cohort.yaml'} endpoints.{name}"
        raise InputError(where, "no such binary endpoint", f"endpoint {name} with its case", "Add it, with its column.")
    return endpoint.case


def _rank() -> str:
    """Return the number of this process under torchrun, "0" outside."""
    return os.environ.get("RANK", "0")


def scratch_file(model: str) -> Path:
    """Return where this process gathers the tiles of a training; the training removes it with its checkpoints."""
    return checkpoint_folder(model) / f"tiles-{_rank()}.pixels"


@contextmanager
def _output(model: str) -> Iterator[Path]:
    """Yield the folder to write to; of several processes under torchrun only the first one's appears."""
    if _rank() == "0":
        with whole_folder(training_folder(model)) as folder:
            yield folder
    else:
        with TemporaryDirectory() as scratch:
            yield Path(scratch)


def train(model: str) -> None:
    """Train one entry of params.yaml; resumes from checkpoints after an interruption."""
    params = load_params()
    entry = params.model(model)
    require_role(entry.architecture, entry.development)
    spec = MODELS[entry.architecture]
    system = load_dotted(spec.system_path)
    training = params.training_params(model, system.params_class)
    cohort = load_cohort(cohort_folder(entry.development))
    facts = {**params.training(model), "seed": params.seed, "cohort": entry.development}
    with _output(model) as folder, track_training(model, facts, _digests(cohort)) as tracker:
        progress, checkpoints = TrainingProgress(tracker), checkpoint_folder(model)
        where = f"{cohort.folder}, {PARAMS} profiles.{params.profile}.training.{model}"
        if spec.tiles is not None:
            tiles = gathered_tiles(cohort, spec.images[0].name, spec.tiles, scratch_file(model))
            with _defining(where):
                system.train_tiles(*tiles, training, params.seed, folder, checkpoints, progress)
        development, excluded = development_set(cohort, spec, folder, params.workers)
        progress.message(f"{model}: {len(development.patient_ids)} patients, {len(excluded)} excluded")
        write_json(folder / "development.json", _development(cohort, excluded))
        with _defining(where):
            system.train(development, training, params.seed, folder, checkpoints, progress)


@contextmanager
def _defining(where: str) -> Iterator[None]:
    """Say what could not be trained on patients and parameters that do not define a model."""
    try:
        yield
    except ValueError as error:
        expected = "patients and parameters that define the model"
        raise InputError(where, str(error), expected, "Correct what is named.") from error


def _development(cohort: Cohort, excluded: dict[str, str]) -> dict[str, Any]:
    """Return what development.json says: the tables trained on, and who was left out and why."""
    return {
        "cohort": cohort.meta.name,
        "synthetic": cohort.meta.synthetic,
        "excluded": excluded,
        **_digests(cohort),
    }


def _digests(cohort: Cohort) -> dict[str, str]:
    return {f"{name}_sha256": file_sha256(cohort.folder / file) for name, file in sorted(cohort.meta.tables.items())}


if __name__ == "__main__":
    run_stage(train, sys.argv[1:])
