"""Seal the outcomes of a cohort folder: what the command `hallmark cohort seal` does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipelines.names import require_cohort_folder
from pipelines.writing import require_writable_file, whole_file
from validation.cohort import META, read_meta, read_patients
from validation.errors import InputError
from validation.sealing.keys import Key, demo_key, key_at_hand
from validation.sealing.seal import SEALED, Sealed, decrypt, read_sealed, seal_table


def seal_cohort(folder: Path, move_to: Path | None, *, demonstration: bool) -> Sealed:
    """Seal the outcomes of a cohort in its folder, and take the open table out of it.

    The sealed table is written, `cohort.yaml` names it, and only when it decrypts to the very bytes of the open table
    is that one moved or deleted. Interrupted and run again, it goes on.

    Args:
        folder: Cohort folder.
        move_to: Where the open table goes; None deletes it.
        demonstration: Seal with the published key; synthetic cohorts only.

    Raises:
        InputError: The cohort or its outcomes are wrong, sealed already, there is no key, or nothing can be written.
    """
    require_cohort_folder(folder)
    meta = read_meta(folder)
    if move_to is not None:
        _require_new(folder, move_to)
    key: Key = demo_key() if demonstration else key_at_hand()
    if meta.sealed:
        return _finished(folder, key, move_to)
    name = meta.tables["outcomes"]
    content = (folder / name).read_bytes() if (folder / name).is_file() else b""
    if not content:
        raise InputError(str(folder / name), "no outcomes, or an empty file", "a table", "Add it.")
    sealed = seal_table(meta, read_patients(folder, meta), name, content, key)
    with whole_file(folder / SEALED) as temporary:
        temporary.write_bytes(sealed)
    _name_sealed_table(folder, name)
    return _finished(folder, key, move_to)


def _finished(folder: Path, key: Key, move_to: Path | None) -> Sealed:
    """Take the open table out of a folder whose outcomes are sealed."""
    sealed = read_sealed(folder / SEALED)
    table = folder / sealed.header.table
    if not table.is_file():
        found = f"outcomes that are sealed already ({SEALED})"
        raise InputError(str(folder / META), found, "outcomes that lie open", "There is nothing to do.")
    if decrypt(sealed, key) != table.read_bytes():
        remedy = "Keep the right table, and seal again."
        raise InputError(str(table), f"other outcomes than {SEALED} holds", "the same outcomes", remedy)
    if move_to is None:
        os.unlink(table)
    else:
        shutil.move(table, move_to)
    return sealed


def _require_new(folder: Path, path: Path) -> None:
    require_writable_file(path)
    if path.exists():
        raise InputError(str(path), "a file", "a new file", "Name another; no table is replaced.")
    if path.absolute().is_relative_to(folder.absolute()):
        raise InputError(
            str(path), "a place in the cohort folder", "a place outside", "Only sealed outcomes enter DVC."
        )


def _name_sealed_table(folder: Path, name: str) -> None:
    """Let cohort.yaml name the sealed table; everything else in it stays as written."""
    text = (folder / META).read_text(encoding="utf-8")
    head, tables, rest = text.partition("\ntables:")
    changed = head + tables + rest.replace(f"outcomes: {name}", f"outcomes: {SEALED}", 1)
    if changed == text:
        where, expected = str(folder / META), f"tables:, and in it outcomes: {name}"
        raise InputError(where, "tables written otherwise", expected, f"Write outcomes: {SEALED} there yourself.")
    with whole_file(folder / META) as temporary:
        temporary.write_text(changed, encoding="utf-8")
