"""Smooth random fields, of which tissue textures and the arrangement of tissues on a slide are made."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
KERNEL_SD = 0.6  # of the lattice's step


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], step: float | tuple[float, float], *, wrap: bool = False
) -> Array:
    """Return a smooth field of standard normals: white noise on a lattice, blurred.

    Args:
        rng: Source of the noise.
        shape: Rows and columns of the field.
        step: Distance of the lattice's nodes along rows and along columns, in elements of the field; about the size of
            what one sees.
        wrap: Whether the field continues at the opposite edge.
    """
    steps = step if isinstance(step, tuple) else (step, step)
    along, across = (_weights(size, s, wrap) for size, s in zip(shape, steps, strict=True))
    lattice = rng.standard_normal((along.shape[1], across.shape[1]), dtype=np.float32)
    return np.asarray(along @ lattice @ across.T)


@lru_cache(maxsize=512)
def _weights(size: int, step: float, wrap: bool) -> Array:
    """Return weights of the nodes at each place, shape (size, nodes), such that the field has unit variance."""
    nodes = max(round(size / step), 2) if wrap else int(size / step) + 3
    exact = size / nodes if wrap else step
    place = (np.arange(size, dtype=np.float32)[:, None] + 0.5) / exact - (0.0 if wrap else -1.0)
    distance = place - np.arange(nodes, dtype=np.float32)
    if wrap:
        distance = distance - nodes * np.round(distance / nodes)
    weights = np.exp(-0.5 * (distance / KERNEL_SD) ** 2)
    return np.asarray(weights / np.sqrt((weights**2).sum(axis=1, keepdims=True)), dtype=np.float32)
