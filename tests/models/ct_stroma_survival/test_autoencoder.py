"""The autoencoder between trunk and heads."""

from __future__ import annotations

import torch
from torch import nn

from models.ct_stroma_survival.autoencoder import Autoencoder


def dense(inputs: int, outputs: int) -> int:
    """Parameters of a dense layer without bias and the batch normalisation behind it."""
    return inputs * outputs + 2 * outputs


def test_parameters_and_shapes_at_full_width() -> None:
    """3840 - 1024 - 256 - 64 - 256 - 1024 - 3840, with linear bottleneck and output."""
    autoencoder = Autoencoder(3840, 1.0)
    encoder = dense(3840, 1024) + dense(1024, 256) + (256 * 64 + 64)
    decoder = dense(64, 256) + dense(256, 1024) + (1024 * 3840 + 3840)
    code, reconstruction = autoencoder(torch.rand(2, 3840))

    assert sum(p.numel() for p in autoencoder.parameters()) == encoder + decoder == 8_430_400
    assert (code.shape, reconstruction.shape) == ((2, 64), (2, 3840))


def test_width_scales_the_layers_but_not_the_features() -> None:
    """A quarter: 960 - 256 - 64 - 16 and back."""
    autoencoder = Autoencoder(960, 0.25)
    sizes = [layer.out_features for layer in autoencoder.modules() if isinstance(layer, nn.Linear)]

    assert sizes == [256, 64, 16, 64, 256, 960]
    assert autoencoder.bottleneck == 16


def test_bottleneck_and_output_are_linear() -> None:
    """Each half is dense, normalisation, leaky ReLU, twice, and ends in a dense layer without activation."""
    layers = [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU] * 2 + [nn.Linear]
    autoencoder = Autoencoder(960, 0.25)

    assert [type(layer) for layer in autoencoder.encoder] == layers
    assert [type(layer) for layer in autoencoder.decoder] == layers
