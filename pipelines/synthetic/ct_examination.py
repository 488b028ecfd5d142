"""The CT examination of one patient as a hospital delivers it: portal-venous volume, mask on three slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic.ct_scanner import CT_SCANNERS, CTScanner, reconstruct
from pipelines.synthetic.ct_tissue import FLUID_HU, GAS_HU, Filling, colorectal_hu, gastric_hu
from pipelines.synthetic.definition import Patient
from pipelines.synthetic.mr_scanner import Position, place, write_nifti
from pipelines.synthetic.randomness import patient_generator
from pipelines.synthetic.rectal_anatomy import Section, Tumour, draw_tumour, section
from pipelines.synthetic.rectal_mri import draw_mask

Tissue = Callable[[Section, Mapping[str, float], Filling], NDArray[np.float32]]
UPTAKE_LOG_SD = 0.08


def render_colorectal(patient: Patient, folder: Path) -> dict[str, str]:
    """Write CT and mask of a patient with colorectal cancer; half of the bowels hold gas."""
    return _render(patient, folder, colorectal_hu, gas_share=0.5)


def render_gastric(patient: Patient, folder: Path) -> dict[str, str]:
    """Write CT and mask of a patient with gastric cancer, the stomach filled with water."""
    return _render(patient, folder, gastric_hu, gas_share=0.0)


def _render(patient: Patient, folder: Path, tissue: Tissue, gas_share: float) -> dict[str, str]:
    """Write the examination into `folder`; return file name by image name."""
    keys = (patient.seed, patient.cohort, patient.position)
    tumour = draw_tumour(0.0, 0.0, patient_generator(*keys, "anatomy"))
    rng = patient_generator(*keys, "acquisition")
    volume, mask, position = examine(tumour, patient.latents, CT_SCANNERS[patient.scanner], tissue, gas_share, rng)
    files = {"ct": "ct.nii.gz", "ct_mask": "ct_mask.nii.gz"}
    write_nifti(volume, position, folder / files["ct"])
    write_nifti(mask, position, folder / files["ct_mask"])
    return files


def examine(
    tumour: Tumour,
    latents: Mapping[str, float],
    scanner: CTScanner,
    tissue: Tissue,
    gas_share: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int16], NDArray[np.uint8], Position]:
    """Image a tumour; shape and texture are the tumour's, the latent variables enter by `tissue` alone.

    Returns:
        Volume in HU, mask of 0 and 1 (both (S, H, W)), and where their voxels lie.
    """
    centre_mm = rng.normal((0.0, 20.0, -40.0), (40.0, 20.0, 60.0))
    position = place(scanner.grid, tumour.half_length_mm, np.eye(3), centre_mm, rng)
    cut = section(tumour, position)
    filling = Filling(
        lumen_hu=GAS_HU if rng.random() < gas_share else FLUID_HU,
        uptake=scanner.enhancement * float(np.exp(rng.normal(0.0, UPTAKE_LOG_SD))),
        slices=rng.standard_normal(len(cut.size), dtype=np.float32),
    )
    mask = largest_and_neighbours(draw_mask(cut, rng))
    return reconstruct(tissue(cut, latents, filling), scanner, rng), mask, position


def largest_and_neighbours(drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep the slice with the largest drawn area and the slice on either side; shape (S, H, W)."""
    largest = int(drawn.sum(axis=(1, 2)).argmax())
    kept = np.zeros_like(drawn)
    kept[largest - 1 : largest + 2] = drawn[largest - 1 : largest + 2]
    return kept
