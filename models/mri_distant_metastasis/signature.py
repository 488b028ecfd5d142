"""The whole signature as one graph: both networks, their sum, the five Cox models. It becomes the ONNX file."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.mri_distant_metastasis import CLINICAL, RISK_MODELS
from models.mri_distant_metastasis.network import SequenceNetwork
from models.risk_layer import CoxLayer
from models.risk_models import RiskModels

MODEL_COVARIATES: dict[str, tuple[str, ...]] = {
    "t2w": ("t2w_prob",),
    "adc": ("adc_prob",),
    "dlrs": ("dl_prob",),
    "clinical": CLINICAL,
    "nomogram": ("dl_prob", *CLINICAL),
}


class Signature(nn.Module):
    """Lesion stacks and covariates to scores, linear predictors and risks, in the order of the spec."""

    def __init__(self, t2w: SequenceNetwork, adc: SequenceNetwork, risk_models: RiskModels) -> None:
        """Join trained networks and fitted risk models."""
        super().__init__()
        self.t2w = t2w
        self.adc = adc
        self.cox = nn.ModuleDict({name: CoxLayer(risk_models.models[name]) for name in RISK_MODELS})

    def forward(self, t2w: Tensor, adc: Tensor, covariates: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the spec.

        Args:
            t2w: (N, 20, 112, 112).
            adc: (N, 20, 112, 112).
            covariates: (N, 4), NaN = missing.
        """
        t2w_prob = torch.sigmoid(self.t2w(t2w))  # (N,)
        adc_prob = torch.sigmoid(self.adc(adc))  # (N,)
        dl_prob = t2w_prob + adc_prob  # (N,), 0 to 2
        columns = {"t2w_prob": t2w_prob, "adc_prob": adc_prob, "dl_prob": dl_prob}
        columns |= {name: covariates[:, index] for index, name in enumerate(CLINICAL)}
        results = [
            self.cox[name](torch.stack([columns[column] for column in MODEL_COVARIATES[name]], dim=1))  # (N,), (N, 3)
            for name in RISK_MODELS
        ]
        linear_predictors, risks = zip(*results, strict=True)
        return t2w_prob, adc_prob, dl_prob, *linear_predictors, *risks
