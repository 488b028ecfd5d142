"""Mask, grid and blank tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.histology_spatial_survival import TILE_PX
from models.histology_spatial_survival.tiling import (
    blank_share,
    grid_shape,
    mostly_blank,
    otsu_level,
    tiles_with_tissue,
    tissue_mask,
)
from models.spec import PreprocessingError


def picture(levels: list[list[int]]) -> np.ndarray:
    """Grey pixels."""
    return np.repeat(np.array(levels, dtype=np.uint8)[..., None], 3, axis=-1)


@pytest.mark.parametrize(("size", "shape"), [((224, 224), (1, 1)), ((447, 448), (1, 2)), ((5000, 40000), (22, 178))])
def test_grid_leaves_out_partial_tiles(size: tuple[int, int], shape: tuple[int, int]) -> None:
    """Only whole tiles count."""
    assert grid_shape(size) == shape


def test_slide_smaller_than_a_tile_is_refused() -> None:
    """There is nothing to classify."""
    with pytest.raises(PreprocessingError, match="slide of 223 x 5000 pixels, smaller than one tile"):
        grid_shape((223, 5000))


@given(st.lists(st.integers(0, 9), min_size=2, max_size=40))
def test_otsu_maximises_the_variance_between_classes(levels: list[int]) -> None:
    """No other level parts the values with a larger variance between the classes."""
    values = np.array(levels, dtype=float)

    def between(level: int) -> float:
        dark, bright = values[values < level], values[values >= level]
        if not (len(dark) and len(bright)):
            return 0.0
        return float(len(dark) * len(bright) * (dark.mean() - bright.mean()) ** 2)

    found = otsu_level(np.bincount(levels, minlength=10))
    assert between(found) == pytest.approx(max(between(level) for level in range(11)))


def test_otsu_lies_in_the_middle_of_the_gap() -> None:
    """Between classes at 2 and 8 every level from 3 to 8 parts alike."""
    assert otsu_level(np.array([0, 0, 5, 0, 0, 0, 0, 0, 5])) in (5, 6)
    assert otsu_level(np.array([0, 7, 0])) == 0


def test_mask_finds_tissue_on_glass() -> None:
    """Dark and pale tissue are tissue, glass is not."""
    found = tissue_mask(picture([[245, 244, 60], [245, 200, 245]]))

    assert found.tolist() == [[False, False, True], [False, True, False]]


def test_one_coloured_pixel_is_as_dark_as_its_darkest_colour() -> None:
    """Pale pink absorbs green only."""
    pink = np.full((1, 8, 3), 245, dtype=np.uint8)
    pink[0, 0] = (240, 180, 230)

    assert tissue_mask(pink).tolist() == [[True] + [False] * 7]


def test_slide_full_of_tissue_is_all_tissue() -> None:
    """Otsu's limit between dark and pale tissue is not used."""
    assert tissue_mask(picture([[40, 190], [60, 180]])).all()


@pytest.mark.parametrize("levels", [[[255, 255]], [[238, 245], [240, 243]]])
def test_empty_slide_is_refused(levels: list[list[int]]) -> None:
    """Glass alone, clean or with the noise of a scanner, has no tissue to part from it."""
    with pytest.raises(PreprocessingError, match="no tissue on the slide"):
        tissue_mask(picture(levels))


def test_tiles_with_any_tissue_are_kept() -> None:
    """One pixel of the overview is enough; what lies on a partial tile at the edge is left out."""
    size = (2 * TILE_PX + 100, 3 * TILE_PX)
    mask = np.zeros((20, 24), dtype=bool)  # 8 pixels along a tile; rows 16 to 19 are the partial tiles
    mask[7, 8] = mask[8, 23] = mask[17, 0] = True

    assert tiles_with_tissue(mask, size).tolist() == [[False, True, False], [False, False, True]]


def test_overview_must_cover_the_grid() -> None:
    """A tile beyond the overview would be lost."""
    with pytest.raises(ValueError, match="expected 8 along each of 2 x 3 tiles"):
        tiles_with_tissue(np.ones((15, 24), dtype=bool), (2 * TILE_PX, 3 * TILE_PX))


def test_blank_share_by_hand() -> None:
    """Two of four pixels are blank: half is kept, more is dropped."""
    tile = picture([[245, 206], [205, 100]])

    assert blank_share(tile) == 0.5
    assert not mostly_blank(tile)
    assert mostly_blank(picture([[245, 206], [245, 100]]))
