"""The whole signature as one graph: the network or networks and the six Cox models. It becomes the ONNX file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.ct_stroma_survival import CLINICAL, RISK_MODELS
from models.ct_stroma_survival.network import MultitaskNetwork
from models.risk_layer import CoxLayer
from models.risk_models import RiskModels

MODEL_COVARIATES: dict[str, tuple[str, ...]] = {
    "mdls": ("mdls",),
    "os": ("mdls", *CLINICAL),
    "clinical": CLINICAL,
    "mdls_dfs": ("mdls",),
    "dfs": ("mdls", *CLINICAL),
    "clinical_dfs": CLINICAL,
}


class ScoringNetwork(nn.Module):
    """A trained network without its decoder, which only training needs; shares its layers."""

    def __init__(self, network: MultitaskNetwork) -> None:
        """Take over trunk, encoder, shared layer and heads."""
        super().__init__()
        self.trunk = network.trunk
        self.encoder = nn.Identity() if network.autoencoder is None else network.autoencoder.encoder
        self.shared = network.shared
        self.heads = network.heads

    def forward(self, ct: Tensor) -> Tensor:
        """Return scores (N, K) of crops (N, 1, 112, 112), columns as `score_names`."""
        shared = self.shared(self.encoder(self.trunk(ct)))  # (N, 256)
        return torch.cat([head(shared) for head in self.heads.values()], dim=1)


class Signature(nn.Module):
    """Tumour crop and covariates to scores, linear predictors and risks, in the order of the spec."""

    origin: Tensor

    def __init__(self, networks: Sequence[MultitaskNetwork], origin: float, risk_models: RiskModels) -> None:
        """Join trained networks and fitted risk models.

        Args:
            networks: The multitask network; or that of the tumour-stroma ratio and that of survival.
            origin: Mean log hazard of the development patients, the zero of MDLS.
            risk_models: Cox models named as `RISK_MODELS`.
        """
        super().__init__()
        self.networks = nn.ModuleList(ScoringNetwork(network) for network in networks)
        self.register_buffer("origin", torch.tensor(origin))
        self.cox = nn.ModuleDict({name: CoxLayer(risk_models.models[name]) for name in RISK_MODELS})

    def forward(self, ct: Tensor, covariates: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the spec.

        Args:
            ct: (N, 1, 112, 112).
            covariates: (N, 4), NaN = missing.
        """
        scores = torch.cat([network(ct) for network in self.networks], dim=1)  # (N, 2)
        tsr_prob, mdls = torch.sigmoid(scores[:, 0]), scores[:, 1] - self.origin  # (N,), (N,)
        columns = {"mdls": mdls, **{name: covariates[:, index] for index, name in enumerate(CLINICAL)}}
        results = [
            self.cox[name](torch.stack([columns[column] for column in MODEL_COVARIATES[name]], dim=1))  # (N,), (N, 3)
            for name in RISK_MODELS
        ]
        linear_predictors, risks = zip(*results, strict=True)
        return tsr_prob, mdls, *linear_predictors, *risks
