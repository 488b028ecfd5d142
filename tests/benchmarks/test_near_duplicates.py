"""The benchmark of near-duplicates: that it measures, and that the committed figures justify the threshold."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.benchmarks.loading import benchmark
from validation.documents import read_json
from validation.perceptual import BITS, NEAR_BITS


@pytest.fixture(scope="module")
def near_duplicates() -> ModuleType:
    """The script, imported as a module."""
    return benchmark("near_duplicates")


def test_all_pairs_are_counted(near_duplicates: ModuleType) -> None:
    """Three hashes make three pairs; their distances are known."""
    found = near_duplicates.different(["0" * 240, "0" * 239 + "1", "f" * 240], 2)

    assert (found.images, found.unhashed, found.pairs, found.nearest, found.median) == (3, 2, 3, 1, BITS - 1)


def test_every_copy_differs_from_the_image(near_duplicates: ModuleType) -> None:
    """Each way of processing changes the volume and is listed once."""
    rng = np.random.default_rng(0)
    volume = rng.normal(size=(6, 20, 20))
    copies = list(near_duplicates.volume_copies(volume, rng))

    assert len({name for name, _ in copies}) == len(copies)
    assert not [name for name, copy in copies if np.array_equal(copy, volume)]


def test_committed_figures_justify_the_threshold(near_duplicates: ModuleType) -> None:
    """No two different patients are near-duplicates; what the documentation says is recognised is; mirrors are not."""
    document = read_json(near_duplicates.OUTPUT_JSON)
    assert document is not None
    assert (document["bits"], document["near_bits"]) == (BITS, NEAR_BITS)
    copies = [(name, copy) for entry in document["measured"] for name, copy in entry["copies"].items()]

    assert sum(entry["different"]["pairs"] for entry in document["measured"]) > 10_000_000
    assert min(entry["different"]["nearest"] for entry in document["measured"]) > 1.25 * NEAR_BITS
    assert {entry["different"]["unhashed"] for entry in document["measured"]} == {0}
    assert set(near_duplicates.MUST_BE_FOUND) <= {name for name, _ in copies}
    assert [name for name, copy in copies if name in near_duplicates.MUST_BE_FOUND and copy["found"] < 1] == []
    assert {copy["found"] for name, copy in copies if name == "mirrored"} == {0.0}
