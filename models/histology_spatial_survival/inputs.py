"""From a slide and a table row to network inputs, alike for training, judging and serving; the classifier ships too."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import BLANK_SHARE_MAX, MPP, TILE_PX, TISSUES, TUMOUR_TILES_MIN, tile_map
from models.histology_spatial_survival.clinical import encode_factors
from models.histology_spatial_survival.organisation import TissueMap, measure
from models.histology_spatial_survival.reading import Slide, read_tiles, sources_sha256
from models.histology_spatial_survival.tile_map import MapKey, TileMap
from models.runtime import OnnxModel

PREPROCESSING = {
    "resolution": f"{MPP:g} um per pixel, whatever that of the slide",
    "tiles": f"{TILE_PX} x {TILE_PX} pixels side by side from the upper left corner; partial ones are left out",
    "blank": f"tiles outside the tissue, or more than {BLANK_SHARE_MAX:.0%} blank, are dropped",
    "stain": "Macenko, fitted once per slide",
    "classifier": f"tiles.onnx: grey levels of a tile to probabilities of {', '.join(TISSUES)}; the largest counts",
    "organisation": f"tiles by tissue and by distance to the tumour; at least {TUMOUR_TILES_MIN} tumour tiles",
    "covariates": "five factors of the clinical risk score, 1 or 0",
}


def read(
    slide: Slide, slide_sha256: str, classifier: Path, classifier_sha256: str, reader_sha256: str, finished: Path
) -> TileMap:
    """Return the tile map of a slide, from the folder of finished maps where it was read before.

    Args:
        slide: Open slide.
        slide_sha256: Digest of its file.
        classifier: ONNX file of the classifier.
        classifier_sha256: Digest of that file.
        reader_sha256: Digest of what opens the slide and runs the classifier, and of their libraries.
        finished: Folder of finished maps; a map is added to it whole or not at all.

    Raises:
        PreprocessingError: As `read_tiles`.
        ValueError: The classifier's file is not that of the digest.
    """
    key = MapKey(slide_sha256, classifier_sha256, slide.mpp, sources_sha256(), reader_sha256)
    known = tile_map.load(key, finished)
    if known is not None:
        return known
    found = read_tiles(slide, _session(classifier, classifier_sha256))
    tile_map.save(found, key, finished)
    return found


@lru_cache(maxsize=1)
def _session(classifier: Path, sha256: str) -> OnnxModel:
    """Return the classifier, loaded once per process and file, from the very bytes whose digest was compared.

    Raises:
        ValueError: The file has another digest: it was changed meanwhile. No slide is at fault, and the run ends.
    """
    content = classifier.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"{classifier}: found sha256 {found}, expected {sha256} as at the start; do not change it")
    return OnnxModel(content)


def prepare(images: Mapping[str, TissueMap], row: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Turn one patient into network inputs.

    Args:
        images: "slide", the tile map that `read` returned.
        row: Columns `CRS_COLUMNS` of the patient table; None or NaN = missing.

    Returns:
        "tiles_by_tissue" (7,), "tiles_by_distance" (5, distances), "interaction" (5,), "covariates" (5,) with
        NaN = missing.

    Raises:
        PreprocessingError: Too few tumour tiles, an unknown category, an impossible number.
    """
    return {**measure(images["slide"]).inputs(), "covariates": encode_factors(row)}
