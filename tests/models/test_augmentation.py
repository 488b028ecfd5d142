"""Augmentation changes what it may and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.augmentation import JoinedTiles, StackAugmentation, TileAugmentation

STACKS = torch.randn(6, 3, 16, 20, generator=torch.Generator().manual_seed(0))
NONE = StackAugmentation(flip_rows=False, flip_columns=False, shift_px=0, zoom=0, intensity=0)


def generator(seed: int = 1) -> torch.Generator:
    """Random numbers."""
    return torch.Generator().manual_seed(seed)


def test_nothing_asked_nothing_changed() -> None:
    """With every size at 0 the stacks come back as they were, and the originals are untouched in any case."""
    before = STACKS.clone()
    assert torch.equal(NONE(STACKS, generator()), STACKS)
    StackAugmentation()(STACKS, generator())
    assert torch.equal(before, STACKS)


def test_flips_only_give_the_four_flips() -> None:
    """Each patient is one of the four flips of the original, all slices alike; among many patients all four occur."""
    stack = STACKS[:1].expand(64, -1, -1, -1)
    flips = [STACKS[0], STACKS[0].flip(1), STACKS[0].flip(2), STACKS[0].flip(1, 2)]
    changed = StackAugmentation(shift_px=0, zoom=0, intensity=0)(stack, generator())

    found = {next(k for k, flip in enumerate(flips) if torch.equal(patient, flip)) for patient in changed}
    assert found == {0, 1, 2, 3}


def test_shift_repeats_the_border() -> None:
    """A shifted stack holds only values of the original and is constant beyond the border."""
    ramp = torch.arange(20.0).expand(8, 1, 16, 20)
    changed = StackAugmentation(False, False, shift_px=5, zoom=0, intensity=0)(ramp, generator())

    steps = changed[:, 0, 0, 1:] - changed[:, 0, 0, :-1]
    assert set(steps.unique().tolist()) <= {0.0, 1.0}
    assert (changed[:, 0, 0, 10] - 10).abs().max() <= 5
    assert (changed[:, 0, 0, 10] - 10).unique().numel() > 2


def test_intensity_keeps_the_padding_at_zero() -> None:
    """Slices without lesion stay exactly 0; the others are scaled by one factor per patient within the limit."""
    stacks = STACKS.clone()
    stacks[:, 2] = 0
    changed = StackAugmentation(False, False, 0, 0, intensity=0.1)(stacks, generator())
    factor = changed[:, :2] / stacks[:, :2]

    assert (changed[:, 2] == 0).all()
    assert (factor.amax((1, 2, 3)) - factor.amin((1, 2, 3))).max() < 1e-5
    assert ((factor - 1).abs() <= 0.1 + 1e-5).all()


def test_same_generator_same_change() -> None:
    """The change is a function of the generator; another seed gives another."""
    augment = StackAugmentation()

    assert torch.equal(augment(STACKS, generator(1)), augment(STACKS, generator(1)))
    assert not torch.equal(augment(STACKS, generator(1)), augment(STACKS, generator(2)))


def test_result_is_laid_out_channels_last() -> None:
    """The loop need not copy it again."""
    assert StackAugmentation()(STACKS, generator()).is_contiguous(memory_format=torch.channels_last)


STAINS = np.array([[0.56, 0.22], [0.72, 0.80], [0.41, 0.56]])
TILES = torch.randint(40, 220, (4, 12, 12, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_tiles_take_all_eight_orientations() -> None:
    """Each tile is one of the eight; among many all occur, and the originals are untouched."""
    tile, before = TILES[:1].expand(200, -1, -1, -1), TILES.clone()
    changed = TileAugmentation(STAINS, 240.0, amount=0.0)(tile, generator()).round().byte()
    turned = (TILES[0], TILES[0].transpose(0, 1))
    ways = [way for t in turned for way in (t, t.flip(0), t.flip(1), t.flip(0, 1))]

    assert {next(k for k, way in enumerate(ways) if torch.equal(tile, way)) for tile in changed} == set(range(8))
    assert torch.equal(before, TILES)


def test_stain_jitter_changes_amounts_of_stain_only() -> None:
    """Of a pixel made of the two stains each amount changes by one factor per tile, within the limit; glass stays."""
    rng = np.random.default_rng(0)
    amounts = rng.uniform(0.2, 1.0, (2, 6, 6, 2))
    tiles = torch.from_numpy(240 * np.exp(-amounts @ STAINS.T) - 1).float()
    tiles[:, 0, 0] = 239.0
    changed = TileAugmentation(STAINS, 240.0, amount=0.1)(tiles, generator())
    found = -np.log((changed.double().numpy() + 1) / 240) @ np.linalg.pinv(STAINS).T

    for n in range(2):
        ways = [w for a in (amounts[n], amounts[n].transpose(1, 0, 2)) for w in (a, a[::-1], a[:, ::-1], a[::-1, ::-1])]
        spreads = [np.ptp(np.sort((found[n] / way).reshape(-1, 2), axis=0)[1:], axis=0).max() for way in ways]
        factor = np.median((found[n] / ways[int(np.argmin(spreads))]).reshape(-1, 2), axis=0)
        assert min(spreads) < 1e-2
        assert (np.abs(factor - 1) <= 0.1 + 1e-3).all()
        assert abs(factor[0] - factor[1]) > 1e-4
    assert (changed.amax((1, 2, 3)) > 238.9).all()


def test_a_crop_is_a_part_of_its_tile() -> None:
    """Every place is reached, corners too; the size is what was asked."""
    place = torch.arange(36, dtype=torch.uint8).reshape(1, 6, 6, 1).expand(300, 6, 6, 3)
    changed = TileAugmentation(STAINS, 240.0, amount=0.0, crop_px=4)(place, generator()).round().byte()
    corners = {int(part.min()) for part in changed}  # the smallest number stands at a part's upper left corner

    assert changed.shape == (300, 4, 4, 3)
    assert corners == {6 * row + column for row in range(3) for column in range(3)}


def test_blur_exchanges_light_between_neighbours() -> None:
    """The light of a tile stays, contrast falls by at most what the share allows, no pixel leaves the others' range."""
    stripes = torch.zeros(40, 12, 12, 3)
    stripes[:, ::2, ::2] = 200.0  # a quarter of the pixels, alone among dark ones
    changed = TileAugmentation(STAINS, 240.0, amount=0.0, blur=0.25)(stripes, generator())

    assert torch.allclose(changed.mean((1, 2, 3)), stripes.mean((1, 2, 3)), atol=0.1)
    assert (changed.min() >= -1e-3, changed.max() <= 200.001) == (True, True)
    brightest = changed.amax((1, 2, 3)) / 200  # at a corner a pixel keeps 1 - share along rows and along columns
    assert brightest.min() >= 0.75**2 - 1e-3
    assert brightest.max() - brightest.min() > 0.2  # each tile by an amount of its own


def test_same_generator_same_tiles() -> None:
    """The change is a function of the generator."""
    augment = TileAugmentation(STAINS, 240.0)

    assert torch.equal(augment(TILES, generator(1)), augment(TILES, generator(1)))
    assert not torch.equal(augment(TILES, generator(1)), augment(TILES, generator(2)))


def test_joined_tiles_have_as_much_of_a_target_as_of_its_pixels() -> None:
    """Tiles of one colour each, whose number is the target: their areas agree, and the rest of a tile is its own."""
    n = 64
    colour = torch.arange(n, dtype=torch.float32)
    tiles = colour[:, None, None, None].expand(n, 16, 16, 3).clone()
    joined, targets = JoinedTiles(1.0)(tiles, {"share": torch.eye(n)}, generator())
    area = torch.stack([(joined[..., 0] == number).float().mean((1, 2)) for number in range(n)], dim=1)

    assert torch.allclose(targets["share"], area, atol=1e-6)
    assert ((area > 0).sum(dim=1) <= 2).all()
    assert (joined == joined[..., :1]).all()
    own = area.diagonal()
    assert own.min() < 0.1  # from nearly all to nearly nothing
    assert own.max() == 1
    assert own.mean() == pytest.approx(0.5, abs=0.1)


def test_the_part_taken_lies_behind_a_straight_line() -> None:
    """The parts of a joined tile are convex: no pixel of one lies on the segment between two of the other."""
    tiles = torch.arange(8, dtype=torch.float32)[:, None, None, None].expand(8, 24, 24, 1)
    joined, _ = JoinedTiles(1.0)(tiles, {"share": torch.eye(8)}, generator(3))

    for tile in joined[..., 0]:
        for number in tile.unique():
            row, column = (tile == number).nonzero(as_tuple=True)
            one, other = torch.randint(len(row), (2, 500), generator=generator())
            total = torch.stack([row[one] + row[other], column[one] + column[other]])
            middle = total[:, (total % 2 == 0).all(dim=0)] // 2
            assert (tile[middle[0], middle[1]] == number).all()
    assert sum(len(tile.unique()) == 2 for tile in joined) >= 4


def test_the_share_says_how_many_tiles_are_joined() -> None:
    """None stays what it was at 0; at 0.25 about a quarter may change; the generator decides which."""
    tiles = torch.rand(400, 8, 8, 3, generator=generator())
    targets = {"share": torch.eye(400)}
    none, kept = JoinedTiles(0.0)(tiles, targets, generator(1))
    some, _ = JoinedTiles(0.25)(tiles, targets, generator(1))
    again, _ = JoinedTiles(0.25)(tiles, targets, generator(1))

    assert torch.equal(none, tiles)
    assert torch.equal(kept["share"], targets["share"])
    assert float((some != tiles).any(3).any(2).any(1).float().mean()) == pytest.approx(0.24, abs=0.05)
    assert torch.equal(some, again)
