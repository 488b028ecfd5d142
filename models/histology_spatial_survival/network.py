"""ResNet50, two dense layers with dropout, seven tissues (Qi, iScience 2023)."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from monai.networks.nets.resnet import ResNet, ResNetBottleneck
from torch import Tensor, nn

from models.histology_spatial_survival import TISSUES
from models.pretrained import load_trunk

PLANES = (64, 128, 256, 512)  # ResNet50's; a stage has four times as many channels
BLOCKS = (3, 4, 6, 3)
HIDDEN = 512  # of the first dense layer at full width: not published; a quarter of the features in front of it
WHITE = 255.0
TRAINED_STAGE = "layer4"  # of the trunk, if it starts from published weights


class TileClassifier(nn.Module):
    """Tiles to logits of the seven tissues.

    Tiles go in as they lie in memory, (N, rows, columns, 3) grey levels 0 to 255: a fourth of the bytes of numbers, no
    copy into another layout, and no scale to mistake. Shares of white (0 to 1), not standardised, are what the trunk
    sees; published weights must be of a network trained on the same.
    """

    def __init__(self, width: float, dropout: float) -> None:
        """Build with random weights.

        Args:
            width: Share of ResNet50's channels and of the dense layer's; 1.0 = ResNet50.
            dropout: Probability of dropping a feature in front of each of the two dense layers.
        """
        super().__init__()
        features, hidden = 4 * int(PLANES[-1] * width), int(HIDDEN * width)
        self.trunk = ResNet(
            block="bottleneck",
            layers=list(BLOCKS),
            block_inplanes=list(PLANES),
            spatial_dims=2,
            n_input_channels=3,
            conv1_t_stride=2,  # as the published ResNet; MONAI's default of 1 costs four times as much
            bias_downsample=False,  # as torchvision, whose state dicts then fit
            widen_factor=width,
            feed_forward=False,
        )
        _begin_as_shortcuts(self.trunk)
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(features, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, len(TISSUES)),
        )
        self.frozen: tuple[nn.Module, ...] = ()

    def forward(self, tiles: Tensor) -> Tensor:
        """Return logits (N, 7) of tiles (N, rows, columns, 3), grey levels 0 to 255 of any type."""
        image = tiles.permute(0, 3, 1, 2).float() / WHITE  # (N, 3, 224, 224)
        features = self.trunk(image)  # stem 56 px; stages 56, 28, 14, 7 px; mean over pixels (N, 2048w)
        return self.head(features)  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; what is frozen stays in evaluation, its batch statistics too."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def load_pretrained(self, path: Path) -> None:
        """Start the trunk from a local ResNet50 that tells colorectal tissues, and train only what comes last.

        That is, as published, the last convolutional block and the dense layers; the block is read as ResNet50's last
        stage, three bottlenecks. The file's own dense layers, of nine tissues, are left out.

        Args:
            path: State dict in torchvision's layout.

        Raises:
            ValueError: The file cannot be read as a plain state dict, or names or shapes differ from ResNet50's.
        """
        load_trunk(self.trunk, path, "ResNet50", ("fc.",))
        self.frozen = tuple(part for name, part in self.trunk.named_children() if name != TRAINED_STAGE)
        for part in self.frozen:
            part.requires_grad_(False)
        self.train(self.training)


def _begin_as_shortcuts(trunk: nn.Module) -> None:
    """Let every bottleneck add nothing at first: fifty random layers learn little in a few hundred steps.

    The scale of its last normalisation starts at 0 (Goyal, arXiv:1706.02677); published weights replace it.
    """
    for part in trunk.modules():
        if isinstance(part, ResNetBottleneck):
            nn.init.zeros_(part.bn3.weight)


class TissueProbabilities(nn.Module):
    """The classifier as it ships: probabilities instead of logits."""

    def __init__(self, classifier: TileClassifier) -> None:
        """Take the classifier."""
        super().__init__()
        self.classifier = classifier

    def forward(self, tiles: Tensor) -> tuple[Tensor]:
        """Return the probabilities (N, 7), in the order of `TISSUES`, of tiles (N, 224, 224, 3)."""
        return (torch.softmax(self.classifier(tiles), dim=1),)
