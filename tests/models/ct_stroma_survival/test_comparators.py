"""The trunks that the paper compares with."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.ct_stroma_survival.comparators import DenseNet121Trunk, Vgg16Trunk

DENSENET121_TRUNK_PARAMETERS = 6_953_856  # torchvision's densenet121, three input channels, without its classifier
VGG16_CONVOLUTIONS = 14_714_688  # torchvision's vgg16.features, three input channels, biases, no normalisation


def count(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters())


def test_densenet121_has_its_parameters() -> None:
    """One input channel instead of three saves two 7 x 7 kernels for each of 64 channels."""
    trunk = DenseNet121Trunk(1.0)

    assert count(trunk) == DENSENET121_TRUNK_PARAMETERS - 2 * 64 * 49
    assert trunk.features == 1024


def test_vgg16_has_its_parameters() -> None:
    """One input channel less two 3 x 3 kernels for 64 channels; a normalisation's two numbers for each bias."""
    trunk = Vgg16Trunk(1.0)
    channels = 2 * 64 + 2 * 128 + 3 * 256 + 3 * 512 + 3 * 512

    assert count(trunk) == VGG16_CONVOLUTIONS - 2 * 64 * 9 + channels
    assert sum(isinstance(layer, nn.Conv2d) for layer in trunk.layers) == 13
    assert trunk.features == 512


@pytest.mark.parametrize("width", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("trunk", [DenseNet121Trunk, Vgg16Trunk])
def test_features_are_as_many_as_announced(trunk: type[DenseNet121Trunk | Vgg16Trunk], width: float) -> None:
    """At every width; no convolution gives fewer than 16 channels."""
    network = trunk(width).eval()

    assert network(torch.rand(2, 1, 112, 112)).shape == (2, network.features)
    assert min(layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)) >= 16
