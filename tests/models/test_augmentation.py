"""Augmentation changes what it may and nothing else."""

from __future__ import annotations

import torch

from models.augmentation import StackAugmentation

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
