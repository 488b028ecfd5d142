"""The tissue map of one slide: what is left of it once it was read, a class and its probabilities for every tile."""

from __future__ import annotations

import hashlib
import io
from dataclasses import astuple, dataclass
from pathlib import Path
from uuid import uuid4
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from models import atomic
from models.histology_spatial_survival import TISSUES

DROPPED = -1
FORMAT = 1  # of the file


@dataclass(frozen=True, eq=False)
class TileMap:
    """Tissue of the tiles of one slide, on the grid of whole tiles from its upper left corner.

    Attributes:
        tissue: (rows, columns) index into `TISSUES`; `DROPPED` for a tile that was not classified, being more than half
            blank or outside the tissue.
        probability: (rows, columns, 7) probability of every tissue; NaN where dropped.
    """

    tissue: NDArray[np.int8]
    probability: NDArray[np.float16]

    def __post_init__(self) -> None:
        """Refuse what is no map.

        Raises:
            ValueError: Another shape or type than above, an unknown tissue, or a probability where there is none.
        """
        if self.tissue.ndim != 2 or self.probability.shape != (*self.tissue.shape, len(TISSUES)):
            raise ValueError(
                f"tile map: tissue {self.tissue.shape} and probability {self.probability.shape}, "
                f"expected (rows, columns) and (rows, columns, {len(TISSUES)})"
            )
        if (self.tissue.dtype, self.probability.dtype) != (np.dtype(np.int8), np.dtype(np.float16)):
            raise ValueError(
                f"tile map: types {self.tissue.dtype} and {self.probability.dtype}, expected int8 and float16"
            )
        if self.tissue.size and not (self.tissue.min() >= DROPPED and self.tissue.max() < len(TISSUES)):
            raise ValueError(f"tile map: tissues beyond {DROPPED} to {len(TISSUES) - 1}")
        dropped = (self.tissue == DROPPED)[..., None]
        if not np.array_equal(np.isfinite(self.probability), np.broadcast_to(~dropped, self.probability.shape)):
            raise ValueError("tile map: expected probabilities for the classified tiles and NaN for the dropped ones")


@dataclass(frozen=True)
class MapKey:
    """Everything that decides what the map of a slide is.

    Attributes:
        slide_sha256: Of the slide's file.
        classifier_sha256: Of the ONNX file of the classifier.
        mpp: Micrometres per pixel that the slide was read with; a file that does not say it can be given another.
        reading_sha256: Of the sources between the two; see `reading.sources_sha256`.
        reader_sha256: Of what opens the slide and runs the classifier, and of the libraries of both; the model does not
            know them, whoever hands it the slide does.
    """

    slide_sha256: str
    classifier_sha256: str
    mpp: float
    reading_sha256: str
    reader_sha256: str

    def digest(self) -> str:
        """Return the sha256 of the key."""
        return hashlib.sha256(repr((FORMAT, *astuple(self))).encode()).hexdigest()

    def path(self, folder: Path) -> Path:
        """Return where the map of this key lies."""
        return folder / f"{self.digest()}.npz"


def save(tile_map: TileMap, key: MapKey, folder: Path) -> Path:
    """Write a map into a folder, whole or not at all, and return its path; equal maps give equal bytes.

    Any number of workers may write the same map at once: each does under a name of its own first.
    """
    path = key.path(folder)
    arrays = {"key": np.array(key.digest()), "tissue": tile_map.tissue, "probability": tile_map.probability}
    own = path.with_name(f"{path.stem}.{uuid4().hex}")
    atomic.write_arrays(own, arrays)
    own.replace(path)
    return path


def load(key: MapKey, folder: Path) -> TileMap | None:
    """Return the map of a key; None if there is none, it is another's, or it cannot be read: then the slide is read."""
    path = key.path(folder)
    if not path.exists():
        return None
    try:
        content = path.read_bytes()
        with ZipFile(io.BytesIO(content)) as archive:
            if archive.testzip() is not None:  # numpy stops at the last number it expects, before the checksum
                return None
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            if str(file["key"]) != key.digest():
                return None
            return TileMap(file["tissue"], file["probability"])
    except (OSError, EOFError, KeyError, ValueError, RuntimeError, BadZipFile):  # RuntimeError: of flags in a zip file
        return None
