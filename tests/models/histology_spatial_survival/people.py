"""Small tile maps drawn by hand, made-up patients whose survival depends on known features, and risk models by hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.cox import CoxModel
from models.histology_spatial_survival import CRS_FACTORS, DISTANCES_TILES, HORIZONS_MONTHS, ORGANISED, TISSUES
from models.histology_spatial_survival.risk import SofModel
from models.risk_models import RiskModels
from models.system import FollowUp

LETTERS = {".": -1, "B": 0, "D": 1, "H": 2, "L": 3, "M": 4, "S": 5, "T": 6}
SHARES = {"STR": 0.15, "LYM": 0.08, "HEP": 0.2, "MUC": 0.03, "DEB": 0.06}


@dataclass(frozen=True, eq=False)
class DrawnMap:
    """A tile map without probabilities."""

    tissue: NDArray[np.int8]


def drawn(*rows: str) -> DrawnMap:
    """The map of rows of letters: first letters of the tissues, and . for a dropped tile."""
    return DrawnMap(np.array([[LETTERS[letter] for letter in row] for row in rows], dtype=np.int8))


def with_block(background: str, rows: int = 20, columns: int = 24) -> NDArray[np.int8]:
    """A map of one letter with a block of 8 x 8 tumour tiles whose upper left tile is (6, 6)."""
    tissue = np.full((rows, columns), LETTERS[background], dtype=np.int8)
    tissue[6:14, 6:14] = LETTERS["T"]
    return tissue


@dataclass(frozen=True, eq=False)
class People:
    """Made-up patients: ONNX inputs, follow-up, and what drives it."""

    inputs: dict[str, NDArray[np.float32]]
    outcome: FollowUp
    hazard: NDArray[np.float64]


@cache
def people(n: int = 300, seed: int = 0, signal: float = 0.7) -> People:
    """Debris overall and interaction with hepatocytes shorten life, lymphocytes and the risk factors act likewise."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, 5))
    distances = np.array(DISTANCES_TILES)
    by_distance = np.zeros((n, 5, len(distances)))
    for row in range(n):
        for index, tissue in enumerate(ORGANISED):
            tiles = int(2500 * SHARES[tissue] * np.exp(0.5 * latent[row, index]))
            near = rng.random(tiles) < rng.beta(4, 4)
            drawn_at = np.where(near, rng.normal(2, 1, tiles), rng.normal(17, 6, tiles)).clip(1, 64)
            by_distance[row, index] = np.bincount(np.searchsorted(distances, drawn_at), minlength=len(distances))
    by_tissue = np.zeros((n, len(TISSUES)))
    by_tissue[:, [TISSUES.index(tissue) for tissue in ORGANISED]] = by_distance.sum(axis=2)
    by_tissue[:, TISSUES.index("TUM")] = rng.integers(800, 1600, n)
    by_tissue[:, TISSUES.index("BACK")] = rng.integers(0, 400, n)
    around = rng.dirichlet([3, 1, 1, 0.5, 0.7, 14], n)[:, :5]
    factors = (rng.random((n, len(CRS_FACTORS))) < [0.6, 0.7, 0.6, 0.15, 0.1]).astype(np.float64)
    log_hazard = signal * (latent[:, 4] - 0.8 * latent[:, 1] + 8 * (around[:, 2] - 0.05)) + 0.25 * factors.sum(axis=1)
    death = rng.exponential(75 * np.exp(0.5 - log_hazard))
    censoring = rng.uniform(30, 160, n)
    factors[rng.random(factors.shape) < 0.05] = np.nan
    arrays = {
        "tiles_by_tissue": by_tissue,
        "tiles_by_distance": by_distance,
        "interaction": around,
        "covariates": factors,
    }
    inputs = {name: array.astype(np.float32) for name, array in arrays.items()}
    return People(inputs, FollowUp(death <= censoring, np.minimum(death, censoring)), log_hazard)


def cox(names: tuple[str, ...], coefficients: tuple[float, ...], means: tuple[float, ...]) -> CoxModel:
    """A Cox model written by hand."""
    return CoxModel(names, coefficients, means, HORIZONS_MONTHS, (0.3, 0.55, 0.8), 400, 180)


SOF = SofModel(
    cut_tiles=(4.5, 5.0, float(np.float32(3.2)), 64.0, 6.0),
    cutoffs=(float(np.float32(0.04)), float(np.float32(0.03)), float(np.float32(0.08)), float(np.float32(0.05))),
    cox=cox(
        ("overall_lym", "overall_deb", "distal_hep", "interaction_hep"),
        (-0.386, 0.432, -0.347, 0.336),
        (0.5, 0.45, 0.55, 0.5),
    ),
    crs_prevalence=(0.6, 0.7, 0.6, 0.15, 0.1),
)
RISK = RiskModels(
    models={
        "sof": cox(("sof",), (0.8,), (0.01,)),
        "crs": cox(("crs",), (0.3,), (2.1,)),
        "sof_crs": cox(("sof", "crs"), (0.75, 0.25), (0.01, 2.1)),
    },
    cutoffs={"lp_sof": -0.05, "crs": 2.5},
    method="by hand",
)
