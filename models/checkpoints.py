"""Checkpoints: written whole after every epoch, read only by the very same run."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch

from models import atomic

NOT_TRAINING = ("__init__.py", "gradcam.py", "onnx_export.py", "runtime.py")  # the list of models, and what comes after


def training_sources(package: Path) -> list[Path]:
    """Return the Python sources of one model's package, and of the training that it shares with the others."""
    shared = [path for path in Path(__file__).parent.glob("*.py") if path.name not in NOT_TRAINING]
    return sorted([*shared, *package.glob("*.py")])


def sources_digest(package: Path) -> str:
    """Return the sha256 of the sources that train one model."""
    files = training_sources(package)
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def run_key(**facts: Any) -> str:
    """Return the digest of everything that decides the outcome of a run: data, parameters, seed, sources ..."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def serialised(state: Any) -> bytes:
    """Return the bytes of `torch.save`; equal states give equal bytes, whatever the file will be called."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def save_checkpoint(path: Path, key: str, state: Mapping[str, Any]) -> None:
    """Replace the checkpoint, whole or not at all."""
    atomic.write_bytes(path, serialised({"key": key, **state}))


def load_checkpoint(path: Path, key: str) -> dict[str, Any] | None:
    """Return the checkpoint of the run `key`; None if there is none, it is another run's, or it cannot be read."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, BadZipFile):
        return None
    return state if state.get("key") == key else None
