"""Fingerprints: what they hold, what they hide, and which files are refused."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.errors import InputError
from validation.fingerprints import COLUMNS, fingerprint, read_fingerprints, read_salt, write_fingerprint

SALT = b"sixteen bytes or more"
HASH = "0f" * 120


def manifest(*ids: str) -> pd.DataFrame:
    """Return the manifest of patients with an image, a mask and annotations each."""
    rows = []
    for i, key in enumerate(ids):
        rows.append((key, "t2w", "image", f"{i:064x}", f"{i + 100:064x}", HASH))
        rows.append((key, "t2w_mask", "mask", "e" * 64, "f" * 64, None))
        rows.append((key, "notes", "annotation", "d" * 64, None, None))
    columns = ["patient_id", "image", "kind", "sha256", "voxel_sha256", "perceptual_hash"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def test_holds_hmacs_and_nothing_else() -> None:
    """Each id and digest is its HMAC-SHA256 under the salt, told apart by use; masks and annotations are left out."""
    table = fingerprint(manifest("P1", "P2"), SALT)

    assert tuple(table.columns) == COLUMNS
    assert table["image"].tolist() == ["t2w", "t2w"]
    assert table["patient"][1] == hmac.new(SALT, b"patient\0p2", hashlib.sha256).hexdigest()
    assert table["file"][0] == hmac.new(SALT, f"file\0{0:064x}".encode(), hashlib.sha256).hexdigest()
    assert table["voxels"][0] == hmac.new(SALT, f"voxels\0{100:064x}".encode(), hashlib.sha256).hexdigest()
    assert table["perceptual_hash"].tolist() == [HASH, HASH]


def test_written_file_holds_no_id_and_no_digest(tmp_path: Path) -> None:
    """Neither ids nor digests of files stand in the bytes of the file."""
    write_fingerprint(tmp_path / "a.parquet", fingerprint(manifest("MRN-4711"), SALT), SALT)
    content = (tmp_path / "a.parquet").read_bytes()

    assert not [text for text in (b"4711", b"mrn", f"{100:064x}".encode(), SALT) if text in content]


@pytest.mark.parametrize("written", [" ABC-1", "abc-1 ", "\tAbc-1", "abc-1\u00a0", "\uff21BC\uff0d1"])
def test_id_written_otherwise_is_the_same_patient(written: str) -> None:
    """Spaces around an id, case and full-width characters do not hide a patient."""
    one, other = (fingerprint(manifest(text), SALT)["patient"][0] for text in ("abc-1", written))

    assert one == other


@given(st.text(max_size=20))
def test_spaces_around_any_id_change_nothing(text: str) -> None:
    """Whatever characters an id has, spaces around it make no other patient."""
    plain = fingerprint(manifest(text), SALT)["patient"][0]

    assert fingerprint(manifest(f"  {text} "), SALT)["patient"][0] == plain


def test_other_ids_and_other_salts_differ() -> None:
    """A zero in front makes another id; another salt makes other values of everything but the perceptual hash."""
    table = fingerprint(manifest("12", "012", "P12"), SALT)
    salted = fingerprint(manifest("12", "012", "P12"), SALT + b"!")

    assert table["patient"].nunique() == 3
    for column in ("patient", "file", "voxels"):
        assert set(table[column]).isdisjoint(salted[column])


def test_images_that_cannot_be_read_stay_empty(tmp_path: Path) -> None:
    """What the manifest has not is None, also after writing and reading."""
    absent = manifest("P1").assign(sha256=None, voxel_sha256=None, perceptual_hash=None)
    write_fingerprint(tmp_path / "a.parquet", fingerprint(absent, SALT), SALT)
    table, again = read_fingerprints(tmp_path / "a.parquet", tmp_path / "a.parquet")

    assert table.loc[0, ["file", "voxels", "perceptual_hash"]].tolist() == [None, None, None]
    assert table.equals(again)
    assert table.equals(fingerprint(absent, SALT))


@pytest.mark.parametrize("salt", [b"", b"short", b"x" * 15])
def test_short_salt_is_refused(tmp_path: Path, salt: bytes) -> None:
    """Fewer than 16 bytes can be guessed; white space does not count."""
    with pytest.raises(InputError, match=f"a salt of {len(salt)} bytes"):
        fingerprint(manifest("P1"), salt)
    (tmp_path / "salt").write_bytes(salt + b" " * 20 + b"\n")
    with pytest.raises(InputError, match=f"salt: found a salt of {len(salt)} bytes"):
        read_salt(tmp_path / "salt")


def test_salt_is_read_without_the_last_newline(tmp_path: Path) -> None:
    """An editor's newline makes no other salt; no file is bad input."""
    (tmp_path / "salt").write_bytes(SALT + b"\r\n")

    assert read_salt(tmp_path / "salt") == SALT
    with pytest.raises(InputError, match="a file that cannot be read"):
        read_salt(tmp_path / "none")


def test_other_salt_is_refused(tmp_path: Path) -> None:
    """Two files made with different salts would share nothing, which says nothing."""
    for name, salt in (("a", SALT), ("b", b"another salt, long")):
        write_fingerprint(tmp_path / name, fingerprint(manifest("P1"), salt), salt)
    with pytest.raises(InputError, match="another salt than that of the first file"):
        read_fingerprints(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("patient", None),
        ("patient", "P1"),
        ("image", ""),
        ("kind", "mask"),
        ("file", "A" * 64),
        ("voxels", "0"),
        ("perceptual_hash", "0f"),
    ],
)
def test_damaged_row_is_named(tmp_path: Path, column: str, value: str | None) -> None:
    """A value that no fingerprint holds is refused with its row and column."""
    table = fingerprint(manifest("P1", "P2"), SALT)
    table.loc[1, column] = value
    write_fingerprint(tmp_path / "a", table, SALT)
    with pytest.raises(InputError, match=f"in row 1 column {column}; expected what a fingerprint holds"):
        read_fingerprints(tmp_path / "a", tmp_path / "a")


def test_other_files_are_refused(tmp_path: Path) -> None:
    """No file, no parquet, another table, and a fingerprint without its metadata are no fingerprints."""
    (tmp_path / "text").write_text("patient,image\n")
    manifest("P1").to_parquet(tmp_path / "manifest")
    write_fingerprint(tmp_path / "a", fingerprint(manifest("P1"), SALT), SALT)
    pq.write_table(pq.read_table(tmp_path / "a").replace_schema_metadata({}), tmp_path / "bare")
    reasons = {"none": "cannot be read", "text": "not parquet", "manifest": "no fingerprint", "bare": "no fingerprint"}
    for name, reason in reasons.items():
        with pytest.raises(InputError, match=reason):
            read_fingerprints(tmp_path / "a", tmp_path / name)
