"""Parts of a cohort: how rows and figures name them, and the figure that shows an estimate in each."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.cohort_table import Groups
from validation.descriptive.base import Figure, Row, Series
from validation.descriptive.quantities import LINES
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools
from validation.estimators.survival.interaction import in_cell_without_event
from validation.outcomes import left_out


def part_name(text: str, label: str, between: str = " ") -> str:
    """Return the label of a group with the column that made it: "sex male", "lp_mdls high", "age_years >= 60"."""
    return f"{text}{between}{label}" if re.fullmatch(r"\w+", text) else label


def of_unknown(groups: Groups, text: str) -> str:
    """Return who belongs to no group, as an end of a method; nothing if everybody belongs to one."""
    return left_out(int((~groups.known).sum()), text)


def forest(rows: Sequence[Row], quantity: str, x: str) -> Figure:
    """Return the figure of a quantity's estimates below each other, the first uppermost; what is undefined has no line.

    Args:
        rows: Of the analysis; a point's `row` is the place of its estimate among them, counted from 0.
        quantity: That is shown.
        x: Label of the horizontal axis.
    """
    shown = [(k, row) for k, row in enumerate(rows) if row["quantity"] == quantity and row["value"] is not None]
    points: dict[str, ArrayLike] = {
        "x": [row["value"] for _, row in shown],
        "lower": [row["lower"] for _, row in shown],
        "upper": [row["upper"] for _, row in shown],
        "y": [line + 1 for line in range(len(shown))],
        "row": [k for k, _ in shown],
    }
    return Figure(x, LINES, (Series(quantity, points),) if shown else ())


def nobody_in(label: str) -> UndefinedEstimate:
    """Return the reason why a part without patients has no estimate."""
    return UndefinedEstimate(f"no patient with {label}", too_few=True)


def of_arms_without_event(event: Bools, treatment: NDArray[np.intp], group: NDArray[np.intp]) -> str:
    """Return what a test of interaction takes of an arm of a group in which nobody has an event, for its method.

    Args:
        event: Shape (n,).
        treatment: Shape (n,), 0 or 1.
        group: Shape (n,), number of each patient's group.
    """
    silent = int(in_cell_without_event(event, treatment, group).sum())
    return f"; hazard of {silent} patients of an arm without event taken as 0" if silent else ""
