"""`hallmark ledger ...`: help and arguments; imports stay lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

ledger = typer.Typer(
    name="ledger",
    help="Who opened outcomes, when, by which plan and for which model. Lines are only ever added.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@ledger.command()
def show(as_json: AsJson = False) -> None:
    """Print every opening of outcomes, and what each cohort has spent of its alpha budget.

    Reads evidence/ledger.jsonl; writes nothing. Exits with 0 when done, 2 when the ledger is damaged, 4 on an internal
    error.
    """
    from pipelines.ledger_commands import show_ledger

    raise typer.Exit(show_ledger(as_json))


@ledger.command()
def verify() -> None:
    """Verify every line, their chain, every version of the ledger in git and every line that a verdict names.

    Reads evidence/ and the history of the commit at hand; writes nothing. Exits with 0 when the ledger is whole, 2 when
    a line was altered, moved, removed or cut off, 4 on an internal error.
    """
    from pipelines.ledger_commands import verify_ledger

    raise typer.Exit(verify_ledger())


@ledger.command()
def merge(
    other: Annotated[Path, typer.Argument(help="Another version of the ledger.", show_default=False)],
) -> None:
    """Add the entries of another branch's ledger that are missing here, after a merge.

    Reads OTHER (`git show MERGE_HEAD:evidence/ledger.jsonl > OTHER`); writes lines to the end of evidence/ledger.jsonl,
    which must be that of the branch at hand. Exits with 0 when done, 2 on bad input, 4 on an internal error.
    """
    from pipelines.ledger_commands import merge_ledger

    raise typer.Exit(merge_ledger(other))
