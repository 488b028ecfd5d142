"""What the commands do and print; `pipelines.cli` holds their help, so that help stays fast.

Names and outputs that cannot be right are refused before torch or MLflow is imported, where no registry must be asked.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from pipelines.names import require_cohort_folder
from pipelines.params import load_params
from pipelines.stage import BAD_INPUT
from pipelines.writing import require_writable_file


def check_folder(folder: Path, as_json: bool) -> int:
    """Check a cohort folder and print what was found."""
    require_cohort_folder(folder)
    from pipelines.progress import LineProgress
    from validation.check import check_cohort

    report = check_cohort(folder, LineProgress(f"checking {folder.name}"))
    document = report.to_dict()
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return 0 if document["success"] else BAD_INPUT
    typer.echo("\n".join(_findings(document)))
    return 0 if document["success"] else BAD_INPUT


def _findings(document: Mapping[str, Any]) -> list[str]:
    """Return one line per check, one per failure, and a last line with the outcome."""
    lines = []
    for item in document["checks"]:
        lines.append(
            f"{'ok    ' if item['success'] else 'FAILED'} {item['id']}: {item['what']} ({item['evaluated']} looked at)"
        )
        for found in item["failures"]:
            row = f"row {found['row']}" if found["row"] else ""
            place = " ".join(str(part) for part in (found["file"], row, found["patient_id"], found["column"]) if part)
            lines.append(f"       {place}: found {found['found']}; expected {found['expected']}")
        if (hidden := item.get("failures_total", 0) - len(item["failures"])) > 0:
            lines.append(f"       and {hidden} more")
    outcome = "every check passed" if document["success"] else "not fit for use"
    return [*lines, f"{document['cohort']}: {document['n']} patients, {outcome}"]


def show_verdict(model: str, form: str) -> int:
    """Print the verdict on a model; return its exit code."""
    params = load_params()
    params.model(model)
    from pipelines.release import current_verdict
    from validation.report import as_markdown, as_text

    verdict = current_verdict(params, model)
    text = {
        "json": lambda: json.dumps(verdict.to_dict(), indent=2, ensure_ascii=False),
        "markdown": lambda: as_markdown(verdict),
        "text": lambda: as_text(verdict),
    }[form]()
    typer.echo(text)
    return verdict.exit_code


def register_model(model: str) -> int:
    """Register a model and say what was done."""
    load_params().model(model)
    from pipelines.release import register

    done = register(model)
    what = (
        "registered"
        if done.created
        else "was registered already" + (f"; updated: {', '.join(done.updated)}" if done.updated else "")
    )
    typer.echo(f"{model}: {done.name} version {done.version} {what} (artefact {done.digest[:12]})")
    return 0


def promote_model(model: str) -> int:
    """Promote a model and say what was done; a refusal is raised."""
    load_params().model(model)
    from pipelines.release import promote

    done = promote(model)
    what = "is champion now" if done.changed else "was champion already"
    previous = f"; previous: version {done.previous}" if done.previous else ""
    typer.echo(f"{model}: {done.name} version {done.version} {what}{previous} (artefact {done.digest[:12]})")
    return 0


def show_status(as_json: bool) -> int:
    """Print every model of params.yaml and every registered version."""
    from pipelines.status import status_table, status_values

    values = status_values()
    typer.echo(
        json.dumps([asdict(v) for v in values], indent=2, ensure_ascii=False) if as_json else status_table(values)
    )
    return 0


def explain_model(model: str, cohort: str, patients: Sequence[str], output: Path | None) -> int:
    """Draw what a model looked at in some patients, and list the patients or maps that are missing."""
    from pipelines.explain import explain, summary
    from pipelines.layout import explanation_folder

    folder = explanation_folder(model, cohort) if output is None else output
    maps, failed = explain(model, cohort, patients, folder)
    typer.echo("\n".join(summary(maps, failed, folder)))
    return 0


def draw_synthetic_images(model: str, output: Path | None) -> int:
    """Draw images that DeepSMOTE made in the training of a model."""
    from pipelines.deepsmote import draw_deepsmote
    from pipelines.layout import deepsmote_sheet

    path = deepsmote_sheet(model) if output is None else output
    if output is not None:
        require_writable_file(output)
    count = draw_deepsmote(model, path)
    typer.echo(f"{path}: {count} real crops with what DeepSMOTE made of them")
    return 0


def predict_with_registered(name: str, alias: str, folder: Path, output: Path) -> int:
    """Predict a cohort with a registered model whose every digest has been checked."""
    require_writable_file(output)
    require_cohort_folder(folder)
    from pipelines.predict import predict_cohort, write_predictions
    from registry.loading import load
    from validation.cohort import load_cohort

    cohort = load_cohort(folder)
    loaded = load(name, alias)
    try:
        predictions = predict_cohort(loaded.artefact, cohort)
        write_predictions(predictions, loaded.artefact, cohort, output)
    finally:
        shutil.rmtree(loaded.folder)
    failed = int((predictions["status"] == "failed").sum())
    typer.echo(
        f"{output}: {len(predictions)} patients, {failed} without prediction ({name}@{alias}, version {loaded.version})"
    )
    return 0
