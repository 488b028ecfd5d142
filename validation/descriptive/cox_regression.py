"""Univariable and multivariable Cox regression, with the test of proportional hazards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from validation.cohort_table import REMEDY, CohortTable
from validation.descriptive.base import Description, Descriptive, Row, estimate_row, p_value_row
from validation.descriptive.parts import forest
from validation.errors import InputError
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.samples import Bools, Floats
from validation.estimators.survival.cox import CoxFit, fit_cox
from validation.estimators.survival.cox_summary import ChiSquareTest, cox_summary, hazard_ratio
from validation.estimators.survival.proportional_hazards import ProportionalHazards, proportional_hazards

ALL = "all terms"


@dataclass(frozen=True, eq=False)
class _Term:
    """What one term of the protocol says of the patients.

    Attributes:
        name: As the protocol says it.
        values: Shape (n,): a number, or the number of the group; NaN where not known.
        labels: Of the groups; empty for a number.
        scale: By which a number is divided.
    """

    name: str
    values: Floats
    labels: tuple[str, ...]
    scale: float = 1.0

    def levels(self, chosen: Bools) -> list[int]:
        """Groups that some of the patients chosen belong to; the first is compared with."""
        return sorted({int(value) for value in self.values[chosen]})

    def columns(self, chosen: Bools) -> Floats:
        """Shape (k, p), covariates of the patients chosen.

        Raises:
            UndefinedEstimate: They all belong to one group.
        """
        if not self.labels:
            return (self.values[chosen] / self.scale)[:, None]
        levels = self.levels(chosen)
        if len(levels) < 2:
            held = ", ".join(self.labels[k] for k in levels) or "known"
            raise UndefinedEstimate(f"{self.name} is {held} for all {int(chosen.sum())} patients", too_few=True)
        return np.column_stack([self.values[chosen] == k for k in levels[1:]]).astype(np.float64)

    def contrasts(self, chosen: Bools) -> list[tuple[str | None, int | None]]:
        """Name of each hazard ratio, and the column of `columns` it is of; None for a group without patients."""
        if not self.labels:
            return [(None, 0)]
        levels = self.levels(chosen)
        first = levels[0] if levels else 0
        others = [k for k in range(len(self.labels)) if k != first]
        place = {k: column for column, k in enumerate(levels[1:])}
        return [(f"{self.labels[k]} against {self.labels[first]}", place.get(k)) for k in others]

    @property
    def unit(self) -> str:
        """What a hazard ratio of a number is per, as an end of a method."""
        if self.labels:
            return ""
        return "; per unit" if self.scale == 1.0 else f"; per standard deviation of this cohort, {self.scale:.6g}"


@dataclass(frozen=True, kw_only=True)
class CoxRegression(Descriptive):
    """Hazard ratios of each term alone and of all together; a patient of whom a term is not known is left out.

    Attributes:
        endpoint: With time.
        terms: A column of numbers or prediction enters as it is; groups of any other name (see `CohortTable`) are
            compared with the first that has patients.
        standardise: Numbers enter divided by their standard deviation among the cohort's patients.
    """

    kind: ClassVar[str] = "cox_regression"
    endpoint: str
    terms: tuple[str, ...]
    standardise: bool = False

    def __post_init__(self) -> None:
        """Refuse a term given twice."""
        if len(set(self.terms)) != len(self.terms):
            where = f"descriptive analysis {self.id} key terms"
            raise InputError(where, "a term given twice", "every term once", REMEDY)

    def describe(self, cohort: CohortTable) -> Description:
        """Return hazard ratios and tests: per term alone, then of all terms in their complete cases."""
        time, event = cohort.follow_up(self.endpoint)
        terms = [self._term(cohort, name) for name in self.terms]
        rows: list[Row] = []
        for term in terms:
            rows += _Model("hazard_ratio", time, event, [term], cohort.level).rows()
        together = _Model("adjusted_hazard_ratio", time, event, terms, cohort.level)
        adjusted = [*together.rows(), *together.proportional()]
        figures = tuple(
            forest([row for row in some if "hazard_ratio" in row["quantity"]], axis, _line)
            for some, axis in ((rows, "hazard ratio, each term alone"), (adjusted, "hazard ratio, all terms together"))
        )
        return Description((*rows, *adjusted), figures)

    def _term(self, cohort: CohortTable, name: str) -> _Term:
        if cohort.has(name) and cohort.is_number(name):
            values = cohort.numbers(name)
            known = values[np.isfinite(values)]
            varies = self.standardise and known.size > 1 and known.min() < known.max()
            return _Term(name, values, (), float(known.std(ddof=1)) if varies else 1.0)
        try:
            groups = cohort.groups(name)
        except UndefinedEstimate:  # an endpoint that the cohort never recorded: known of nobody
            return _Term(name, np.full(cohort.n, np.nan), ("no", "yes"))
        return _Term(name, np.where(groups.known, groups.index, np.nan).astype(np.float64), groups.labels)


class _Model:
    """A Cox model of some terms in the patients of whom all of them are known."""

    def __init__(self, quantity: str, time: Floats, event: Bools, terms: list[_Term], level: float) -> None:
        known = np.all([np.isfinite(term.values) for term in terms], axis=0)
        self.quantity, self.terms, self.level, self.known = quantity, terms, level, known
        self.time, self.event = time[known], event[known]
        self.n, self.events = int(known.sum()), int(event[known].sum())
        out = known.size - self.n
        self.note = f"; {out} patients of unknown {' or '.join(t.name for t in terms)} left out" if out else ""

    @cached_property
    def _fitted(self) -> CoxFit | UndefinedEstimate:
        try:
            if not self.n:
                raise UndefinedEstimate("no patient of whom all terms are known", too_few=True)
            return fit_cox(self.time, self.event, np.hstack([term.columns(self.known) for term in self.terms]))
        except UndefinedEstimate as undefined:
            return undefined

    def fit(self) -> CoxFit:
        """Return the fitted model.

        Raises:
            UndefinedEstimate: As `fit_cox`; all patients in one group of a term, or none left.
        """
        if isinstance(self._fitted, UndefinedEstimate):
            raise self._fitted
        return self._fitted

    def rows(self) -> list[Row]:
        """Return every hazard ratio and the test of all of them being 1."""
        rows, start = [], 0
        for term in self.terms:
            contrasts = term.contrasts(self.known)
            for group, column in contrasts:
                place = None if column is None else start + column
                rows.append(self._ratio(term, group, place))
            start += sum(column is not None for _, column in contrasts)
        subject = self.terms[0].name if len(self.terms) == 1 else ALL
        test = p_value_row(
            "likelihood_ratio_test", subject, self._likelihood_ratio, n=self.n, events=self.events, note=self.note
        )
        return [*rows, test]

    def _ratio(self, term: _Term, group: str | None, place: int | None) -> Row:
        def make() -> Estimate:
            if place is None:
                raise UndefinedEstimate(f"no patient of one of the groups: {group}", too_few=True)
            fit = self.fit()
            return hazard_ratio(fit, np.arange(fit.coefficients.size) == place, level=self.level)

        note = term.unit + self.note
        return estimate_row(self.quantity, term.name, make, n=self.n, events=self.events, group=group, note=note)

    def _likelihood_ratio(self) -> GroupTest:
        fit = self.fit()
        summary = cox_summary(fit, [str(k) for k in range(fit.coefficients.size)], level=self.level)
        return chi_square_as_test(
            summary.likelihood_ratio, f"likelihood ratio test, Cox regression, AIC {summary.aic:.6g}"
        )

    def proportional(self) -> list[Row]:
        """Return the tests of effects that do not change with time: of each term, and of any."""
        tested: ProportionalHazards | UndefinedEstimate
        try:
            self.fit()
            tested = proportional_hazards(
                self.time, self.event, {term.name: term.columns(self.known) for term in self.terms}
            )
        except UndefinedEstimate as undefined:
            tested = undefined

        def make(name: str) -> GroupTest:
            if isinstance(tested, UndefinedEstimate):
                raise tested
            test = tested.overall if name == ALL else tested.terms[name]
            method = "score test of an effect that changes with 1 - S(t-) (Grambsch and Therneau 1994; R cox.zph)"
            return chi_square_as_test(test, method)

        names = [*(term.name for term in self.terms), ALL]
        return [
            p_value_row(
                "proportional_hazards_test",
                name,
                lambda name=name: make(name),  # type: ignore[misc]
                n=self.n,
                events=self.events,
                note=self.note,
            )
            for name in names
        ]


def chi_square_as_test(test: ChiSquareTest, method: str) -> GroupTest:
    """Return a chi-square test as `p_value_row` takes it."""
    return GroupTest("chi-square", test.chi_square, (float(test.degrees_of_freedom),), test.p_value, method)


def _line(row: Row) -> str:
    return row["subject"] if row["group"] is None else f"{row['subject']}: {row['group']}"
