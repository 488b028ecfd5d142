"""`hallmark cohort ...`: help and arguments; imports stay lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

cohort = typer.Typer(
    name="cohort",
    help="What a centre does with its cohort before anyone else sees anything of it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@cohort.command()
def fingerprint(
    folder: Annotated[Path, typer.Argument(help="Cohort folder.", show_default=False)],
    salt_file: Annotated[
        Path, typer.Option(help="File with the secret that the centres share, 16 bytes or more.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.", show_default=False)],
) -> None:
    """Write salted hashes of a cohort's patients and images, which another centre can compare with its own.

    Reads the folder (never its outcomes) and SALT_FILE; writes OUTPUT, which holds no id. Exits with 0 when done, 2 on
    bad input or when a check of an image fails, 4 on an internal error.
    """
    from pipelines.cohort_commands import fingerprint_folder

    raise typer.Exit(fingerprint_folder(folder, salt_file, output))


@cohort.command()
def compare(
    first: Annotated[Path, typer.Argument(help="Fingerprint of one cohort.", show_default=False)],
    second: Annotated[Path, typer.Argument(help="That of another, made with the same salt.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Compare two fingerprints: patients, image files, voxels and near-duplicate images that both cohorts have.

    Reads both files and needs no salt; writes nothing. Exits with 0 when nothing is shared, 1 when something is, 2 on
    bad input (another salt, nothing to compare), 4 on an internal error.
    """
    from pipelines.cohort_commands import compare_fingerprints

    raise typer.Exit(compare_fingerprints(first, second, as_json))


@cohort.command()
def seal(
    folder: Annotated[Path, typer.Argument(help="Cohort folder.", show_default=False)],
    move_to: Annotated[
        Path | None, typer.Option(help="Where the open table goes, outside the folder.", show_default=False)
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the open table once the seal was verified.")] = False,
    demonstration: Annotated[
        bool, typer.Option("--demonstration", help="Seal with the published key; synthetic cohorts only.")
    ] = False,
) -> None:
    """Seal the outcomes of a cohort: run their suite, encrypt them, and take the open table out of the folder.

    Either --move-to or --delete. Reads the folder and the key that HALLMARK_KEY_FILE names; writes outcomes.sealed,
    whose first lines anyone can read, and names it in cohort.yaml. Exits with 0 when sealed, 2 on bad input or when a
    check fails (nothing is changed then), 4 on an internal error.
    """
    from pipelines.cohort_commands import seal_folder

    raise typer.Exit(seal_folder(folder, move_to, delete=delete, demonstration=demonstration))


@cohort.command("new-key")
def key(file: Annotated[Path, typer.Argument(help="File to write; never replaced.", show_default=False)]) -> None:
    """Draw a key that seals outcomes. Whoever holds it can open them: keep it away from those who train models.

    Reads nothing; writes FILE, readable by its owner alone. Exits with 0 when done, 2 when the file is there or cannot
    be written.
    """
    from pipelines.cohort_commands import draw_key

    raise typer.Exit(draw_key(file))
