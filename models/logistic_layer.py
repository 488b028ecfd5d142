"""A logistic model as a torch module, for the ONNX file: no parameters, only the numbers fitted in development."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.logistic import LogisticModel


class LogisticLayer(nn.Module):
    """Log odds and probability of a logistic model; the same arithmetic as `LogisticModel`, in float32."""

    coefficients: Tensor
    means: Tensor
    intercept: Tensor

    def __init__(self, model: LogisticModel) -> None:
        """Take over the numbers of a fitted model."""
        super().__init__()
        self.register_buffer("coefficients", torch.tensor(model.coefficients))  # (P,)
        self.register_buffer("means", torch.tensor(model.means))  # (P,)
        self.register_buffer("intercept", torch.tensor(model.intercept))  # ()

    def forward(self, covariates: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log odds (N,) and the probability (N,) of covariates (N, P); NaN = missing."""
        centred = torch.where(torch.isnan(covariates), torch.zeros_like(covariates), covariates - self.means)  # (N, P)
        log_odds = self.intercept + (centred * self.coefficients).sum(dim=1)  # (N,)
        return log_odds, torch.sigmoid(log_odds)
