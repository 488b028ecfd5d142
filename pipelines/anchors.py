"""What git and the verdicts know of the exposure ledger, and who is asking."""

from __future__ import annotations

import getpass
import io
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.layout import LEDGER, VERDICTS
from validation.documents import read_json
from validation.errors import InputError
from validation.sealing.ledger import Anchors

_REMEDY = "Work in the repository of the study: its history keeps the ledger from being cut."


def anchors(ledger: Path = LEDGER) -> Anchors:
    """Return the versions of the ledger in git, here and on other branches, and what verdicts name of it.

    A shallow clone has fewer of them.

    Raises:
        InputError: git would keep nothing of an opening (no repository, a ledger that is ignored or lies behind a
            link), has a history that cannot be read, or a verdict is malformed.
    """
    if _git("rev-parse", "--is-inside-work-tree").out != "true":
        raise _refused(ledger, "no git repository")
    if ledger.is_symlink() or ledger.parent.is_symlink():
        raise _refused(ledger, "a link")
    if (ignored := _git("check-ignore", ledger.as_posix()).code) != 1:
        raise _refused(ledger, "a ledger that git ignores" if ignored == 0 else "a ledger that git cannot see")
    tips = _git("for-each-ref", "--format=%(objectname)", "refs/heads", "refs/remotes").out.split()
    elsewhere = tuple(version for version in _versions(ledger, sorted(set(tips))) if version)
    if _git("rev-parse", "--verify", "--quiet", "HEAD").code != 0:
        if elsewhere:
            raise _refused(ledger, "a branch without commits, beside others whose ledgers have lines")
        return Anchors((), _named())
    listed = _git("rev-list", "--full-history", "HEAD", "--", ledger.as_posix())
    if listed.code != 0:
        raise _refused(ledger, f"a history that git cannot read ({listed.error})")
    return Anchors(_versions(ledger, ["HEAD", *listed.out.split()]), _named(), elsewhere)


def _refused(ledger: Path, found: str) -> InputError:
    return InputError(str(ledger), found, "a ledger whose history git keeps", _REMEDY)


def _named() -> dict[str, tuple[str, str]]:
    """Return id and content of every opening that a verdict at hand rests on."""
    named = {}
    for path in sorted(Path().glob(VERDICTS)):
        openings = (read_json(path) or {}).get("openings")
        for cohort, opening in openings.items() if isinstance(openings, dict) else ():
            if opening is None:
                continue
            if not isinstance(opening, dict) or set(opening) != {"id", "content"}:
                remedy = "Restore the verdict from git, or run the gate again."
                raise InputError(f"{path} openings.{cohort}", repr(opening), "id and content of an opening", remedy)
            named[f"{path.as_posix()} on {cohort}"] = (str(opening["id"]), str(opening["content"]))
    return named


def _versions(ledger: Path, commits: Sequence[str]) -> tuple[bytes, ...]:
    """Return the ledger at some commits, each version once; the first commit's first, empty if it has none.

    Raises:
        InputError: git cannot read them.
    """
    asked = "".join(f"{commit}:./{ledger.as_posix()}\n" for commit in commits)
    done = subprocess.run(["git", "cat-file", "--batch"], input=asked.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        raise _refused(ledger, f"a history that git cannot read ({done.stderr.decode(errors='replace').strip()})")
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
    name, address = _git("config", "user.name").out, _git("config", "user.email").out
    if name and address:
        return f"{name} <{address}>"
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an account without a name, as in some containers
        return f"account {os.getuid()}"


@dataclass(frozen=True)
class _Answer:
    """What git says, and with which exit code."""

    code: int
    out: str
    error: str


def _git(*arguments: str) -> _Answer:
    """Ask git; where there is none it is as if there were no repository."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return _Answer(128, "", "no git")
    return _Answer(done.returncode, done.stdout.strip(), done.stderr.strip())
