"""Spatial organisation of hand-drawn tile maps."""

from __future__ import annotations

from itertools import product
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.histology_spatial_survival import (
    DISTANCES_TILES,
    FARTHEST_TILES,
    FEATURES,
    ORGANISED,
    SQUARED_DISTANCES,
    TISSUES,
)
from models.histology_spatial_survival.organisation import (
    ORGANISED_CLASSES,
    TISSUE_CLASSES,
    Organisation,
    features,
    measure,
    tumour_regions,
)
from models.spec import PreprocessingError
from tests.models.histology_spatial_survival.slides import LETTERS, DrawnMap, drawn, with_block

CUTS = (3.0, 2.0, 4.5, 1.0, 64.0)
small_maps = arrays(np.int8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(-1, 6))


def surrounded(small: NDArray[np.int8]) -> NDArray[np.int8]:
    """Any small map, to the left of a block of tumour large enough."""
    return np.hstack([np.pad(small, ((0, max(0, 10 - len(small))), (0, 0)), constant_values=-1), block(len(small))])


def block(rows: int) -> NDArray[np.int8]:
    """10 columns of tumour."""
    return np.full((max(rows, 10), 10), LETTERS["T"], dtype=np.int8)


def measured(tissue: NDArray[np.int8]) -> Organisation:
    """The organisation of an array of tissues."""
    return measure(DrawnMap(tissue))


def at_distance(found: Organisation, tissue: str) -> dict[float, int]:
    """Tiles of one tissue by distance, without empty distances."""
    row = found.tiles_by_distance[ORGANISED.index(tissue)]
    return {DISTANCES_TILES[place]: int(row[place]) for place in np.flatnonzero(row)}


def test_distances_are_all_that_two_tiles_can_have() -> None:
    """Square roots of sums of two squares up to 64 tiles, ascending, each once."""
    possible = {a * a + b * b for a, b in product(range(65), repeat=2) if a * a + b * b <= 64 * 64}

    assert set(SQUARED_DISTANCES) == possible
    assert list(DISTANCES_TILES) == sorted(DISTANCES_TILES)
    assert DISTANCES_TILES[:5] == (0.0, 1.0, sqrt(2), 2.0, sqrt(5))
    assert DISTANCES_TILES[-1] == FARTHEST_TILES


def test_twenty_features_have_a_name_each() -> None:
    """Four families of five tissues; none of the tumour."""
    assert len(set(FEATURES)) == 20
    assert FEATURES[0] == "overall_str"
    assert FEATURES[14] == "distal_deb"
    assert not any("tum" in name or "back" in name for name in FEATURES)


def test_tiles_are_counted_and_measured_from_the_block() -> None:
    """Six tiles placed by hand: straight, diagonal and beside the block; glass has no distance."""
    tissue = with_block(".")
    places = {"S": (5, 7), "H": (4, 16), "M": (19, 13), "D": (10, 20), "B": (0, 0), "L": (5, 5)}
    for letter, place in places.items():
        tissue[place] = LETTERS[letter]
    found = measured(tissue)

    assert dict(zip(TISSUES, found.tiles_by_tissue.tolist(), strict=True)) == {
        **dict.fromkeys(("BACK", "DEB", "HEP", "LYM", "MUC", "STR"), 1),
        "TUM": 64,
    }
    expected = {"STR": 1.0, "HEP": sqrt(13), "MUC": 6.0, "DEB": 7.0, "LYM": sqrt(2)}
    assert {tissue: at_distance(found, tissue) for tissue in ORGANISED} == {
        tissue: {distance: 1} for tissue, distance in expected.items()
    }


def test_far_tiles_count_as_the_farthest() -> None:
    """A tile 64 tiles away, one 100 and one 150 away lie in the last place."""
    tissue = np.full((9, 165), LETTERS["."], dtype=np.int8)
    tissue[:, :9] = LETTERS["T"]
    tissue[4, [8 + 63, 8 + 64, 8 + 100, 8 + 150]] = LETTERS["H"]

    assert at_distance(measured(tissue), "HEP") == {63.0: 1, 64.0: 3}


def test_scattered_tumour_tiles_are_no_region() -> None:
    """A lone tumour tile, a line and a cross of five are no region; a square of 4 x 4 is, with the line at its side."""
    tissue = with_block("S", columns=40)
    tissue[2, 18:26] = LETTERS["T"]
    tissue[17, 16] = LETTERS["T"]
    tissue[8:11, 22] = tissue[9, 21:24] = LETTERS["T"]
    tissue[12:16, 32:36] = tissue[13, 28:32] = LETTERS["T"]
    regions = tumour_regions(tissue == LETTERS["T"])

    assert len(np.unique(regions)) == 3
    assert len(np.unique(regions[6:14, 6:14])) == 1
    assert regions[6, 6] > 0
    assert (regions > 0).sum() == 64 + 16 + 4 + 1  # the closing fills the inner corner of square and line
    assert regions[2, 19] == regions[17, 16] == regions[9, 22] == 0


def test_a_gap_within_the_tumour_is_closed() -> None:
    """A stroma tile inside the block lies at distance 0, in the region, and is no tumour tile."""
    tissue = with_block("H")
    tissue[9, 9] = LETTERS["S"]
    found = measured(tissue)

    assert at_distance(found, "STR") == {0.0: 1}
    assert found.tiles_by_tissue[TISSUES.index("TUM")] == 63


def test_interaction_is_the_mean_share_around_tumour_tiles() -> None:
    """Beside a stroma column: 8 of 64 tumour tiles see 3 (at the ends 2) stroma tiles, among as many tiles as exist."""
    tissue = np.full((8, 9), LETTERS["T"], dtype=np.int8)
    tissue[:, 8] = LETTERS["S"]
    found = measured(tissue)
    expected = (6 * 3 / 9 + 2 * 2 / 6) / 64

    assert found.interaction[ORGANISED.index("STR")] == pytest.approx(expected, abs=1e-15)
    assert found.interaction.sum() == found.interaction[ORGANISED.index("STR")]


def test_glass_and_dropped_tiles_are_no_neighbours() -> None:
    """A column of glass, or of dropped tiles, changes neither shares nor denominators."""
    tumour = np.full((8, 8), LETTERS["T"], dtype=np.int8)
    tumour[3, 0] = LETTERS["L"]
    expected = measured(tumour).interaction

    for letter in "B.":
        beside = np.full((8, 3), LETTERS[letter], dtype=np.int8)
        np.testing.assert_array_equal(measured(np.hstack([beside, tumour])).interaction, expected)


def test_few_tumour_tiles_are_refused() -> None:
    """Fifty tumour tiles in one region are enough, 49 are not, even where a second region has as many."""
    tissue = np.full((20, 30), LETTERS["S"], dtype=np.int8)
    tissue[2:7, 2:12] = tissue[11:16, 2:12] = LETTERS["T"]
    tissue[11, 2] = LETTERS["."]
    enough = measured(tissue)
    tissue[2, 2] = LETTERS["."]

    assert enough.tiles_by_tissue[TISSUES.index("TUM")] == 99
    with pytest.raises(PreprocessingError, match="largest tumour region holds 49 tumour tiles, expected at least 50"):
        measured(tissue)


@pytest.mark.parametrize("letter", ["S", "T", "H", "B", ".", ""])
def test_a_map_without_region_is_refused(letter: str) -> None:
    """No tumour, a single tumour tile, glass only, nothing classified, no tile at all."""
    with pytest.raises(PreprocessingError, match="holds 0 tumour tiles, expected at least 50"):
        measure(drawn(letter))


def test_features_of_a_slide_computed_by_hand() -> None:
    """Overall, infiltrating and distal shares are of all tiles with tissue; interaction is passed on."""
    by_tissue = np.array([[50.0, 10, 20, 30, 0, 40, 100]])  # BACK DEB HEP LYM MUC STR TUM
    by_distance = np.zeros((1, 5, len(DISTANCES_TILES)))
    for row, (near, far) in enumerate([(30, 10), (10, 20), (0, 20), (0, 0), (10, 0)]):  # STR LYM HEP MUC DEB
        by_distance[0, row, [1, -1]] = near, far
    interaction = np.array([[0.1, 0.2, 0.05, 0.0, 0.025]])
    found = dict(zip(FEATURES, features(by_tissue, by_distance, interaction, CUTS)[0].tolist(), strict=True))
    expected = {
        **{"overall_str": 0.2, "overall_lym": 0.15, "overall_hep": 0.1, "overall_muc": 0.0, "overall_deb": 0.05},
        **{"infiltrating_str": 0.15, "infiltrating_lym": 0.05, "infiltrating_deb": 0.05},
        **{"distal_str": 0.05, "distal_lym": 0.1, "distal_hep": 0.1},
        **dict(zip(FEATURES[15:], interaction[0], strict=True)),
    }

    assert found == pytest.approx({name: expected.get(name, 0.0) for name in FEATURES}, abs=1e-7)


@settings(deadline=None, max_examples=60)
@given(small_maps, st.integers(0, 3), st.booleans(), st.tuples(*[st.integers(0, 3)] * 4))
def test_where_and_how_the_tumour_lies_does_not_matter(
    small: NDArray[np.int8], turns: int, transposed: bool, margins: tuple[int, int, int, int]
) -> None:
    """Turned, mirrored, and with more dropped tiles around it, a map has the same organisation to the last bit."""
    tissue = surrounded(small)
    moved = np.rot90(tissue.T if transposed else tissue, turns)
    top, bottom, left, right = margins
    moved = np.pad(moved, ((top, bottom), (left, right)), constant_values=-1)
    before, after = measured(tissue), measured(moved)

    np.testing.assert_array_equal(before.tiles_by_tissue, after.tiles_by_tissue)
    np.testing.assert_array_equal(before.tiles_by_distance, after.tiles_by_distance)
    np.testing.assert_array_equal(before.interaction, after.interaction)


@settings(deadline=None, max_examples=60)
@given(small_maps)
def test_parts_add_up(small: NDArray[np.int8]) -> None:
    """Tiles by distance are the tiles; infiltrating and distal are overall; shares with the tumour's add up to 1."""
    found = measured(surrounded(small))
    inputs = {name: values[None] for name, values in found.inputs().items()}
    made = features(inputs["tiles_by_tissue"], inputs["tiles_by_distance"], inputs["interaction"], CUTS)[0]
    total = found.tiles_by_tissue[TISSUE_CLASSES].sum()

    np.testing.assert_array_equal(found.tiles_by_distance.sum(axis=1), found.tiles_by_tissue[ORGANISED_CLASSES])
    np.testing.assert_array_equal(np.rint((made[5:10] + made[10:15]) * total), np.rint(made[:5] * total))
    assert made[:5].sum() + found.tiles_by_tissue[-1] / total == pytest.approx(1, abs=1e-6)
    assert (made >= 0).all()
    assert made[15:].sum() <= 1
    assert made.dtype == np.float32


@settings(deadline=None, max_examples=30)
@given(small_maps)
def test_distances_equal_those_of_every_pair(small: NDArray[np.int8]) -> None:
    """The distance of each tile is the least over all tiles of the regions."""
    tissue = surrounded(small)
    inside = np.argwhere(tumour_regions(tissue == LETTERS["T"]) > 0)
    expected = np.zeros((5, len(SQUARED_DISTANCES)), dtype=np.int64)
    for row, index in enumerate(ORGANISED_CLASSES):
        for tile in np.argwhere(tissue == index):
            expected[row, SQUARED_DISTANCES.index(((inside - tile) ** 2).sum(axis=1).min())] += 1

    np.testing.assert_array_equal(measured(tissue).tiles_by_distance, expected)
