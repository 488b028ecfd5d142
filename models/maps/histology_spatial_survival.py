"""What the tissue map of a slide shows: seven tissues by name, and the tumour regions that distances start from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import TILE_UM
from models.histology_spatial_survival.organisation import TUM, tumour_regions
from models.maps import ShownTissue, SlideMap

TISSUES = (  # in the order of the classes; colours of Okabe and Ito, tumour the most striking
    ShownTissue("background", "#d3d3d3"),
    ShownTissue("debris, necrosis", "#f0e442"),
    ShownTissue("hepatocytes", "#009e73"),
    ShownTissue("lymphocytes", "#0072b2"),
    ShownTissue("mucus", "#56b4e9"),
    ShownTissue("stroma", "#cc79a7"),
    ShownTissue("tumour", "#d55e00"),
)


def regions(tissue: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return the number of the tumour region of each tile, from 1; 0 outside."""
    return tumour_regions(tissue == TUM)


SLIDE_MAP = SlideMap(
    tissues=TISSUES,
    tile_um=TILE_UM,
    tumour=TUM,
    regions=regions,
    output="sof",
    features="feature",
)
