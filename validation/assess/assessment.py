"""The assessment: every question answered, for the whole table, its parts, its centres, and against a second model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from validation.assess.questions import Key, Plan, Question, questions
from validation.assess.table import PredictionTable, SurvivalColumns
from validation.estimators.catalogue.entry import BinarySample, SurvivalSample
from validation.estimators.centres.between import C_TAU_PRIOR, BetweenCentres, CentreScale, between_centres
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import paired_difference

Progress = Callable[[str], None]

BETWEEN: dict[str, CentreScale] = {
    "harrell_c": "logit",
    "uno_c": "logit",
    "auc": "logit",
    "auc_t": "logit",
    "calibration_slope": "identity",
    "oe_ratio": "log",
}


@dataclass(frozen=True)
class Answer:
    """One row of the assessment.

    Attributes:
        name: Quantity.
        estimate: The estimate, or None where the data cannot define it.
        reason: Why not; empty where there is an estimate.
        too_few: More patients or events would define it.
        n: Patients looked at.
        events: Events or cases among them.
        horizon: Prediction horizon, if there is one.
        threshold: Risk from which on patients are treated, if there is one.
        group: Part of the table, or None for all of it.
    """

    name: str
    estimate: Estimate | None
    reason: str
    too_few: bool
    n: int
    events: int
    horizon: float | None
    threshold: float | None
    group: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; every row has the same keys."""
        values = self.estimate
        return {
            "name": self.name,
            "value": values.value if values else None,
            "lower": values.lower if values else None,
            "upper": values.upper if values else None,
            "level": values.level if values else None,
            "n": values.n if values else self.n,
            "events": values.events if values else self.events,
            "method": values.method if values else None,
            "horizon": self.horizon,
            "threshold": self.threshold,
            "group": self.group,
            "standard_error": values.standard_error if values else None,
            "p_value": values.p_value if values else None,
            "reason": self.reason or None,
            "too_few": self.too_few,
        }


def _answer(question: Question[Any], name: str, group: str | None, estimate: Callable[[], Estimate]) -> Answer:
    sample, (_, horizon, threshold) = question.sample, question.key
    n, events = sample.event.size, _events(sample, horizon)
    try:
        found = replace(estimate(), group=group)
    except UndefinedEstimate as undefined:
        return Answer(name, None, str(undefined), undefined.too_few, n, events, horizon, threshold, group)
    return Answer(name, found, "", False, found.n, found.events, horizon or found.horizon, threshold, group)


def _events(sample: SurvivalSample | BinarySample, horizon: float | None) -> int:
    """Cases, or events by the horizon."""
    if isinstance(sample, BinarySample) or horizon is None:
        return int(np.count_nonzero(sample.event))
    return int(np.count_nonzero(sample.event & (sample.time <= horizon)))


def _whole(table: PredictionTable, plan: Plan, progress: Progress) -> Iterator[Answer]:
    for question in questions(table, plan.columns, plan):
        progress(question.name)
        yield _answer(question, question.name, None, partial(question.entry.estimate, question.sample))


def _differences(table: PredictionTable, plan: Plan, progress: Progress) -> Iterator[Answer]:
    """First less second model, for every quantity that has an influence function."""
    first, second = plan.columns, plan.columns.second()
    if second is None:
        return
    if isinstance(first, SurvivalColumns) and isinstance(second, SurvivalColumns):
        first, second = first.alone(second.risks), second.alone(first.risks)  # integrals over the same horizons
    others = {question.key: question for question in questions(table, second, plan)}
    for question in questions(table, first, plan):
        other = others.get(question.key)
        if other is not None and question.entry.influence is not None:
            progress(f"{question.name} of both models")
            yield _answer(question, f"{question.name}_difference", None, partial(_difference, question, other))


def _difference(first: Question[Any], second: Question[Any]) -> Estimate:
    influence, sample = first.entry.influence, first.sample
    if influence is None:
        raise TypeError(f"{first.name} has no influence function")
    return paired_difference(
        influence(sample), influence(second.sample), level=sample.settings.level, cluster=sample.cluster
    )


def _parts(table: PredictionTable, plan: Plan, column: str, progress: Progress) -> Iterator[tuple[Key, Answer]]:
    """Every quantity in each part of the table, without bootstrap."""
    analytic = replace(plan, replicates=0)
    labels = table.labels[column]
    for label in np.unique(labels).tolist():
        group = f"{column}={label}"
        progress(group)
        part = table.of(labels == label)
        for question in questions(part, plan.columns, analytic):
            estimate = _answer(question, question.name, group, partial(question.entry.estimate, question.sample))
            yield question.key, estimate


def _between(keyed: list[tuple[Key, Answer]], column: str, level: float) -> Iterator[Answer]:
    """Random effects over the centres that have an estimate, and the interval for the next centre."""
    for key in dict.fromkeys(key for key, _ in keyed):
        if key[0] in BETWEEN:
            answers = [answer for other, answer in keyed if other == key]
            yield from _summary(key, answers, column, level)


def _summary(key: Key, answers: list[Answer], column: str, level: float) -> Iterator[Answer]:
    name, horizon, threshold = key
    found = [answer.estimate for answer in answers if answer.estimate is not None]
    n, events = sum(answer.n for answer in answers), sum(answer.events for answer in answers)
    group, scale = f"between {len(answers)} values of {column}", BETWEEN[name]
    few = scale == "logit" and 2 <= len(found) <= 4

    def made(what: str, choose: Callable[[BetweenCentres], Estimate]) -> Answer:
        try:
            _require_centres(answers)
            summary = between_centres(found, scale, prior=C_TAU_PRIOR if few else None, level=level)
            estimate = replace(choose(summary), group=group, horizon=horizon)
        except UndefinedEstimate as undefined:
            return Answer(what, None, str(undefined), undefined.too_few, n, events, horizon, threshold, group)
        return Answer(what, estimate, "", False, estimate.n, estimate.events, horizon, threshold, group)

    yield made(f"{name}_mean", lambda summary: summary.summary)
    yield made(f"{name}_next_centre", lambda summary: summary.prediction_interval())
    yield made(f"{name}_tau2", lambda summary: summary.spread())


def _require_centres(answers: list[Answer]) -> None:
    """Refuse a mean over some of the centres: those without an estimate have few events, or rank perfectly.

    Raises:
        UndefinedEstimate: One centre only, or a centre without estimate.
    """
    if len(answers) < 2:
        raise UndefinedEstimate("one centre has no mean over centres")
    for answer in answers:
        if answer.estimate is None:
            raise UndefinedEstimate(
                f"without {answer.group} the mean would be biased; there {answer.reason}", too_few=True
            )


def assess(table: PredictionTable, plan: Plan, progress: Progress = lambda _: None) -> list[Answer]:
    """Estimate everything that the columns of a table allow.

    Args:
        table: Checked columns.
        plan: What is asked for.
        progress: Told what is being estimated.

    Returns:
        One answer per quantity, horizon, threshold and group; what the data cannot define is there with its reason.
    """
    answers = [*_whole(table, plan, progress), *_differences(table, plan, progress)]
    for column in plan.grouping.subgroups:
        answers += [answer for _, answer in _parts(table, plan, column, progress)]
    centre = plan.grouping.centre
    if centre is not None:
        keyed = list(_parts(table, plan, centre, progress))
        answers += [answer for _, answer in keyed] + list(_between(keyed, centre, plan.level))
    return answers
