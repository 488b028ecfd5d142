"""Names that become folders."""

from __future__ import annotations

import pytest

from registry.names import checked_name
from validation.errors import InputError


def test_plain_names_pass() -> None:
    """A name of letters, digits, underscore and dash comes back as it is."""
    assert checked_name("mri_distant-metastasis2", "registered name") == "mri_distant-metastasis2"


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "a'b", "ä", "a\n"])
def test_odd_names_are_refused(name: str) -> None:
    """A name that could leave its folder or a query is refused."""
    with pytest.raises(InputError, match="registered name: found"):
        checked_name(name, "registered name")
