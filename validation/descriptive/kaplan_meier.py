"""Survival by group: curves, survival at horizons, log-rank test, hazard ratio against the first group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable, Groups
from validation.descriptive.base import Description, Descriptive, Figure, Row, Series, estimate_row, p_value_row
from validation.estimators.estimate import Estimate
from validation.estimators.samples import Bools, Floats
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.cox_summary import hazard_ratio
from validation.estimators.survival.kaplan_meier import kaplan_meier, survival_at_horizon
from validation.estimators.survival.log_rank import log_rank


@dataclass(frozen=True, kw_only=True)
class KaplanMeierByGroup(Descriptive):
    """Kaplan-Meier curves of groups; patients whose group is not known are left out and counted.

    Attributes:
        endpoint: With time.
        by: Groups; see `CohortTable`.
        horizons_months: At which survival is estimated.
    """

    kind: ClassVar[str] = "kaplan_meier"
    endpoint: str
    by: str
    horizons_months: tuple[float, ...]

    def describe(self, cohort: CohortTable) -> Description:
        """Return survival at the horizons, the log-rank test and hazard ratios, and the curves by month."""
        groups = cohort.groups(self.by)
        time, event = cohort.follow_up(self.endpoint)
        rows: list[Row] = []
        series = []
        for label in groups.labels:
            members = groups.members(label)
            if members.any():
                rows += self._survival(time[members], event[members], label, cohort.level)
                series.append(curve_series(time[members], event[members], label))
        rows += self._comparison(time, event, groups, cohort.level)
        return Description(tuple(rows), (Figure("months", f"share without event of {self.endpoint}", tuple(series)),))

    def _survival(self, time: Floats, event: Bools, label: str, level: float) -> list[Row]:
        curve, n, events = kaplan_meier(time, event), len(time), int(event.sum())

        def survival(horizon: float) -> Estimate:
            return survival_at_horizon(curve, horizon, level=level)

        return [
            estimate_row("survival", self.by, lambda h=h: survival(h), n=n, events=events, group=label, horizon=h)  # type: ignore[misc]
            for h in self.horizons_months
        ]

    def _comparison(self, time: Floats, event: Bools, groups: Groups, level: float) -> list[Row]:
        known = groups.known
        n, events = int(known.sum()), int(event[known].sum())
        note = f"; {len(known) - n} patients of unknown {self.by} left out" if n < len(known) else ""
        test = p_value_row(
            "log_rank",
            self.by,
            lambda: log_rank(time[known], event[known], groups.index[known]),
            n=n,
            events=events,
            note=note,
        )
        ratios = [
            estimate_row(
                "hazard_ratio",
                self.by,
                lambda k=k: _ratio(time, event, groups.index, k, level),  # type: ignore[misc]
                n=n,
                events=events,
                group=f"{label} against {groups.labels[0]}",
                note=note,
            )
            for k, label in enumerate(groups.labels)
            if k
        ]
        return [test, *ratios]


def _ratio(time: Floats, event: Bools, index: np.ndarray, k: int, level: float) -> Estimate:
    pair = (index == 0) | (index == k)
    fit = fit_cox(time[pair], event[pair], (index[pair] == k).astype(np.float64))
    return hazard_ratio(fit, (1,), level=level)


def curve_series(time: Floats, event: Bools, name: str) -> Series:
    """Return a Kaplan-Meier curve by month, with the number at risk; it ends with the group's follow-up."""
    curve = kaplan_meier(time, event)
    months = np.arange(int(np.floor(time.max())) + 1, dtype=np.float64)
    survival, errors = zip(*(curve.at(month) for month in months), strict=True)
    at_risk = curve.at_risk_at(months)
    return Series(name, {"x": months, "y": survival, "standard_error": errors, "at_risk": at_risk}, step=True)
