"""Whole files only: a reader sees the old file or the new one, never half of it, also after `kill -9`."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in the same folder, flush it to disk, then rename it.

    One writer at a time: the temporary name is fixed, so that what an interrupted write leaves is replaced by the next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys and a newline at the end.

    Raises:
        ValueError: A number is NaN or infinite, which JSON cannot hold.
    """
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_bytes(path, f"{text}\n".encode())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as an .npz file, not compressed; equal arrays give equal bytes, as no clock time is in it.

    Args:
        path: The file; `numpy.load` reads it.
        arrays: By name; numbers, booleans or text of fixed length.

    Raises:
        ValueError: An array holds Python objects.
    """
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, array in sorted(arrays.items()):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            archive.writestr(ZipInfo(f"{name}.npy"), member.getvalue())  # a ZipInfo of its own is dated 1980-01-01
    write_bytes(path, buffer.getvalue())
