"""The Cox model inside the graph."""

from __future__ import annotations

import numpy as np
import torch

from models.risk_layer import CoxLayer
from tests.models.test_cox import MODEL


def test_layer_computes_what_the_model_computes() -> None:
    """Linear predictor and risks equal those of numpy, missing covariates included, to float32 precision."""
    x = np.array([[3.0, 1.0], [1.0, 2.0], [np.nan, 1.0], [np.nan, np.nan], [-4.0, 9.0]])
    linear_predictor, risk = CoxLayer(MODEL)(torch.tensor(x, dtype=torch.float32))

    np.testing.assert_allclose(linear_predictor.numpy(), MODEL.linear_predictor(x), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(risk.numpy(), MODEL.risk(x), rtol=1e-5, atol=1e-6)


def test_missing_covariate_blocks_no_gradient() -> None:
    """A NaN in one covariate gives a finite gradient to the others."""
    x = torch.tensor([[3.0, float("nan")]], requires_grad=True)
    CoxLayer(MODEL)(x)[0].sum().backward()  # type: ignore[no-untyped-call]

    assert x.grad is not None
    assert x.grad[0].tolist() == [0.5, 0.0]


def test_layer_has_nothing_to_train() -> None:
    """Its numbers are fitted by Cox regression, not by gradient descent."""
    assert not list(CoxLayer(MODEL).parameters())
