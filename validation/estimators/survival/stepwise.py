"""Stepwise selection of the terms of a Cox model by Akaike's criterion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.samples import Bools, Floats, survival_sample
from validation.estimators.survival.cox import CoxFit, fit_cox, null_log_likelihood
from validation.estimators.survival.cox_summary import term_columns

Direction = Literal["both", "backward", "forward"]


@dataclass(frozen=True)
class Step:
    """One model on the path.

    Attributes:
        change: What led to it: "- term" or "+ term"; empty for the first model.
        terms: Its terms, in the order in which they entered.
        aic: -2 log-likelihood + 2 coefficients.
    """

    change: str
    terms: tuple[str, ...]
    aic: float


@dataclass(frozen=True, eq=False)
class StepwiseSelection:
    """The path and the model at its end.

    Attributes:
        path: All models from the first to the chosen one.
        fit: The chosen model, columns in the order of its terms; None if no term is left.
    """

    path: tuple[Step, ...]
    fit: CoxFit | None

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms chosen."""
        return self.path[-1].terms


def stepwise_cox(
    time: ArrayLike, event: ArrayLike, terms: Mapping[str, ArrayLike], *, direction: Direction
) -> StepwiseSelection:
    """Drop or add the term that lowers AIC most until none does; equals R's MASS::stepAIC on survival::coxph.

    Coefficients and P values of the chosen model are too optimistic, because the same data chose its terms.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        terms: Per candidate, shape (n,), or (n, k) where several columns enter or leave together (a factor).
        direction: "backward" drops from the model of all terms, "forward" adds to the model of none, "both" starts from
            all and may add again what it dropped.

    Raises:
        UndefinedEstimate: As `fit_cox` and `term_columns`, for any model on the way.
    """
    times, events = survival_sample(time, event)
    columns = term_columns(terms, times.size)
    chosen = () if direction == "forward" else tuple(columns)
    path = [Step("", chosen, _aic(times, events, columns, chosen))]
    while True:
        current = path[-1]
        changes: list[tuple[str, tuple[str, ...]]] = []
        if direction != "forward":
            changes += [(f"- {name}", tuple(x for x in current.terms if x != name)) for name in current.terms]
        if direction != "backward":
            changes += [(f"+ {name}", (*current.terms, name)) for name in columns if name not in current.terms]
        candidates = [Step(change, names, _aic(times, events, columns, names)) for change, names in changes]
        best = min([current, *candidates], key=lambda step: step.aic)  # the first of equals: then no change
        if best is current:
            break
        path.append(best)
    return StepwiseSelection(tuple(path), _fit(times, events, columns, path[-1].terms) if path[-1].terms else None)


def _fit(time: Floats, event: Bools, columns: dict[str, Floats], names: tuple[str, ...]) -> CoxFit:
    return fit_cox(time, event, np.hstack([columns[name] for name in names]))


def _aic(time: Floats, event: Bools, columns: dict[str, Floats], names: tuple[str, ...]) -> float:
    if not names:
        return -2 * null_log_likelihood(time, event)
    fit = _fit(time, event, columns, names)
    return -2 * fit.log_likelihood + 2 * fit.coefficients.size
