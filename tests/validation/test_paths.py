"""Paths stay inside the cohort folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from validation.paths import path_problem


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/etc/hosts", "absolute"),
        ("C:/images/a.nii", "absolute"),
        ("~/a.nii", "absolute"),
        ("images/../../a.nii", "leaves the cohort folder"),
        ("images\\a.nii", "backslash"),
        ("out/a.nii", "symbolic link"),
        (".", "no name"),
        ("a" * 300, "too long"),
        ("a\0", "NUL"),
    ],
)
def test_paths_that_lead_out_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    """Absolute paths, parent folders, backslashes and symbolic links that lead out are refused with the reason."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)

    assert reason in str(path_problem(folder, text))


def test_link_to_itself_is_only_missing(tmp_path: Path) -> None:
    """A loop of links leads nowhere: it does not exist, and looking at it does not raise."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert path_problem(tmp_path, "loop") is None
    assert not (tmp_path / "loop").exists()


def test_links_inside_are_accepted(tmp_path: Path) -> None:
    """A relative path and a link that stays inside are accepted."""
    (tmp_path / "images").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "images")

    assert path_problem(tmp_path, "images/a.nii") is None
    assert path_problem(tmp_path, "link/a.nii") is None
