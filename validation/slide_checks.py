"""What must be true of a slide and of the annotations drawn on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from validation.annotations import NONE, Annotations, annotated_tiles, outside, read_annotations
from validation.errors import InputError
from validation.image_results import ImageCheck
from validation.perceptual import slide_hash
from validation.schema import AnnotationSchema, Range, SlideSchema
from validation.slides import OVERVIEW_RANGE, TILE_PX, Slide, open_slide
from validation.volume_checks import range_text

TISSUE_PX_UM = 32.0  # at which the share of tissue is taken
THUMBNAIL_PX = 256  # along the shorter side of what the perceptual hash is made of, or more of a large slide
BACKGROUND_MIN = 206  # in every channel: an optical density below 0.15 on a white of 240, as Macenko's method has it


@dataclass(frozen=True)
class SlideFacts:
    """What is known of a slide after it was closed.

    Attributes:
        mpp: Micrometres per pixel of level 0.
        level0_px: (rows, columns) of level 0.
        size_px: (rows, columns) at 0.5 um/px.
        tissue_share: Share of the slide that is no background.
        content_sha256: Digest of its pixels.
        perceptual_hash: Of a thumbnail; None if it would say nothing.
    """

    mpp: float
    level0_px: tuple[int, int]
    size_px: tuple[int, int]
    tissue_share: float
    content_sha256: str
    perceptual_hash: str | None = None

    @property
    def tiles(self) -> tuple[int, int]:
        """Whole tiles along (row, column)."""
        return self.size_px[0] // TILE_PX, self.size_px[1] // TILE_PX


def look_at_slide(path: Path, image: SlideSchema, cells: Mapping[str, str]) -> SlideFacts | InputError:
    """Open a slide and look at it as a whole, or say why that cannot be done.

    Its directories, all of its overview and 64 places of level 0 are read, not every pixel: a slide has billions, and a
    tile that is damaged within the file is found when it is read for a prediction, which then fails for this patient.

    Args:
        path: The slide.
        image: What it must be.
        cells: The patient's row, for the resolution given.
    """
    try:
        with open_slide(path, _number(cells.get(image.mpp_column or "", ""))) as slide:
            overview = slide.overview(TISSUE_PX_UM)
            share = 1 - float(np.mean((overview >= BACKGROUND_MIN).all(axis=-1)))
            looks = slide_hash(thumbnail(slide))
            return SlideFacts(slide.mpp, slide.level0_px, slide.size_px, share, slide.content_sha256(), looks)
    except InputError as error:
        return error


def thumbnail(slide: Slide) -> NDArray[np.uint8]:
    """Return the whole slide as RGB, with about 256 pixels along the shorter side, more of a large slide.

    Raises:
        InputError: The file is damaged.
    """
    finest, coarsest = OVERVIEW_RANGE
    px_um = min(slide.level0_px) * slide.mpp / THUMBNAIL_PX
    return slide.overview(min(max(px_um, finest), coarsest))


def _number(text: str) -> float | None:
    """Return the number in a cell; None for a cell without one, which the table check names."""
    try:
        return float(text)
    except ValueError:
        return None


def check_slide(image: SlideSchema, text: str, facts: SlideFacts | InputError) -> Iterator[ImageCheck]:
    """Check a slide: readable, its resolution, its size and its share of tissue."""

    def check(kind: str, expected: str, problem: str | None) -> ImageCheck:
        return ImageCheck(kind, image.name, expected, problem and f"{text}: {problem}")

    if isinstance(facts, InputError):
        yield check("readable", facts.expected, facts.found)
        return
    yield check("readable", "a readable slide", None)
    problem = None if _within(facts.mpp, image.mpp) else f"{facts.mpp:.4g} um/px"
    yield check("resolution", f"{range_text(image.mpp)} um/px", problem)
    fits = all(_within(n, limits) for n, limits in zip(facts.tiles, image.tiles, strict=True))
    along = [f"{axis} {range_text(limits)}" for axis, limits in zip(("row", "column"), image.tiles, strict=True)]
    problem = None if fits else f"{facts.tiles[0]} x {facts.tiles[1]} tiles"
    yield check("size", f"whole tiles along {', '.join(along)}", problem)
    problem = None if _within(facts.tissue_share, image.tissue_share) else f"{facts.tissue_share:.2%} is tissue"
    low, high = image.tissue_share
    yield check("tissue", f"{low:.1%} to {high:.1%} of the slide is tissue", problem)


def _within(value: float, limits: Range) -> bool:
    return limits[0] <= value <= limits[1]


def observed_in_slide(facts: SlideFacts) -> dict[str, Range]:
    """Return the figures of one slide, each as (smallest, largest)."""
    figures = {
        "mpp": round(facts.mpp, 4),
        "size_px_row": float(facts.size_px[0]),
        "size_px_column": float(facts.size_px[1]),
        "tissue_share": round(facts.tissue_share, 4),
    }
    return {name: (value, value) for name, value in figures.items()}


def read_annotation(path: Path, image: AnnotationSchema) -> Annotations | InputError:
    """Return the annotations of a slide, or why they cannot be read."""
    try:
        return read_annotations(path, image.tissues)
    except InputError as error:
        return error


def check_annotation(
    image: AnnotationSchema, text: str, annotations: Annotations | InputError, slide: SlideFacts | None
) -> Iterator[ImageCheck]:
    """Check annotations: readable, and inside the slide if that could be read."""
    if isinstance(annotations, InputError):
        place = annotations.where.partition(" feature ")[2]
        found = f"{text}{place and f' feature {place}'}: {annotations.found}"
        yield ImageCheck("readable", image.name, annotations.expected, found)
        return
    yield ImageCheck("readable", image.name, "readable annotations", None)
    if slide is not None:
        problem = outside(annotations, slide)
        expected = f"inside the slide of {slide.level0_px[1]} x {slide.level0_px[0]} pixels"
        yield ImageCheck("inside", image.name, expected, problem and f"{text}: {problem}")


def observed_in_annotation(annotations: Annotations, slide: SlideFacts | None) -> dict[str, Range]:
    """Return the figures of one slide's annotations, each as (smallest, largest)."""
    figures = {"areas": float(len(annotations.areas))}
    if slide is not None:
        figures["tiles"] = float(np.count_nonzero(annotated_tiles(annotations, slide) != NONE))
    return {name: (value, value) for name, value in figures.items()}
