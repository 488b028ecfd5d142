"""`hallmark protocol ...`: help and arguments; imports stay lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

protocol = typer.Typer(
    name="protocol",
    help="Write, check, lock and amend protocols, the plans fixed before outcomes are looked at.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Architecture = Annotated[str, typer.Argument(help="Folder in models/, which names the protocol.", show_default=False)]


@protocol.command("new")
def protocol_new(
    architecture: Architecture,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write; validation/protocols/ARCHITECTURE.yaml.", show_default=False
        ),
    ] = None,
) -> None:
    """Write the template of a protocol: what the model says of itself, and TODO where a person must decide.

    Reads the architecture's outputs, endpoints and horizons; writes one new file and never replaces one. Exits with 0
    when done, 2 on bad input or when the file is there, 4 on an internal error.
    """
    from pipelines.protocol_commands import new_protocol

    raise typer.Exit(new_protocol(architecture, output))


@protocol.command("check")
def protocol_check(
    architecture: Annotated[
        list[str] | None, typer.Argument(help="Architectures; all of them if none is named.", show_default=False)
    ] = None,
) -> None:
    """Check protocols: every key, every contradiction, with file and line; one line per protocol.

    Reads the protocols, params.yaml, the outputs of the models and cohort.yaml of the cohorts at hand, never outcomes;
    writes nothing. Exits with 0 when all are sound, 2 when one is not, 4 on an internal error.
    """
    from pipelines.protocol_commands import check_protocols

    raise typer.Exit(check_protocols(architecture or ()))


@protocol.command("show")
def protocol_show(architecture: Architecture, as_json: AsJson = False) -> None:
    """Print a plan: intended use, cohorts, estimates, subgroups, and each gate with limit, source and hazard.

    Reads the protocol; writes nothing. Exits with 0 when done, 2 on bad input, 4 on an internal error.
    """
    from pipelines.protocol_commands import show_protocol

    raise typer.Exit(show_protocol(architecture, as_json))


@protocol.command("lock")
def protocol_lock(architecture: Architecture) -> None:
    """Lock a plan with its cohorts: from now on outcomes are opened by it alone. Run twice, it changes nothing.

    Reads the protocol, params.yaml, the model's outputs, the cohorts (sealed) and the ledger; writes
    validation/protocols/ARCHITECTURE.lock.json, which belongs into git. Exits with 0 when locked, 2 on bad input or
    when the plan differs from what is locked, 4 on an internal error.
    """
    from pipelines.protocol_commands import lock_plan

    raise typer.Exit(lock_plan(architecture))


@protocol.command("diff")
def protocol_diff(architecture: Architecture) -> None:
    """Print what differs between a plan and its lock, key by key.

    Reads protocol, lock and cohorts; writes nothing. Exits with 0 when nothing differs, 1 when something does, 2 on bad
    input, 4 on an internal error.
    """
    from pipelines.protocol_commands import show_difference

    raise typer.Exit(show_difference(architecture))


@protocol.command("amend")
def protocol_amend(
    architecture: Architecture,
    reason: Annotated[str, typer.Option(help="Why, in a sentence; reviewers read it.", show_default=False)],
) -> None:
    """Record a change of a locked plan. A changed analysis needs new openings; changed gates cap the verdict.

    Reads what `lock` reads; writes the lock with one more amendment: what, why, who, when, and after how many openings.
    Exits with 0 when recorded, 2 on bad input or when nothing has changed, 4 on an internal error.
    """
    from pipelines.protocol_commands import amend_plan

    raise typer.Exit(amend_plan(architecture, reason))
