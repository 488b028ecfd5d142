"""How the tissues of a liver metastasis lie on its slide: the only place where latent biology becomes arrangement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from models.histology_spatial_survival import TISSUES
from pipelines.synthetic.slide_noise import smooth_noise

Cells = NDArray[np.int8]
Field = NDArray[np.float32]
Mask = NDArray[np.bool_]

CELLS_PER_TILE = 8
GLASS = -1
SIDES_TILES, SIDES_SHARES = (12, 13, 14), (0.4, 0.4, 0.2)
SHIFT = (0.15, 0.40)  # of the tumour's middle from that of the slide, as a share of half its side
OUTLINE_EXPONENT, OUTLINE_SHARE, OUTLINE_WAVES = 5.0, 0.985, 0.035
TUMOUR_TILES, TUMOUR_LOG_SD = 68.0, 0.14
DEBRIS_TILES, DEBRIS_LOG_SD, DEBRIS_BOUNDS = 9.0, 0.75, (0.5, 26.0)
MUCUS_TILES, MUCUS_LOG_SD, MUCUS_BOUNDS = 6.0, 0.6, (0.5, 14.0)
LYMPHOCYTE_TILES, LYMPHOCYTE_LOG_SD, LYMPHOCYTE_BOUNDS = 8.0, 0.65, (0.8, 22.0)
FAT_TILES, FAT_LOG_SD = 11.0, 0.3
NECROSIS_DEPTH_TILES = 0.7  # living tumour around the debris, so that the tumour stays in one piece
POOL_DEPTH_TILES = 0.25
RIM_TILES, RIM_ON_MARGIN, RIM_WAVES, RIM_MAX_TILES = 0.62, 0.60, 0.25, 1.3
NO_RIM_TILES, THIN_RIM_TILES = 0.2, 0.45
NEAR_TILES = 1.0  # behind a thin rim, up to here, lies liver whatever z_parenchyma: it is the margin's
FAT_FROM_TILES = 0.8
PARENCHYMA_TILES, PARENCHYMA_SD_TILES = 14.0, 9.0
PARENCHYMA_ON_MARGIN_TILES = 5.0  # makes up for the liver at a margin without rim that counts as distal
PUSHING_ABOVE, REPLACEMENT_ABOVE = 0.3, 0.9  # of z_margin: 62, 20 and 18 %
GROWTH_PATTERNS = ("desmoplastic", "pushing", "replacement")
ROUGHNESS = {"desmoplastic": 0.03, "pushing": 0.015, "replacement": 0.09}


@dataclass(frozen=True, eq=False)
class Layout:
    """The tissue of every cell of a slide.

    Attributes:
        cells: Index into `TISSUES`, or `GLASS`; (rows, columns) of cells, eight to a tile; the last tile of a row or a
            column may be incomplete.
    """

    cells: Cells

    def tiles(self) -> Cells:
        """Return the commonest tissue of every whole tile, -1 where more than half of it is glass; (rows, columns)."""
        rows, columns = (size // CELLS_PER_TILE for size in self.cells.shape)
        whole = self.cells[: rows * CELLS_PER_TILE, : columns * CELLS_PER_TILE]
        squares = whole.reshape(rows, CELLS_PER_TILE, columns, CELLS_PER_TILE).swapaxes(1, 2).reshape(rows, columns, -1)
        counts = np.stack([(squares == index).sum(axis=2) for index in range(len(TISSUES))])
        blank = counts.sum(axis=0) < CELLS_PER_TILE**2 / 2
        return np.where(blank, GLASS, counts.argmax(axis=0)).astype(np.int8)


def growth_pattern(z_margin: NDArray[np.float64]) -> NDArray[np.str_]:
    """Return how the tumour meets the liver: behind a rim of stroma, pushing it away, or growing into its plates."""
    return np.array(GROWTH_PATTERNS)[np.digitize(z_margin, (PUSHING_ABOVE, REPLACEMENT_ABOVE))]


def draw_layout(biology: Mapping[str, float], rng: np.random.Generator) -> Layout:
    """Arrange the tissues of one slide.

    Args:
        biology: Standard normals `z_debris` (necrosis), `z_lymph` (lymphocytes), `z_parenchyma` (hepatocytes far from
            the tumour) and `z_margin` (from a thick rim of stroma to none).
        rng: Everything else: sizes, shapes, places.
    """
    whole = CELLS_PER_TILE * rng.choice(SIDES_TILES, 2, p=SIDES_SHARES)
    shape = (int(whole[0] + rng.integers(CELLS_PER_TILE)), int(whole[1] + rng.integers(CELLS_PER_TILE)))
    pattern = str(growth_pattern(np.array(biology["z_margin"])))

    def noise(step_tiles: float) -> Field:
        return smooth_noise(rng, shape, step_tiles * CELLS_PER_TILE)

    up, right = (
        ((np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1).reshape(form)
        for size, form in zip(shape, ((-1, 1), (1, -1)), strict=True)
    )
    outline = (np.abs(up) ** OUTLINE_EXPONENT + np.abs(right) ** OUTLINE_EXPONENT) ** (1 / OUTLINE_EXPONENT)
    tissue = outline + OUTLINE_WAVES * noise(2.5) < OUTLINE_SHARE

    debris = _tiles(rng, DEBRIS_TILES, DEBRIS_LOG_SD, DEBRIS_BOUNDS, biology["z_debris"])
    mucus = _tiles(rng, MUCUS_TILES, MUCUS_LOG_SD, MUCUS_BOUNDS)
    living = TUMOUR_TILES * exp(TUMOUR_LOG_SD * rng.standard_normal())
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(0.0, 0.25)
    away, shift = rng.uniform(0, 2 * np.pi), rng.uniform(*SHIFT)  # the liver lies on the side that the tumour leaves
    centre = -shift * np.array([np.cos(away), np.sin(away)], dtype=np.float32)
    along, across = up - centre[0], right - centre[1]
    radius2 = along**2 + across**2 + stretch * (along * np.cos(angle) + across * np.sin(angle)) ** 2
    body = -np.sqrt(radius2) + 0.10 * noise(2.2) + ROUGHNESS[pattern] * noise(0.6)
    tumour = _highest(body, tissue, living + debris + mucus)

    inside = distance_transform_edt(tumour) / CELLS_PER_TILE
    necrosis = _highest(inside + 0.8 * noise(2.0), tumour & (inside > NECROSIS_DEPTH_TILES), debris)
    pools = _highest(noise(3.0), tumour & ~necrosis & (inside > POOL_DEPTH_TILES), mucus)
    outside = tissue & ~tumour
    distance = (distance_transform_edt(~tumour) / CELLS_PER_TILE).astype(np.float32)
    rim = np.clip(RIM_TILES - RIM_ON_MARGIN * biology["z_margin"], 0, RIM_MAX_TILES) + RIM_WAVES * noise(2.5)
    rim = np.where(rim < NO_RIM_TILES, 0, rim)

    cells = np.full(shape, GLASS, np.int8)
    cells[outside] = TISSUES.index("STR")
    side = away + rng.uniform(0.5, 2 * np.pi - 0.5)
    lean = up * np.cos(side) + right * np.sin(side)
    fat = _highest(
        0.7 * outline + lean + 0.1 * noise(3.0),
        outside & (distance > FAT_FROM_TILES),
        FAT_TILES * exp(FAT_LOG_SD * rng.standard_normal()),
    )
    lymphocytes = _tiles(rng, LYMPHOCYTE_TILES, LYMPHOCYTE_LOG_SD, LYMPHOCYTE_BOUNDS, biology["z_lymph"])
    at_margin, patches = rng.uniform(0.4, 0.95), noise(2.2)
    band = _highest(patches - 0.7 * np.abs(distance - rim - 0.7), outside & ~fat, at_margin * lymphocytes)
    aggregates = _highest(patches, outside & ~fat & ~band & (distance > 2), (1 - at_margin) * lymphocytes)
    near = outside & ~fat & (distance >= rim) & (distance < NEAR_TILES) & (rim < THIN_RIM_TILES)
    far = outside & ~fat & (distance >= np.maximum(rim, NEAR_TILES))
    liver = PARENCHYMA_TILES + PARENCHYMA_SD_TILES * biology["z_parenchyma"]
    lean = up * np.cos(away) + right * np.sin(away)
    parenchyma = _highest(noise(3.0) + lean, far, max(liver - PARENCHYMA_ON_MARGIN_TILES * biology["z_margin"], 0.0))
    cells[near | parenchyma] = TISSUES.index("HEP")
    for name, mask in (("BACK", fat), ("LYM", band | aggregates), ("TUM", tumour), ("DEB", necrosis), ("MUC", pools)):
        cells[mask] = TISSUES.index(name)
    return Layout(cells)


def _tiles(
    rng: np.random.Generator, median: float, log_sd: float, bounds: tuple[float, float], normal: float | None = None
) -> float:
    """Return an area in tiles, lognormal within bounds; of the given standard normal or a new one."""
    value = float(rng.standard_normal()) if normal is None else normal
    return float(np.clip(median * exp(log_sd * value), *bounds))


def _highest(field: Field, within: Mask, tiles: float) -> Mask:
    """Return the cells with the highest values within a region, as many as `tiles` tiles hold, or the region."""
    places = np.flatnonzero(within)
    count = min(round(tiles * CELLS_PER_TILE**2), len(places))
    chosen = np.zeros(within.shape, np.bool_)
    if count:
        chosen.flat[places[np.argpartition(-field.ravel()[places], count - 1)[:count]]] = True
    return chosen
