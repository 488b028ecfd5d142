"""The tiles that a pathologist has named, of all annotated slides of a cohort: what a classifier learns from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.spec import PreprocessingError, TileReading
from pipelines.progress import LineProgress
from pipelines.slides import annotated_patients, labelled_tiles
from validation.cohort import Cohort
from validation.errors import InputError


def gathered_tiles(
    cohort: Cohort, image: str, tiles: TileReading, path: Path
) -> tuple[NDArray[np.uint8], NDArray[np.int8], tuple[str, ...]]:
    """Read the annotated tiles of a development cohort into a file, of which only what is used is in memory.

    Args:
        cohort: The development cohort.
        image: Name of the image that is a slide.
        tiles: How the model reads it.
        path: Scratch file, replaced.

    Returns:
        Tiles (N, 224, 224, 3) as the classifier takes them, the index of their tissue (N,), and the patient of each.

    Raises:
        InputError: No slide is annotated; a slide or its annotations cannot be read; a slide has no tile in its areas.
    """
    annotated = cohort.patients[annotated_patients(cohort, tiles)]
    rows = [dict(zip(annotated.columns, cells, strict=True)) for cells in annotated.itertuples(index=False)]
    if not rows:
        found, expected = "no annotated slide", f"patients with {tiles.annotations}_path"
        raise InputError(str(cohort.folder), found, expected, "Deliver areas for the classifier to learn from.")
    path.parent.mkdir(parents=True, exist_ok=True)
    progress = LineProgress(f"reading annotated slides of {cohort.meta.name}")
    tissues: list[int] = []
    patients: list[str] = []
    with path.open("wb") as file:
        for done, row in enumerate(rows, start=1):
            before = len(tissues)
            try:
                for pixels, tissue in labelled_tiles(cohort, row, image, tiles):
                    shape = pixels.shape
                    file.write(pixels.tobytes())
                    tissues.append(tissue)
                    patients.append(str(row["patient_id"]))
            except PreprocessingError as error:
                where, remedy = (
                    str(cohort.folder / str(row[f"{image}_path"])),
                    "Deliver it again, or without annotations.",
                )
                raise InputError(where, str(error), "a slide with tissue", remedy) from error
            if len(tissues) == before:
                where = str(cohort.folder / str(row[f"{tiles.annotations}_path"]))
                raise InputError(where, "no whole tile in one tissue", "areas of at least a tile", "Draw larger areas.")
            progress(done, len(rows))
    pixels = np.memmap(path, dtype=np.uint8, mode="r", shape=(len(tissues), *shape))
    return pixels, np.array(tissues, dtype=np.int8), tuple(patients)
