"""Stain normalisation after Macenko (ISBI 2009): fitted once per slide, then one matrix for every pixel.

Haematoxylin and eosin take light away in proportion to their amounts, so that a pixel's optical densities are a sum of
two stain vectors. Both are found as the extreme directions in the plane of the slide's tissue pixels; amounts are then
scaled to those of the reference and written in its stain vectors. All of it is linear in optical density, so that a
slide has one fixed 3 x 3 matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.spec import PreprocessingError

WHITE = 240.0  # grey level of unstained glass; this and the values below are those of Macenko's published code, which
TRANSPARENT_OD = 0.15  # torchstain follows: https://github.com/EIDOSLAB/torchstain (MacenkoNormalizer)
ANGLE_PERCENTILE = 1.0  # and its opposite: robust extremes of the directions
AMOUNT_PERCENTILE = 99.0  # robust largest amount of a stain
REFERENCE_STAINS = np.array([[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]])  # red, green, blue x H, E
REFERENCE_AMOUNTS = np.array([1.9705, 1.0308])  # of H, E

TISSUE_PIXELS_MIN = 1000  # for percentiles of 1 % to rest on ten pixels
SPREAD_MIN = 1e-4  # second over first variance of optical densities: below it, one colour and its rounding
ANGLE_MIN = 0.035  # radian (2 degrees) between the stains: closer vectors turn noise into colour
LEAST_ABSORBED = -0.15  # share of one colour in a stain's vector: a little below zero is noise, more is no stain

Pixels = NDArray[np.uint8]

_OPTICAL_DENSITY = -np.log((np.arange(256) + 1.0) / WHITE).astype(np.float32)  # of a grey level
TRANSPARENT_FROM = int(np.argmax(_OPTICAL_DENSITY < TRANSPARENT_OD))  # lowest grey level that counts as transparent


def optical_density(pixels: Pixels) -> NDArray[np.float32]:
    """Return the optical density of grey levels 0 to 255: 0 at `WHITE`, larger = darker; natural logarithm."""
    density: NDArray[np.float32] = np.take(_OPTICAL_DENSITY, pixels)
    return density


@dataclass(frozen=True, eq=False)
class StainNormaliser:
    """The normalisation of one slide.

    Attributes:
        matrix: (3, 3) float32: optical densities (red, green, blue) of the slide to those in the reference's colours.
    """

    matrix: NDArray[np.float32]

    def __call__(self, tile: Pixels) -> Pixels:
        """Return RGB pixels (..., 3) in the colours of the reference, rounded to grey levels."""
        density = np.take(_OPTICAL_DENSITY, tile.reshape(-1, 3))
        light = density @ np.ascontiguousarray(-self.matrix.T)
        np.exp(light, out=light)
        light *= np.float32(WHITE)
        light -= np.float32(0.5)  # minus the 1 that optical density adds to a grey level, plus half for rounding
        np.clip(light, 0, 255, out=light)
        return light.astype(np.uint8).reshape(tile.shape)


def fit(pixels: Pixels) -> StainNormaliser:
    """Fit the normalisation of a slide.

    Args:
        pixels: (N, 3) RGB pixels sampled from the slide's tissue; those transparent in any colour are left out.

    Raises:
        PreprocessingError: Too few pixels hold stain, or they do not show two stains.
    """
    density = optical_density(pixels).astype(np.float64)
    density = density[(density >= TRANSPARENT_OD).all(axis=1)]
    if len(density) < TISSUE_PIXELS_MIN:
        raise PreprocessingError(
            f"stain normalisation: {len(density)} stained pixels in the sample, expected at least {TISSUE_PIXELS_MIN}"
        )
    stains = _stain_vectors(density)
    amounts = np.percentile(density @ np.linalg.pinv(stains).T, AMOUNT_PERCENTILE, axis=0)
    if not (amounts > 0).all():
        raise PreprocessingError("stain normalisation: one of the two stains has no amount in the sample")
    matrix = REFERENCE_STAINS @ np.diag(REFERENCE_AMOUNTS / amounts) @ np.linalg.pinv(stains)
    return StainNormaliser(matrix.astype(np.float32))


def _stain_vectors(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vectors of haematoxylin and eosin, (3, 2), from optical densities (N, 3) of stained pixels.

    Of the two extremes that with more red absorbed is haematoxylin, as in the published code.
    """
    variances, axes = np.linalg.eigh(np.cov(density.T))
    if variances[1] < SPREAD_MIN * variances[2] or variances[2] <= 0:
        raise PreprocessingError("stain normalisation: the sample shows one colour in different strengths, not two")
    plane = axes[:, [2, 1]]
    plane = plane * np.where(plane.sum(axis=0) < 0, -1.0, 1.0)  # axes have no direction: absorbing counts as positive
    along, across = (density @ plane).T
    angle = np.percentile(np.arctan2(across, along), (ANGLE_PERCENTILE, 100 - ANGLE_PERCENTILE))
    if angle[1] - angle[0] < ANGLE_MIN:
        raise PreprocessingError(
            f"stain normalisation: {np.degrees(angle[1] - angle[0]):.1f} degrees between the two stains, "
            f"expected at least {np.degrees(ANGLE_MIN):.0f}"
        )
    extremes = plane @ np.array([np.cos(angle), np.sin(angle)])
    if not (extremes > LEAST_ABSORBED).all():
        raise PreprocessingError("stain normalisation: a stain would add light, so the sample is not of two stains")
    ordered: NDArray[np.float64] = extremes[:, np.argsort(-extremes[0])]
    return ordered
