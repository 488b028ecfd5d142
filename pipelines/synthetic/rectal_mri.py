"""The MRI examination of one patient as a hospital delivers it: T2-weighted, DWI b0 and b1000, hand-drawn masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic.definition import Patient
from pipelines.synthetic.mr_scanner import (
    SCANNERS,
    Position,
    Scanner,
    acquire,
    place,
    receive_field,
    slice_direction,
    write_nifti,
)
from pipelines.synthetic.randomness import patient_generator
from pipelines.synthetic.rectal_anatomy import ANGLES, Section, Tumour, draw_tumour, section
from pipelines.synthetic.rectal_tissue import diffusion_signal, t2w_signal

B1000_S_PER_MM2 = 1000.0
FLARE_T2W, FLARE_B1000, FLARE_RADIUS_MM = 0.90, 0.20, 8.0
DRAWN_VERTICES = 24
SMALLEST_DRAWN_SECTION = 0.45


@dataclass(frozen=True)
class Series:
    """Voxel arrays (S, H, W) by image name, on one grid."""

    position: Position
    images: Mapping[str, NDArray[Any]]


def render(patient: Patient, folder: Path) -> dict[str, str]:
    """Write the examination of a patient into `folder`; return file name by image name."""
    tumour = draw_tumour(
        patient.latents["z_t2"],
        patient.latents["z_adc"],
        patient_generator(patient.seed, patient.cohort, patient.position, "anatomy"),
    )
    rng = patient_generator(patient.seed, patient.cohort, patient.position, "acquisition")
    files = {}
    for series in examine(tumour, SCANNERS[patient.scanner], patient.artefact, rng):
        for name, voxels in series.images.items():
            files[name] = f"{name}.nii.gz"
            write_nifti(voxels, series.position, folder / files[name])
    return files


def examine(tumour: Tumour, scanner: Scanner, artefact: bool, rng: np.random.Generator) -> tuple[Series, Series]:
    """Image a tumour on a scanner; return the T2-weighted and the diffusion-weighted series with their masks."""
    direction = slice_direction(scanner.tilt_degrees, rng)
    centre_mm = rng.normal((0.0, 40.0, -60.0), (5.0, 10.0, 30.0))
    patient_gain = float(np.exp(rng.normal(0.0, 0.15)))
    t2w = place(scanner.t2w, tumour.half_length_mm, direction, centre_mm, rng)
    dwi = place(scanner.dwi, tumour.half_length_mm, direction, centre_mm, rng)
    return (
        Series(t2w, _t2w_images(tumour, scanner, t2w, rng, patient_gain=patient_gain, artefact=artefact)),
        Series(dwi, _dwi_images(tumour, scanner, dwi, rng, patient_gain=patient_gain, artefact=artefact)),
    )


def _t2w_images(
    tumour: Tumour,
    scanner: Scanner,
    position: Position,
    rng: np.random.Generator,
    *,
    patient_gain: float,
    artefact: bool,
) -> dict[str, NDArray[Any]]:
    cut = section(tumour, position)
    signal = t2w_signal(tumour, cut) * receive_field(position, scanner.bias, rng)
    if artefact:
        signal = signal + FLARE_T2W * flare(cut)
    return {
        "t2w": acquire(signal, scanner.gain[0] * patient_gain, scanner.noise[0], rng),
        "t2w_mask": draw_mask(cut, rng),
    }


def _dwi_images(
    tumour: Tumour,
    scanner: Scanner,
    position: Position,
    rng: np.random.Generator,
    *,
    patient_gain: float,
    artefact: bool,
) -> dict[str, NDArray[Any]]:
    cut = section(tumour, position)
    b0, adc = diffusion_signal(tumour, cut)
    b0 = b0 * receive_field(position, scanner.bias, rng)
    b1000 = b0 * np.exp(-B1000_S_PER_MM2 * adc)
    if artefact:
        b1000 = b1000 + FLARE_B1000 * flare(cut)
    gain, noise = scanner.gain[1] * patient_gain, scanner.noise[1]
    return {
        "dwi_b0": acquire(b0, gain, noise, rng),
        "dwi_b1000": acquire(b1000, gain, noise, rng),
        "dwi_mask": draw_mask(cut, rng),
    }


def flare(cut: Section) -> NDArray[np.float32]:
    """Return the stray signal of a defective endorectal coil, 1 at the middle of the lumen, shape (S, H, W)."""
    return np.asarray(np.exp(-0.5 * (cut.lumen_depth * (cut.lumen_mm / FLARE_RADIUS_MM)) ** 2), dtype=np.float32)


def draw_mask(cut: Section, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw the outline on each lesion slice as a hand would: few vertices, slightly off, differently on each slice.

    Returns:
        Mask of 0 and 1, shape (S, H, W); the very ends of the tumour are not drawn.
    """
    slices = len(cut.size)
    vertices = 1 + rng.normal(0.0, 0.03, (slices, 1)) + rng.normal(0.0, 0.05, (slices, DRAWN_VERTICES))
    closed = np.concatenate([vertices, vertices[:, :1]], axis=1)
    at = np.linspace(0, DRAWN_VERTICES, ANGLES, endpoint=False)
    left, weight = at.astype(int), at % 1
    drawn = (closed[:, left] * (1 - weight) + closed[:, left + 1] * weight).astype(np.float32)
    drawn[cut.size < SMALLEST_DRAWN_SECTION] = 0.0
    return (cut.depth < drawn[np.arange(slices)[:, None, None], cut.angle]).astype(np.uint8)
