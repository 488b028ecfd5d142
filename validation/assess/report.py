"""The assessment for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from validation.assess.assessment import Answer
from validation.assess.questions import Plan
from validation.assess.table import PredictionTable

SHOWN_IN_PARTS = frozenset(
    ("harrell_c", "auc", "auc_t", "brier", "brier_t", "calibration_slope", "calibration_intercept", "oe_ratio")
)
BETWEEN_CENTRES = ("_mean", "_next_centre", "_tau2")
FEW_EVENTS = 20  # below, no interval's coverage has been simulated; see docs/estimates.md


def as_document(answers: list[Answer], notes: list[str], table: PredictionTable, plan: Plan) -> dict[str, Any]:
    """Return plain JSON values: the table, what was asked, doubts about it, every estimate."""
    return {
        "table": {"file": table.file, "sha256": table.sha256, "rows": table.n},
        "bootstrap": {"replicates": plan.replicates, "seed": plan.seed},
        "remarks": notes,
        "estimates": [answer.to_dict() for answer in answers],
    }


def number(value: float) -> str:
    """Return a number with three decimals, or three digits where that would show nothing."""
    return f"{value:.3f}" if 0.0005 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"


def p_text(value: float) -> str:
    """Return a P value as papers print it."""
    return "P < 0.001" if value < 0.001 else f"P = {value:.3f}"


def _cells(answer: Answer) -> tuple[str, ...]:
    estimate = answer.estimate
    place = "" if answer.horizon is None else f"{answer.horizon:g}"
    threshold = "" if answer.threshold is None else f"{answer.threshold:g}"
    if estimate is None:
        return (answer.name, place, threshold, "–", str(answer.n), str(answer.events), answer.reason)
    value = f"{number(estimate.value)} [{number(estimate.lower)}, {number(estimate.upper)}]"
    notes = ["" if estimate.p_value is None else p_text(estimate.p_value)]
    notes.append(f"under {FEW_EVENTS} events" if estimate.events < FEW_EVENTS else "")
    note = ", ".join(text for text in notes if text)
    return (answer.name, place, threshold, value, str(estimate.n), str(estimate.events), note)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def _methods(answers: Iterable[Answer]) -> list[str]:
    """One line per name: how the first estimate of that name was made."""
    methods: dict[str, str] = {}
    for answer in answers:
        if answer.estimate is not None:
            methods.setdefault(answer.name, answer.estimate.method)
    return [f"  {name}: {method}" for name, method in methods.items()]


def as_text(answers: list[Answer], notes: list[str], table: PredictionTable, plan: Plan) -> str:
    """Return the assessment as plain text: all of the whole table, then what matters most of its parts."""
    header = ("estimate", "horizon", "threshold", f"value [{plan.level:.0%} interval]", "n", "events", "")
    parts: dict[str | None, list[tuple[str, ...]]] = {}
    shown, hidden = [], 0
    for answer in answers:
        if answer.group is None or answer.name in SHOWN_IN_PARTS or answer.name.endswith(BETWEEN_CENTRES):
            parts.setdefault(answer.group, []).append(_cells(answer))
            shown.append(answer)
        else:
            hidden += 1
    aligned = _aligned([header, *(row for rows in parts.values() for row in rows)])
    lines = [f"{table.file}: {table.n} rows", *(f"Please check: {note}" for note in notes), "", aligned[0]]
    position = 1
    for group, rows in parts.items():
        if group is not None:
            lines += ["", group]
        lines += aligned[position : position + len(rows)]
        position += len(rows)
    if hidden:
        lines += ["", f"{hidden} more estimates of parts of the table: --json writes all."]
    return "\n".join([*lines, "", "Methods", *_methods(shown)])
