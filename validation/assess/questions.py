"""Which estimates the columns of a table allow, in the order of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from validation.assess.table import BinaryColumns, Grouping, PredictionTable, SurvivalColumns
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import BinarySample, Estimator, S, Settings, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL

Key = tuple[str, float | None, float | None]


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        columns: Which column is what.
        grouping: Who belongs together.
        horizons: Prediction horizons, ascending: those of the risks and others.
        thresholds: Risks from which on patients are treated, ascending.
        level: Two-sided confidence level.
        replicates: Bootstrap samples, 0 for none.
        seed: Of the bootstrap.
    """

    columns: SurvivalColumns | BinaryColumns
    grouping: Grouping
    horizons: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()
    level: float = 0.95
    replicates: int = 0
    seed: int = 1

    def settings(self, entry: Estimator[Any], horizon: float | None = None) -> list[Settings]:
        """Return the settings of an estimator at a horizon: one for each threshold, if it takes one."""
        thresholds: tuple[float | None, ...] = self.thresholds if "threshold" in entry.needs else (None,)
        return [Settings(self.level, horizon, t, replicates=self.replicates, seed=self.seed) for t in thresholds]

    def allows(self, entry: Estimator[Any]) -> bool:
        """Whether the estimator has what it needs besides columns; nobody has fixed a cut-off for a bare table."""
        return "cutoff" not in entry.needs and ("replicates" not in entry.needs or self.replicates > 0)


@dataclass(frozen=True, eq=False)
class Question(Generic[S]):
    """One estimate to make.

    Attributes:
        name: Its name.
        entry: What to estimate.
        sample: On what.
    """

    name: str
    entry: Estimator[S]
    sample: S

    @property
    def key(self) -> Key:
        """What the same question to another model or another centre has in common with it."""
        return self.name, self.sample.settings.horizon, self.sample.settings.threshold


def survival_questions(
    table: PredictionTable, columns: SurvivalColumns, plan: Plan
) -> Iterator[Question[SurvivalSample]]:
    """List the questions that a survival table can answer about one model."""
    samples: dict[tuple[str, Settings], SurvivalSample] = {}  # shared, so that one calibration curve serves three

    def sample(prediction: str, settings: Settings) -> SurvivalSample:
        other = columns.compare_risks.get(settings.horizon or 0)
        return samples.setdefault(
            (prediction, settings),
            SurvivalSample(
                table.numbers[columns.time],
                table.numbers[columns.event] == 1,
                table.numbers[prediction],
                settings,
                table.numbers[other] if other else np.empty(0),
                cluster=table.cluster(plan.grouping),
            ),
        )

    for name, entry in SURVIVAL.items():
        if not plan.allows(entry):
            continue
        if "grid" in entry.needs:
            yield from _grid(name, entry, table, columns, plan)
            continue
        for horizon, column in _predictions(entry, columns, plan):
            for settings in plan.settings(entry, horizon):
                yield Question(name, entry, sample(column, settings))


def _predictions(
    entry: Estimator[SurvivalSample], columns: SurvivalColumns, plan: Plan
) -> list[tuple[float | None, str]]:
    """The horizons at which a question is asked, and the column of the prediction there."""
    if entry.of == "risk":
        paired = columns.compare_risks if "other" in entry.needs else columns.risks
        return [(horizon, column) for horizon, column in columns.risks.items() if horizon in paired]
    if columns.linear_predictor is None:  # the risk at a horizon ranks patients up to there
        no_risk = entry.of == "linear_predictor" or entry.horizon == "none"
        return [] if no_risk else list(columns.risks.items())
    horizons = plan.horizons if entry.horizon == "required" else (None,)
    return [(horizon, columns.linear_predictor) for horizon in horizons]


def _grid(
    name: str, entry: Estimator[SurvivalSample], table: PredictionTable, columns: SurvivalColumns, plan: Plan
) -> Iterator[Question[SurvivalSample]]:
    """The question of a measure that is integrated over two horizons or more."""
    horizons = tuple(columns.risks) if entry.of == "risk" else plan.horizons
    if len(horizons) < 2 or (entry.of != "risk" and columns.linear_predictor is None):
        return
    risks = [table.numbers[columns.risks[h]] for h in horizons] if entry.of == "risk" else []
    yield Question(
        name,
        entry,
        SurvivalSample(
            table.numbers[columns.time],
            table.numbers[columns.event] == 1,
            table.numbers[columns.linear_predictor or columns.risks[horizons[-1]]],
            plan.settings(entry)[0],
            horizons=np.asarray(horizons),
            risks=np.column_stack(risks) if risks else np.empty((0, 0)),
            cluster=table.cluster(plan.grouping),
        ),
    )


def binary_questions(table: PredictionTable, columns: BinaryColumns, plan: Plan) -> Iterator[Question[BinarySample]]:
    """List the questions that a binary table can answer about one model."""
    samples: dict[Settings, BinarySample] = {}
    for name, entry in BINARY.items():
        if not plan.allows(entry) or ("other" in entry.needs and columns.compare is None):
            continue
        for settings in plan.settings(entry):
            sample = BinarySample(
                table.numbers[columns.outcome] == 1,
                table.numbers[columns.probability],
                settings,
                table.numbers[columns.compare] if columns.compare else np.empty(0),
                table.cluster(plan.grouping),
            )
            yield Question(name, entry, samples.setdefault(settings, sample))


def questions(table: PredictionTable, columns: SurvivalColumns | BinaryColumns, plan: Plan) -> Iterator[Question[Any]]:
    """List the questions that a table can answer about the model of these columns."""
    if isinstance(columns, SurvivalColumns):
        return survival_questions(table, columns, plan)
    return binary_questions(table, columns, plan)
