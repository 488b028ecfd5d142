"""Salted fingerprints of a cohort: what two centres exchange to find shared patients and images without sharing ids.

    table = fingerprint(report.manifest, salt)         # at each centre, with the same salt
    write_fingerprint(path, table, salt)
    compare(*read_fingerprints(path, other))           # validation.independence; needs no salt

Ids and digests are replaced by HMAC-SHA256 under the salt (RFC 2104). Ids are short, so who has the salt can try them
all: the centres keep it to themselves, and give it to nobody who compares for them. The perceptual hash stays as it
is, since near-duplicates need distances: it is a coarse picture of 960 signs that names nobody, but who has the image
recognises it. There is no second hash of an id's digits: P001 and Q001 of two centres would be one patient.
"""

from __future__ import annotations

import hmac
import unicodedata
from pathlib import Path
from typing import Any

import pandas as pd

from validation.errors import InputError
from validation.perceptual import is_hash

COMPARED_KINDS = ("image", "slide")
COLUMNS = ("patient", "image", "kind", "file", "voxels", "perceptual_hash")
SALT_BYTES_MIN = 16
_SALT_CHECK = "hallmark.salt_check"
_HEX = set("0123456789abcdef")
_REMEDY = "Make it again with hallmark cohort fingerprint."


def read_salt(path: Path) -> bytes:
    """Return the salt in a file, without white space around it, so that an editor's last newline does not matter.

    Raises:
        InputError: The file cannot be read, or holds fewer than 16 bytes.
    """
    try:
        salt = path.read_bytes().strip()
    except OSError as error:
        found = f"a file that cannot be read ({error.strerror})"
        raise InputError(
            str(path), found, "a file with the salt", "Name the file that the centres agreed on."
        ) from error
    return _checked(salt, str(path))


def fingerprint(manifest: pd.DataFrame, salt: bytes) -> pd.DataFrame:
    """Return the fingerprint of a cohort: one row per image and slide of the manifest, in its order; no id, no digest.

    Args:
        manifest: `CohortReport.manifest`. Masks and annotations are left out: two small tumours may be drawn alike.
        salt: At least 16 bytes that the centres share.

    Returns:
        Columns patient, image, kind, file, voxels, perceptual_hash; None where the manifest has nothing. Patient, file
        and voxels are 64 hexadecimal digits each; the same id with other spaces around it, in other letter case or in
        other Unicode characters of the same meaning has the same.

    Raises:
        InputError: The salt is too short.
    """
    key = _checked(salt, "salt")
    kept = manifest[manifest["kind"].isin(COMPARED_KINDS)]
    columns = {
        "patient": [_keyed(key, "patient", _normalised(text)) for text in kept["patient_id"]],
        "image": list(kept["image"]),
        "kind": list(kept["kind"]),
        "file": [_keyed(key, "file", text) for text in kept["sha256"]],
        "voxels": [_keyed(key, "voxels", text) for text in kept["voxel_sha256"]],
        "perceptual_hash": [text if isinstance(text, str) else None for text in kept["perceptual_hash"]],
    }
    return pd.DataFrame(columns, columns=list(COLUMNS), dtype=object)


def write_fingerprint(path: Path, table: pd.DataFrame, salt: bytes) -> None:
    """Write a fingerprint as parquet, with a value that tells salts apart in the file's own metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.string()) for name in COLUMNS], {_SALT_CHECK: _keyed(salt, "salt check", "1")})
    pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), path)


def read_fingerprints(first: Path, second: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two fingerprints made with the same salt.

    Raises:
        InputError: A file cannot be read or is no fingerprint, or the salts differ.
    """
    (one, check), (other, other_check) = (_read(path) for path in (first, second))
    if not hmac.compare_digest(check, other_check):
        remedy = "Make both with the same salt file."
        raise InputError(str(second), "another salt than that of the first file", "the same salt", remedy)
    return one, other


def _read(path: Path) -> tuple[pd.DataFrame, str]:
    """Return a fingerprint and its salt check."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table: pa.Table = pq.read_table(path)
    except OSError as error:
        raise InputError(str(path), f"a file that cannot be read ({error})", "a fingerprint", _REMEDY) from error
    except pa.ArrowInvalid as error:
        raise InputError(str(path), "a file that is not parquet", "a fingerprint", _REMEDY) from error
    check = (table.schema.metadata or {}).get(_SALT_CHECK.encode(), b"").decode(errors="replace")
    if tuple(table.column_names) != COLUMNS or not _is_digest(check):
        raise InputError(str(path), "a table that is no fingerprint", f"the columns {', '.join(COLUMNS)}", _REMEDY)
    frame = table.to_pandas().astype(object)
    frame = frame.where(frame.notna(), None)
    for column in COLUMNS:
        for row, value in enumerate(frame[column]):
            if not _admissible(column, value):
                found = f"{value!r} in row {row} column {column}"
                raise InputError(str(path), found, "what a fingerprint holds", _REMEDY)
    return frame, check


def _admissible(column: str, value: Any) -> bool:
    if column == "image":
        return isinstance(value, str) and bool(value)
    if column == "kind":
        return value in COMPARED_KINDS
    if value is None:
        return column != "patient"
    return is_hash(value) if column == "perceptual_hash" else _is_digest(value)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and not set(value) - _HEX


def _checked(salt: bytes, where: str) -> bytes:
    """Return a salt that is long enough."""
    if len(salt) < SALT_BYTES_MIN:
        remedy = "Draw one, for instance with: openssl rand -hex 32."
        raise InputError(where, f"a salt of {len(salt)} bytes", f"at least {SALT_BYTES_MIN}", remedy)
    return salt


def _normalised(patient_id: str) -> str:
    """Return an id without what differs between exports of one hospital system: spaces around it, case, code points."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", patient_id).casefold())
    return folded.strip()


def _keyed(salt: bytes, use: str, text: Any) -> str | None:
    """Return the HMAC of a text for one use, so that an id and a digest written alike differ; None of none."""
    return hmac.digest(salt, f"{use}\0{text}".encode(), "sha256").hex() if isinstance(text, str) else None
