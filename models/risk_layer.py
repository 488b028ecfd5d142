"""A Cox model as a torch module, for the ONNX file: no parameters, only the numbers fitted in development."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.cox import CoxModel


class CoxLayer(nn.Module):
    """Linear predictor and risks of a Cox model; the same arithmetic as `CoxModel`, in float32."""

    coefficients: Tensor
    means: Tensor
    hazard: Tensor

    def __init__(self, model: CoxModel) -> None:
        """Take over the numbers of a fitted model."""
        super().__init__()
        self.register_buffer("coefficients", torch.tensor(model.coefficients))  # (P,)
        self.register_buffer("means", torch.tensor(model.means))  # (P,)
        self.register_buffer("hazard", torch.tensor(model.baseline_cumulative_hazard))  # (H,)

    def forward(self, covariates: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log relative hazard (N,) and the risk by each horizon (N, H) of covariates (N, P)."""
        centred = torch.where(torch.isnan(covariates), torch.zeros_like(covariates), covariates - self.means)  # (N, P)
        linear_predictor = (centred * self.coefficients).sum(dim=1)  # (N,)
        risk = 1 - torch.exp(-self.hazard * torch.exp(linear_predictor)[:, None])  # (N, H)
        return linear_predictor, risk
