"""The command line. Every command says what it reads, what it writes and what it exits with; imports stay lazy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.cli_cohort import cohort
from pipelines.cli_ledger import ledger
from pipelines.cli_protocol import protocol

app = typer.Typer(
    name="hallmark",
    help="Release gate and model registry for clinical imaging models. A model carries `champion` only when evidence "
    "on patients it has never seen says so. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cohort)
app.add_typer(protocol)
app.add_typer(ledger)

Model = Annotated[str, typer.Argument(help="Entry of `models` in params.yaml.", show_default=False)]
CohortName = Annotated[str, typer.Argument(help="Cohort in data/cohorts.", show_default=False)]
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
def evaluate(model: Model, cohort: CohortName) -> None:
    """Open the sealed outcomes of a cohort for one model, by its locked protocol, and write the evidence.

    The DVC stage `evaluate`, by hand. Reads artifacts/MODEL, predictions/MODEL, the cohort, the protocol with its lock,
    the key and the exposure ledger; adds a line to the ledger unless the same was asked before, and writes
    evidence/MODEL. Exits with 0 when done, 2 on bad input or when the outcomes may not be opened, 4 on an internal
    error.
    """
    from pipelines.evaluate import evaluate as evaluate_stage

    evaluate_stage(model, cohort)


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
def explain(
    model: Model,
    cohort: CohortName,
    patient: Annotated[list[str] | None, typer.Option(help="Patient to explain; repeat.", show_default=False)] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write; explanations/MODEL/COHORT.", show_default=False),
    ] = None,
) -> None:
    """Draw what a model looked at in some patients of a cohort: Grad-CAM of volumes, tissue maps of slides.

    Without --patient: those with the highest and the lowest value of each score in predictions/MODEL/COHORT.parquet, or
    the first four of the cohort. Reads training/MODEL, artifacts/MODEL where it exists, the cohort (never its outcomes)
    and the predictions, and finished tile maps of slides that were read before; writes a PNG per patient and map,
    maps.npz and maps.json. The maps are no evidence; no gate looks at them. Exits with 0 when done (patients that could
    not be processed are listed with the reason), 2 on bad input, 4 on an internal error.
    """
    from pipelines.commands import explain_model

    raise typer.Exit(explain_model(model, cohort, patient or (), output))


@app.command()
def deepsmote(
    model: Model,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="PNG to write; explanations/MODEL/deepsmote.png.", show_default=False),
    ] = None,
) -> None:
    """Draw images that DeepSMOTE made in a training beside the real crops they were made from.

    Reads training/MODEL/deepsmote.npz, which a training with DeepSMOTE leaves; writes one PNG. Exits with 0 when done,
    2 on bad input, 4 on an internal error.
    """
    from pipelines.commands import draw_synthetic_images

    raise typer.Exit(draw_synthetic_images(model, output))


Name = str | None
Names = list[str] | None
Numbers = list[float] | None


def _option(help_text: str, *declarations: str) -> Any:
    return typer.Option(*declarations, help=help_text, show_default=False)


@app.command()
def assess(
    table: Annotated[Path, typer.Argument(help="CSV or parquet table, one row per patient.", show_default=False)],
    time: Annotated[Name, _option("Column of follow-up, in any unit.")] = None,
    event: Annotated[Name, _option("Column: 1 for the event, 0 without.")] = None,
    linear_predictor: Annotated[Name, _option("Column of the prediction: higher means earlier event.")] = None,
    risk: Annotated[Names, _option("HORIZON=COLUMN of predicted risks, as 36=risk_36m; repeat.")] = None,
    outcome: Annotated[Name, _option("Column: 1 for cases, 0 for controls (instead of --time).")] = None,
    probability: Annotated[Name, _option("Column of the predicted probability of being a case.")] = None,
    compare: Annotated[Name, _option("Column of a second model's linear predictor or probability.")] = None,
    compare_risk: Annotated[Names, _option("HORIZON=COLUMN of the second model's risks; repeat.")] = None,
    horizon: Annotated[Numbers, _option("Prediction horizon, in the unit of --time; repeat.")] = None,
    threshold: Annotated[Numbers, _option("Risk from which on one treats; repeat. 0.5 for a binary outcome.")] = None,
    patient: Annotated[Name, _option("Column of identifiers; no patient may occur twice.")] = None,
    cluster: Annotated[Name, _option("Column of patients that have several rows.")] = None,
    centre: Annotated[Name, _option("Column of centres: each apart, and what the next may bring.")] = None,
    subgroup: Annotated[Names, _option("Column whose values are assessed apart; repeat.")] = None,
    level: Annotated[float, typer.Option(help="Two-sided confidence level.")] = 0.95,
    bootstrap: Annotated[
        int | None, _option("Replicates, 0 for none; by default 2000, or 200 above 10000 rows.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 1,
    output: Annotated[Path | None, _option("File to write every estimate to, as JSON.", "--json")] = None,
) -> None:
    """Estimate how good predictions are, from a table that holds nothing but predictions and outcomes.

    Either --time, --event and --linear-predictor, or --outcome and --probability. Reads TABLE; writes the JSON file, if
    one is named. What the data cannot define is listed with the reason. Exits with 0 when done, 2 on bad input or use
    or when nothing can be estimated, 4 on an internal error. docs/estimates.md explains every estimate.
    """
    from pipelines.assess import Options, assess_table

    options = Options(
        time=time,
        event=event,
        linear_predictor=linear_predictor,
        risk=risk or (),
        outcome=outcome,
        probability=probability,
        compare=compare,
        compare_risk=compare_risk or (),
        horizon=horizon or (),
        threshold=threshold or (),
        patient=patient,
        cluster=cluster,
        centre=centre,
        subgroup=subgroup or (),
        level=level,
        bootstrap=bootstrap,
        seed=seed,
    )
    raise typer.Exit(assess_table(table, options, output))


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
