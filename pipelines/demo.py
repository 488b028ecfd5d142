"""`hallmark demo`: the whole road on synthetic cohorts, ending with a promotion, a refusal and an "I do not know"."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from pipelines.commands import promote_model, register_model, show_status, show_verdict
from pipelines.gate import derive_verdict
from pipelines.layout import (
    MLFLOW_DATABASE,
    artifact_folder,
    cohort_folder,
    evidence_file,
    oracle_file,
    paper_sized_file,
    predictions_table,
    protocol_file,
    verdict_file,
)
from pipelines.oracle import against_oracle, oracle_text
from pipelines.params import Params, load_params
from pipelines.planted import SLIDES, planted_text, recovered_features
from pipelines.protocol_commands import lock_plan
from registry.artefact import read_artefact
from registry.errors import Refusal
from validation.cohort import load_cohort
from validation.documents import write_json
from validation.evaluate import evaluate_cohort
from validation.evidence import read_evidence
from validation.protocol import load_protocol
from validation.report import as_text
from validation.sealing.opening import open_demonstration
from validation.verdict import Verdict

MODEL = "mri_distant_metastasis"
CHALLENGER = "mri_shortcut_challenger"
COHORT = "mri_external"
SOUND = (
    MODEL,
    "ct_stroma_survival",
    "ct_chemo_response",
    "histology_spatial_survival",
)  # promoted if, and only if, their gates pass
PAPER_N = 65
EVERYTHING: list[str] = []  # targets of `dvc repro`
DVC_STAGE = re.compile(r"(Running stage|Stage) '([^']+)'( didn't change)?")


def run_demo() -> int:
    """Run the road and tell what happens; returns 0 when every sound model is promoted and the challenger refused."""
    started = time.monotonic()
    typer.echo("All cohorts of this demonstration are SYNTHETIC: no figure below says anything about patients.\n")
    steps, code = reproduce()
    if code:
        return code
    promoted = {model: _judged_and_promoted(model, steps) for model in SOUND}
    _title(f"A challenger that learnt a scanner artefact: {CHALLENGER}")
    show_verdict(CHALLENGER, "text")
    refused = not _registered_and_promoted(CHALLENGER)
    _title(f"The same model on the paper's n: the first {PAPER_N} patients of {COHORT} alone")
    small = paper_sized_verdict(MODEL, COHORT)
    typer.echo(as_text(small))
    write_json(paper_sized_file(MODEL), small.to_dict())
    _title("Status (synthetic)")
    show_status(as_json=False)
    _title("What each step took, seconds (side by side in part)")
    typer.echo("\n".join(f"  {seconds:7.1f}  {name}" for name, seconds in steps if seconds >= 0.05))
    typer.echo(f"  {time.monotonic() - started:7.1f}  in all")
    _title("Where to look")
    typer.echo(_where_to_look())
    if all(promoted.values()) and refused:
        return 0
    wrong = [model for model, done in promoted.items() if not done] + ([] if refused else [CHALLENGER])
    typer.echo(f"\nNot as it should be: {', '.join(wrong)}. Sound models must be promoted, the challenger refused.")
    return 1


def reproduce() -> tuple[list[tuple[str, float]], int]:
    """Run `dvc repro`, show its output, and time each DVC stage.

    DVC runs one stage after another. What does not need each other runs in two lanes, each a `dvc repro` of its own as
    DVC's manual advises: the cohorts; then, after the trainings on several threads, those on one beside the predictions
    of the other models.

    Returns:
        Name and seconds of every DVC stage that ran, and the exit code; in lanes the seconds overlap, and hold the
        waiting for DVC's lock.
    """
    steps: list[tuple[str, float]] = []
    for number, lanes in enumerate((*rounds(load_params()), [EVERYTHING])):
        if number == 1:  # the cohorts are there: from now on nobody changes a plan unseen
            for architecture in sorted({entry.architecture for entry in load_params().models.values()}):
                lock_plan(architecture)
        with ThreadPoolExecutor(len(lanes)) as pool:
            results = list(pool.map(_repro, lanes))
        steps += [step for lane, _ in results for step in lane]
        if code := next((code for _, code in results if code), 0):
            return steps, code
    return steps, 0


def rounds(params: Params) -> list[list[list[str]]]:
    """Return what is reproduced one after another: rounds of lanes, a lane being targets of `dvc repro`.

    Two lanes never touch the same cohort or model, which DVC would refuse: a model on one thread that shares a cohort
    with those on several is trained in a lane of its own round.
    """
    several = {model for model in params.models if params.training(model)["threads"] > 1}
    cohorts = [f"check@{cohort}" for cohort in params.cohorts]
    on_several = [f"train@{model}" for model in params.models if model in several]
    on_one = [f"train@{model}" for model in params.models if model not in several]
    predicted = [f"predict@{name}" for name, entry in params.validations.items() if entry.model in several]
    shared = {entry.development for model, entry in params.models.items() if model not in several} & {
        cohort for model in several for cohort in (params.model(model).development, *params.validation_cohorts(model))
    }
    last = [[on_one], [predicted]] if shared else [[on_one, predicted]]
    found = [[cohorts[0::2], cohorts[1::2]], [on_several], *last]
    return [lanes for lanes in ([lane for lane in each if lane] for each in found) if lanes]


def _repro(targets: Sequence[str]) -> tuple[list[tuple[str, float]], int]:
    """Run `dvc repro` for some targets, none for everything, and show its output."""
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", *targets]
    steps: list[tuple[str, float]] = []
    running, since = "", time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            if found := DVC_STAGE.search(line):
                if running:
                    steps.append((running, time.monotonic() - since))
                running, since = "" if found[3] else found[2], time.monotonic()
    if running:
        steps.append((running, time.monotonic() - since))
    return steps, process.returncode


def paper_sized_verdict(model: str, cohort: str) -> Verdict:
    """Return the verdict on the first 65 patients of a cohort; nothing is written."""
    params = load_params()
    artefact = read_artefact(artifact_folder(model))
    whole = load_cohort(cohort_folder(cohort))
    part = replace(whole, patients=whole.patients.head(PAPER_N))
    chosen = set(part.patients["patient_id"])
    predictions, outcomes = pd.read_parquet(predictions_table(model, cohort)), open_demonstration(whole)
    on_disk = read_evidence(evidence_file(model, cohort))
    evidence = evaluate_cohort(
        load_protocol(protocol_file(params.model(model).architecture)),
        artefact.contract,
        part,
        predictions=predictions[predictions["patient_id"].isin(chosen)],
        outcomes=outcomes[outcomes["patient_id"].isin(chosen)],
        digests={key: value for key, value in on_disk["digests"].items() if key != "analysis"},
    )
    return derive_verdict(params, model, {cohort: evidence})


def _judged_and_promoted(model: str, steps: list[tuple[str, float]]) -> bool:
    """Show a model's verdict, register and promote it, and compare it with the oracle; whether it was promoted."""
    _title(f"The verdict on {model}")
    show_verdict(model, "text")
    since = time.monotonic()
    promoted = _registered_and_promoted(model)
    steps.append((f"register and promote {model}", time.monotonic() - since))
    _title("Against the oracle (the truth behind the synthetic patients, same cohorts)")
    external = load_protocol(protocol_file(load_params().model(model).architecture)).analysis.external
    comparison = [row for cohort in external for row in against_oracle(model, cohort)]
    typer.echo(oracle_text(comparison))
    document: dict[str, Any] = {"rows": [asdict(row) for row in comparison]}
    if model == SLIDES:
        _title("Spatial organisation features against those planted in the slides")
        features = [row for cohort in external for row in recovered_features(model, cohort)]
        typer.echo(planted_text(features))
        document["features"] = [asdict(row) for row in features]
    write_json(oracle_file(model), document)
    return promoted


def _registered_and_promoted(model: str) -> bool:
    register_model(model)
    try:
        promote_model(model)
    except Refusal as refusal:
        typer.echo(f"REFUSED (exit code {refusal.exit_code}):\n{refusal}")
        return False
    return True


def _title(text: str) -> None:
    typer.echo(f"\n{text}\n{'-' * len(text)}")


def _where_to_look() -> str:
    return "\n".join(
        [
            f"  verdict file   {verdict_file(MODEL)}",
            f"  evidence       {Path('evidence') / MODEL}",
            f"  release        {Path('releases') / MODEL / 'champion.json'}",
            f"  MLflow UI      mlflow ui --backend-store-uri sqlite:///{MLFLOW_DATABASE}   (then http://127.0.0.1:5000)",
            '  add a cohort   README.md, "Bring your own cohort": hallmark check, params.yaml, protocol, dvc repro',
        ]
    )
