"""Survival by group: curves, survival at horizons, log-rank tests, hazard ratio against the first group."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from validation.cohort_table import CohortTable, Groups
from validation.descriptive.base import (
    GROUPS,
    POINTS,
    WITH_TIME,
    Description,
    Descriptive,
    Figure,
    Row,
    Series,
    estimate_row,
    p_value_row,
)
from validation.descriptive.parts import of_unknown, part_name
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.samples import Bools, Floats
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.cox_summary import hazard_ratio
from validation.estimators.survival.kaplan_meier import kaplan_meier, survival_at_horizon
from validation.estimators.survival.log_rank import LogRank, PairwiseLogRank, log_rank, pairwise_log_rank


@dataclass(frozen=True, kw_only=True)
class KaplanMeierByGroup(Descriptive):
    """Kaplan-Meier curves of groups; patients whose group is not known are left out and counted.

    Attributes:
        endpoint: With time.
        by: Groups; see `CohortTable`.
        horizons_months: At which survival is estimated.
        within: Groups too: the groups of `by` are compared in all patients, or, if this is given, in every group of
            each of these.
    """

    kind: ClassVar[str] = "kaplan_meier"
    endpoint: str = field(metadata=WITH_TIME)
    by: str = field(metadata=GROUPS)
    horizons_months: tuple[float, ...]
    within: tuple[str, ...] = field(default=(), metadata=GROUPS)

    def __post_init__(self) -> None:
        """Refuse parts by what is compared: each would hold one group only."""
        super().__post_init__()
        if self.by in self.within:
            raise self.error("within", f"{self.by}, which `by` compares", "other groups")

    def describe(self, cohort: CohortTable) -> Description:
        """Return survival at the horizons, the log-rank tests and hazard ratios, and the curves by month."""
        groups = cohort.groups(self.by)
        time, event = cohort.follow_up(self.endpoint)
        axes = "months", f"share without event of {self.endpoint}"
        if not self.within:
            rows, series = self._compare(time, event, groups, cohort.level)
            return Description(tuple(rows), (Figure(*axes, tuple(series)),))
        rows, figures = [], []
        for text in self.within:
            try:
                parts = cohort.groups(text)
            except UndefinedEstimate as undefined:
                rows.append(self._unrecorded(text, undefined))
                continue
            for label in parts.labels:
                chosen, name = parts.members(label), part_name(text, label)
                part = Groups(groups.labels, groups.index[chosen])
                note = of_unknown(parts, text)
                found, series = self._compare(time[chosen], event[chosen], part, cohort.level, name, note)
                rows += found
                figures.append(Figure(*axes, tuple(series)))
        return Description(tuple(rows), tuple(figures))

    def _unrecorded(self, text: str, undefined: UndefinedEstimate) -> Row:
        def make() -> LogRank:
            raise undefined

        return p_value_row("log_rank", self.by, make, n=0, events=0, group=text)

    def _compare(
        self, time: Floats, event: Bools, groups: Groups, level: float, within: str | None = None, note: str = ""
    ) -> tuple[list[Row], list[Series]]:
        """Compare the groups; `within` and `note` say which part of the cohort they are in, and who is in none."""
        note = of_unknown(groups, self.by) + note
        rows: list[Row] = []
        series: list[Series] = []
        for label in groups.labels:
            members, name = groups.members(label), label if within is None else f"{within}: {label}"
            if members.any():
                rows += survival_rows(time[members], event[members], self.by, name, self.horizons_months, level, note)
                series += curve_series(time[members], event[members], name)
        return [*rows, *self._comparison(time, event, groups, level, within, note)], series

    def _comparison(
        self, time: Floats, event: Bools, groups: Groups, level: float, within: str | None, note: str
    ) -> list[Row]:
        known = groups.known
        n, events = int(known.sum()), int(event[known].sum())
        test = p_value_row(
            "log_rank",
            self.by,
            lambda: log_rank(time[known], event[known], groups.index[known]),
            n=n,
            events=events,
            group=within,
            note=note,
        )
        ratios = []
        for k, label in enumerate(groups.labels[1:], start=1):
            name = f"{label} against {groups.labels[0]}"
            named = name if within is None else f"{within}: {name}"
            ratio = ratio_row(time, event, groups.index, (0, k), level=level, subject=self.by, group=named, note=note)
            ratios.append(ratio)
        return [test, *self._pairs(time, event, groups, within, note), *ratios]

    def _pairs(self, time: Floats, event: Bools, groups: Groups, within: str | None, note: str) -> list[Row]:
        """Compare every pair of more than two groups that have patients: P values as they are, then by Holm."""
        known = groups.known
        if np.unique(groups.index[known]).size < 3:
            return []
        pairs = pairwise_log_rank(time[known], event[known], groups.index[known])
        rows = []
        for quantity, adjusted in (("pairwise_log_rank", False), ("pairwise_log_rank_holm", True)):
            for pair in pairs:
                first, second = int(pair.first), int(pair.second)
                name = f"{groups.labels[second]} against {groups.labels[first]}"
                chosen = np.isin(groups.index, (first, second))
                row = p_value_row(
                    quantity,
                    self.by,
                    partial(_test_of, pair, adjusted=adjusted),
                    n=int(chosen.sum()),
                    events=int(event[chosen].sum()),
                    group=name if within is None else f"{within}: {name}",
                    note=note,
                )
                rows.append(row)
        return rows


def _test_of(pair: PairwiseLogRank, *, adjusted: bool) -> LogRank:
    """Return the test of a pair, its P value as it is or adjusted by Holm for the number of pairs tested."""
    if isinstance(pair.test, UndefinedEstimate):
        raise pair.test
    method = f"{pair.test.method} of two groups, P not adjusted"
    if not adjusted or pair.adjusted_p_value is None:
        return replace(pair.test, method=method)
    method = f"{pair.test.method} of two groups, P adjusted by Holm for the number of pairs tested"
    return replace(pair.test, p_value=pair.adjusted_p_value, method=method)


def survival_rows(
    time: Floats, event: Bools, subject: str, label: str, horizons: tuple[float, ...], level: float, note: str
) -> list[Row]:
    """Return the Kaplan-Meier survival of a group at horizons."""

    def survival(horizon: float) -> Estimate:
        return survival_at_horizon(kaplan_meier(time, event), horizon, level=level)

    return [
        estimate_row(
            "survival",
            subject,
            partial(survival, h),
            n=time.size,
            events=int((event & (time <= h)).sum()),
            group=label,
            note=note,
            horizon=h,
        )
        for h in horizons
    ]


def ratio_row(
    time: Floats,
    event: Bools,
    index: NDArray[np.intp],
    pair: tuple[int, int],
    *,
    level: float,
    subject: str,
    group: str | None,
    note: str = "",
) -> Row:
    """Return the hazard ratio of the second of two groups against the first, from a Cox model of these two alone.

    Args:
        time: Shape (n,).
        event: Shape (n,).
        index: Shape (n,), group of each patient.
        pair: The two groups.
        level: Two-sided confidence level.
        subject: What made the groups.
        group: Name of the comparison, or of the part of the cohort; None for all patients.
        note: Added to the method.
    """
    chosen = np.isin(index, pair)

    def make() -> Estimate:
        if not all((index == k).any() for k in pair):
            raise UndefinedEstimate("no patient in one of the two groups", too_few=True)
        fit = fit_cox(time[chosen], event[chosen], (index[chosen, None] == pair[1]).astype(np.float64))
        return hazard_ratio(fit, (1,), level=level)

    n, events = int(chosen.sum()), int(event[chosen].sum())
    return estimate_row("hazard_ratio", subject, make, n=n, events=events, group=group, note=note)


def curve_series(time: Floats, event: Bools, name: str) -> list[Series]:
    """Return a Kaplan-Meier curve with the number at risk, which ends with the group's follow-up.

    Its points are a month apart, or as many whole months as keep them few. A single patient has no curve: the rows of
    survival say why.
    """
    try:
        curve = kaplan_meier(time, event)
    except UndefinedEstimate:
        return []
    last = int(np.floor(time.max()))
    months = np.arange(0, last + 1, 1 + last // POINTS, dtype=np.float64)
    survival, errors = zip(*(curve.at(month) for month in months), strict=True)
    at_risk = curve.at_risk_at(months)
    return [Series(name, {"x": months, "y": survival, "standard_error": errors, "at_risk": at_risk}, step=True)]
