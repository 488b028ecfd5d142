"""Labelled tiles, their split by slide and the confusion matrix."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.histology_spatial_survival import TILE_PX, TISSUES
from models.histology_spatial_survival.labelled import LabelledTiles, evaluate, split_by_slide
from models.histology_spatial_survival.reading import BATCH, INPUT, OUTPUT

ALL = range(len(TISSUES))


def labelled(pairs: list[tuple[str, int]]) -> LabelledTiles:
    """Tiles of (slide, tissue), whose pixels say which tile it is and what it looks like."""
    pixels = np.zeros((len(pairs), TILE_PX, TILE_PX, 3), dtype=np.uint8)
    pixels[:, 0, 0, 0] = np.arange(len(pairs)) % 256
    pixels[:, 0, 0, 1] = [tissue for _, tissue in pairs]
    tissue = np.array([tissue for _, tissue in pairs], dtype=np.int8)
    return LabelledTiles(pixels, tissue, [slide for slide, _ in pairs])


EVERYTHING = labelled(list(itertools.product([f"S{n}" for n in range(10)], ALL)))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_slide_lies_on_both_sides(seed: int) -> None:
    """Every tile is on one side, its slide's other tiles with it, and 20 % of the slides are validated on."""
    training, validation = split_by_slide(EVERYTHING, 0.2, seed)
    slides = [{EVERYTHING.slide[row] for row in rows} for rows in (training, validation)]

    assert sorted([*training, *validation]) == list(range(70))
    assert slides[0].isdisjoint(slides[1])
    assert len(slides[1]) == 2


def test_split_depends_on_the_seed_and_not_on_the_order() -> None:
    """The same slides are kept apart however the tiles are ordered."""
    order = np.random.default_rng(0).permutation(70)
    mixed = LabelledTiles(EVERYTHING.pixels[order], EVERYTHING.tissue[order], [EVERYTHING.slide[row] for row in order])

    def apart(tiles: LabelledTiles, seed: int) -> set[str]:
        return {tiles.slide[row] for row in split_by_slide(tiles, 0.2, seed)[1]}

    assert apart(EVERYTHING, 1) == apart(mixed, 1)
    assert len({frozenset(apart(EVERYTHING, seed)) for seed in range(10)}) > 1


def test_rare_tissue_lies_on_both_sides() -> None:
    """Mucus on two of ten slides: every split has one of them on each side."""
    tiles = labelled([(f"S{n}", t) for n in range(10) for t in ALL if TISSUES[t] != "MUC" or n < 2])
    for seed in range(20):
        for rows in split_by_slide(tiles, 0.2, seed):
            assert all(count["slides"] for count in tiles.counts(rows).values())


def test_tissue_on_one_slide_is_refused() -> None:
    """It cannot be trained on and validated on by different slides: the message names it."""
    tiles = labelled([(f"S{n}", t) for n in range(10) for t in ALL if TISSUES[t] != "MUC" or n < 1])

    with pytest.raises(ValueError, match="tissue MUC: labelled tiles on 1 slides, expected at least two"):
        split_by_slide(tiles, 0.2, 0)


def test_split_that_cannot_be_is_refused() -> None:
    """Each tissue on two slides of its own: one slide in five cannot hold all seven."""
    tiles = labelled([(f"{t}{n}", t) for t in ALL for n in range(2)])

    with pytest.raises(ValueError, match=r"no split of 14 slides with 3 .* annotate more slides: BACK on 2"):
        split_by_slide(tiles, 0.2, 0)


def test_counts_by_hand() -> None:
    """Three tiles of tumour on two slides, one of stroma."""
    tiles = labelled([("A", 6), ("A", 6), ("B", 6), ("B", 5)])

    assert tiles.counts()["TUM"] == {"tiles": 3, "slides": 2}
    assert tiles.counts()["STR"] == {"tiles": 1, "slides": 1}
    assert tiles.counts()["HEP"] == {"tiles": 0, "slides": 0}
    assert tiles.counts(np.array([0, 1]))["TUM"] == {"tiles": 2, "slides": 1}


class Guessing:
    """A classifier that sees the tissue in the pixels, but takes lymphocytes for tumour."""

    def run(self, inputs: dict[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        """Certain probabilities."""
        assert len(inputs[INPUT]) <= BATCH
        seen = inputs[INPUT][:, 0, 0, 1].astype(int)
        return {OUTPUT: np.eye(len(TISSUES), dtype=np.float32)[np.where(seen == 3, 6, seen)]}


def test_confusion_by_hand() -> None:
    """All lymphocytes lie in the column of tumour, all else on the diagonal; six of seven are right."""
    found = evaluate(Guessing(), EVERYTHING)

    assert found.matrix.sum() == 70
    assert found.matrix[3].tolist() == [0, 0, 0, 0, 0, 0, 10]
    assert np.diag(found.matrix).tolist() == [10, 10, 10, 0, 10, 10, 10]
    assert found.accuracy == pytest.approx(6 / 7)
    assert found.probability.shape == (70, 7)


def test_only_some_rows_are_evaluated() -> None:
    """Those of the slides validated on."""
    found = evaluate(Guessing(), EVERYTHING, np.array([3, 6, 13]))

    assert found.matrix.sum() == 3
    assert found.probability.argmax(axis=1).tolist() == [6, 6, 6]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixels": np.zeros((70, 3, 224, 224), dtype=np.uint8)}, r"expected uint8 \(N, 224, 224, 3\)"),
        ({"pixels": np.zeros((70, 224, 224, 3), dtype=np.float16)}, "tiles: float16"),
        ({"tissue": EVERYTHING.tissue[:-1]}, "70 tiles, 69 tissues and 70 slides"),
        ({"slide": ["A"]}, "70 tissues and 1 slides"),
        ({"tissue": EVERYTHING.tissue - 1}, "tissues other than 0 to 6, which are BACK, DEB"),
    ],
)
def test_refuses_what_does_not_fit_together(changes: dict[str, Any], message: str) -> None:
    """Shapes, types, numbers and tissues are checked."""
    with pytest.raises(ValueError, match=message):
        replace(EVERYTHING, **changes)


def test_digest_depends_on_every_part() -> None:
    """Pixels, tissues and slides count; equal tiles have equal digests."""
    tiles = labelled([("A", 6), ("B", 5)])
    other = [
        replace(tiles, pixels=tiles.pixels + np.uint8(1)),
        replace(tiles, tissue=np.array([5, 6], dtype=np.int8)),
        replace(tiles, slide=["A", "C"]),
    ]

    assert labelled([("A", 6), ("B", 5)]).digest() == tiles.digest()
    assert len({tiles.digest(), *(changed.digest() for changed in other)}) == 4
