"""Seeds and settings of reproducible computation."""

from __future__ import annotations

import pytest
import torch

from models.reproducibility import derived_seed, reproducible


def test_derived_seed_depends_on_every_part_and_on_nothing_else() -> None:
    """The same parts give the same seed in every process; it fits torch and numpy."""
    assert derived_seed(1, "t2w/fold-1", 3) == 5201223185781585377
    assert (
        len({derived_seed(1, "a", 3), derived_seed(2, "a", 3), derived_seed(1, "b", 3), derived_seed(1, "a", 4)}) == 4
    )
    assert 0 <= derived_seed(0) < 2**63


def test_settings_are_restored_also_after_an_error() -> None:
    """Threads, deterministic mode and the global random state are as before."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    def fail() -> None:
        with reproducible(before[0] + 1, torch.device("cpu")):
            assert torch.get_num_threads() == before[0] + 1
            assert torch.are_deterministic_algorithms_enabled()
            torch.manual_seed(99)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert torch.equal(torch.rand(1), expected)
