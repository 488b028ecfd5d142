"""What Grad-CAM explains of the multitask CT network: a high tumour-stroma ratio, and death."""

from __future__ import annotations

import json
from pathlib import Path

from models.ct_stroma_survival.network import score_names
from models.ct_stroma_survival.system import StromaParams
from models.gradcam import ScoreMap

LAYERS = {"se_resnet50": "trunk.resnet.layer4", "vgg16": "trunk.layers", "densenet121": "trunk.layers"}
EXPLAINED = {  # score of a network: map, output of the spec, what raises it
    "tsr_logit": ("tsr_high", "tsr_prob", "what raises tsr_prob: a tumour-stroma ratio above 50 % is likelier"),
    "log_hazard": ("survival", "mdls", "what raises mdls, the log relative hazard: death is earlier"),
}


def maps(folder: Path) -> tuple[ScoreMap, ...]:
    """Return one map per task; each is of the network that learnt the task, whether there are one or two.

    Features of the trunk's earlier stages do not pass the layer explained: of a multiscale network a map shows the part
    of the score that comes by the last stage.
    """
    facts = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    params = StromaParams.from_mapping(facts["params"])
    found = []
    for number, tasks in enumerate(params.networks()):
        for column, score in enumerate(score_names(tasks)):
            name, output, explains = EXPLAINED[score]
            layer = LAYERS[params.trunk]
            found.append(ScoreMap(name, explains, output, "ct", f"networks.{number}", layer, column))
    return tuple(found)
