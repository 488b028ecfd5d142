"""What makes two trainings equal, bit for bit: derived seeds, deterministic algorithms, a fixed number of threads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils import deterministic


def derived_seed(*parts: Any) -> int:
    """Return a seed in [0, 2**63) that depends on every part: seed, run, epoch, rank ..."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


@contextmanager
def reproducible(threads: int, device: torch.device) -> Iterator[None]:
    """Compute with deterministic algorithms on so many threads; afterwards all settings are as before.

    On a GPU a kernel without a deterministic form warns instead of failing. Memory is not filled before use, which
    would cost a tenth of the time: the kernels used here write all of it.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with a fixed workspace
    flags: Any = deterministic
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), flags.fill_uninitialized_memory
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    flags.fill_uninitialized_memory = False
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        flags.fill_uninitialized_memory = before[2]
