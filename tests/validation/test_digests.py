"""Digests of files, folders, values and voxels."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest

from validation.digests import file_sha256, folder_sha256, json_sha256, path_sha256, voxel_sha256


def test_file_digest_is_sha256_of_its_bytes(tmp_path: Path) -> None:
    """The digest of a file is the sha256 of its bytes."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")

    assert hashlib.sha256(b"abc").hexdigest() == file_sha256(path) == path_sha256(path)


def test_folder_digest_is_that_of_sha256sum(tmp_path: Path) -> None:
    """The digest of a folder is the sha256 of what sha256sum prints for its files in order."""
    (tmp_path / "sub").mkdir()
    for name in ("b", "a", "sub/c"):
        (tmp_path / name).write_text(name)
    printed = subprocess.run(["sha256sum", "a", "b", "sub/c"], cwd=tmp_path, capture_output=True, check=True).stdout

    assert hashlib.sha256(printed).hexdigest() == folder_sha256(tmp_path) == path_sha256(tmp_path)


def test_folder_digest_depends_on_names(tmp_path: Path) -> None:
    """Renaming a file changes the digest of its folder."""
    (tmp_path / "a").write_text("x")
    before = folder_sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")

    assert folder_sha256(tmp_path) != before


def test_json_digest_ignores_order_of_keys() -> None:
    """Equal values have equal digests, whatever the order of their keys."""
    assert json_sha256({"a": 1, "b": [1.5, "é"]}) == json_sha256({"b": [1.5, "é"], "a": 1})
    assert json_sha256({"a": 1}) != json_sha256({"a": 2})


def test_json_digest_refuses_nan() -> None:
    """NaN is not JSON and has no digest."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_sha256({"a": float("nan")})


def test_voxel_digest_ignores_type_and_layout() -> None:
    """Type and memory layout of the same voxels do not matter; shape and values do."""
    voxels = np.arange(24).reshape(2, 3, 4)

    assert voxel_sha256(voxels.astype(np.int16)) == voxel_sha256(np.asfortranarray(voxels.astype(">f8")))
    assert voxel_sha256(voxels) != voxel_sha256(voxels.reshape(3, 2, 4))
    assert voxel_sha256(voxels) != voxel_sha256(voxels + 1)
