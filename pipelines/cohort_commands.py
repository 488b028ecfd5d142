"""What the commands `hallmark cohort ...` do and print; `pipelines.cli` holds their help."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from pipelines.names import require_cohort_folder
from pipelines.writing import require_writable_file, whole_file
from validation.errors import InputError

SHARED = 1
SHOWN = 20
HASH_SHOWN = 12


def fingerprint_folder(folder: Path, salt_file: Path, output: Path) -> int:
    """Check the images of a cohort and write its fingerprint."""
    require_writable_file(output)
    require_cohort_folder(folder)
    from pipelines.progress import LineProgress
    from validation.check import check_images
    from validation.findings import as_error
    from validation.fingerprints import fingerprint, read_salt, write_fingerprint

    salt = read_salt(salt_file)
    checks, manifest = check_images(folder, LineProgress(f"checking {folder.name}"))
    if findings := [finding for check in checks for finding in check.findings]:
        raise as_error(findings, folder.name)
    if empty := [check.id for check in checks if not check.success]:
        raise InputError(str(folder), f"nothing to evaluate for {', '.join(empty)}", "images", "Add the images.")
    table = fingerprint(manifest, salt)
    with whole_file(output) as path:
        write_fingerprint(path, table, salt)
    unhashed = int(table["perceptual_hash"].isna().sum())
    without = f", {unhashed} of them without a perceptual hash" if unhashed else ""
    typer.echo(f"{output}: {table['patient'].nunique()} patients, {len(table)} images{without}")
    return 0


def compare_fingerprints(first: Path, second: Path, as_json: bool) -> int:
    """Print what two cohorts share by their fingerprints; return 1 if that is anything."""
    from validation.fingerprints import read_fingerprints
    from validation.independence import compare

    tables = read_fingerprints(first, second)
    record = _sides_renamed(compare(*tables))
    shared: dict[str, list[dict[str, Any]]] = record["shared"]
    for pairs in shared.values():
        for pair in pairs:
            for side, table in zip(("first", "second"), tables, strict=True):
                pair[side]["patient"] = table["patient"][pair[side]["row"]]
    if not record["success"] and not any(shared.values()):
        empty = ", ".join(name for name, counts in record["compared"].items() if min(counts) < 1)
        remedy = "Make fingerprints of cohorts with images of the same names."
        raise InputError(f"{first}, {second}", f"nothing to compare: {empty}", "something in both files", remedy)
    typer.echo(json.dumps(record, indent=2) if as_json else "\n".join(_lines(record)))
    return SHARED if any(shared.values()) else 0


def _sides_renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its sides called first and second: between two centres neither is development."""
    names = {"development": "first", "external": "second"}
    shared = {
        name: [{names.get(key, key): value for key, value in pair.items()} for pair in pairs]
        for name, pairs in record["shared"].items()
    }
    return {**record, "shared": shared}


def _lines(record: Mapping[str, Any]) -> list[str]:
    """Return one line per comparison, and one per shared pair."""
    lines = []
    for name, pairs in record["shared"].items():
        one, other = record["compared"][name]
        lines.append(f"{name.replace('_', ' ')}: {len(pairs)} shared ({one} against {other})")
        for pair in pairs[:SHOWN]:
            bits = f", {pair['bits']} bits apart" if "bits" in pair else ""
            lines.append(f"       {_place('first', pair)}; {_place('second', pair)}{bits}")
        if len(pairs) > SHOWN:
            lines.append(f"       and {len(pairs) - SHOWN} more")
    return lines


def _place(side: str, pair: Mapping[str, Any]) -> str:
    """Return a row in words, counted from 0 as a table is indexed."""
    image = f" {pair[side]['image']}" if pair[side]["image"] else ""
    return f"{side} row {pair[side]['row']}{image} of patient {pair[side]['patient'][:HASH_SHOWN]}"


def seal_folder(folder: Path, move_to: Path | None, *, delete: bool, demonstration: bool) -> int:
    """Seal the outcomes of a cohort folder, and say what anyone can read of them."""
    if (move_to is None) != delete:
        found = "both --move-to and --delete" if delete else "neither --move-to nor --delete"
        raise InputError("hallmark cohort seal", found, "one of them", "Say what becomes of the open table.")
    from pipelines.sealing import seal_cohort

    sealed = seal_cohort(folder, move_to, demonstration=demonstration)
    header = sealed.header
    typer.echo(
        f"{sealed.file}: outcomes of {header.n} patients, {len(header.checks)} checks passed, key {header.key_id}\n"
        f"{header.table} was {'deleted' if move_to is None else f'moved to {move_to}'}"
    )
    return 0


def draw_key(file: Path) -> int:
    """Draw a key, and say how it is used; the key itself is never shown."""
    from validation.sealing.keys import VARIABLE, new_key

    key = new_key(file)
    typer.echo(f"{file}: key {key.id}. Use it with: export {VARIABLE}={file.absolute()}")
    return 0
