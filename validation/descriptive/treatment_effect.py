"""Does a treatment work in one group of patients and not in the other? Curves, hazard ratios, interaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable, Groups
from validation.descriptive.base import (
    TWO_GROUPS,
    WITH_TIME,
    Description,
    Descriptive,
    Figure,
    Row,
    Series,
    estimate_row,
    p_value_row,
)
from validation.descriptive.cox_regression import chi_square_as_test
from validation.descriptive.kaplan_meier import curve_series, ratio_row, survival_rows
from validation.descriptive.parts import of_arms_without_event, of_unknown, part_name
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.samples import Bools, Floats
from validation.estimators.survival.interaction import interaction_by_group, treatment_interaction
from validation.estimators.survival.log_rank import LogRank, log_rank
from validation.outcomes import left_out

CAUTION = "; treatment was not assigned at random, no causal effect"


@dataclass(frozen=True, kw_only=True)
class TreatmentEffect(Descriptive):
    """The effect of a treatment in two groups; patients of whom either is not known are left out and counted.

    Attributes:
        endpoint: With time.
        treatment: Two groups, the second treated; see `CohortTable`.
        modifier: Two groups in which the effects are compared.
        within: Two groups; if given, only patients of the second are looked at.
        horizons_months: At which survival is estimated.
    """

    kind: ClassVar[str] = "treatment_effect"
    endpoint: str = field(metadata=WITH_TIME)
    treatment: str = field(metadata=TWO_GROUPS)
    modifier: str = field(metadata=TWO_GROUPS)
    within: str | None = field(default=None, metadata=TWO_GROUPS)
    horizons_months: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two names of the same patients: nothing could be compared."""
        super().__post_init__()
        if self.modifier == self.treatment:
            raise self.error("modifier", f"{self.modifier}, the treatment", "groups in which treatment is compared")
        if self.within in (self.treatment, self.modifier):
            raise self.error("within", f"{self.within}, given twice", "other groups than those compared")

    def describe(self, cohort: CohortTable) -> Description:
        """Return survival, log-rank test and hazard ratio of treatment by group, their ratio and its test."""
        treatment, modifier = cohort.two_groups(self.treatment), cohort.two_groups(self.modifier)
        time, event = cohort.follow_up(self.endpoint)
        chosen = np.ones(cohort.n, dtype=np.bool_)
        note = ""
        if self.within is not None:
            limits = cohort.two_groups(self.within)
            chosen = limits.index == 1
            note = f"; only {limits.labels[1]}" + of_unknown(limits, self.within)
        known = chosen & treatment.known & modifier.known
        note += left_out(int(chosen.sum() - known.sum()), f"{self.treatment} or {self.modifier}")
        if not known.any():
            raise UndefinedEstimate(f"no patient of known treatment and group{note}", too_few=True)
        arms = _Arms(
            self,
            time[known],
            event[known],
            Groups(treatment.labels, treatment.index[known]),
            Groups(modifier.labels, modifier.index[known]),
            cohort.level,
            note,
        )
        rows, figures = [], []
        for label in modifier.labels:
            found, series = arms.in_group(label)
            rows += found
            figures.append(Figure("months", f"share without event of {self.endpoint}", tuple(series)))
        return Description((*rows, *arms.interaction()), tuple(figures))


@dataclass(frozen=True, eq=False)
class _Arms:
    """Patients of known treatment and group; their analyses. `note` says who they are."""

    asked: TreatmentEffect
    time: Floats
    event: Bools
    treatment: Groups
    modifier: Groups
    level: float
    note: str

    def in_group(self, label: str) -> tuple[list[Row], list[Series]]:
        """Return the rows and curves of one group."""
        name, subject = part_name(self.asked.modifier, label), self.asked.treatment
        inside = self.modifier.members(label)
        rows: list[Row] = []
        series = []
        for arm in self.treatment.labels:
            both = inside & self.treatment.members(arm)
            if both.any():
                time, event, called = self.time[both], self.event[both], f"{name}: {arm}"
                horizons = self.asked.horizons_months
                rows += survival_rows(time, event, subject, called, horizons, self.level, self.note)
                series += curve_series(time, event, called)
        time, event, treated = self.time[inside], self.event[inside], self.treatment.index[inside]

        def test() -> LogRank:
            return log_rank(time, event, treated)

        n, events = int(inside.sum()), int(event.sum())
        note = self.note + CAUTION
        rows.append(p_value_row("log_rank", subject, test, n=n, events=events, group=name, note=note))
        rows.append(ratio_row(time, event, treated, (0, 1), level=self.level, subject=subject, group=name, note=note))
        return rows, series

    def interaction(self) -> list[Row]:
        """Return the ratio of the hazard ratios, second group over first, and its test.

        An arm of a group without event leaves the ratio undefined, but not the test.
        """
        first, second = (part_name(self.asked.modifier, label) for label in self.modifier.labels)
        group, n, events = f"{second} against {first}", self.time.size, int(self.event.sum())

        arms = self.treatment.index, self.modifier.index

        def ratio() -> Estimate:
            fitted = treatment_interaction(self.time, self.event, *arms, at=(), level=self.level)
            return fitted.summary.hazard_ratios["treatment:signature"]

        def test() -> GroupTest:
            method = "likelihood ratio test of interaction, Cox regression of treatment, group and their product"
            found = interaction_by_group(self.time, self.event, *arms)
            return chi_square_as_test(found, method + of_arms_without_event(self.event, *arms))

        subject = self.asked.treatment
        note = self.note + CAUTION
        of_model = ", of treatment in two groups, from one Cox model with their product" + note
        return [
            estimate_row("ratio_of_hazard_ratios", subject, ratio, n=n, events=events, group=group, note=of_model),
            p_value_row("interaction_test", subject, test, n=n, events=events, group=group, note=note),
        ]
