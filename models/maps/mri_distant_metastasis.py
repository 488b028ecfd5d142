"""What Grad-CAM explains of the MRI signature: the score of each sequence."""

from __future__ import annotations

from pathlib import Path

from models.gradcam import ScoreMap
from models.mri_distant_metastasis.system import SEQUENCES

LAYER = "trunk.layer3"  # 7 x 7 pixels; maps of the last stage, 4 x 4, peak beside what a network was taught to find


def maps(_folder: Path) -> tuple[ScoreMap, ...]:
    """Return one map per sequence, the same in every training."""
    return tuple(
        ScoreMap(
            name=sequence,
            explains=f"what raises {sequence}_prob: distant metastasis within 36 months is likelier",
            output=f"{sequence}_prob",
            input=sequence,
            network=sequence,
            layer=LAYER,
        )
        for sequence in SEQUENCES
    )
