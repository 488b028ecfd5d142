"""`hallmark demo`: the whole road on synthetic cohorts, ending with a promotion, a refusal and an "I do not know"."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import typer

from pipelines.commands import promote_model, register_model, show_status, show_verdict
from pipelines.layout import (
    MLFLOW_DATABASE,
    artifact_folder,
    cohort_folder,
    predictions_table,
    protocol_file,
    verdict_file,
)
from pipelines.oracle import against_oracle
from pipelines.params import load_params
from registry.errors import Refusal

MODEL = "mri_distant_metastasis"
CHALLENGER = "mri_shortcut_challenger"
COHORT = "mri_external"
PAPER_N = 65
DVC_STAGE = re.compile(r"(Running stage|Stage) '([^']+)'( didn't change)?")


def run_demo() -> int:
    """Run the road and tell what happens; returns 0 when the model was promoted and the challenger refused."""
    started = time.monotonic()
    typer.echo("All cohorts of this demonstration are SYNTHETIC: no figure below says anything about patients.\n")
    steps, code = reproduce()
    if code:
        return code
    steps += [_timed("register", lambda: register_model(MODEL)), _timed("promote", lambda: promote_model(MODEL))]
    _title(f"What was promoted: {MODEL}")
    show_verdict(MODEL, "text")
    _title("Against the oracle (the true linear predictor of the synthetic patients, same cohort)")
    typer.echo(oracle_text(MODEL, COHORT))
    refused = _show_refusal()
    _title(f"The same model on the paper's n: the first {PAPER_N} patients of {COHORT} alone")
    typer.echo(paper_sized_verdict(MODEL, COHORT))
    _title("Status (synthetic)")
    show_status(as_json=False)
    _title("What each step took, seconds")
    typer.echo("\n".join(f"  {seconds:7.1f}  {name}" for name, seconds in steps if seconds >= 0.05))
    typer.echo(f"  {time.monotonic() - started:7.1f}  in all")
    _title("Where to look")
    typer.echo(_where_to_look())
    return 0 if refused else 1


def reproduce() -> tuple[list[tuple[str, float]], int]:
    """Run `dvc repro`, show its output, and time each DVC stage.

    Returns:
        Name and seconds of every DVC stage that ran, and the exit code.
    """
    command = [sys.executable, "-m", "dvc", "repro"]
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


def oracle_text(model: str, cohort: str) -> str:
    """Return model and oracle side by side, with intervals and the share of the achievable that was reached."""
    lines = [f"{'':18}{'model':>24}{'oracle':>24}{'share above 0.5':>18}"]
    for row in against_oracle(model, cohort):
        mine = f"{row.model['value']:.3f} [{row.model['lower']:.3f}, {row.model['upper']:.3f}]"
        best = f"{row.oracle.value:.3f} [{row.oracle.lower:.3f}, {row.oracle.upper:.3f}]"
        lines.append(f"{row.quantity:18}{mine:>24}{best:>24}{row.share:>17.0%}")
        lines.append(f"{'':18}{cohort}, synthetic, n {row.oracle.n}, events {row.oracle.events}")
    return "\n".join(lines)


def paper_sized_verdict(model: str, cohort: str) -> str:
    """Return the verdict on the first 65 patients of a cohort; nothing is written."""
    from dataclasses import replace

    from pipelines.gate import derive_verdict
    from registry.artefact import read_artefact
    from validation.assess import assess
    from validation.cohort import load_cohort, load_outcomes
    from validation.protocol import load_protocol
    from validation.report import as_text

    params = load_params()
    artefact = read_artefact(artifact_folder(model))
    whole = load_cohort(cohort_folder(cohort))
    part = replace(whole, patients=whole.patients.head(PAPER_N))
    chosen = set(part.patients["patient_id"])
    predictions = pd.read_parquet(predictions_table(model, cohort))
    outcomes = load_outcomes(whole)
    evidence = assess(
        load_protocol(protocol_file(params.model(model).architecture)),
        artefact.contract,
        part,
        predictions=predictions[predictions["patient_id"].isin(chosen)],
        outcomes=outcomes[outcomes["patient_id"].isin(chosen)],
        digests={"artifact": artefact.digest, "predictions": "", "outcomes": "", "patients": ""},
    )
    return as_text(derive_verdict(params, model, {cohort: evidence}))


def _show_refusal() -> bool:
    _title(f"A challenger that learnt a scanner artefact: {CHALLENGER}")
    register_model(CHALLENGER)
    show_verdict(CHALLENGER, "text")
    try:
        promote_model(CHALLENGER)
    except Refusal as refusal:
        typer.echo(f"REFUSED, as it should be (exit code {refusal.exit_code}):\n{refusal}")
        return True
    typer.echo("The challenger was NOT refused: the demonstration failed.")
    return False


def _timed(name: str, action: Callable[[], object]) -> tuple[str, float]:
    since = time.monotonic()
    action()
    return name, time.monotonic() - since


def _title(text: str) -> None:
    typer.echo(f"\n{text}\n{'-' * len(text)}")


def _where_to_look() -> str:
    return "\n".join(
        [
            f"  verdict file   {verdict_file(MODEL)}",
            f"  evidence       {Path('evidence') / MODEL}",
            f"  release        {Path('releases') / MODEL / 'champion.json'}",
            f"  MLflow UI      mlflow ui --backend-store-uri sqlite:///{MLFLOW_DATABASE}   (then http://127.0.0.1:5000)",
            "  add a cohort   README.md, \"Bring your own cohort\": check it, list it in params.yaml and the protocol, dvc repro",
        ]
    )
