"""Hazard ratio of one group against another in every subgroup, with tests of interaction: the forest plot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable, Groups
from validation.descriptive.base import GROUPS, TWO_GROUPS, WITH_TIME, Description, Descriptive, Row, p_value_row
from validation.descriptive.cox_regression import chi_square_as_test
from validation.descriptive.kaplan_meier import ratio_row
from validation.descriptive.parts import forest, of_arms_without_event, of_unknown, part_name
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.samples import Bools, Floats
from validation.estimators.survival.interaction import interaction_by_group
from validation.outcomes import left_out


@dataclass(frozen=True, kw_only=True)
class SubgroupHazardRatios(Descriptive):
    """Hazard ratio of the second group against the first in all patients and in every group of some groupings.

    Attributes:
        endpoint: With time.
        by: Two groups, the second of interest; see `CohortTable`.
        within: Groupings, in each of whose groups the two are compared.
    """

    kind: ClassVar[str] = "subgroup_hazard_ratios"
    endpoint: str = field(metadata=WITH_TIME)
    by: str = field(metadata=TWO_GROUPS)
    within: tuple[str, ...] = field(metadata=GROUPS)

    def __post_init__(self) -> None:
        """Refuse subgroups by what is compared: each would hold one side only."""
        super().__post_init__()
        if self.by in self.within:
            raise self.error("within", f"{self.by}, which `by` compares", "other groups")

    def describe(self, cohort: CohortTable) -> Description:
        """Return the hazard ratios, all patients first, and a test of interaction per grouping."""
        time, event = cohort.follow_up(self.endpoint)
        pair = cohort.two_groups(self.by)
        rows = [self._ratio(time, event, pair, None, cohort.level, "")]
        for text in self.within:
            rows += self._of(cohort, text, time, event, pair)
        against = f"hazard ratio, {part_name(self.by, pair.labels[1])} against {pair.labels[0]}"
        return Description(tuple(rows), (forest(rows, "hazard_ratio", against),))

    def _of(self, cohort: CohortTable, text: str, time: Floats, event: Bools, pair: Groups) -> list[Row]:
        try:
            groups = cohort.groups(text)
        except UndefinedEstimate as undefined:
            return [self._interaction(time, event, pair, undefined, text)]
        rows = []
        for label in groups.labels:
            chosen = groups.members(label)
            part = Groups(pair.labels, pair.index[chosen])
            name = part_name(text, label)
            rows.append(self._ratio(time[chosen], event[chosen], part, name, cohort.level, of_unknown(groups, text)))
        return [*rows, self._interaction(time, event, pair, groups, text)]

    def _ratio(self, time: Floats, event: Bools, pair: Groups, group: str | None, level: float, note: str) -> Row:
        note = of_unknown(pair, self.by) + note
        return ratio_row(time, event, pair.index, (0, 1), level=level, subject=self.by, group=group, note=note)

    def _interaction(
        self, time: Floats, event: Bools, pair: Groups, groups: Groups | UndefinedEstimate, text: str
    ) -> Row:
        """Test the groups that hold patients of both sides; the others say nothing about a difference."""
        used, note = pair.known, ""
        if isinstance(groups, Groups):
            in_both = [
                k for k in range(len(groups.labels)) if np.unique(pair.index[used & (groups.index == k)]).size == 2
            ]
            lacking = [label for k, label in enumerate(groups.labels) if k not in in_both]
            note = f"; without {', '.join(lacking)}, where one side has no patient" if lacking else ""
            unknown = int((~(pair.known & groups.known)).sum())
            note += left_out(unknown, "group")
            used = used & np.isin(groups.index, in_both)

        def make() -> GroupTest:
            if isinstance(groups, UndefinedEstimate):
                raise groups
            if not used.any():
                raise UndefinedEstimate("no group holds patients of both sides", too_few=True)
            sides = pair.index[used], groups.index[used]
            test = interaction_by_group(time[used], event[used], *sides)
            method = f"likelihood ratio test of interaction of {self.by} with {text}"
            return chi_square_as_test(test, method + of_arms_without_event(event[used], *sides))

        n, events = int(used.sum()), int(event[used].sum())
        return p_value_row("interaction_test", self.by, make, n=n, events=events, group=text, note=note)
