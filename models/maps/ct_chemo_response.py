"""What Grad-CAM explains of the CT signature: a good response, and a poor one."""

from __future__ import annotations

from pathlib import Path

from models.gradcam import ScoreMap

LAYER = "excite_last"  # whose mean over its 7 x 7 pixels is all that the output sees
EXPLAINED = {
    "good_response": "what raises dl_prob: a good response (TRG 0-1) is likelier",
    "poor_response": "what lowers dl_prob: a poor response (TRG 2-3) is likelier",
}


def maps(_folder: Path) -> tuple[ScoreMap, ...]:
    """Return the map of the logit, and that of the logit negated; the same in every training."""
    return tuple(
        ScoreMap(name, explains, "dl_prob", "ct", "network", LAYER, lowers=name == "poor_response")
        for name, explains in EXPLAINED.items()
    )
