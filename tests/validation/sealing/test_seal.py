"""Sealed outcomes: what anyone can read, what nobody without the key can, and that nothing can be changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cohorts import set_cell, write_cohort
from validation.check import check_cohort
from validation.cohort import read_meta, read_patients
from validation.errors import InputError
from validation.sealing.keys import BYTES, Key, demo_key, key_of, new_key, read_key
from validation.sealing.seal import SEALED, decrypt, read_sealed, seal_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic cohort whose outcomes lie open, and sealed beside them."""
    cohort = write_cohort(tmp_path_factory.mktemp("cohorts") / "north", n=12)
    (cohort / SEALED).write_bytes(sealed_bytes(cohort))
    return cohort


def sealed_bytes(cohort: Path, key: Key | None = None, name: str = "outcomes.csv") -> bytes:
    """What sealing the outcomes makes."""
    meta = read_meta(cohort)
    return seal_table(meta, read_patients(cohort, meta), name, (cohort / name).read_bytes(), key or demo_key())


def test_rfc_5297() -> None:
    """The library computes the example of the standard (A.1)."""
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    data = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    expected = "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"

    assert AESSIV(key).encrypt(bytes.fromhex("112233445566778899aabbccddee"), [data]).hex() == expected


def test_round_trip_and_same_digest(folder: Path) -> None:
    """The table comes back byte for byte; sealed again it has the same bytes."""
    sealed = read_sealed(folder / SEALED)

    assert decrypt(sealed, demo_key()) == (folder / "outcomes.csv").read_bytes()
    assert sealed_bytes(folder) == (folder / SEALED).read_bytes()


def test_what_anyone_can_read(folder: Path) -> None:
    """How many, that the suite passed, the longest follow-up in whole months; no event and no time of a patient."""
    header = read_sealed(folder / SEALED).header
    content = (folder / SEALED).read_bytes()

    assert (header.cohort, header.n, header.table) == ("north", 12, "outcomes.csv")
    assert all(check["evaluated"] > 0 for check in header.checks)
    assert set(header.longest_follow_up_months) == {"dmfs", "os"}
    assert all(isinstance(months, int) for months in header.longest_follow_up_months.values())
    for line in (folder / "outcomes.csv").read_bytes().splitlines()[1:]:
        assert line not in content
        assert line.split(b",")[0] not in content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(position=st.integers(0, 10_000), byte=st.integers(1, 255))
def test_no_byte_can_be_changed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, position: int, byte: int
) -> None:
    """Neither of what is encrypted nor of what everybody can read."""
    content = bytearray((folder / SEALED).read_bytes())
    content[position % len(content)] ^= byte
    path = tmp_path_factory.getbasetemp() / "changed.sealed"
    path.write_bytes(content)

    with pytest.raises(InputError):
        decrypt(read_sealed(path), demo_key())


def test_another_key_does_not_open(folder: Path, tmp_path: Path) -> None:
    """And no key is shown in the message."""
    key = new_key(tmp_path / "key")

    with pytest.raises(InputError, match=f"outcomes that key {key.id} does not open") as error:
        decrypt(read_sealed(folder / SEALED), key)
    assert key.secret.hex() not in str(error.value)


@pytest.mark.parametrize(
    ("column", "cell"), [("dmfs_event", "2"), ("dmfs_time_months", "36 months"), ("patient_id", "X")]
)
def test_outcomes_that_fail_their_suite_are_not_sealed(tmp_path: Path, column: str, cell: str) -> None:
    """The suite runs first; the message names the row."""
    cohort = write_cohort(tmp_path / "north", n=6)
    set_cell(cohort / "outcomes.csv", 3, column, cell)

    with pytest.raises(InputError, match=r"north/outcomes\.csv row 3"):
        sealed_bytes(cohort)


def test_parquet_is_sealed_as_it_is(tmp_path: Path) -> None:
    """The header names the format."""
    cohort = write_cohort(tmp_path / "north", n=6, tables="parquet")
    (cohort / SEALED).write_bytes(sealed_bytes(cohort, name="outcomes.parquet"))

    assert read_sealed(cohort / SEALED).header.table == "outcomes.parquet"
    assert check_cohort(cohort).success


def test_the_check_of_a_sealed_cohort(folder: Path, tmp_path: Path) -> None:
    """It reports the suite that passed, and that the seal is about the patients at hand."""
    import shutil

    cohort = tmp_path / "north"
    shutil.copytree(folder, cohort)
    (cohort / "outcomes.csv").unlink()
    text = (cohort / "cohort.yaml").read_text().replace("outcomes: outcomes.csv", f"outcomes: {SEALED}")
    (cohort / "cohort.yaml").write_text(text)
    report = check_cohort(cohort)
    assert report.success
    assert "outcomes.ids" in {check.id for check in report.checks}
    assert report.digests["outcomes"] == read_sealed(cohort / SEALED).sha256

    set_cell(cohort / "patients.csv", 2, "age_years", "77")
    failed = [check for check in check_cohort(cohort).checks if not check.success]
    assert [check.id for check in failed] == ["outcomes.seal"]
    assert "patients table" in failed[0].findings[0].found


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 random bytes, readable by the owner alone, never replaced, never shown."""
    first, second = new_key(tmp_path / "a"), new_key(tmp_path / "b")
    assert first != second
    assert len(first.secret) == BYTES
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0
    assert first.secret.hex() not in repr(first)
    with pytest.raises(InputError, match="a key is never replaced"):
        new_key(tmp_path / "a")
    (tmp_path / "c").write_text("not a key")
    with pytest.raises(InputError, match="9 characters that are no key"):
        read_key(tmp_path / "c")
    monkeypatch.setenv("HALLMARK_KEY_FILE", str(tmp_path / "a"))
    assert key_of(first.id) == first
    assert key_of(demo_key().id) == demo_key()
    with pytest.raises(InputError, match=f"found key {first.id}; expected key {second.id}"):
        key_of(second.id)
    monkeypatch.setenv("HALLMARK_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(InputError, match="no key"):
        key_of(second.id)
