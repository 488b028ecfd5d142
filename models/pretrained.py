"""Published weights to start a training from: read from a local file, named by their digest, fitted to the trunk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

COUNTERS = "num_batches_tracked"  # of batch normalisation; older files lack them, and no training needs them


def pretrained_sha256(path: str | None) -> str | None:
    """Return the digest of the weights to start from, None without any.

    Raises:
        ValueError: The file cannot be read.
    """
    if path is None:
        return None
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"pretrained weights {path}: {error.strerror}") from error


def load_trunk(trunk: nn.Module, path: Path, published: str, without: tuple[str, ...]) -> None:
    """Take over the weights of a published network into the trunk that was cut from it.

    Args:
        trunk: Has the published network's names and shapes.
        path: State dict, as torchvision publishes it.
        published: Name of the published network, for messages.
        without: Beginnings of the names of the file's tensors that the trunk has not.

    Raises:
        ValueError: The file cannot be read, or its tensors are not those of the trunk; names the first that differs.
    """
    weights = {name: value for name, value in _read_state_dict(path).items() if not name.startswith(without)}
    own = trunk.state_dict()
    given, expected = _shapes(weights), _shapes(own)
    if given != expected:
        names = sorted(name for name in given.keys() | expected.keys() if given.get(name) != expected.get(name))
        first = names[0]
        raise ValueError(
            f"pretrained weights {path.name}: {len(names)} tensors differ from {published}'s, first {first}: "
            f"found {given.get(first, 'nothing')}, expected {expected.get(first, 'nothing')}"
        )
    trunk.load_state_dict({**own, **weights})


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in weights.items() if not name.endswith(COUNTERS)}


def _read_state_dict(path: Path) -> Mapping[str, Tensor]:
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f"pretrained weights {path}: {str(error).splitlines()[0]}") from error
    if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f"pretrained weights {path.name}: not a state dict of tensors by name")
    return weights
