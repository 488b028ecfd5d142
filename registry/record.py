"""What records in the registry's keeping are made of: names, digests, JSON files that must be there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from validation.errors import InputError
from validation.evidence import read_json

NAME = re.compile(r"[A-Za-z0-9_-]+")
"""Registered names, model names, cohort names: they become folders and tags."""

DIGEST = re.compile(r"[0-9a-f]{64}")
"""A sha256 in hexadecimal."""


def checked_name(name: str, what: str) -> str:
    """Return `name` if it may become a folder name.

    Raises:
        InputError: It holds anything but letters, digits, `_` and `-`.
    """
    if not NAME.fullmatch(name):
        raise InputError(what, repr(name), "letters, digits, _ and -", "Rename it.")
    return name


def read_record(path: Path) -> dict[str, Any]:
    """Read a JSON object that must be there.

    Raises:
        InputError: The file is missing, or not a JSON object of finite numbers with every key once.
    """
    content = read_json(path)
    if content is None:
        raise InputError(str(path), "no file", "a JSON file", "Restore the file.")
    return content
