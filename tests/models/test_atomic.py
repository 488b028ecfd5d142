"""Files are whole or not there."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
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


def test_write_arrays_depends_on_the_arrays_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal arrays give equal bytes, years apart and in any order; numpy reads them as they were."""
    arrays = {"b": np.arange(6, dtype=np.uint8).reshape(2, 3), "a": np.array(True), "c": np.empty((0, 2), np.float32)}
    atomic.write_arrays(tmp_path / "a.npz", arrays)
    later = time.gmtime(2_000_000_000)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    atomic.write_arrays(tmp_path / "b.npz", dict(reversed(arrays.items())))

    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        assert set(read) == set(arrays)
        assert all(read[name].dtype == array.dtype for name, array in arrays.items())
        assert all(np.array_equal(read[name], array) for name, array in arrays.items())


def test_write_arrays_refuses_objects(tmp_path: Path) -> None:
    """What would need pickle to be read is not written."""
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        atomic.write_arrays(tmp_path / "a.npz", {"a": np.array([None])})
    assert not list(tmp_path.iterdir())
