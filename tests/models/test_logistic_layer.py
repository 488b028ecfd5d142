"""The logistic model inside the graph."""

from __future__ import annotations

import numpy as np
import torch

from models.logistic_layer import LogisticLayer
from tests.models.test_logistic import MODEL


def test_layer_computes_what_the_model_computes() -> None:
    """Log odds and probability equal those of numpy, missing covariates included, to float32 precision."""
    x = np.array([[3.0, 1.0], [1.0, 2.0], [np.nan, 1.0], [np.nan, np.nan], [-40.0, 90.0]])
    log_odds, probability = LogisticLayer(MODEL)(torch.tensor(x, dtype=torch.float32))

    np.testing.assert_allclose(log_odds.numpy(), MODEL.log_odds(x), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(probability.numpy(), MODEL.probability(x), rtol=1e-5, atol=1e-6)


def test_missing_covariate_blocks_no_gradient() -> None:
    """A NaN in one covariate gives a finite gradient to the others."""
    x = torch.tensor([[3.0, float("nan")]], requires_grad=True)
    LogisticLayer(MODEL)(x)[0].sum().backward()  # type: ignore[no-untyped-call]

    assert x.grad is not None
    assert x.grad[0].tolist() == [0.5, 0.0]


def test_layer_has_nothing_to_train() -> None:
    """Its numbers are fitted by logistic regression, not by gradient descent."""
    assert not list(LogisticLayer(MODEL).parameters())
