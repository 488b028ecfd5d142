"""Files are whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import atomic


def test_write_bytes_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    """The new content is there, the folder is made, no temporary file stays."""
    path = tmp_path / "new" / "file.bin"
    atomic.write_bytes(path, b"old")
    atomic.write_bytes(path, b"new")

    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If writing stops before the end, the old file is untouched, and the next write succeeds."""
    path = tmp_path / "file.bin"
    atomic.write_bytes(path, b"old")

    def stop(descriptor: int) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", stop)
        with pytest.raises(OSError, match="disk full"):
            atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    atomic.write_bytes(path, b"newer")
    assert list(tmp_path.iterdir()) == [path]


def test_write_json_is_sorted_and_ends_with_a_newline(tmp_path: Path) -> None:
    """Equal values give equal bytes."""
    atomic.write_json(tmp_path / "a.json", {"b": 1.5, "a": "é"})

    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"a": "é", "b": 1.5}
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")


def test_write_json_refuses_nan(tmp_path: Path) -> None:
    """JSON has no NaN; nothing is written."""
    with pytest.raises(ValueError, match="Out of range float values"):
        atomic.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())
