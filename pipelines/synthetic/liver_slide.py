"""The slide of one patient as a hospital delivers it, with the pathologist's annotations where there are any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import TISSUES
from pipelines.synthetic.definition import Patient
from pipelines.synthetic.liver_layout import CELLS_PER_TILE, GLASS, Cells
from pipelines.synthetic.liver_metastasis import layout_of
from pipelines.synthetic.randomness import patient_generator
from pipelines.synthetic.slide_annotation import annotate, write_annotations
from pipelines.synthetic.slide_noise import smooth_noise
from pipelines.synthetic.slide_scanner import (
    CANVAS_CELLS,
    PIECES_PER_CELL,
    SLIDE_SCANNERS,
    SlideScanner,
    canvases,
    colours,
)
from pipelines.synthetic.slide_texture import BLANK, TEXTURES
from pipelines.synthetic.slide_writing import write_slide

CANVASES = tuple(TEXTURES)
FRAY, FRAY_STEP = 0.9, 2.5  # in pieces: how far and in how fine waves borders are frayed


def render(patient: Patient, folder: Path) -> dict[str, str]:
    """Write slide and annotations of a patient into `folder`; return file name by image name."""
    keys = (patient.seed, patient.cohort, patient.position)
    layout, scanner = layout_of(patient.latents), SLIDE_SCANNERS[patient.scanner]
    files = {"slide": "slide.tiff"}
    pixels = scan(layout.cells, scanner, patient_generator(*keys, "slide"))
    write_slide(pixels, scanner.mpp, scanner.jpeg_quality, folder / files["slide"])
    if patient.latents["annotated"]:
        files["annotations"] = "annotations.geojson"
        areas = annotate(layout.cells, CELLS_PER_TILE, patient_generator(*keys, "annotation"))
        write_annotations(areas, scanner.cell_px, folder / files["annotations"])
    return files


def scan(cells: Cells, scanner: SlideScanner, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Stain and scan a slide.

    Args:
        cells: Index into `TISSUES`, or `GLASS`; (rows, columns) of cells.
        scanner: Where.
        rng: The slide's share of everything: which part of each canvas it shows, its staining.

    Returns:
        RGB, shape (rows * cell_px, columns * cell_px, 3).
    """
    tissue = _ragged(cells, rng)
    textures = np.array([CANVASES.index(name) for name in TISSUES] + [CANVASES.index(BLANK)])
    texture = textures[np.where(tissue == GLASS, len(TISSUES), tissue)]
    side = CANVAS_CELLS * PIECES_PER_CELL
    start = rng.integers(side, size=(2, len(CANVASES)))
    row, column = ((place + start[axis][texture]) % side for axis, place in enumerate(np.indices(tissue.shape)))
    index = canvases(scanner)[texture, row, column].swapaxes(1, 2)
    size = (cells.shape[0] * scanner.cell_px, cells.shape[1] * scanner.cell_px)
    pixel = colours(scanner, rng).view("V3")[:, 0]  # one look-up per pixel, not three
    return np.asarray(pixel[index.reshape(size)].view(np.uint8).reshape(*size, 3))


def _ragged(cells: Cells, rng: np.random.Generator) -> Cells:
    """Divide cells into pieces and fray the borders between tissues by about a piece, 7 micrometres."""
    shape = (cells.shape[0] * PIECES_PER_CELL, cells.shape[1] * PIECES_PER_CELL)
    row, column = (
        np.clip(np.round((place + FRAY * smooth_noise(rng, shape, FRAY_STEP)) / PIECES_PER_CELL - 0.25), 0, size - 1)
        for place, size in zip(np.indices(shape), cells.shape, strict=True)
    )
    return np.asarray(cells[row.astype(int), column.astype(int)])
