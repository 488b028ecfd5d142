"""Augmentation by cheap tensor operations: of stacks of slices, of stained tiles, and of tiles with their targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from numpy.typing import NDArray
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


@dataclass(frozen=True, eq=False)
class TileAugmentation:
    """Random changes of stained tiles that leave the tissue what it is: part, orientation, stain, sharpness.

    Attributes:
        stains: (colours, stains) the stains' vectors in optical density; light that is not theirs stays as it is.
        white: Grey level of unstained glass.
        amount: Largest relative change of the amount of each stain, each by itself (Tellez, Med Image Anal 2019: 0.05
            is light).
        blur: Largest share of its light that a pixel exchanges with each neighbour, at most 0.25; along rows and along
            columns, the edge with itself.
        crop_px: Side of the square cut out of each tile at a random place; None for the whole tile. What was annotated
            is of one tissue throughout, a network that averages over pixels takes any size, and smaller is faster.
    """

    stains: NDArray[np.float64]
    white: float
    amount: float = 0.05
    blur: float = 0.0
    crop_px: int | None = None

    def __call__(self, tiles: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed tiles (N, rows, columns, colours), float grey levels 0 to 255; rows and columns are equal."""
        tiles = self._cropped(tiles, generator)
        chosen = (torch.rand(len(tiles), 3, generator=generator) < 0.5).tolist()
        oriented = [_oriented(tile, *flags) for tile, flags in zip(tiles, chosen, strict=True)]
        return self._blurred(self._jittered(torch.stack(oriented), generator), generator)

    def _cropped(self, tiles: Tensor, generator: torch.Generator) -> Tensor:
        """Return a part of each tile."""
        if self.crop_px is None or self.crop_px == tiles.shape[1]:
            return tiles
        start = torch.randint(tiles.shape[1] - self.crop_px + 1, (len(tiles), 2), generator=generator).tolist()
        parts = [tile[y : y + self.crop_px, x : x + self.crop_px] for tile, (y, x) in zip(tiles, start, strict=True)]
        return torch.stack(parts)

    def _jittered(self, tiles: Tensor, generator: torch.Generator) -> Tensor:
        """Return tiles with the amount of every stain changed by a factor of its own."""
        n, count = len(tiles), self.stains.shape[1]
        factor = self.amount * _symmetric(n * count, generator).reshape(n, count)
        stains = torch.from_numpy(self.stains).float()
        change = torch.eye(len(stains)) + stains @ (factor[:, :, None] * torch.linalg.pinv(stains))  # (N, 3, 3)
        density = torch.log((tiles.float() + 1) / self.white).flatten(1, 2)  # negative: light that is left
        left = torch.bmm(density, change.to(tiles.device).transpose(1, 2)).exp_().view(tiles.shape)
        return left.mul_(self.white).sub_(1).clamp_(0, 255)

    def _blurred(self, tiles: Tensor, generator: torch.Generator) -> Tensor:
        """Return tiles out of focus, each by an amount of its own: another scanner is not as sharp."""
        if self.blur == 0:
            return tiles
        share = self.blur * torch.rand(len(tiles), 1, 1, 1, generator=generator).to(tiles.device)
        for axis in (1, 2):
            length = tiles.shape[axis]
            exchanged = share * tiles.diff(dim=axis)
            tiles.narrow(axis, 0, length - 1).add_(exchanged)
            tiles.narrow(axis, 1, length - 1).sub_(exchanged)
        return tiles


@dataclass(frozen=True)
class JoinedTiles:
    """Tiles with a border: two of a batch joined along a straight line, their targets joined by area.

    What is annotated is of one tissue throughout; of what is read, much is not. As CutMix (Yun, ICCV 2019), with a line
    in place of a rectangle.

    Attributes:
        share: Of the tiles, 0 to 1, that another takes a part of; drawn anew in every batch.
    """

    share: float

    def __call__(
        self, tiles: Tensor, targets: Mapping[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return tiles (N, rows, columns, colours) and targets, each (N, K), of which a tile has as much as area."""
        n, size = len(tiles), tiles.shape[1]
        place = (torch.arange(size) + 0.5) / size - 0.5  # of pixels, from the middle
        angle = 2 * pi * torch.rand(n, generator=generator)
        across, along = angle.cos()[:, None], angle.sin()[:, None]
        line = _symmetric(n, generator)[:, None, None] * (across.abs() + along.abs())[:, :, None] / 2
        taken = (across * place)[:, :, None] + (along * place)[:, None, :] > line  # (N, rows, columns)
        taken &= (torch.rand(n, generator=generator) < self.share)[:, None, None]
        partner = torch.randperm(n, generator=generator)
        area = taken.float().mean((1, 2))[:, None]
        joined = torch.where(taken[..., None].to(tiles.device), tiles[partner], tiles)
        shared = {name: torch.lerp(own, own[partner], area.to(own.device)) for name, own in targets.items()}
        return joined, shared


def _oriented(tile: Tensor, turned: bool, upside_down: bool, mirrored: bool) -> Tensor:
    """Return a tile (rows, columns, colours) in one of eight orientations."""
    tile = tile.transpose(0, 1) if turned else tile
    flipped = [axis for axis, flag in enumerate((upside_down, mirrored)) if flag]
    return tile.flip(flipped) if flipped else tile


def _symmetric(n: int, generator: torch.Generator) -> Tensor:
    """Return n uniform numbers in [-1, 1)."""
    return 2 * torch.rand(n, generator=generator) - 1
