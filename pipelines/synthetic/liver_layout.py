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
SIDES_TILES, SIDES_SHARES = (11, 12, 13), (0.4, 0.4, 0.2)
SHIFT = (0.20, 0.42)  # of the tumour's middle from that of the slide, as a share of half its side
OUTLINE_EXPONENT, OUTLINE_SHARE, OUTLINE_WAVES = 5.0, 0.985, 0.035
TUMOUR_TILES, TUMOUR_LOG_SD = 64.0, 0.14
STRETCH, BODY_WAVES, NECROSIS_WAVES = (0.0, 0.25), 0.10, 0.8  # of the tumour's shape; of the debris in it
DEBRIS_TILES, DEBRIS_LOG_SD, DEBRIS_BOUNDS = 8.0, 0.75, (0.5, 26.0)
MUCUS_TILES, MUCUS_LOG_SD, MUCUS_BOUNDS = 5.0, 0.6, (0.5, 14.0)
LYMPHOCYTE_TILES, LYMPHOCYTE_LOG_SD, LYMPHOCYTE_BOUNDS = 7.0, 0.65, (0.8, 22.0)
FAT_TILES, FAT_LOG_SD, FAT_BOUNDS = 7.0, 0.3, (2.0, 16.0)
FAT_ANGLE = (0.5, 2 * np.pi - 0.5)  # from where the liver lies, radians
BAND_SHARE, AGGREGATES_FROM_TILES = (0.4, 0.95), 2.0  # of the lymphocytes at the margin; the others lie beyond
NECROSIS_DEPTH_TILES = 0.7  # living tumour around the debris, so that the tumour stays in one piece
POOL_DEPTH_TILES = 0.25
RIM_TILES, RIM_ON_MARGIN, RIM_WAVES, RIM_MAX_TILES = 0.62, 0.60, 0.25, 1.3
NO_RIM_TILES, THIN_RIM_TILES = 0.2, 0.45
NEAR_TILES = 1.0  # behind a thin rim, up to here, lies liver whatever z_parenchyma: it is the margin's
FAT_FROM_TILES = 0.8
PARENCHYMA_TILES, PARENCHYMA_SD_TILES = 18.5, 9.0
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


@dataclass(frozen=True, eq=False)
class _Glass:
    """An empty slide: where its cells lie, and the generator that fills it.

    Attributes:
        shape: (rows, columns) of cells.
        rng: Sizes, shapes, places.
        up: Row of each cell from -1 to 1, shape (rows, 1).
        right: Column of each cell from -1 to 1, shape (1, columns).
    """

    shape: tuple[int, int]
    rng: np.random.Generator
    up: Field
    right: Field

    def noise(self, step_tiles: float) -> Field:
        """Return smooth standard normals with structures of about `step_tiles`."""
        return smooth_noise(self.rng, self.shape, step_tiles * CELLS_PER_TILE)

    def towards(self, angle: float) -> Field:
        """Return how far each cell lies from the middle in a direction, in half sides of the slide."""
        return np.asarray(self.up * np.cos(angle) + self.right * np.sin(angle))

    def outline(self) -> Field:
        """Return a distance from the middle that is 1 at the edges, with rounded corners."""
        total = np.abs(self.up) ** OUTLINE_EXPONENT + np.abs(self.right) ** OUTLINE_EXPONENT
        return np.asarray(total ** (1 / OUTLINE_EXPONENT))


def draw_layout(biology: Mapping[str, float], rng: np.random.Generator) -> Layout:
    """Arrange the tissues of one slide.

    Args:
        biology: Standard normals `z_debris` (necrosis), `z_lymph` (lymphocytes), `z_parenchyma` (hepatocytes far from
            the tumour) and `z_margin` (from a thick rim of stroma to none).
        rng: Everything else: sizes, shapes, places.
    """
    whole = CELLS_PER_TILE * rng.choice(SIDES_TILES, 2, p=SIDES_SHARES)
    shape = (int(whole[0] + rng.integers(CELLS_PER_TILE)), int(whole[1] + rng.integers(CELLS_PER_TILE)))
    up, right = (np.linspace(1 / size - 1, 1 - 1 / size, size, dtype=np.float32) for size in shape)
    glass = _Glass(shape, rng, up[:, None], right[None, :])
    tissue = glass.outline() + OUTLINE_WAVES * glass.noise(2.5) < OUTLINE_SHARE
    away = rng.uniform(0, 2 * np.pi)  # the liver lies on the side that the tumour leaves
    metastasis = _metastasis(glass, tissue, biology, away)
    cells = np.where(tissue, TISSUES.index("STR"), GLASS).astype(np.int8)
    distance = (distance_transform_edt(~metastasis["TUM"]) / CELLS_PER_TILE).astype(np.float32)
    around = _surroundings(glass, tissue & ~metastasis["TUM"], distance, biology, away)
    for name, mask in (around | metastasis).items():
        cells[mask] = TISSUES.index(name)
    return Layout(cells)


def _metastasis(glass: _Glass, tissue: Mask, biology: Mapping[str, float], away: float) -> dict[str, Mask]:
    """Return the tumour as a whole, then the debris and the mucus in it."""
    rng, pattern = glass.rng, str(growth_pattern(np.array(biology["z_margin"])))
    debris = _tiles(rng, DEBRIS_TILES, DEBRIS_LOG_SD, DEBRIS_BOUNDS, biology["z_debris"])
    mucus = _tiles(rng, MUCUS_TILES, MUCUS_LOG_SD, MUCUS_BOUNDS)
    living = TUMOUR_TILES * exp(TUMOUR_LOG_SD * rng.standard_normal())
    angle, stretch, shift = rng.uniform(0, np.pi), rng.uniform(*STRETCH), rng.uniform(*SHIFT)
    along, across = glass.up + shift * np.cos(away), glass.right + shift * np.sin(away)
    radius = np.sqrt(along**2 + across**2 + stretch * (along * np.cos(angle) + across * np.sin(angle)) ** 2)
    body = -radius + BODY_WAVES * glass.noise(2.2) + ROUGHNESS[pattern] * glass.noise(0.6)
    tumour = _highest(body, tissue, living + debris + mucus)
    depth = distance_transform_edt(tumour) / CELLS_PER_TILE
    necrosis = _highest(depth + NECROSIS_WAVES * glass.noise(2.0), tumour & (depth > NECROSIS_DEPTH_TILES), debris)
    pools = _highest(glass.noise(3.0), tumour & ~necrosis & (depth > POOL_DEPTH_TILES), mucus)
    return {"TUM": tumour, "DEB": necrosis, "MUC": pools}


def _surroundings(
    glass: _Glass, outside: Mask, distance: Field, biology: Mapping[str, float], away: float
) -> dict[str, Mask]:
    """Return liver, fat and lymphocytes around the tumour, `distance` tiles from it; what none takes is stroma."""
    rng, z_margin = glass.rng, biology["z_margin"]
    rim = np.clip(RIM_TILES - RIM_ON_MARGIN * z_margin, 0, RIM_MAX_TILES) + RIM_WAVES * glass.noise(2.5)
    rim = np.where(rim < NO_RIM_TILES, 0, rim)
    corner = glass.towards(away + rng.uniform(*FAT_ANGLE)) + 0.7 * glass.outline() + 0.1 * glass.noise(3.0)
    fat = _highest(corner, outside & (distance > FAT_FROM_TILES), _tiles(rng, FAT_TILES, FAT_LOG_SD, FAT_BOUNDS))
    free = outside & ~fat
    lymphocytes = _tiles(rng, LYMPHOCYTE_TILES, LYMPHOCYTE_LOG_SD, LYMPHOCYTE_BOUNDS, biology["z_lymph"])
    at_margin, patches = rng.uniform(*BAND_SHARE), glass.noise(2.2)
    band = _highest(patches - 0.7 * np.abs(distance - rim - 0.7), free, at_margin * lymphocytes)
    aggregates = _highest(patches, free & ~band & (distance > AGGREGATES_FROM_TILES), (1 - at_margin) * lymphocytes)
    near = free & (distance >= rim) & (distance < NEAR_TILES) & (rim < THIN_RIM_TILES)
    far = free & (distance >= np.maximum(rim, NEAR_TILES))
    tiles = PARENCHYMA_TILES + PARENCHYMA_SD_TILES * biology["z_parenchyma"] - PARENCHYMA_ON_MARGIN_TILES * z_margin
    parenchyma = _highest(glass.noise(3.0) + glass.towards(away), far, max(tiles, 0.0))
    return {"HEP": near | parenchyma, "BACK": fat, "LYM": band | aggregates}


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
