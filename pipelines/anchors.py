"""What git and the verdicts know of the exposure ledger, and who is asking."""

from __future__ import annotations

import getpass
import io
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipelines.layout import LEDGER, VERDICTS
from validation.documents import read_json
from validation.errors import InputError
from validation.sealing.ledger import Anchors

_REMEDY = "Work in the repository of the study: its history keeps the ledger from being cut."


def anchors(ledger: Path = LEDGER) -> Anchors:
    """Return the versions of the ledger in the history of the commit at hand, and the lines that verdicts name.

    A shallow clone has fewer of them.

    Raises:
        InputError: There is no git repository here, or git ignores the ledger: nothing would be kept of an opening.
    """
    if _git("rev-parse", "--is-inside-work-tree") is None:
        raise InputError(str(ledger), "no git repository", "a ledger whose history git keeps", _REMEDY)
    if _git("check-ignore", ledger.as_posix()) is not None:
        raise InputError(str(ledger), "a ledger that git ignores", "a ledger whose history git keeps", _REMEDY)
    listed = _git("rev-list", "--full-history", "HEAD", "--", ledger.as_posix())
    commits = ["HEAD", *(listed or "").split()]
    return Anchors(_versions(ledger, commits), _named_lines())


def _named_lines() -> dict[str, tuple[int, str]]:
    """Return number and hash of every line that a verdict at hand rests on."""
    named = {}
    for path in sorted(Path().glob(VERDICTS)):
        openings = (read_json(path) or {}).get("openings") or {}
        for cohort, opening in openings.items():
            if opening is not None:
                named[f"{path.as_posix()} on {cohort}"] = (int(opening["line"]), str(opening["hash"]))
    return named


def _versions(ledger: Path, commits: Sequence[str]) -> tuple[bytes, ...]:
    """Return the ledger at some commits, each version once; the first commit's first, empty if it has none."""
    asked = "".join(f"{commit}:./{ledger.as_posix()}\n" for commit in commits)
    done = subprocess.run(["git", "cat-file", "--batch"], input=asked.encode(), capture_output=True, check=True)
    found: dict[bytes, None] = {}
    answer = io.BytesIO(done.stdout)
    for _ in commits:
        head = answer.readline().split()
        content = answer.read(int(head[2]) + 1)[:-1] if head[1:2] == [b"blob"] else b""
        if content or not found:  # the first commit's version counts, empty or not
            found[content] = None
    return tuple(found)


def who() -> str:
    """Return name and address as git knows them, or the account."""
    name, address = _git("config", "user.name"), _git("config", "user.email")
    if name and address:
        return f"{name} <{address}>"
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an account without a name, as in some containers
        return f"account {os.getuid()}"


def _git(*arguments: str) -> str | None:
    """Return what git says; None where it fails or is not there."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
