"""The record of releases in git."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from registry.releases import Release, read_champion, write_release
from validation.errors import InputError
from validation.evidence import write_json

FIRST = Release("name", "model", 1, "a" * 64, "b" * 64, "c" * 64, synthetic=True)
SECOND = replace(FIRST, version=2, artefact_sha256="d" * 64)


def test_original_is_never_overwritten(tmp_path: Path) -> None:
    """The first release is original and champion; later ones are champion only."""
    assert None is read_champion(tmp_path, "name")
    assert write_release(tmp_path, FIRST)
    original = (tmp_path / "name/original.json").read_bytes()
    assert write_release(tmp_path, SECOND)

    assert read_champion(tmp_path, "name") == SECOND
    assert original == (tmp_path / "name/original.json").read_bytes()
    assert {"original.json", "champion.json"} == {path.name for path in (tmp_path / "name").iterdir()}


def test_rebuilt_store_leaves_the_record_alone(tmp_path: Path) -> None:
    """The same release under another version number, as in a store built anew from git, changes no file."""
    write_release(tmp_path, SECOND)

    assert not write_release(tmp_path, replace(SECOND, version=1))
    assert read_champion(tmp_path, "name") == SECOND


def test_lost_original(tmp_path: Path) -> None:
    """A champion without original is not papered over."""
    write_release(tmp_path, FIRST)
    (tmp_path / "name/original.json").unlink()

    with pytest.raises(
        InputError, match=r"original\.json: found no file beside champion\.json.*Restore the file from git"
    ):
        write_release(tmp_path, SECOND)


@pytest.mark.parametrize("change", [{"version": "1"}, {"synthetic": 1}, {"note": "x"}, {"version": None}])
def test_malformed_record(tmp_path: Path, change: dict[str, object]) -> None:
    """A record with another field, or a field of another type, is bad input."""
    write_json(tmp_path / "name/champion.json", {**asdict(FIRST), **change})

    with pytest.raises(InputError, match=r"champion\.json: found .*, each of its type"):
        read_champion(tmp_path, "name")
