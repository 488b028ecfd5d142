"""Outputs appear whole or not at all."""

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipelines.writing import require_writable_file, whole_file, whole_folder
from validation.errors import InputError

Writer = Callable[[Path], AbstractContextManager[Path]]


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


def _raising(error: OSError, writer: Writer, target: Path) -> None:
    with writer(target):
        raise error


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
@pytest.mark.parametrize("below", ["file/x", "file/x/y", "n" * 300])
def test_a_place_that_cannot_be_written_to_is_bad_input(tmp_path: Path, writer: Writer, below: str) -> None:
    """Below a file, or a name too long for the system: said before the block runs, and nothing is left."""
    (tmp_path / "file").write_text("mine")

    with pytest.raises(InputError, match="expected a place that can be written to"):
        _raising(OSError("not reached"), writer, tmp_path / below)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_a_full_disk_is_bad_input_and_another_failure_a_defect(tmp_path: Path, writer: Writer) -> None:
    """Of what goes wrong while the block runs only the lack of room is said to be the place's fault."""
    with pytest.raises(InputError, match=r"out: found No space left on device; .* or make room"):
        _raising(OSError(errno.ENOSPC, "No space left on device"), writer, tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        _raising(FileNotFoundError(errno.ENOENT, "No such file"), writer, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_target_that_cannot_be_replaced_is_bad_input(tmp_path: Path) -> None:
    """A folder stays where a file was to be, and a file where a folder was to be; no temporary file is left."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(InputError, match="folder: found Is a directory"), whole_file(tmp_path / "folder"):
        pass
    with pytest.raises(InputError, match="file: found Not a directory"), whole_folder(tmp_path / "file"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("folder", "a link, folder or device"),
        ("link", "a link, folder or device"),
        ("nowhere/x", "no folder that can be written to"),
        ("file/x", "no folder that can be written to"),
        ("n" * 300, "File name too long"),
    ],
)
def test_an_output_that_can_be_no_file_is_refused_before_any_work(tmp_path: Path, name: str, found: str) -> None:
    """What commands check first; a file that is there may be replaced."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    require_writable_file(tmp_path / "file")
    require_writable_file(tmp_path / "new")

    with pytest.raises(InputError, match=f"found {found}"):
        require_writable_file(tmp_path / name)
