"""The network of one sequence: 1 x 1 convolution from 20 slices to 3 channels, ResNet18, one logit (Liu 2021)."""

from __future__ import annotations

import math
from pathlib import Path

from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from models.mri_distant_metastasis import SLICES
from models.pretrained import load_trunk

STAGES = (64, 128, 256, 512)


class SequenceNetwork(nn.Module):
    """One lesion stack to the logit of distant metastasis within 36 months."""

    def __init__(self, width: float, dropout: float, prevalence: float = 0.5) -> None:
        """Build with random weights.

        Args:
            width: Share of ResNet18's channels; 1.0 = ResNet18.
            dropout: Probability of dropping a feature in front of the output.
            prevalence: Share of patients with the event, where the output starts; strictly between 0 and 1.
        """
        super().__init__()
        features = int(STAGES[-1] * width)
        self.mix = nn.Conv2d(SLICES, 3, kernel_size=1, bias=False)
        self.trunk = ResNet(
            block="basic",
            layers=[2, 2, 2, 2],
            block_inplanes=list(STAGES),
            spatial_dims=2,
            n_input_channels=3,
            conv1_t_stride=2,  # as the published ResNet; MONAI's default of 1 costs four times as much
            bias_downsample=False,  # as torchvision, whose state dicts then fit
            widen_factor=width,
            feed_forward=False,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, 1)
        nn.init.constant_(self.mix.weight, SLICES**-0.5)  # the average of the slices, to start with
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, math.log(prevalence / (1 - prevalence)))

    def forward(self, stack: Tensor) -> Tensor:
        """Return logits (N,) of stacks (N, 20, 112, 112)."""
        image = self.mix(stack)  # (N, 3, 112, 112)
        features = self.trunk(image)  # stem (N, 64w, 28, 28); stages 28, 14, 7, 4 px; mean over pixels (N, 512w)
        return self.head(self.dropout(features))[:, 0]  # type: ignore[no-any-return]


def load_pretrained(network: SequenceNetwork, path: Path) -> None:
    """Start the trunk from a local ResNet18 state dict in torchvision's layout; its classifier `fc` is left out.

    Raises:
        ValueError: The file cannot be read as a plain state dict, or names or shapes differ from ResNet18's.
    """
    load_trunk(network.trunk, path, "ResNet18", ("fc.",))
