"""The command `hallmark assess`: options to a plan, the plan to a table on the terminal and a JSON file."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from validation.assess.assessment import assess
from validation.assess.questions import Plan
from validation.assess.report import as_document, as_text
from validation.assess.table import BinaryColumns, Grouping, SurvivalColumns, read_predictions
from validation.errors import InputError
from validation.evidence import write_json

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
    survival = {
        "--time": options.time,
        "--event": options.event,
        "--linear-predictor": options.linear_predictor,
    }
    binary = {"--outcome": options.outcome, "--probability": options.probability}
    of_survival = [name for name, value in survival.items() if value] + ["--risk"] * bool(options.risk)
    of_binary = [name for name, value in binary.items() if value]
    if of_survival and of_binary:
        raise InputError("options", f"{of_survival[0]} and {of_binary[0]}", "one kind of outcome", USE)
    wanted = binary if of_binary else survival
    missing = [name for name, value in wanted.items() if not value]
    if missing:
        kinds = "--time, --event and --linear-predictor, or --outcome and --probability"
        raise InputError("options", f"no {', '.join(missing)}", kinds, USE)
    if options.outcome and options.probability:
        if options.horizon or options.compare_risk:
            raise InputError("options", "--horizon or --compare-risk", "none for a binary outcome", USE)
        return BinaryColumns(options.outcome, options.probability, options.compare)
    if options.compare_risk and not options.compare:
        raise InputError("options", "--compare-risk without --compare", "the second model's linear predictor", USE)
    return SurvivalColumns(
        str(options.time),
        str(options.event),
        str(options.linear_predictor),
        _risks("--risk", options.risk),
        options.compare,
        _risks("--compare-risk", options.compare_risk),
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
    if options.seed < 0:
        raise InputError("option --seed", str(options.seed), "0 or more", USE)
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


def _require_output(path: Path) -> None:
    if path.is_dir() or not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise InputError(str(path), "no file that can be written", "a file in an existing folder", "Name another file.")


def assess_table(path: Path, options: Options, output: Path | None) -> int:
    """Assess a table, print the estimates, and write them as JSON if asked.

    Raises:
        InputError: As `plan_of` and `read_predictions`; a horizon beyond follow-up; nothing can be estimated.
    """
    from dataclasses import replace

    plan = plan_of(options)
    if output is not None:
        _require_output(output)
    table = read_predictions(path, plan.columns, plan.grouping)
    if options.bootstrap is None:
        plan = replace(plan, replicates=REPLICATES if table.n <= FEW_ROWS else REPLICATES_OF_MANY)
    answers = assess(table, plan, _progress)
    _progress("")
    if not any(answer.estimate for answer in answers if answer.group is None):
        raise InputError(table.file, answers[0].reason, "patients and events enough for one estimate", "Add patients.")
    if output is not None:
        write_json(output, as_document(answers, table, plan))
    typer.echo(as_text(answers, table, plan))
    return 0
