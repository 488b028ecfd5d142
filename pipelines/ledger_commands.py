"""Show, verify and merge the exposure ledger: what the commands `hallmark ledger ...` do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from pipelines.anchors import anchors
from pipelines.layout import LEDGER
from validation.errors import InputError
from validation.sealing.ledger import Entry, Ledger, add_entry, parse_ledger, read_ledger, verify_anchors
from validation.sealing.opening import unfinished

SHORT = 12


def show_ledger(as_json: bool) -> int:
    """Print every opening of outcomes, what each cohort has spent, and what was begun and not finished."""
    ledger = read_ledger(LEDGER)
    if as_json:
        entries = [json.loads(entry.encode()) for entry in ledger.entries]
        document = {"entries": entries, "head": ledger.head, "unfinished": list(unfinished(LEDGER))}
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    typer.echo("\n".join([*_table(ledger), *_unfinished()]))
    return 0


def verify_ledger() -> int:
    """Verify every line, the chain, and every anchor; say what was verified."""
    ledger = read_ledger(LEDGER)
    known = anchors()
    verify_anchors(ledger, known, str(LEDGER))
    versions = sum(1 for version in known.committed if version)
    typer.echo(
        f"{LEDGER}: {len(ledger.entries)} lines, none altered, moved or missing (head {ledger.head[:SHORT]}); "
        f"{versions} version(s) in git and {len(known.named)} opening(s) that verdicts name are in it"
    )
    if notes := _unfinished():
        typer.echo("\n".join(notes))
    return 0


def merge_ledger(other: Path) -> int:
    """Add the entries of another version of the ledger that are missing here, as after a merge of two branches."""
    try:
        theirs = parse_ledger(other.read_bytes(), str(other))
    except OSError as error:
        where, remedy = str(other), f"Write it there: git show MERGE_HEAD:{LEDGER.as_posix()} > FILE"
        raise InputError(where, f"no ledger ({error.strerror})", "another version of the ledger", remedy) from error
    ours = read_ledger(LEDGER)
    verify_anchors(ours, replace(anchors(), named={}), str(LEDGER))  # a merged verdict may name what is added now
    before = len(ours.entries)
    for entry in theirs.entries:
        add_entry(LEDGER, entry)
    after = len(read_ledger(LEDGER).entries)
    typer.echo(f"{LEDGER}: {after - before} of {len(theirs.entries)} entries added; {after} lines")
    return 0


def _table(ledger: Ledger) -> list[str]:
    header = ("line", "when (UTC)", "who", "kind", "model", "cohort", "lock", "alpha", "spent", "of")
    rows = [header, *(_row(ledger, entry) for entry in ledger.entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, f"{len(ledger.entries)} openings; head {ledger.head[:SHORT]}"]


def _row(ledger: Ledger, entry: Entry) -> tuple[str, ...]:
    spent, budget = Ledger(ledger.entries[: entry.sequence]).spent(entry)
    return (
        str(entry.sequence),
        entry.when.removesuffix("+00:00"),
        entry.who,
        entry.kind,
        entry.model,
        entry.cohort + (" (synthetic)" if entry.synthetic else ""),
        entry.lock[:SHORT],
        f"{entry.alpha:g}",
        f"{spent:g}",
        f"{budget:g}",
    )


def _unfinished() -> list[str]:
    notes: tuple[Any, ...] = unfinished(LEDGER)
    return [
        f"begun and not finished: {note['cohort']} for {note['model']}, by {note['who']} on {note['when']}; "
        f"run again: hallmark evaluate {note['model']} {note['cohort']}"
        for note in notes
    ]
