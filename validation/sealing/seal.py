"""Sealed outcomes: a public header and the encrypted table in one file, `outcomes.sealed`.

The header is a line of JSON that anyone can read: whose outcomes, how many, and that their suite passed before they
were sealed. The table is encrypted with AES-SIV (RFC 5297): authenticated, header included, and deterministic, so that
the same table sealed with the same key has the same digest and DVC sees no change. Determinism shows one thing: whether
two sealed tables with equal headers are equal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from validation.cells import PATIENT, TypedTable, convert, parse_table
from validation.cohort import CohortMeta, Endpoint, table_findings
from validation.digests import bytes_sha256
from validation.errors import InputError
from validation.findings import Check, as_error
from validation.outcome_checks import check_outcomes
from validation.schema import load_schema
from validation.sealing.keys import Key, demo_key

SEALED = "outcomes.sealed"
_MAGIC = b"hallmark sealed outcomes 1\n"
_AGAIN = "Restore the file, or seal the outcomes again."


@dataclass(frozen=True)
class Header:
    """What anyone may know of sealed outcomes.

    Attributes:
        cohort: Whose outcomes.
        table: Name of the table that was sealed; its ending is its format.
        n: Patients.
        patients_sha256: The patients table they belong to.
        key_id: Which key opens them.
        checks: The suite that passed: id, what and evaluated of each check.
        extra_columns: Columns that the schema does not know.
        longest_follow_up_months: By endpoint with time, rounded up.
    """

    cohort: str
    table: str
    n: int
    patients_sha256: str
    key_id: str
    checks: tuple[Mapping[str, Any], ...]
    extra_columns: tuple[str, ...]
    longest_follow_up_months: Mapping[str, int]

    def encode(self) -> bytes:
        """Return the header as it stands in the file, which is what the encryption authenticates."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Sealed:
    """Sealed outcomes as they lie in the cohort's folder.

    Attributes:
        file: Where.
        header: What anyone may know.
        ciphertext: The encrypted table.
        sha256: Digest of the file.
    """

    file: Path
    header: Header
    ciphertext: bytes
    sha256: str

    @property
    def published(self) -> bool:
        """Whether the published key opens them."""
        return self.header.key_id == demo_key().id


def seal_table(meta: CohortMeta, patients: TypedTable, name: str, content: bytes, key: Key) -> bytes:
    """Run the suite of an outcomes table and encrypt it.

    Args:
        meta: Its cohort.
        patients: The patients table of the cohort.
        name: Name of the outcomes table, ending in .csv or .parquet.
        content: Its bytes.
        key: The key.

    Returns:
        The content of `outcomes.sealed`.

    Raises:
        InputError: The table cannot be read, a check fails, or the published key would seal real patients.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    if key == demo_key() and not meta.synthetic:
        found = "the published key of the demonstration, for patients who are not synthetic"
        raise InputError(f"sealing {meta.name}", found, "a key of your own", "Make one: hallmark cohort new-key FILE")
    schema = load_schema(meta.schema)
    outcomes = convert(parse_table(f"{meta.name}/{name}", name, content), schema.outcomes.columns)
    ids = [record.get(PATIENT, "") for record in patients.text.records]
    checks = passed(outcomes, check_outcomes(outcomes, schema, ids), meta)
    header = Header(
        cohort=meta.name,
        table=name,
        n=len(ids),
        patients_sha256=patients.text.sha256,
        key_id=key.id,
        checks=tuple({"id": c.id, "what": c.what, "evaluated": c.evaluated} for c in checks),
        extra_columns=outcomes.extra,
        longest_follow_up_months=_longest(meta, outcomes),
    ).encode()
    return _MAGIC + header + b"\n" + AESSIV(key.secret).encrypt(content, [header])


def passed(outcomes: TypedTable, checks: list[Check], meta: CohortMeta) -> list[Check]:
    """Return the checks of an outcomes table if all passed.

    Raises:
        InputError: One failed; the first thing that is wrong, and how many more there are.
    """
    findings = table_findings(outcomes) or [finding for check in checks for finding in check.findings]
    if findings:
        raise as_error(findings, meta.name)
    if empty := [check for check in checks if not check.success]:
        raise InputError(f"{meta.name} check {empty[0].id}", "nothing to evaluate", empty[0].what, "Fill the table.")
    return checks


def _longest(meta: CohortMeta, outcomes: TypedTable) -> dict[str, int]:
    """Return the longest follow-up by endpoint with time, in whole months, so that it points at no patient."""
    times = {name: endpoint.time for name, endpoint in meta.endpoints.items() if isinstance(endpoint, Endpoint)}
    return {name: math.ceil(pd.to_numeric(outcomes.frame[time]).max()) for name, time in times.items()}


def read_sealed(path: Path) -> Sealed:
    """Read sealed outcomes; this opens nothing, and proves nothing of the header until they are opened.

    Raises:
        InputError: No such file, or not what `seal_table` returns.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"no sealed outcomes ({error.strerror})", "sealed outcomes", _AGAIN) from error
    head, newline, ciphertext = content.removeprefix(_MAGIC).partition(b"\n")
    if not content.startswith(_MAGIC) or not newline:
        found = "something else than sealed outcomes"
        raise InputError(str(path), found, "a header and an encrypted table", "Seal with: hallmark cohort seal FOLDER")
    header = _header(path, head)
    if header.encode() != head:
        raise InputError(str(path), "a header written otherwise", "the header as it was sealed", _AGAIN)
    return Sealed(path, header, ciphertext, bytes_sha256(content))


def _header(path: Path, head: bytes) -> Header:
    try:
        raw = json.loads(head)
        known = {field.name for field in fields(Header)}
        if set(raw) != known:
            raise ValueError(f"keys {sorted(raw)}")
        if not all(set(check) == {"id", "what", "evaluated"} for check in raw["checks"]):
            raise ValueError("checks without id, what and evaluated")
        lists = {key: tuple(raw[key]) for key in ("checks", "extra_columns")}
        return Header(**{**raw, **lists})
    except (ValueError, TypeError) as error:
        raise InputError(str(path), f"a damaged header ({error})", "the header as it was sealed", _AGAIN) from error


def decrypt(sealed: Sealed, key: Key) -> bytes:
    """Return the table that was sealed. `validation.sealing.opening` decides whether it may be.

    Raises:
        InputError: Another key, or header or table are not those that were sealed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    try:
        return AESSIV(key.secret).decrypt(sealed.ciphertext, [sealed.header.encode()])
    except InvalidTag:
        found = f"outcomes that key {key.id} does not open: changed since they were sealed, or sealed with another key"
        raise InputError(str(sealed.file), found, "outcomes as they were sealed", _AGAIN) from None
