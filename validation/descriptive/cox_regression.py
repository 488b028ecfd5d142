"""Univariable and multivariable Cox regression, with the test of proportional hazards."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import (
    NUMBERS_OR_GROUPS,
    WITH_TIME,
    Description,
    Descriptive,
    Row,
    estimate_row,
    p_value_row,
)
from validation.descriptive.parts import forest
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.samples import Bools, Floats
from validation.estimators.survival.cox import CoxFit, fit_cox
from validation.estimators.survival.cox_summary import ChiSquareTest, cox_summary, hazard_ratio
from validation.estimators.survival.proportional_hazards import ProportionalHazards, proportional_hazards
from validation.outcomes import left_out

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

    def effects(self, chosen: Bools) -> list[_Effect]:
        """Return what a model of the patients chosen can say of the term: one effect, or one per group but the first.

        Groups are compared with the first that has patients.
        """
        values = self.values[chosen]
        if not self.labels:
            return [_Effect(self, None, values / self.scale)]
        present = sorted({int(value) for value in values})
        first = present[0] if len(present) > 1 else 0
        others = [k for k in range(len(self.labels)) if k != first]
        return [
            _Effect(self, f"{self.labels[k]} against {self.labels[first]}", (values == k).astype(np.float64))
            for k in others
        ]

    @property
    def unit(self) -> str:
        """What a hazard ratio of a number is per, as an end of a method."""
        if self.labels:
            return ""
        return "; per unit" if self.scale == 1.0 else f"; per standard deviation of this cohort, {self.scale:.6g}"


@dataclass(frozen=True, eq=False)
class _Effect:
    """One covariate of a Cox model.

    Attributes:
        term: Whose it is.
        group: The two groups it compares; None for a number.
        column: Shape (n,).
    """

    term: _Term
    group: str | None
    column: Floats

    def left_out(self, before: list[Floats]) -> str | None:
        """Return why the covariates before it leave nothing for it to say; None if they do leave something."""
        if self.column.size == 0:
            return "no patient of whom all terms are known"
        if self.column.min() == self.column.max():
            if self.group is None:
                return f"{self.term.name} has the same value for all {self.column.size} patients"
            return f"no patient in one of the two groups, {self.group}"
        together = np.column_stack([(x - x.mean()) / x.std() for x in (*before, self.column)])
        if np.linalg.matrix_rank(together) < together.shape[1]:
            return "collinear with the terms before it"
        return None


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
    endpoint: str = field(metadata=WITH_TIME)
    terms: tuple[str, ...] = field(metadata=NUMBERS_OR_GROUPS)
    standardise: bool = False

    def __post_init__(self) -> None:
        """Refuse a term given twice."""
        super().__post_init__()
        if len(set(self.terms)) != len(self.terms):
            raise self.error("terms", "a term given twice", "every term once")

    def describe(self, cohort: CohortTable) -> Description:
        """Return hazard ratios and tests: per term alone, then of all terms in their complete cases."""
        time, event = cohort.follow_up(self.endpoint)
        terms = [self._term(cohort, name) for name in self.terms]
        rows: list[Row] = []
        for term in terms:
            rows += _Model("hazard_ratio", time, event, [term], cohort.level).rows()
        together = _Model("adjusted_hazard_ratio", time, event, terms, cohort.level)
        rows += [*together.rows(), *together.proportional()]
        figures = (
            forest(rows, "hazard_ratio", "hazard ratio, each term alone"),
            forest(rows, "adjusted_hazard_ratio", "hazard ratio, all terms together"),
        )
        return Description(tuple(rows), figures)

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
    """A Cox model of some terms in the patients of whom all of them are known.

    What is collinear with the terms before it, or the same for all patients, is left out, as R's coxph does.
    """

    def __init__(self, quantity: str, time: Floats, event: Bools, terms: list[_Term], level: float) -> None:
        known = np.all([np.isfinite(term.values) for term in terms], axis=0)
        self.quantity, self.terms, self.level = quantity, terms, level
        self.time, self.event = time[known], event[known]
        self.n, self.events = int(known.sum()), int(event[known].sum())
        self.effects = [effect for term in terms for effect in term.effects(known)]
        self.kept: list[_Effect] = []
        self.reasons: dict[_Effect, str] = {}
        for effect in self.effects:
            reason = effect.left_out([earlier.column for earlier in self.kept])
            if reason is None:
                self.kept.append(effect)
            else:
                self.reasons[effect] = reason
        self.note = self._note(known.size - self.n)

    def _note(self, unknown: int) -> str:
        note = left_out(unknown, self.terms[0].name if len(self.terms) == 1 else "value of a term")
        if self.kept and self.reasons:
            note += "; without " + ", ".join(effect.group or effect.term.name for effect in self.reasons)
        return note

    @cached_property
    def _fitted(self) -> CoxFit | UndefinedEstimate:
        try:
            if not self.kept:
                raise UndefinedEstimate(next(iter(self.reasons.values())), too_few=True)
            return fit_cox(self.time, self.event, np.column_stack([effect.column for effect in self.kept]))
        except UndefinedEstimate as undefined:
            return undefined

    def fit(self) -> CoxFit:
        """Return the fitted model.

        Raises:
            UndefinedEstimate: As `fit_cox`; nothing to fit.
        """
        if isinstance(self._fitted, UndefinedEstimate):
            raise self._fitted
        return self._fitted

    def rows(self) -> list[Row]:
        """Return every hazard ratio and the test of all of them being 1."""
        subject = self.terms[0].name if len(self.terms) == 1 else ALL
        test = p_value_row(
            "likelihood_ratio_test", subject, self._likelihood_ratio, n=self.n, events=self.events, note=self.note
        )
        return [*(self._ratio(effect) for effect in self.effects), test]

    def _ratio(self, effect: _Effect) -> Row:
        def make() -> Estimate:
            if effect in self.reasons:
                raise UndefinedEstimate(self.reasons[effect], too_few=True)
            chosen = [effect is kept for kept in self.kept]
            return hazard_ratio(self.fit(), np.array(chosen, dtype=np.float64), level=self.level)

        return estimate_row(
            self.quantity,
            effect.term.name,
            make,
            n=self.n,
            events=self.events,
            group=effect.group,
            note=effect.term.unit + self.note,
        )

    def _likelihood_ratio(self) -> GroupTest:
        fit = self.fit()
        summary = cox_summary(fit, [str(k) for k in range(fit.coefficients.size)], level=self.level)
        method = f"likelihood ratio test, Cox regression, AIC {summary.aic:.6g}"
        return chi_square_as_test(summary.likelihood_ratio, method)

    @cached_property
    def _proportional(self) -> ProportionalHazards | UndefinedEstimate:
        columns: dict[str, list[Floats]] = {}
        for effect in self.kept:
            columns.setdefault(effect.term.name, []).append(effect.column)
        try:
            self.fit()
            terms = {name: np.column_stack(parts) for name, parts in columns.items()}
            return proportional_hazards(self.time, self.event, terms)
        except UndefinedEstimate as undefined:
            return undefined

    def proportional(self) -> list[Row]:
        """Return the tests of effects that do not change with time: of each term, and of any."""

        def make(name: str) -> GroupTest:
            tested = self._proportional
            if isinstance(tested, UndefinedEstimate):
                raise tested
            if name != ALL and name not in tested.terms:
                raise UndefinedEstimate(f"{name} is not in the model", too_few=True)
            method = "score test of an effect that changes with 1 - S(t-) (Grambsch and Therneau 1994; R cox.zph)"
            return chi_square_as_test(tested.overall if name == ALL else tested.terms[name], method)

        return [
            p_value_row(
                "proportional_hazards_test",
                name,
                partial(make, name),
                n=self.n,
                events=self.events,
                note=self.note,
            )
            for name in (*(term.name for term in self.terms), ALL)
        ]


def chi_square_as_test(test: ChiSquareTest, method: str) -> GroupTest:
    """Return a chi-square test as `p_value_row` takes it."""
    return GroupTest("chi-square", test.chi_square, (float(test.degrees_of_freedom),), test.p_value, method)
