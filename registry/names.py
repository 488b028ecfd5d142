"""Names that become folders, tags and queries: plain ones only."""

from __future__ import annotations

import re

from validation.errors import InputError

NAME = re.compile(r"[A-Za-z0-9_-]+")


def checked_name(name: str, what: str) -> str:
    """Return `name` if it may become a folder name.

    Raises:
        InputError: It holds anything but letters, digits, `_` and `-`.
    """
    if not NAME.fullmatch(name):
        raise InputError(what, repr(name), "letters, digits, _ and -", "Rename it.")
    return name
