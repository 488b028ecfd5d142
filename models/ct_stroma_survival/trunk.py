"""The trunk: SE-ResNet50 with concurrent excitation, attention over receptive fields, features of all four stages.

Cui, Int J Surg 2024. The paper prints no inner structure of its receptive-field attention, and its published code adds
no residuals; what is chosen here is said where it is built.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch
from monai.networks.nets.resnet import ResNet, ResNetBottleneck
from torch import Tensor, nn

STAGES = (64, 128, 256, 512)  # inner channels of the bottlenecks; a stage ends in four times as many
BLOCKS = (3, 4, 6, 3)
CHANNEL_REDUCTION = 32
FEWEST_SQUEEZED = 8  # as in the first stage at full width; of one or two, a ReLU shuts all too easily for good
FIELDS = 3  # receptive fields: 3, 5 and 7 pixels
BRANCH_SCALE = 0.1  # of a residual branch, to start with: at 1, rounding errors grow tenfold more through the trunk


class ConcurrentExcitation(nn.Module):
    """Concurrent channel and spatial squeeze-and-excitation: both gated maps added (Roy, MICCAI 2018)."""

    def __init__(self, channels: int) -> None:
        """Build for so many channels."""
        super().__init__()
        squeezed = max(FEWEST_SQUEEZED, channels // CHANNEL_REDUCTION)
        self.channel = nn.Sequential(nn.Linear(channels, squeezed), nn.ReLU(), nn.Linear(squeezed, channels))
        self.spatial = nn.Conv2d(channels, 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, rows, columns) of the same; each value times the sum of its two gates, 0 to 2."""
        by_channel = torch.sigmoid(self.channel(x.mean(dim=(2, 3))))  # (N, C)
        by_pixel = torch.sigmoid(self.spatial(x))  # (N, 1, rows, columns)
        return x * (by_channel[:, :, None, None] + by_pixel)


class ExcitedBottleneck(ResNetBottleneck):
    """ResNet's bottleneck, residual addition and ReLU included, followed by concurrent excitation."""

    def __init__(self, in_planes: int, planes: int, **settings: Any) -> None:
        """Build as MONAI's bottleneck."""
        super().__init__(in_planes, planes, **settings)
        self.excitation = ConcurrentExcitation(planes * self.expansion)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, excited."""
        return self.excitation(super().forward(x))  # type: ignore[no-any-return]


class ReceptiveFieldAttention(nn.Module):
    """Every pixel weighs three receptive fields; their mixture is added to the input.

    Our reading, as the paper prints none: three depthwise 3 x 3 convolutions in a row, after which a value has seen 3,
    5 and 7 pixels of the stage's map; a softmax over the three at each pixel from a 1 x 1 convolution of the input;
    batch normalisation of the weighted sum; residual addition; ReLU. (Dilated convolutions side by side have the same
    fields and as many weights; their backward pass takes five times as long on a CPU.)
    """

    def __init__(self, channels: int) -> None:
        """Build for so many channels; to start with, the three fields weigh the same."""
        super().__init__()
        self.fields = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels, bias=False) for _ in range(FIELDS)
        )
        self.weigh = nn.Conv2d(channels, FIELDS, kernel_size=1)
        self.norm = nn.BatchNorm2d(channels)
        for parameter in self.fields.parameters():
            nn.init.normal_(parameter, std=1 / 3)  # nine weights: the variance stays from one field to the next
        _zero(self.weigh)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, rows, columns) of the same."""
        weights = torch.softmax(self.weigh(x), dim=1)  # (N, 3, rows, columns)
        seen, weighted = x, []
        for index, convolution in enumerate(self.fields):
            seen = convolution(seen)
            weighted.append(weights[:, index, None] * seen)
        return torch.relu(x + self.norm(reduce(torch.add, weighted)))


def _zero(convolution: nn.Conv2d) -> None:
    """Start a convolution at zero: its gates and weights are then the same for all."""
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)


class MultiscaleTrunk(nn.Module):
    """One crop to its features: each stage's map, attended, averaged over pixels; all of them side by side.

    Attention works on what a stage hands to the features, not on what it hands to the next stage (our reading).

    Attributes:
        features: Number of features: 3840 x width, or 2048 x width at a single scale.
    """

    def __init__(self, width: float, multiscale: bool, attention: bool) -> None:
        """Build with random weights.

        Args:
            width: Share of ResNet50's channels; 1.0 = ResNet50.
            multiscale: Features of all four stages; False takes the last stage's alone.
            attention: Receptive-field attention; False averages the stages' maps as they are.
        """
        super().__init__()
        self.resnet = ResNet(
            block=ExcitedBottleneck,
            layers=list(BLOCKS),
            block_inplanes=list(STAGES),
            spatial_dims=2,
            n_input_channels=1,
            conv1_t_stride=2,
            bias_downsample=False,
            widen_factor=width,
            feed_forward=False,
        )
        for block in self.resnet.modules():
            if isinstance(block, ExcitedBottleneck):
                _zero(block.excitation.spatial)  # gates start near 1/2: their sum hands on the block's output
                nn.init.constant_(block.bn3.weight, BRANCH_SCALE)
        channels = [ResNetBottleneck.expansion * int(planes * width) for planes in STAGES]
        self.first = 0 if multiscale else len(STAGES) - 1  # first stage whose map becomes features
        self.features = sum(channels[self.first :])
        self.attention = nn.ModuleList(
            ReceptiveFieldAttention(count) if attention else nn.Identity() for count in channels[self.first :]
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return features (N, 3840w) of crops (N, 1, 112, 112)."""
        maps = self.stages(image)[self.first :]
        return torch.cat([attend(x).mean(dim=(2, 3)) for attend, x in zip(self.attention, maps, strict=True)], dim=1)

    def stages(self, image: Tensor) -> list[Tensor]:
        """Return the stages' maps: (N, 256w, 28, 28), (N, 512w, 14, 14), (N, 1024w, 7, 7), (N, 2048w, 4, 4)."""
        net = self.resnet
        x = net.maxpool(net.act(net.bn1(net.conv1(image))))  # (N, 64w, 28, 28)
        maps = []
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = stage(x)
            maps.append(x)
        return maps
