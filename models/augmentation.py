"""Augmentation by cheap tensor operations: flips, shifts and scaling in one gather, and intensity jitter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class StackAugmentation:
    """Random changes of a stack of slices that leave the tumour what it is; all slices of a patient change alike.

    Attributes:
        flip_rows: Flip top and bottom with probability 1/2.
        flip_columns: Flip left and right with probability 1/2.
        shift_px: Largest shift along rows and along columns, pixels; the border is repeated.
        zoom: Largest relative change of size, nearest neighbour.
        intensity: Largest relative change of intensity; zero, the padding, stays zero.
    """

    flip_rows: bool = True
    flip_columns: bool = True
    shift_px: float = 4.0
    zoom: float = 0.1
    intensity: float = 0.1

    def __call__(self, stacks: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed stacks (N, slices, rows, columns), laid out channels last."""
        n, _, height, width = stacks.shape
        zoom = 1 + self.zoom * _symmetric(n, generator)
        row = self._positions(height, zoom, self.flip_rows, generator)  # (N, rows)
        column = self._positions(width, zoom, self.flip_columns, generator)  # (N, columns)
        patient = torch.arange(n)
        moved = stacks[patient[:, None, None], :, row[:, :, None], column[:, None, :]]  # (N, rows, columns, slices)
        jitter = 1 + self.intensity * _symmetric(n, generator)
        return moved.mul_(jitter.to(stacks.device)[:, None, None, None]).permute(0, 3, 1, 2)

    def _positions(self, size: int, zoom: Tensor, flip: bool, generator: torch.Generator) -> Tensor:
        """Return where each pixel along one axis is taken from, (N, size) indices."""
        n = len(zoom)
        sign = torch.where(torch.rand(n, generator=generator) < (0.5 if flip else 0.0), -1.0, 1.0)
        shift = self.shift_px * _symmetric(n, generator)
        centre = (size - 1) / 2
        position = (torch.arange(size) - centre)[None] * (zoom * sign)[:, None] + (centre + shift)[:, None]
        return position.round().long().clamp(0, size - 1)


def _symmetric(n: int, generator: torch.Generator) -> Tensor:
    """Return n uniform numbers in [-1, 1)."""
    return 2 * torch.rand(n, generator=generator) - 1
