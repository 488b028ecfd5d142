"""A name that is not known is answered with those that are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.names import one_of, require_cohort_folder
from pipelines.stage import exit_code_of
from validation.errors import InputError


def test_the_most_alike_come_first() -> None:
    """Then the others, and those equally unlike by the alphabet."""
    assert one_of("mri_extenal", ["ct_internal", "mri_external", "b", "a"]) == "one of: mri_external, ct_internal, a, b"
    assert one_of("x", []) == "one of: nothing"


@pytest.mark.parametrize("command", ["check", "predict"])
def test_a_folder_that_is_not_there_is_answered_with_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Exit 2 and one line; a neighbour without cohort.yaml is no cohort."""
    from pipelines.cli import app

    monkeypatch.chdir(tmp_path)
    for name in ("ct_internal", "mri_external"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cohort.yaml").touch()
    (tmp_path / "notes").mkdir()
    arguments = {"check": ["mri_extenal"], "predict": ["any", "mri_extenal", "-o", "x.parquet"]}[command]

    assert exit_code_of(lambda: app([command, *arguments], standalone_mode=False)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: mri_extenal: found no such cohort; expected one of: mri_external, ct_internal.")


def test_without_neighbours_it_says_so(tmp_path: Path) -> None:
    """No list of nothing."""
    with pytest.raises(InputError, match="one of: nothing"):
        require_cohort_folder(tmp_path / "nowhere" / "cohort")
