"""The table of predictions: which column is what, and its cells checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Grouping:
    """Which columns say who belongs together.

    Attributes:
        patient: Identifier; no patient may occur twice.
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
        linear_predictor: Prediction, higher means earlier event.
        risks: Predicted risk of the event by each horizon, ascending.
        compare: Linear predictor of a second model.
        compare_risks: Its risks.
    """

    time: str
    event: str
    linear_predictor: str
    risks: Mapping[float, str] = field(default_factory=dict)
    compare: str | None = None
    compare_risks: Mapping[float, str] = field(default_factory=dict)

    def second(self) -> SurvivalColumns | None:
        """The columns of the second model, if there is one."""
        if self.compare is None:
            return None
        return SurvivalColumns(self.time, self.event, self.compare, self.compare_risks)


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
    risks = {**{c: h for h, c in columns.risks.items()}, **{c: h for h, c in columns.compare_risks.items()}}
    predictors = [name for name in (columns.linear_predictor, columns.compare) if name]
    return [
        Column(columns.time, "number", "follow-up", above=0),
        Column(columns.event, "integer", "1 for an event, 0 for none", categories=(0, 1)),
        *(Column(name, "number", "linear predictor") for name in predictors if name not in risks),
        *(Column(name, "number", f"risk by {horizon:g}", minimum=0, maximum=1) for name, horizon in risks.items()),
    ]


def _labels(grouping: Grouping) -> list[Column]:
    required = [name for name in (grouping.cluster, grouping.centre) if name]
    return [
        *([Column(grouping.patient, "text", "identifier", unique=True)] if grouping.patient else []),
        *(Column(name, "text", "label") for name in required),
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
    numbers, labels = _numbers(columns), _labels(grouping)
    _refuse_double_use(path.name, [*numbers, *labels])
    text = read_table(path.absolute().parent, path.name)
    table = convert(text, [*numbers, *labels])
    if table.missing:
        found = f"no column {table.missing[0].column} among {', '.join(text.header[:12])}"
        raise InputError(path.name, found, "a column of that name", "Name a column that is there.")
    if not text.rows:
        raise InputError(path.name, "a header without rows", "one row per patient", "Export the predictions again.")
    findings = [*table.unreadable, *rule_findings(table)]
    if findings:
        raise _as_error(findings)
    frame = table.frame
    return PredictionTable(
        path.name,
        text.sha256,
        len(frame),
        {column.name: frame[column.name].to_numpy(dtype=np.float64) for column in numbers},
        {column.name: _texts(frame[column.name]) for column in labels},
    )


def _texts(values: pd.Series) -> Labels:
    return np.asarray(values.fillna(MISSING), dtype=np.str_)


def _as_error(findings: list[Finding]) -> InputError:
    ordered = sorted(findings, key=lambda finding: finding.row or 0)
    more = f" {len(findings) - 1} more cell(s) like it or otherwise wrong." if len(findings) > 1 else ""
    return InputError(ordered[0].where, ordered[0].found, ordered[0].expected, CORRECT_THE_CELL + more)
