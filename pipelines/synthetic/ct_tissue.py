"""Attenuation of the tumour and its surroundings: the only place where latent biology becomes CT contrast.

A tumour has a core, an invasive edge and, outside its outline, invaded surroundings. `Section.depth` is 0 in the centre
line and 1 on the outline. All figures are HU in an exact portal-venous phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from pipelines.synthetic.ct_scanner import UNENHANCED_HU
from pipelines.synthetic.rectal_anatomy import Section

Array = NDArray[np.float32]
FAT_HU, MUSCLE_HU, WALL_HU, FLUID_HU, GAS_HU = -100.0, 60.0, 85.0, 10.0, -850.0
WALL_MM, FASCIA_MM = 4.0, 30.0
CORE_EDGE, CORE_SOFTNESS, CORE_IRREGULARITY = 0.60, 0.15, 0.10
SURROUNDINGS_TO = 1.35

COLON_HU, COLON_LEVEL_HU, COLON_FRONT_HU, COLON_COARSE_HU = 92.0, -4.0, 12.0, 4.0
STRANDS_HU, STRANDS_LOG_GAIN, STRANDING_HU = 26.0, 0.60, 50.0
STOMACH_HU, STOMACH_LEVEL_HU, STOMACH_CORE_HU, STOMACH_SLICE_HU = 88.0, 2.0, 13.0, 7.0
STOMACH_COARSE_HU, STOMACH_COARSE_LOG_GAIN, STOMACH_FINE_HU = 12.0, -0.30, 8.0


@dataclass(frozen=True)
class Filling:
    """What the patient brought to the examination, whatever the biology.

    Attributes:
        lumen_hu: Attenuation of the content of the lumen.
        uptake: Uptake of contrast medium, patient times scanner; 1 is nominal.
        slices: Standard normals, one per slice: peristalsis and timing, shape (S,).
    """

    lumen_hu: float
    uptake: float
    slices: Array


def inside(depth: Array, softness: float) -> Array:
    """Return 1 inside (depth < 1), 0 outside, with a soft edge for partial volume."""
    return np.asarray(np.clip((1 - depth) / softness + 0.5, 0, 1))


def core(section: Section) -> Array:
    """Return +1 in the core of the tumour and -1 in its invasive edge, irregular between, shape (S, H, W)."""
    return np.asarray(np.clip((CORE_EDGE - section.depth - CORE_IRREGULARITY * section.coarse) / CORE_SOFTNESS, -1, 1))


def colorectal_hu(section: Section, latents: Mapping[str, float], filling: Filling) -> Array:
    """Return the attenuation of a colorectal tumour, shape (S, H, W).

    With z_stroma attenuation falls and fine strands stand out more, inside the tumour and in the fat around it; with
    z_front the core takes up less and the invasive edge more contrast medium.
    """
    strands = STRANDS_HU * np.exp(STRANDS_LOG_GAIN * latents["z_stroma"])
    tumour = (
        COLON_HU
        + COLON_LEVEL_HU * latents["z_stroma"]
        - COLON_FRONT_HU * latents["z_front"] * core(section)
        + strands * section.fine
        + COLON_COARSE_HU * section.coarse
    )
    stranding = STRANDING_HU * float(ndtr(latents["z_stroma"])) * np.clip(section.fine + 0.3, 0, 1)
    return _in_surroundings(section, tumour, stranding, filling)


def gastric_hu(section: Section, latents: Mapping[str, float], filling: Filling) -> Array:
    """Return the attenuation of a gastric tumour, shape (S, H, W).

    With z_response the core takes up more contrast medium than the edge and coarse heterogeneity falls. The contrast of
    core and edge varies from slice to slice, so that three slices tell more than one.
    """
    contrast = STOMACH_CORE_HU * latents["z_response"] + STOMACH_SLICE_HU * filling.slices[:, None, None]
    coarse = STOMACH_COARSE_HU * np.exp(STOMACH_COARSE_LOG_GAIN * latents["z_response"])
    tumour = (
        STOMACH_HU
        + STOMACH_LEVEL_HU * latents["z_response"]
        + contrast * core(section)
        + coarse * section.coarse
        + STOMACH_FINE_HU * section.fine
    )
    return _in_surroundings(section, tumour, np.zeros_like(section.depth), filling)


def _in_surroundings(section: Section, tumour: Array, stranding: Array, filling: Filling) -> Array:
    """Put a tumour into fat (strands near its outline), muscle, wall and lumen; contrast medium in what takes it up."""
    invaded = np.clip((SURROUNDINGS_TO - section.depth) / (SURROUNDINGS_TO - 1), 0, 1)
    hu = FAT_HU + stranding * invaded
    hu += (MUSCLE_HU - hu) * np.clip(section.axis_mm - FASCIA_MM, 0, 1)
    hu += (WALL_HU - hu) * inside(section.lumen_depth - WALL_MM / section.lumen_mm, 0.1)
    hu += (filling.lumen_hu - hu) * inside(section.lumen_depth, 0.1)
    hu += (tumour - hu) * inside(section.depth, 0.08)
    taken_up = np.maximum(hu - UNENHANCED_HU, 0)
    return np.asarray(hu + (filling.uptake - 1) * taken_up, dtype=np.float32)
