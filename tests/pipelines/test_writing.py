"""Outputs appear whole or not at all."""

from pathlib import Path

import pytest

from pipelines.writing import whole_file, whole_folder


def _interrupted_file(target: Path) -> None:
    with whole_file(target) as path:
        path.write_text("half")
        raise KeyboardInterrupt("stop")


def _interrupted_folder(target: Path) -> None:
    with whole_folder(target) as folder:
        (folder / "half").touch()
        raise KeyboardInterrupt("stop")


def test_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    """The target holds the content and nothing else is left beside it."""
    with whole_file(tmp_path / "deep" / "a.txt") as path:
        path.write_text("x")
        assert not (tmp_path / "deep" / "a.txt").exists()

    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.txt"]


def test_interrupted_file_leaves_the_old_one(tmp_path: Path) -> None:
    """A failure keeps the old content and removes the temporary file."""
    target = tmp_path / "a.txt"
    target.write_text("old")

    with pytest.raises(KeyboardInterrupt, match="stop"):
        _interrupted_file(target)

    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    """Nothing of the old folder survives a success, nothing of the new one a failure."""
    target = tmp_path / "out"
    target.mkdir()
    (target / "stale").touch()

    with whole_folder(target) as folder:
        (folder / "fresh").touch()
    with pytest.raises(KeyboardInterrupt, match="stop"):
        _interrupted_folder(target)

    assert [p.name for p in target.iterdir()] == ["fresh"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
