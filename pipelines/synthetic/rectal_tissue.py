"""Signals of the tumour and its surroundings: the only place where latent biology becomes image contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic.rectal_anatomy import Section, Tumour

Array = NDArray[np.float32]
CORE_EDGE, CORE_SOFTNESS, CORE_IRREGULARITY = 0.60, 0.15, 0.10
T2_TUMOUR, T2_CONTRAST, T2_LEVEL, T2_TEXTURE = 0.55, 0.32, 0.05, 0.08
B0_TUMOUR, ADC_TUMOUR, ADC_CONTRAST, ADC_TEXTURE = 0.80, 1.05e-3, 0.32, 0.06
WALL_MM, FASCIA_MM = 4.0, 30.0


@dataclass(frozen=True)
class Tissue:
    """T2-weighted and b0 signal (brightest tissue about 1), ADC in mm2/s."""

    t2: float
    b0: float
    adc: float


FAT = Tissue(0.80, 0.45, 1.1e-3)
MUSCLE = Tissue(0.25, 0.30, 1.4e-3)
WALL = Tissue(0.40, 0.45, 1.3e-3)
LUMEN = Tissue(0.30, 0.60, 1.8e-3)


def _inside(depth: Array, softness: float) -> Array:
    """Return 1 inside (depth < 1), 0 outside, with a soft edge for partial volume."""
    return np.asarray(np.clip((1 - depth) / softness + 0.5, 0, 1))


def _background(section: Section, tissue: str) -> Array:
    """Return fat, pelvic muscle, rectal wall and lumen, without tumour; shape (S, H, W)."""
    fat, muscle, wall, lumen = (getattr(part, tissue) for part in (FAT, MUSCLE, WALL, LUMEN))
    signal = fat + (muscle - fat) * np.clip(section.axis_mm - FASCIA_MM, 0, 1)
    signal += (wall - signal) * _inside(section.lumen_depth - WALL_MM / section.lumen_mm, 0.1)
    signal += (lumen - signal) * _inside(section.lumen_depth, 0.1)
    return np.asarray(signal)


def t2w_signal(tumour: Tumour, section: Section) -> Array:
    """Return the noise-free T2-weighted signal: with z_t2 the core is brighter, the rim darker, the texture coarser."""
    core = np.clip((CORE_EDGE - section.depth - CORE_IRREGULARITY * section.coarse) / CORE_SOFTNESS, -1, 1)
    relative = 1 + tumour.z_t2 * (T2_CONTRAST * core + T2_LEVEL) + T2_TEXTURE * section.texture
    signal = _background(section, "t2")
    return np.asarray(signal + (T2_TUMOUR * np.maximum(relative, 0.05) - signal) * _inside(section.depth, 0.08))


def diffusion_signal(tumour: Tumour, section: Section) -> tuple[Array, Array]:
    """Return noise-free b0 signal and ADC (mm2/s): with z_adc the ADC falls from the core to the invasive margin."""
    inside = _inside(section.depth, 0.10)
    gradient = 1 - 2 * np.minimum(section.depth, 1) - CORE_IRREGULARITY * section.coarse
    tumour_adc = ADC_TUMOUR * np.maximum(1 + ADC_CONTRAST * tumour.z_adc * gradient + ADC_TEXTURE * section.fine, 0.25)
    b0, adc = _background(section, "b0"), _background(section, "adc")
    b0 += (B0_TUMOUR * (1 + 0.1 * section.coarse) - b0) * inside
    adc += (tumour_adc - adc) * inside
    return np.maximum(b0, 0.02), adc
