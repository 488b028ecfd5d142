"""The risk models of one signature and their cut-offs, as one JSON file between training and export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from models import atomic
from models.cox import CoxModel
from models.logistic import LogisticModel


@dataclass(frozen=True)
class RiskModels:
    """Models by name, cut-offs by the output they apply to, and how both were fitted.

    Attributes:
        models: Cox model of each name; its linear predictor is the output `lp_<name>`, its risks `risk_<name>`.
        cutoffs: Cut-off of an output, for instance {"lp_nomogram": 0.4}: high risk is at or above it.
        method: How models and cut-offs were fitted, in words.
        logistic: Logistic model of each name; its probability is the output `<name>_prob`.
    """

    models: Mapping[str, CoxModel]
    cutoffs: Mapping[str, float]
    method: str
    logistic: Mapping[str, LogisticModel] = field(default_factory=dict)

    def predictions(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return every model's outputs, one row per row of a table that holds their covariates; NaN = missing.

        Columns: `<name>_prob` of each logistic model, `lp_<name>` and `risk_<name>_<months>m` of each Cox model.
        """
        columns = {}
        for name, logistic in self.logistic.items():
            columns[f"{name}_prob"] = logistic.probability(table[list(logistic.names)].to_numpy(dtype=np.float64))
        for name, cox in self.models.items():
            covariates = table[list(cox.names)].to_numpy(dtype=np.float64)
            columns[f"lp_{name}"] = cox.linear_predictor(covariates)
            for months, risk in zip(cox.horizons_months, cox.risk(covariates).T, strict=True):
                columns[f"risk_{name}_{months:g}m"] = risk
        return pd.DataFrame(columns, index=table.index)

    def write(self, path: Path) -> None:
        """Write as JSON."""
        models = {name: model.to_dict() for name, model in self.models.items()}
        logistic = {name: model.to_dict() for name, model in self.logistic.items()}
        values = {"models": models, "logistic": logistic, "cutoffs": dict(self.cutoffs), "method": self.method}
        atomic.write_json(path, values)

    @classmethod
    def read(cls, path: Path) -> RiskModels:
        """Read what `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        models = {name: CoxModel.from_dict(model) for name, model in values["models"].items()}
        logistic = {name: LogisticModel.from_dict(model) for name, model in values["logistic"].items()}
        return cls(models, values["cutoffs"], values["method"], logistic)
