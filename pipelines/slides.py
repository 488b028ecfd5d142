"""From whole-slide images to what a network takes of them: the one way to tile maps, and to tiles to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from models.spec import TileReading, load_dotted
from pipelines.layout import tile_map_folder
from validation.annotations import annotated_tiles, read_annotations
from validation.digests import bytes_sha256, file_sha256
from validation.errors import InputError
from validation.slides import open_slide

if TYPE_CHECKING:
    from validation.cohort import Cohort

CLASSIFIER = "tiles.onnx"
READER_SOURCES = tuple(Path(__file__).parents[1] / name for name in ("models/runtime.py", "validation/slides.py"))
READER_VERSIONS = (
    "numpy:__version__",
    "onnxruntime:__version__",
    "openslide:__version__",
    "openslide:__library_version__",
    "PIL:__version__",
    "scipy:__version__",
)
MPP_GIVEN = "mpp_given"  # column of the resolution of a slide whose file does not say it


@dataclass(frozen=True)
class Reader:
    """How the slides of a cohort are read.

    Attributes:
        tiles: What the model says of it.
        classifier: ONNX file of the tile classifier.
        classifier_sha256: Digest of that file.
        finished: Folder of the maps of slides that were read; one that is there is not read again.
    """

    tiles: TileReading
    classifier: Path
    classifier_sha256: str
    finished: Path

    @classmethod
    def of(cls, tiles: TileReading, folder: Path) -> Self:
        """Return the reader with the classifier in a training or artefact folder."""
        classifier = (folder / CLASSIFIER).resolve()  # worker processes keep the folder they started in
        return cls(tiles, classifier, file_sha256(classifier), tile_map_folder().resolve())

    def read(self, path: Path, sha256: str, mpp_given: float | None) -> Any:
        """Return the tile map of one slide whose digest has been checked.

        Raises:
            InputError: The slide cannot be read.
            PreprocessingError: It shows too little to be read.
        """
        read = load_dotted(self.tiles.read_path)
        with open_slide(path, mpp_given) as slide:
            return read(slide, sha256, self.classifier, self.classifier_sha256, reader_sha256(), self.finished)


def reader_sha256() -> str:
    """Return the digest of what opens a slide and runs the classifier: the sources, and the versions of the libraries.

    Taken where a slide is read: a worker with other versions makes maps of its own.
    """
    sources = [file_sha256(path) for path in READER_SOURCES]
    return bytes_sha256(repr((sources, [load_dotted(path) for path in READER_VERSIONS])).encode())


@dataclass(frozen=True, eq=False)
class NamedTiles:
    """The tiles of one slide that a pathologist has named, and what the classifier says of them.

    Attributes:
        tissue: (n,) index of the tissue that was named.
        probability: (n, tissues) of the classifier; NaN for a tile that it was not shown, being blank.
    """

    tissue: NDArray[np.int8]
    probability: NDArray[np.float32]


def named_tiles(
    cohort: Cohort, row: Mapping[str, Any], image: str, tiles: TileReading, tile_map: Any
) -> NamedTiles | None:
    """Return the named tiles of a patient's slide; None where nobody has named any.

    Args:
        cohort: Of the patient.
        row: Of the patient table.
        image: Name of the image that is a slide.
        tiles: How the model reads it.
        tile_map: What the model read.

    Raises:
        InputError: As `positions_by_tissue`.
    """
    if not isinstance(row[f"{tiles.annotations}_path"], str):
        return None
    tissue = positions_by_tissue(cohort, row, image, tiles)
    named = tissue >= 0
    return NamedTiles(tissue[named], tile_map.probability[named].astype(np.float32))


def checked_sha256(path: Path, expected: str) -> str:
    """Return the digest of a slide, if it is the one that the patient table names.

    Raises:
        InputError: It is another, or the file cannot be read.
    """
    try:
        found = file_sha256(path)
    except OSError as error:
        found_instead = f"nothing that can be read ({error.strerror})"
        raise InputError(str(path), found_instead, "a whole-slide image", "Deliver the image.") from error
    if found != expected:
        wanted = f"{expected} as in the patient table"
        raise InputError(str(path), f"sha256 {found}", wanted, "Deliver the image again, or correct the table.")
    return found


def resolution_given(row: Mapping[str, Any]) -> float | None:
    """Return the resolution that the patient table gives a slide, None if it leaves it to the file."""
    value = row[MPP_GIVEN]
    return None if value is None or np.isnan(value) else float(value)


def annotated_patients(cohort: Cohort, tiles: TileReading) -> NDArray[np.bool_]:
    """Return whether each patient of a cohort, in table order, has an annotated slide."""
    return cohort.patients[f"{tiles.annotations}_path"].notna().to_numpy(dtype=np.bool_)


def positions_by_tissue(cohort: Cohort, row: Mapping[str, Any], image: str, tiles: TileReading) -> NDArray[np.int8]:
    """Return the tissue that a pathologist named for every tile of a patient's slide, -1 for none, (rows, columns).

    Raises:
        InputError: Slide or annotations cannot be read, are not those of the table, or do not fit together.
    """
    path = cohort.folder / str(row[f"{image}_path"])
    areas = cohort.folder / str(row[f"{tiles.annotations}_path"])
    checked_sha256(areas, str(row[f"{tiles.annotations}_sha256"]))
    with open_slide(path, resolution_given(row)) as slide:
        return annotated_tiles(read_annotations(areas, tiles.tissues, slide), slide)


def labelled_tiles(
    cohort: Cohort, row: Mapping[str, Any], image: str, tiles: TileReading, at_most: int | None = None
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Yield the annotated tiles of a slide as the classifier takes them, (224, 224, 3), with the index of their tissue.

    Args:
        cohort: Of the patient.
        row: Of the patient table.
        image: Name of the image that is a slide.
        tiles: How the model reads it.
        at_most: So many tiles, spread evenly over them; None for all.

    Raises:
        InputError: As `positions_by_tissue`.
        PreprocessingError: The slide shows too little to be read.
    """
    path = cohort.folder / str(row[f"{image}_path"])
    checked_sha256(path, str(row[f"{image}_sha256"]))
    named = positions_by_tissue(cohort, row, image, tiles)
    positions = [(int(r), int(c)) for r, c in np.argwhere(named >= 0)]
    if at_most is not None and at_most < len(positions):
        positions = [positions[index] for index in np.linspace(0, len(positions) - 1, at_most).astype(np.intp)]
    with open_slide(path, resolution_given(row)) as slide:
        for tile in load_dotted(tiles.tiles_path)(slide, positions):
            yield tile.pixels, int(named[tile.position])
