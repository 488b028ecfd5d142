"""Paths named by a cohort: relative, and inside its folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

LONGEST_NAME = 255


def path_problem(folder: Path, text: str) -> str | None:
    """Return why a path named by a cohort is not accepted, None if it is.

    Refused: absolute paths (of any system), `..`, backslashes, and symbolic links that lead out of the folder. A DVC
    cache of type symlink is therefore refused too; copies, hard links and reflinks are fine.

    Args:
        folder: Cohort folder.
        text: Path as written in a table or in cohort.yaml.
    """
    parts = PurePosixPath(text).parts
    if "\\" in text or "\0" in text:
        return "a path with a backslash or NUL"
    if not parts or max(len(part.encode()) for part in parts) > LONGEST_NAME:
        return "no name, or one that is too long"
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).drive or text.startswith("~"):
        return "an absolute path"
    if ".." in parts:
        return "a path that leaves the cohort folder (..)"
    if not Path(os.path.realpath(folder / text)).is_relative_to(os.path.realpath(folder)):
        return "a symbolic link that leads out of the cohort folder"
    return None
