"""The risk models of one signature and their cut-offs, as one JSON file between training and export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models import atomic
from models.cox import CoxModel


@dataclass(frozen=True)
class RiskModels:
    """Cox models by name, cut-offs by the output they apply to, and how both were fitted.

    Attributes:
        models: Cox model of each name; its linear predictor is the output `lp_<name>`, its risks `risk_<name>`.
        cutoffs: Cut-off of an output, for instance {"lp_nomogram": 0.4}: high risk is at or above it.
        method: How models and cut-offs were fitted, in words.
    """

    models: Mapping[str, CoxModel]
    cutoffs: Mapping[str, float]
    method: str

    def write(self, path: Path) -> None:
        """Write as JSON."""
        models = {name: model.to_dict() for name, model in self.models.items()}
        atomic.write_json(path, {"models": models, "cutoffs": dict(self.cutoffs), "method": self.method})

    @classmethod
    def read(cls, path: Path) -> RiskModels:
        """Read what `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        models = {name: CoxModel.from_dict(model) for name, model in values["models"].items()}
        return cls(models, values["cutoffs"], values["method"])
