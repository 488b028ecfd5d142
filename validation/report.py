"""The verdict for people: one table, failures first, as plain text or Markdown."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from validation.gates.base import GateResult, Limit, State
from validation.verdict import Verdict

_ORDER = {State.FAIL: 0, State.INCONCLUSIVE: 1, State.PASS: 2}


@dataclass(frozen=True)
class Row:
    """One line of the table, ready to print."""

    state: str
    gate: str
    cohort: str
    value: str
    limit: str
    n: str
    events: str
    note: str


def _number(value: float) -> str:
    return f"{value:.3f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.2g}"


def _value(result: GateResult) -> str:
    answer = result.answer
    if answer.value is None:
        return "–"
    if answer.lower is None or answer.upper is None or answer.lower == answer.upper:
        return f"{answer.value:.3g}"
    return f"{_number(answer.value)} [{_number(answer.lower)}, {_number(answer.upper)}]"


def limit_text(limit: Limit | None) -> str:
    """Return a limit as people write it: `> 0.65`, `0.7 to 1.4`."""
    if limit is None:
        return "–"
    if limit.side == "between":
        return f"{limit.values[0]:g} to {limit.values[1]:g}"
    return f"{ {'above': '>', 'below': '<', 'at_most': '≤'}[limit.side] } {limit.values[0]:g}"


def needed_text(result: GateResult) -> str:
    """Say what would settle an inconclusive gate; empty for any other."""
    answer = result.answer
    if answer.state is not State.INCONCLUSIVE:
        return ""
    needed = answer.needed
    if needed is None or (needed.events is None and needed.patients is None):
        return "more patients alone would hardly settle it"
    parts = [
        f"{number} {what}" for number, what in ((needed.events, "events"), (needed.patients, "patients")) if number
    ]
    condition = "" if answer.value is None else " if the value stays"
    return f"about {', '.join(parts)} in all would settle it{condition}"


def _row(result: GateResult) -> Row:
    spec, answer = result.spec, result.answer
    notes = [answer.reason, needed_text(result), "" if spec.blocking else "descriptive"]
    return Row(
        state=str(answer.state),
        gate=spec.id,
        cohort=answer.cohort or "–",
        value=_value(result),
        limit=limit_text(spec.limit),
        n="–" if answer.n is None else str(answer.n),
        events="–" if answer.events is None else str(answer.events),
        note="; ".join(note for note in notes if note),
    )


def rows(verdict: Verdict) -> list[Row]:
    """Return the table: failures first, then inconclusive gates; blocking before descriptive."""
    ordered = sorted(verdict.gates, key=lambda result: (_ORDER[result.answer.state], not result.spec.blocking))
    return [_row(result) for result in ordered]


def summary(verdict: Verdict) -> str:
    """Return one line: the model, the verdict, the count of answers, and whether the data are synthetic."""
    counts = {state: sum(r.answer.state is state for r in verdict.gates) for state in _ORDER}
    answers = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{verdict.model}: {verdict.state} ({answers}){' – synthetic data' if verdict.synthetic else ''}"


def as_text(verdict: Verdict) -> str:
    """Return the verdict as plain text, one line per gate and cohort."""
    header = tuple(field.name for field in fields(Row))
    table = [header, *(astuple(row) for row in rows(verdict))]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(header) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)), cells[-1]])
        for cells in table
    ]
    return "\n".join([summary(verdict), "", *lines]) + "\n"


def as_markdown(verdict: Verdict) -> str:
    """Return the verdict as a Markdown table, for a pull request."""
    header = [field.name for field in fields(Row)]
    body = [[cell.replace("|", "\\|").replace("\n", " ") for cell in astuple(row)] for row in rows(verdict)]
    lines = [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *body)]
    return "\n".join([f"**{summary(verdict)}**", "", *lines]) + "\n"
