"""CT scanners: how a centre turns the same attenuation into different voxels. Nothing here knows the biology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipelines.synthetic.mr_scanner import Grid

Array = NDArray[np.float32]
AIR_HU, UNENHANCED_HU = -1000.0, 40.0


@dataclass(frozen=True)
class CTScanner:
    """One scanner with its portal-venous protocol.

    Attributes:
        grid: Sampling; a small field of view around the tumour.
        kernel_mm: Standard deviation of the in-plane point spread of the reconstruction kernel.
        noise_hu: Standard deviation of the noise, whose grain the kernel sets.
        gain: Slope of the HU scale above air; 1 is calibrated.
        offset_hu: Error of the HU of water.
        enhancement: Uptake of contrast medium at the time of the scan, relative to an exact portal-venous phase.
    """

    grid: Grid
    kernel_mm: float
    noise_hu: float
    gain: float
    offset_hu: float
    enhancement: float


CT_SCANNERS: dict[str, CTScanner] = {
    "CT1": CTScanner(Grid(88, 0.75, 5.0), 0.60, 8.0, 1.000, 0.0, 1.00),
    "CT2": CTScanner(Grid(96, 0.70, 3.0), 0.75, 10.0, 1.003, 1.0, 0.95),
    "CT3": CTScanner(Grid(80, 0.85, 5.0), 0.70, 7.0, 1.001, 1.0, 1.10),
    "CT4": CTScanner(Grid(104, 0.65, 5.0), 0.50, 12.0, 1.004, 2.0, 0.90),
    "CT5": CTScanner(Grid(88, 0.78, 2.5), 0.85, 9.0, 0.997, -1.0, 1.05),
    "CT6": CTScanner(Grid(112, 0.60, 5.0), 0.55, 13.0, 0.998, -2.0, 0.85),
    "CT7": CTScanner(Grid(76, 0.90, 2.0), 0.90, 8.0, 1.003, 2.0, 1.15),
}


def reconstruct(hu: Array, scanner: CTScanner, rng: np.random.Generator) -> NDArray[np.int16]:
    """Return whole Hounsfield units: point spread, correlated noise, calibration.

    Args:
        hu: True attenuation, shape (S, H, W).
        scanner: Kernel, noise and calibration.
        rng: Generator of the noise.
    """
    pixels = scanner.kernel_mm / scanner.grid.pixel_mm
    blurred = gaussian_filter(hu, (0, pixels, pixels))
    grain = gaussian_filter(rng.standard_normal(hu.shape, dtype=np.float32), (0, pixels / 2, pixels / 2))
    noisy = blurred + scanner.noise_hu / grain.std() * grain
    stored = np.rint(AIR_HU + scanner.gain * (noisy - AIR_HU) + scanner.offset_hu)
    return np.asarray(stored, dtype=np.int16)
