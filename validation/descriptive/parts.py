"""Parts of a cohort: how rows and figures name them, and the figure that shows an estimate in each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from validation.cohort_table import Groups
from validation.descriptive.base import Figure, Row, Series
from validation.estimators.estimate import UndefinedEstimate


def part_name(text: str, label: str) -> str:
    """Return the label of a group with the column that made it: "sex male", "lp_mdls high", "age_years >= 60"."""
    return f"{text} {label}" if re.fullmatch(r"\w+", text) else label


def left_out(groups: Groups, text: str) -> str:
    """Return who belongs to no group, as an end of a method; nothing if everybody belongs to one."""
    unknown = int((~groups.known).sum())
    return f"; {unknown} patients of unknown {text} left out" if unknown else ""


def forest(rows: Sequence[Row], x: str, name: Callable[[Row], str]) -> Figure:
    """Return the figure of estimates below each other, the first uppermost; what is undefined has no line.

    Args:
        rows: Estimates, made by `estimate_row`.
        x: Label of the horizontal axis.
        name: What a row is called beside its line.
    """
    shown = [row for row in rows if row["value"] is not None]
    return Figure(
        x,
        "line from the top",
        tuple(
            Series(
                name(row), {"x": [row["value"]], "lower": [row["lower"]], "upper": [row["upper"]], "y": [position + 1]}
            )
            for position, row in enumerate(shown)
        ),
    )


def nobody_in(label: str) -> UndefinedEstimate:
    """Return the reason why a part without patients has no estimate."""
    return UndefinedEstimate(f"no patient with {label}", too_few=True)
