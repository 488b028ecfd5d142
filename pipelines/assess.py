"""The command `hallmark assess`: options to a plan, the plan to a table on the terminal and a JSON file."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from pipelines.writing import refusals_as_input_errors, require_writable_file
from validation.assess.assessment import assess
from validation.assess.questions import Plan
from validation.assess.remarks import remarks
from validation.assess.report import as_document, as_text
from validation.assess.table import BinaryColumns, Grouping, PredictionTable, SurvivalColumns, read_predictions
from validation.documents import write_json
from validation.errors import InputError

USE = "See `hallmark assess --help`."
FEW_ROWS, REPLICATES, REPLICATES_OF_MANY = 10_000, 2000, 200


@dataclass(frozen=True)
class Options:
    """The options as typed.

    Attributes:
        time: Column of follow-up.
        event: Column of the event indicator.
        linear_predictor: Column of the prediction.
        risk: HORIZON=COLUMN of predicted risks.
        outcome: Column of a binary outcome.
        probability: Column of its predicted probability.
        compare: Column of a second model's linear predictor or probability.
        compare_risk: HORIZON=COLUMN of its risks.
        horizon: More horizons.
        threshold: Risks from which on patients are treated.
        patient: Column of identifiers.
        cluster: Column of what is independent.
        centre: Column of centres.
        subgroup: Columns whose values are assessed apart.
        level: Two-sided confidence level.
        bootstrap: Replicates; None for the usual number.
        seed: Of the bootstrap.
    """

    time: str | None
    event: str | None
    linear_predictor: str | None
    risk: Sequence[str]
    outcome: str | None
    probability: str | None
    compare: str | None
    compare_risk: Sequence[str]
    horizon: Sequence[float]
    threshold: Sequence[float]
    patient: str | None
    cluster: str | None
    centre: str | None
    subgroup: Sequence[str]
    level: float
    bootstrap: int | None
    seed: int


def _risks(option: str, given: Sequence[str]) -> dict[float, str]:
    risks: dict[float, str] = {}
    for text in given:
        horizon_text, equals, column = text.partition("=")
        try:
            horizon = float(horizon_text)
        except ValueError:
            horizon = math.nan
        if not equals or not column or not 0 < horizon < math.inf or horizon in risks:
            raise InputError(f"option {option}", repr(text), "HORIZON=COLUMN, each horizon once, as 36=risk_36m", USE)
        risks[horizon] = column
    return dict(sorted(risks.items()))


def _columns(options: Options) -> SurvivalColumns | BinaryColumns:
    predictor = options.linear_predictor or " ".join(options.risk)
    survival = {"--time": options.time, "--event": options.event, "--linear-predictor or --risk": predictor}
    binary = {"--outcome": options.outcome, "--probability": options.probability}
    of_survival = [name for name, value in survival.items() if value]
    of_binary = [name for name, value in binary.items() if value]
    if of_survival and of_binary:
        raise InputError("options", f"{of_survival[0]} and {of_binary[0]}", "one kind of outcome", USE)
    wanted = binary if of_binary else survival
    missing = [name for name, value in wanted.items() if not value]
    if missing:
        kinds = "--time, --event and a prediction, or --outcome and --probability"
        raise InputError("options", f"no {', '.join(missing)}", kinds, USE)
    if options.outcome and options.probability:
        if options.horizon or options.compare_risk:
            raise InputError("options", "--horizon or --compare-risk", "none for a binary outcome", USE)
        return BinaryColumns(options.outcome, options.probability, options.compare)
    return _survival_columns(options)


def _survival_columns(options: Options) -> SurvivalColumns:
    risks, others = _risks("--risk", options.risk), _risks("--compare-risk", options.compare_risk)
    for horizon in others:
        if horizon not in risks:
            found = f"{horizon:g}={others[horizon]} without a risk of the first model there"
            raise InputError("option --compare-risk", found, "a horizon of --risk", USE)
    if options.compare and options.linear_predictor is None:
        raise InputError("options", "--compare without --linear-predictor", "the same kind of prediction twice", USE)
    if options.threshold and not risks:
        raise InputError("options", "--threshold without --risk", "a risk that the threshold is compared with", USE)
    return SurvivalColumns(
        str(options.time), str(options.event), options.linear_predictor, risks, options.compare, others
    )


def _within(option: str, values: Sequence[float], low: float, high: float) -> tuple[float, ...]:
    for value in values:
        if not low < value < high:
            raise InputError(f"option {option}", f"{value:g}", f"a number above {low:g} and below {high:g}", USE)
    return tuple(sorted(set(values)))


def plan_of(options: Options) -> Plan:
    """Return what the options ask for, all but the number of replicates, which depends on the table.

    Raises:
        InputError: An option is missing, contradicts another or is out of range.
    """
    columns = _columns(options)
    risks = columns.risks if isinstance(columns, SurvivalColumns) else {}
    thresholds = options.threshold or ((0.5,) if isinstance(columns, BinaryColumns) else ())
    _within("--level", [options.level], 0.5, 1)
    if not 0 <= options.seed < 2**63:
        raise InputError("option --seed", str(options.seed), "0 or more, below 2^63", USE)
    if options.bootstrap is not None and options.bootstrap != 0 and not 100 <= options.bootstrap <= 1_000_000:
        raise InputError("option --bootstrap", str(options.bootstrap), "0 for none, or 100 to 1000000", USE)
    return Plan(
        columns=columns,
        grouping=Grouping(options.patient, options.cluster, options.centre, tuple(options.subgroup)),
        horizons=_within("--horizon", [*options.horizon, *risks], 0, math.inf),
        thresholds=_within("--threshold", thresholds, 0, 1),
        level=options.level,
        replicates=options.bootstrap or 0,
        seed=options.seed,
    )


def _progress(what: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what}")
        sys.stderr.flush()


def _require_output(path: Path, table: Path) -> None:
    """Refuse, before any work, an output that could not be written, or that is the table itself."""
    require_writable_file(path)
    if path.exists() and table.exists() and path.samefile(table):
        found, expected = "the table that is to be assessed", "a new file, or another one to replace"
        raise InputError(str(path), found, expected, "Name another file.")


def _require_both_classes(table: PredictionTable, plan: Plan) -> None:
    columns = plan.columns
    column = columns.event if isinstance(columns, SurvivalColumns) else columns.outcome
    events = int(table.numbers[column].sum())
    if events == 0 or (events == table.n and isinstance(columns, BinaryColumns)):
        found = f"{'no' if events == 0 else 'only'} {column} = 1 among {table.n} rows"
        raise InputError(table.file, found, "patients with the event, and patients without", "Add patients.")


def assess_table(path: Path, options: Options, output: Path | None) -> int:
    """Assess a table, print the estimates, and write them as JSON if asked.

    Raises:
        InputError: As `plan_of` and `read_predictions`; nobody or everybody has the event; nothing can be estimated;
            the JSON file cannot be written.
    """
    plan = plan_of(options)
    if output is not None:
        _require_output(output, path)
    table = read_predictions(path, plan.columns, plan.grouping)
    _require_both_classes(table, plan)
    if options.bootstrap is None:
        plan = replace(plan, replicates=REPLICATES if table.n <= FEW_ROWS else REPLICATES_OF_MANY)
    answers = assess(table, plan, _progress)
    _progress("")
    if not any(answer.estimate for answer in answers if answer.group is None):
        raise InputError(table.file, answers[0].reason, "patients and events enough for one estimate", "Add patients.")
    notes = remarks(table, plan, answers)
    if output is not None:
        with refusals_as_input_errors(output):
            write_json(output, as_document(answers, notes, table, plan))
    typer.echo(as_text(answers, notes, table, plan))
    return 0
