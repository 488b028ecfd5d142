"""Names and files of records."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.record import checked_name, read_record
from validation.errors import InputError


def test_plain_names_pass() -> None:
    """A name of letters, digits, underscore and dash comes back as it is."""
    assert checked_name("mri_distant-metastasis2", "registered name") == "mri_distant-metastasis2"


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "a'b", "ä", "a\n"])
def test_odd_names_are_refused(name: str) -> None:
    """A name that could leave its folder or a query is refused."""
    with pytest.raises(InputError, match="registered name: found"):
        checked_name(name, "registered name")


def test_missing_record(tmp_path: Path) -> None:
    """A record that is not there is bad input, not None."""
    with pytest.raises(InputError, match="found no file"):
        read_record(tmp_path / "champion.json")
