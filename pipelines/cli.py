"""The command line. Every command says what it reads, what it writes and what it exits with; imports stay lazy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="hallmark",
    help="Release gate and model registry for clinical imaging models. A model carries `champion` only when evidence "
    "on patients it has never seen says so. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Model = Annotated[str, typer.Argument(help="Entry of `models` in params.yaml.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def check(
    folder: Annotated[
        Path, typer.Argument(help="Cohort folder with cohort.yaml, tables and images.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Check a cohort: tables, images, masks, units, digests.

    Reads the folder; writes nothing. Exits with 0 when every check passes, 2 when one fails or the cohort cannot be
    read, 4 on an internal error.
    """
    from pipelines.commands import check_folder

    raise typer.Exit(check_folder(folder, as_json))


@app.command()
def gate(
    model: Model,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown instead of plain text.")] = False,
) -> None:
    """Print the verdict on a model, failures first.

    Reads evidence/MODEL/verdict.json and checks that it follows from the evidence and the protocol on disk; writes
    nothing. Exits with 0 PASS, 1 FAIL, 3 INCONCLUSIVE, 2 on bad input (no verdict, or one that is out of date), 4 on an
    internal error.
    """
    from pipelines.commands import show_verdict

    raise typer.Exit(show_verdict(model, "json" if as_json else "markdown" if markdown else "text"))


@app.command()
def register(model: Model) -> None:
    """Register artifacts/MODEL with its evidence as a version in MLflow; the same bytes are registered once.

    Reads artifacts/MODEL, evidence/MODEL and params.yaml; writes to the MLflow store (MLFLOW_TRACKING_URI, by default
    mlflow.db here). Exits with 0 when registered or already there, 2 on bad input, 4 on an internal error.
    """
    from pipelines.commands import register_model

    raise typer.Exit(register_model(model))


@app.command()
def promote(model: Model) -> None:
    """Give a registered model the alias `champion`, if and only if its verdict is PASS.

    Reads artifacts/MODEL, evidence/MODEL, the protocol and params.yaml; re-derives the verdict; writes the alias in the
    MLflow store and releases/NAME/champion.json (and original.json, once). The former champion becomes `previous`.
    Exits with 0 promoted (or champion already), 1 refused on FAIL, 3 refused on INCONCLUSIVE, 2 on bad input, 4 on an
    internal error.
    """
    from pipelines.commands import promote_model

    raise typer.Exit(promote_model(model))


@app.command()
def status(as_json: AsJson = False) -> None:
    """Print one table of models, versions, aliases, verdicts and cohorts.

    Reads params.yaml, evidence/ and the MLflow store; writes nothing. Exits with 0 when done, 2 on bad input or use, 4
    on an internal error.
    """
    from pipelines.commands import show_status

    raise typer.Exit(show_status(as_json))


@app.command()
def predict(
    name: Annotated[str, typer.Argument(help="Registered name.", show_default=False)],
    folder: Annotated[Path, typer.Argument(help="Cohort folder.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.", show_default=False)],
    alias: Annotated[str, typer.Option(help="Alias of the version to use.")] = "champion",
) -> None:
    """Predict a cohort with a registered model, after checking every byte of it against its digest.

    Reads the MLflow store, releases/ and the cohort folder (never its outcomes); writes OUTPUT. Exits with 0 when done
    (patients that could not be processed are in the file with the reason), 2 on bad input or when the model's bytes are
    not those that were certified, 4 on an internal error.
    """
    from pipelines.commands import predict_with_registered

    raise typer.Exit(predict_with_registered(name, alias, folder, output))


@app.command()
def demo() -> None:
    """Run the whole road on the synthetic cohorts: dvc repro, register, promote, and one refusal.

    Reads the repository; writes data/, training/, artifacts/, predictions/, evidence/, releases/ and the MLflow store.
    Exits with 0 when the model was promoted and the challenger refused, else with the code of the step that failed.
    """
    from pipelines.demo import run_demo

    raise typer.Exit(run_demo())


def main() -> None:
    """Run a command; bad use or input is one line and exit 2, an unforeseen error a traceback and exit 4."""
    from pipelines.stage import exit_code_of

    sys.exit(exit_code_of(app))
