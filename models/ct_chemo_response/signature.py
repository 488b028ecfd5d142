"""The whole signature as one graph: network, clinical signature, fusion, Cox model. It becomes the ONNX file."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.cox import CoxModel
from models.ct_chemo_response import CLINICAL
from models.ct_chemo_response.clinical import DL_LOGIT
from models.ct_chemo_response.network import ResponseNetwork
from models.logistic import LogisticModel
from models.logistic_layer import LogisticLayer
from models.risk_layer import CoxLayer
from models.risk_models import RiskModels

COLUMNS = (DL_LOGIT, *CLINICAL)  # what the models choose their covariates from


class Signature(nn.Module):
    """Slices and covariates to probabilities, linear predictor and risks, in the order of the spec."""

    def __init__(self, network: ResponseNetwork, risk_models: RiskModels) -> None:
        """Join the trained network and the fitted models."""
        super().__init__()
        models: dict[str, LogisticModel | CoxModel] = {**risk_models.logistic, **risk_models.models}
        self.network = network
        self.clinical = LogisticLayer(risk_models.logistic["clinical"])
        self.dlcs = LogisticLayer(risk_models.logistic["dlcs"])
        self.survival = CoxLayer(risk_models.models["os"])
        self.places = {name: [COLUMNS.index(covariate) for covariate in model.names] for name, model in models.items()}

    def forward(self, ct: Tensor, covariates: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the spec.

        Args:
            ct: (N, 3, 112, 112), intensities 0 to 1.
            covariates: (N, 29), NaN = missing.
        """
        logit = self.network(ct)  # (N,)
        table = torch.cat([logit[:, None], covariates], dim=1)  # (N, 30), the columns `COLUMNS`
        _, clinical_prob = self.clinical(table[:, self.places["clinical"]])  # (N,)
        _, dlcs_prob = self.dlcs(table[:, self.places["dlcs"]])  # (N,)
        lp_os, risk_os = self.survival(table[:, self.places["os"]])  # (N,), (N, 3)
        return torch.sigmoid(logit), clinical_prob, dlcs_prob, lp_os, risk_os
