"""From slide to map."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from models.histology_spatial_survival import TILE_PX
from models.histology_spatial_survival.reading import (
    AHEAD,
    BATCH,
    INPUT,
    OUTPUT,
    fit_stain,
    in_order,
    read_tiles,
    sources_sha256,
    tiles_at,
)
from models.histology_spatial_survival.tile_map import DROPPED
from models.spec import PreprocessingError
from tests.models.histology_spatial_survival.slides import GLASS, MeanColour, MemorySlide, slide_with_tissue

TISSUE = np.random.default_rng(1).random((6, 9)) < 0.6
TISSUE[0, 0] = False


@pytest.fixture(scope="module")
def slide() -> MemorySlide:
    """A slide with tissue on 60 % of its tiles."""
    return slide_with_tissue(TISSUE)


def test_tissue_is_classified_and_glass_dropped(slide: MemorySlide) -> None:
    """Exactly the tiles with tissue have a class, the one of the highest probability."""
    found = read_tiles(slide, MeanColour())

    np.testing.assert_array_equal(found.tissue != DROPPED, TISSUE)
    np.testing.assert_array_equal(found.probability[TISSUE].argmax(axis=1), found.tissue[TISSUE])
    assert np.abs(found.probability[TISSUE].astype(float).sum(axis=1) - 1).max() < 0.01


def test_any_number_of_threads_gives_the_same_bytes(slide: MemorySlide) -> None:
    """One reader or five: the batches are the same, and with them every bit."""
    classifiers = [MeanColour() for _ in range(3)]
    maps = [read_tiles(slide, c, readers=n) for c, n in zip(classifiers, (1, 2, 5), strict=True)]

    assert len({(m.tissue.tobytes(), m.probability.tobytes()) for m in maps}) == 1
    assert classifiers[0].batches == classifiers[2].batches
    assert sum(classifiers[0].batches) == TISSUE.sum()
    assert set(classifiers[0].batches[:-1]) == {BATCH}


def test_a_tile_gets_the_class_of_its_own_pixels(slide: MemorySlide) -> None:
    """Tile by tile, normalised by the stains of the slide, the classifier says what the map says."""
    found = read_tiles(slide, MeanColour())
    for tile in tiles_at(slide, [(int(r), int(c)) for r, c in np.argwhere(TISSUE)[::5]]):
        alone = MeanColour().run({INPUT: tile.pixels[None]})[OUTPUT][0]
        np.testing.assert_array_equal(found.probability[tile.position], alone.astype(np.float16))


def test_more_than_half_blank_is_dropped() -> None:
    """A tile 60 % blank is dropped, one 40 % blank is kept; the mask had let both through."""
    slide = slide_with_tissue(np.array([[True, True, True]]))
    for column, share in ((1, 0.6), (2, 0.4)):
        slide.picture[: round(share * TILE_PX), column * TILE_PX : (column + 1) * TILE_PX] = GLASS

    assert (read_tiles(slide, MeanColour()).tissue == DROPPED).tolist() == [[False, True, False]]


def test_colours_of_the_laboratory_do_not_matter() -> None:
    """A slide scanned darker in every colour gives nearly the same probabilities."""
    slide = slide_with_tissue(TISSUE)
    darker = MemorySlide((240 * (np.minimum(slide.picture, 239) / 240.0) ** 1.3).astype(np.uint8))
    darker.picture[slide.picture == GLASS] = GLASS
    first, second = (read_tiles(s, MeanColour()).probability[TISSUE].astype(float) for s in (slide, darker))

    assert np.abs(first - second).max() < 0.03


def test_training_tiles_are_normalised_and_may_be_blank(slide: MemorySlide) -> None:
    """A tile of glass is what background is learnt from."""
    glass, tissue = tiles_at(slide, [(0, 0), (int(np.argwhere(TISSUE)[0][0]), int(np.argwhere(TISSUE)[0][1]))])

    assert glass.position == (0, 0)
    assert glass.pixels.shape == tissue.pixels.shape == (TILE_PX, TILE_PX, 3)
    assert glass.pixels.min() > 225 > tissue.pixels.mean()


def test_training_tiles_must_lie_on_the_grid(slide: MemorySlide) -> None:
    """An annotation beyond the slide is an error, not a white tile."""
    with pytest.raises(ValueError, match=r"tile \(6, 0\) on a grid of 6 x 9"):
        list(tiles_at(slide, [(6, 0)]))


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.full((500, 500, 3), GLASS, dtype=np.uint8), "no tissue on the slide"),
        (np.full((100, 500, 3), 90, dtype=np.uint8), "smaller than one tile"),
        (np.full((500, 500, 3), 90, dtype=np.uint8), "stain normalisation"),
    ],
)
def test_unreadable_slide_has_one_reason(picture: NDArray[np.uint8], message: str) -> None:
    """Empty, tiny and unstained slides are refused in words."""
    with pytest.raises(PreprocessingError, match=message):
        read_tiles(MemorySlide(picture), MeanColour())


def test_tissue_beyond_the_last_whole_tile_is_none() -> None:
    """What lies only on partial tiles cannot be classified."""
    slide = slide_with_tissue(np.array([[False]]))
    slide.picture[TILE_PX + 30 :] = 90

    with pytest.raises(PreprocessingError, match="outside the whole tiles"):
        read_tiles(slide, MeanColour())


class Torn(MemorySlide):
    """A slide whose file is damaged somewhere."""

    def region(self, row: int, column: int, rows: int, columns: int) -> NDArray[np.uint8]:
        """Fail in the lower half, as a damaged file does at reading, not at opening."""
        if row >= 4 * TILE_PX and rows > TILE_PX:
            raise OSError("cannot decode tile")
        return super().region(row, column, rows, columns)


def test_damage_found_while_reading_is_raised() -> None:
    """The error of the reader thread reaches the caller, and no thread stays behind."""
    before = threading.active_count()
    with pytest.raises(OSError, match="cannot decode tile"):
        read_tiles(Torn(slide_with_tissue(np.ones((6, 5), dtype=bool)).picture), MeanColour())

    assert threading.active_count() == before


def test_wrong_pixels_are_refused(slide: MemorySlide) -> None:
    """A reader that returns too few pixels is found out."""

    class Short(MemorySlide):
        def region(self, row: int, column: int, rows: int, columns: int) -> NDArray[np.uint8]:
            return super().region(row, column, rows, columns)[:-1]

    with pytest.raises(PreprocessingError, match=r"found uint8 pixels of shape \(63, 64, 3\), expected uint8"):
        read_tiles(Short(slide.picture), MeanColour())


def test_most_probable_tissue_is_that_before_rounding(slide: MemorySlide) -> None:
    """Two probabilities that are one number at half precision: the larger one decides, not the first."""

    class Close(MeanColour):
        def run(self, inputs: dict[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
            close = np.array([0, 0.4999, 0, 0, 0.5001, 0, 0], dtype=np.float32)
            return {OUTPUT: np.tile(close, (len(inputs[INPUT]), 1))}

    found = read_tiles(slide, Close())

    classified = found.tissue != DROPPED
    assert (found.tissue[classified] == 4).all()
    assert (found.probability[classified].argmax(axis=1) == 1).all()


def test_probability_that_is_no_number_is_refused(slide: MemorySlide) -> None:
    """A broken classifier does not drop tiles in silence."""

    class Broken(MeanColour):
        def run(self, inputs: dict[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
            return {OUTPUT: super().run(inputs)[OUTPUT] * np.float32("nan")}

    with pytest.raises(PreprocessingError, match="not a number"):
        read_tiles(slide, Broken())


def test_stains_are_fitted_on_few_tiles(slide: MemorySlide) -> None:
    """The sample is bounded and the same each time."""
    fresh = MemorySlide(slide.picture)
    first, second = fit_stain(fresh, TISSUE), fit_stain(fresh, TISSUE)

    assert len(fresh.read) == 2 * min(32, TISSUE.sum())
    np.testing.assert_array_equal(first.matrix, second.matrix)


def test_results_come_in_order_and_work_ahead_is_bounded() -> None:
    """Slow items hold up none of the order, and never more than the bound have begun beyond what was taken."""
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(40):
            begun.append(number)
            yield number

    def slow(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number

    for taken, number in enumerate(in_order(slow, items(), 3)):
        assert number == taken
        assert len(begun) - taken <= AHEAD * 3 + 1


def test_sources_have_a_digest() -> None:
    """It names the reading, so that maps made by other sources are not taken."""
    assert len(sources_sha256()) == 64
    assert sources_sha256() == sources_sha256()
