"""What is said of a name that is not known: the names that are, the most alike first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path

from validation.errors import InputError


def one_of(name: str, known: Iterable[str]) -> str:
    """Return "one of: ..." with every known name, those most like the name given first."""

    def likeness(candidate: str) -> float:
        return SequenceMatcher(None, name, candidate).ratio()

    return f"one of: {', '.join(sorted(sorted(known), key=likeness, reverse=True)) or 'nothing'}"


def require_cohort_folder(folder: Path) -> None:
    """Refuse the folder of a cohort that is not there; names the cohorts that lie beside it.

    Raises:
        InputError: No such folder.
    """
    if not os.path.isdir(folder):  # which answers, where Path.is_dir may raise
        beside = one_of(folder.name, _cohorts_in(folder.parent))
        raise InputError(str(folder), "no such cohort", beside, "Correct the name, or bring the cohort with dvc pull.")


def _cohorts_in(folder: Path) -> list[str]:
    try:
        return [file.parent.name for file in folder.glob("*/cohort.yaml")]
    except OSError:
        return []
