"""Digests: the names by which files, folders, voxels and values are known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def bytes_sha256(content: bytes) -> str:
    """Return the sha256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(path: Path) -> str:
    """Return the sha256 of a folder: of the lines `<sha256>  <relative posix name>` of its files, sorted by name.

    Each line ends with a newline, as `sha256sum` prints it. Files in subfolders count; empty folders do not.
    """
    names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    lines = "".join(f"{file_sha256(path / name)}  {name}\n" for name in names)
    return bytes_sha256(lines.encode())


def path_sha256(path: Path) -> str:
    """Return the sha256 of a file or of a folder."""
    return folder_sha256(path) if path.is_dir() else file_sha256(path)


def json_sha256(value: Any) -> str:
    """Return the sha256 of a JSON value in canonical form: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: The value holds NaN or an infinity.
        TypeError: The value is not JSON.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return bytes_sha256(text.encode())


def voxel_sha256(array: NDArray[Any]) -> str:
    """Return the sha256 of voxels as little-endian float32 in C order, preceded by the shape.

    Renaming, recompressing or re-typing an image leaves it unchanged.
    """
    digest = hashlib.sha256(repr(tuple(int(n) for n in array.shape)).encode())
    digest.update(np.ascontiguousarray(array, dtype="<f4").data)
    return digest.hexdigest()
