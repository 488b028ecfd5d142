"""What is said of a name that is not known: the names that are, the most alike first."""

from __future__ import annotations

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
    if not folder.is_dir():
        beside = one_of(folder.name, (file.parent.name for file in folder.parent.glob("*/cohort.yaml")))
        raise InputError(str(folder), "no such cohort", beside, "Correct the name, or bring the cohort with dvc pull.")
