"""Trunks that the paper compares with: VGG16 and DenseNet121, one crop to the averaged features of the last map."""

from __future__ import annotations

from typing import Any

from monai.networks.nets.densenet import DenseNet
from torch import Tensor, nn

VGG16_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions (Simonyan 2015, column D)
DENSENET121_BLOCKS = (6, 12, 24, 16)
FEWEST_CHANNELS = 16  # of a convolution's output; see `models.system.TrainingParams.width`


class Vgg16Trunk(nn.Module):
    """The thirteen convolutions of VGG16, with batch normalisation: without it they do not train from random weights.

    Attributes:
        features: Number of features, 512 x width.
    """

    def __init__(self, width: float) -> None:
        """Build with random weights; `width` is the share of VGG16's channels."""
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for channels, convolutions in VGG16_BLOCKS:
            outputs = int(channels * width)
            for _ in range(convolutions):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers)
        self.features = inputs
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """Return features (N, 512w) of crops (N, 1, 112, 112)."""
        return self.layers(image).mean(dim=(2, 3))  # type: ignore[no-any-return]  # map (N, 512w, 3, 3)


class DenseNet121Trunk(nn.Module):
    """MONAI's DenseNet121 without its classifier.

    Attributes:
        features: Number of features, 1024 at full width.
    """

    def __init__(self, width: float) -> None:
        """Build with random weights; `width` is the share of DenseNet121's first channels and growth, at least 16."""
        super().__init__()
        first, growth = (max(FEWEST_CHANNELS, int(count * width)) for count in (64, 32))
        network: Any = DenseNet(2, 1, 1, first, growth, DENSENET121_BLOCKS)
        self.layers = network.features
        self.features = int(network.class_layers.out.in_features)

    def forward(self, image: Tensor) -> Tensor:
        """Return features (N, 1024w) of crops (N, 1, 112, 112)."""
        return nn.functional.relu(self.layers(image)).mean(dim=(2, 3))  # map (N, 1024w, 3, 3)
