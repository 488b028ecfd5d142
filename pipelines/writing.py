"""Outputs appear whole or not at all: write under a temporary name beside the target, then rename."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from validation.errors import InputError

NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@contextmanager
def refusals_as_input_errors(path: Path, only: Container[int] | None = None) -> Iterator[None]:
    """Turn the system's refusal to make, look at or replace an output into bad input.

    Args:
        path: The output.
        only: Error numbers to turn; None for all.

    Raises:
        InputError: What the system says.
    """
    try:
        yield
    except OSError as error:
        if only is not None and error.errno not in only:
            raise
        found, expected = f"{error.strerror or error}", "a place that can be written to"
        raise InputError(str(path), found, expected, "Name another place, or make room in this one.") from error


def require_writable_file(path: Path) -> None:
    """Refuse, before any work, an output that is not a new or an ordinary file in a folder that can be written to.

    Raises:
        InputError: It is a link, folder or device, or there is no such folder.
    """
    with refusals_as_input_errors(path):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            found = "a link, folder or device"
        elif not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
            found = "no folder that can be written to"
        else:
            return
    raise InputError(str(path), found, "a new file, or one to replace, in an existing folder", "Name another file.")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the path of an empty temporary file; on success rename it to `path`, on failure remove it.

    Raises:
        InputError: The file cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.part")
    with refusals_as_input_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    try:
        with refusals_as_input_errors(path, only=NO_ROOM):
            yield temporary
        with refusals_as_input_errors(path):
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; on success it takes the place of `path`, on failure it is removed.

    Raises:
        InputError: The folder cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.part")
    with refusals_as_input_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
    try:
        with refusals_as_input_errors(path, only=NO_ROOM):
            yield temporary
        with refusals_as_input_errors(path):
            shutil.rmtree(path, ignore_errors=True)
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
