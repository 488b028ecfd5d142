"""The multitask network: trunk, autoencoder, shared layer, one head per task; ablations are parameters of the builder.

Cui, Int J Surg 2024, doi 10.1097/JS9.0000000000001161.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from models.ct_stroma_survival.autoencoder import Autoencoder
from models.ct_stroma_survival.comparators import DenseNet121Trunk, Vgg16Trunk
from models.ct_stroma_survival.trunk import MultiscaleTrunk

Tasks = Literal["both", "tsr", "survival"]
TRUNKS = ("se_resnet50", "vgg16", "densenet121")
SHARED = 256
HEAD = 64
L2 = 0.02


def score_names(tasks: Tasks) -> tuple[str, ...]:
    """Return the columns of the network's scores: "tsr_logit" (higher = stroma likelier above 50 %), "log_hazard".

    Raises:
        ValueError: Unknown tasks.
    """
    names: dict[str, tuple[str, ...]] = {
        "both": ("tsr_logit", "log_hazard"),
        "tsr": ("tsr_logit",),
        "survival": ("log_hazard",),
    }
    if tasks not in names:
        raise ValueError(f"tasks: found {tasks!r}, expected one of {', '.join(names)}")
    return names[tasks]


class MultitaskNetwork(nn.Module):
    """One CT crop, scaled to [0, 1], to the tumour-stroma ratio's logit and the log relative hazard of death."""

    def __init__(
        self,
        trunk: MultiscaleTrunk | Vgg16Trunk | DenseNet121Trunk,
        autoencoder: Autoencoder | None,
        tasks: Tasks = "both",
        dropout: float = 0.2,
        tsr_prevalence: float = 0.5,
    ) -> None:
        """Join a trunk with shared layer and heads.

        Args:
            trunk: Crops (N, 1, 112, 112) to `trunk.features` features.
            autoencoder: Codes the features; None hands them to the shared layer as they are.
            tasks: Which heads there are.
            dropout: Probability of dropping a value in front of the ratio's output.
            tsr_prevalence: Share of patients with a high ratio, where that output starts; strictly between 0 and 1.
        """
        super().__init__()
        self.trunk = trunk
        self.autoencoder = autoencoder
        coded = trunk.features if autoencoder is None else autoencoder.bottleneck
        self.shared = nn.Sequential(nn.Linear(coded, SHARED), nn.ReLU(), nn.BatchNorm1d(SHARED))
        self.heads = nn.ModuleDict()
        for name in score_names(tasks):
            if name == "tsr_logit":
                last = nn.Linear(HEAD, 1)
                nn.init.constant_(last.bias, math.log(tsr_prevalence / (1 - tsr_prevalence)))
                self.heads[name] = nn.Sequential(nn.Linear(SHARED, HEAD), nn.ReLU(), nn.Dropout(dropout), last)
            else:  # a relative hazard has no origin: no bias
                self.heads[name] = nn.Sequential(nn.Linear(SHARED, HEAD), nn.ReLU(), nn.Linear(HEAD, 1, bias=False))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return scores and what else the loss needs.

        Args:
            image: (N, 1, 112, 112).

        Returns:
            Scores (N, K), columns as `score_names`; with an autoencoder also its bottleneck (N, B), the features
            (N, F) and their reconstruction (N, F).
        """
        features = self.trunk(image)  # (N, F)
        if self.autoencoder is None:
            return (self._scores(features),)
        code, reconstruction = self.autoencoder(features)  # (N, B), (N, F)
        return self._scores(code), code, features, reconstruction

    def _scores(self, code: Tensor) -> Tensor:
        shared = self.shared(code)  # (N, 256)
        return torch.cat([head(shared) for head in self.heads.values()], dim=1)

    def penalised_parameters(self) -> list[Tensor]:
        """Return what the L2 penalty is on: weights, not biases, of the shared dense layer and the heads' layers."""
        layers = [*self.shared.modules(), *self.heads.modules()]
        return [layer.weight for layer in layers if isinstance(layer, nn.Linear)]

    def l2_penalty(self) -> Tensor:
        """Return 0.02 times the sum of squares of the penalised weights, a scalar."""
        return L2 * torch.stack([weight.square().sum() for weight in self.penalised_parameters()]).sum()


def build_network(
    trunk: str = "se_resnet50",
    *,
    width: float = 1.0,
    tasks: Tasks = "both",
    multiscale: bool = True,
    attention: bool = True,
    autoencoder: bool = True,
    dropout: float = 0.2,
    tsr_prevalence: float = 0.5,
) -> MultitaskNetwork:
    """Build the published network, one of its ablations or a comparator, with random weights.

    Args:
        trunk: "se_resnet50", "vgg16" or "densenet121".
        width: Share of the channels of trunk and autoencoder, 1.0 = as published; shared layer and heads stay.
        tasks: "both", "tsr" or "survival".
        multiscale: Features of all four stages; False takes the last stage's alone.
        attention: Receptive-field attention on the stages that give features.
        autoencoder: Autoencoder between trunk and shared layer.
        dropout: Probability of dropping a value in front of the ratio's output.
        tsr_prevalence: Share of patients with a high ratio, where that output starts.

    Raises:
        ValueError: Unknown trunk or tasks; `multiscale` or `attention` for a comparator, which has neither.
    """
    if trunk not in TRUNKS:
        raise ValueError(f"trunk: found {trunk!r}, expected one of {', '.join(TRUNKS)}")
    if trunk != "se_resnet50" and (multiscale or attention):
        raise ValueError(f"trunk {trunk} has neither multiscale features nor attention: set both to false")
    built: MultiscaleTrunk | Vgg16Trunk | DenseNet121Trunk
    if trunk == "se_resnet50":
        built = MultiscaleTrunk(width, multiscale, attention)
    else:
        built = Vgg16Trunk(width) if trunk == "vgg16" else DenseNet121Trunk(width)
    coder = Autoencoder(built.features, width) if autoencoder else None
    return MultitaskNetwork(built, coder, tasks, dropout, tsr_prevalence)
