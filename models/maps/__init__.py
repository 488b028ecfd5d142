"""What is shown of a trained model, a file per model. Apart from their packages: it is no source of training.

Of a model that reads volumes: what Grad-CAM explains, by `ModelSpec.maps_path`. Of one that reads slides: `SLIDE_MAP`,
what a picture of its tissue map shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.spec import ModelSpec, load_dotted


@dataclass(frozen=True)
class ShownTissue:
    """A tissue as people see it.

    Attributes:
        name: In full.
        colour: "#rrggbb"; the colours of a map can be told apart by people with a colour vision deficiency.
    """

    name: str
    colour: str


@dataclass(frozen=True)
class SlideMap:
    """What the tissue map of one model shows.

    Attributes:
        tissues: In the order of the classifier's classes.
        tile_um: Side of a tile in micrometres.
        tumour: Index of the tumour among the tissues.
        regions: From the tissue of each tile, (rows, columns), to the number of its tumour region, 0 outside.
        output: Scalar output that stands above the map, and by which patients are chosen.
        features: Output with labels that is measured on the map.
    """

    tissues: tuple[ShownTissue, ...]
    tile_um: float
    tumour: int
    regions: Callable[[NDArray[np.int8]], NDArray[np.int32]]
    output: str
    features: str


def slide_map(spec: ModelSpec) -> SlideMap:
    """Return what the tissue map of a model that reads slides shows; imports neither torch nor MONAI."""
    found: SlideMap = load_dotted(f"{__name__}.{spec.name}:SLIDE_MAP")
    return found
