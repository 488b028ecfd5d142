"""The table of predictions: which column is what, and its cells checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from validation.cells import convert, read_table, rule_findings
from validation.errors import InputError
from validation.estimators.samples import Bools, Floats
from validation.findings import CORRECT_THE_CELL, Finding
from validation.schema import Column

Labels = NDArray[np.str_]
MISSING = "missing"
PATIENT_ID = "patient_id"
MAX_SUBGROUPS = 20


@dataclass(frozen=True)
class Grouping:
    """Which columns say who belongs together.

    Attributes:
        patient: Identifier; no patient may occur twice. A column `patient_id` counts as one unless rows are clustered.
        cluster: What is independent where patients have several rows: rows of one cluster are drawn together.
        centre: Centre of each row.
        subgroups: Columns each of whose values is assessed apart.
    """

    patient: str | None = None
    cluster: str | None = None
    centre: str | None = None
    subgroups: tuple[str, ...] = ()


@dataclass(frozen=True)
class SurvivalColumns:
    """Which columns hold follow-up and predictions.

    Attributes:
        time: Follow-up, above 0, in the unit of the horizons.
        event: 1 where follow-up ended with the event, 0 where without.
        linear_predictor: Prediction, higher means earlier event; the risk at the horizon in its place if None.
        risks: Predicted risk of the event by each horizon, ascending.
        compare: Linear predictor of a second model.
        compare_risks: Its risks.
    """

    time: str
    event: str
    linear_predictor: str | None
    risks: Mapping[float, str] = field(default_factory=dict)
    compare: str | None = None
    compare_risks: Mapping[float, str] = field(default_factory=dict)

    def second(self) -> SurvivalColumns | None:
        """The columns of the second model, if there is one."""
        if self.compare is None and not self.compare_risks:
            return None
        return SurvivalColumns(self.time, self.event, self.compare, self.compare_risks)

    def alone(self, horizons: Mapping[float, str]) -> SurvivalColumns:
        """The columns of the first model, with risks at these horizons only."""
        risks = {horizon: column for horizon, column in self.risks.items() if horizon in horizons}
        return SurvivalColumns(self.time, self.event, self.linear_predictor, risks)


@dataclass(frozen=True)
class BinaryColumns:
    """Which columns hold outcome and predictions.

    Attributes:
        outcome: 1 for cases, 0 for controls.
        probability: Predicted probability of being a case.
        compare: The same of a second model.
    """

    outcome: str
    probability: str
    compare: str | None = None

    def second(self) -> BinaryColumns | None:
        """The columns of the second model, if there is one."""
        return None if self.compare is None else BinaryColumns(self.outcome, self.compare)


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """The columns asked for, checked and complete.

    Attributes:
        file: Name of the file.
        sha256: Digest of its bytes.
        n: Rows.
        numbers: Column to float64 values, shape (n,).
        labels: Column to text, shape (n,); an empty cell of a subgroup is `missing`.
    """

    file: str
    sha256: str
    n: int
    numbers: Mapping[str, Floats]
    labels: Mapping[str, Labels]

    def cluster(self, grouping: Grouping) -> Labels | None:
        """Return what is independent if that is not the row."""
        return None if grouping.cluster is None else self.labels[grouping.cluster]

    def of(self, rows: Bools) -> PredictionTable:
        """Return the table of some rows."""
        return PredictionTable(
            self.file,
            self.sha256,
            int(np.count_nonzero(rows)),
            {name: values[rows] for name, values in self.numbers.items()},
            {name: values[rows] for name, values in self.labels.items()},
        )


def _numbers(columns: SurvivalColumns | BinaryColumns) -> list[Column]:
    if isinstance(columns, BinaryColumns):
        predictions = [name for name in (columns.probability, columns.compare) if name]
        return [
            Column(columns.outcome, "integer", "1 for cases, 0 for controls", categories=(0, 1)),
            *(Column(name, "number", "predicted probability", minimum=0, maximum=1) for name in predictions),
        ]
    risks = [(name, horizon) for risks in (columns.risks, columns.compare_risks) for horizon, name in risks.items()]
    predictors = [name for name in (columns.linear_predictor, columns.compare) if name]
    return [
        Column(columns.time, "number", "follow-up", above=0),
        Column(columns.event, "integer", "1 for an event, 0 for none", categories=(0, 1)),
        *(Column(name, "number", "linear predictor") for name in predictors),
        *(Column(name, "number", f"risk by {horizon:g}", minimum=0, maximum=1) for name, horizon in risks),
    ]


def _labels(grouping: Grouping) -> list[Column]:
    required = [name for name in (grouping.cluster, grouping.centre) if name]
    return [
        *([Column(grouping.patient, "text", "identifier", unique=True)] if grouping.patient else []),
        *(Column(name, "text", "centre or cluster") for name in required),
        *(Column(name, "text", "subgroup", missing_share_max=1) for name in grouping.subgroups),
    ]


def _refuse_double_use(where: str, columns: list[Column]) -> None:
    names = [column.name for column in columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            where, f"column {repeated[0]} named for two purposes", "each column once", "Name another column."
        )


def read_predictions(path: Path, columns: SurvivalColumns | BinaryColumns, grouping: Grouping) -> PredictionTable:
    """Read a csv or parquet table and check every cell that is going to be used.

    Args:
        path: The table.
        columns: Outcomes and predictions.
        grouping: Who belongs together.

    Raises:
        InputError: No such file, no such column, a column for two purposes, no row, or a cell that is empty, not a
            number, outside its range or (patients) repeated: the first of them, and how many more there are.
    """
    where = f"{_place(path)}/{path.name}"
    text = read_table(path.absolute().parent, path.name)
    if grouping.patient is None and grouping.cluster is None and PATIENT_ID in text.header:
        grouping = replace(grouping, patient=PATIENT_ID)
    numbers, labels = _numbers(columns), _labels(grouping)
    wanted = [*numbers, *labels]
    _refuse_double_use(where, wanted)
    table = convert(text, wanted)
    if table.missing:
        found = f"no column {table.missing[0].column} among {', '.join(text.header[:12])}"
        raise InputError(where, found, "a column of that name", "Name a column that is there.")
    if len(text.rows) < 2:
        raise InputError(where, f"{len(text.rows)} rows", "a row per patient, at least 2", "Export the table again.")
    findings = [*table.unreadable, *rule_findings(table)]
    if findings:
        raise _as_error(findings, {column.name: column for column in wanted}, path)
    frame = table.frame
    checked = PredictionTable(
        path.name,
        text.sha256,
        len(frame),
        {column.name: frame[column.name].to_numpy(dtype=np.float64) for column in numbers},
        {column.name: _texts(frame[column.name]) for column in labels},
    )
    _refuse_many_levels(where, checked, grouping)
    return checked


def _refuse_many_levels(where: str, table: PredictionTable, grouping: Grouping) -> None:
    for name in grouping.subgroups:
        levels = np.unique(table.labels[name]).size
        if levels > MAX_SUBGROUPS:
            remedy = "Group its values in a column of their own."
            raise InputError(f"{where} column {name}", f"{levels} values", f"at most {MAX_SUBGROUPS} subgroups", remedy)


def _texts(values: pd.Series) -> Labels:
    return np.asarray(values.fillna(MISSING), dtype=np.str_)


def _as_error(findings: list[Finding], columns: Mapping[str, Column], path: Path) -> InputError:
    """Return the first finding, what its column must hold, and how many more there are."""
    first = min(findings, key=lambda finding: finding.row or 0)
    column = columns[first.column or ""]
    remedy = f"It holds: {column.meaning}. {CORRECT_THE_CELL}"
    if column.maximum == 1 and _is_percent(first.found):
        remedy = f"It holds: {column.meaning}, not in percent. Divide by 100."
    elif column.categories == (0, 1):
        remedy = f"It holds: {column.meaning}. Recode the column."
    more = f" {len(findings) - 1} more cell(s) are wrong." if len(findings) > 1 else ""
    return InputError(f"{_place(path)}/{first.where}", first.found, first.expected, remedy + more)


def _is_percent(found: str) -> bool:
    try:
        return 1 < float(found.strip("'")) <= 100
    except ValueError:
        return False


def _place(path: Path) -> str:
    return path.absolute().parent.name
