"""ResNet50 cut to stages of 3, 4 and 6 blocks between two squeeze-and-excitation blocks (Hu, Int J Surg 2023)."""

from __future__ import annotations

from pathlib import Path

from monai.networks.blocks.squeeze_and_excitation import ChannelSELayer
from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from models.pretrained import load_trunk

CHANNELS = 3  # the slice with the largest tumour between its two neighbours
PLANES = (64, 128, 256, 512)  # ResNet50's; a stage has four times as many channels
REDUCTION = 16  # of squeeze-and-excitation, its authors' (Hu, Shen and Sun, CVPR 2018)
FEWEST_HIDDEN = 8  # with fewer rectified units all may be zero for every patient, and then none ever learns
NOT_TAKEN = ("layer4.", "fc.")  # parts of ResNet50 that this network does not have


class ResponseNetwork(nn.Module):
    """Three neighbouring slices of the tumour to the logit of a good response (TRG 0-1)."""

    def __init__(self, width: float, dropout: float) -> None:
        """Build with random weights; the logit starts at 0, as the training set is balanced.

        Args:
            width: Share of ResNet50's channels; 1.0 = ResNet50.
            dropout: Probability of dropping a feature in front of the output.
        """
        super().__init__()
        first, last = int(PLANES[0] * width), 4 * int(PLANES[2] * width)
        self.trunk = ResNet(
            block="bottleneck",
            layers=[3, 4, 6, 1],
            block_inplanes=list(PLANES),
            spatial_dims=2,
            n_input_channels=CHANNELS,
            conv1_t_stride=2,  # as the published ResNet; MONAI's default of 1 costs four times as much
            bias_downsample=False,  # as torchvision, whose state dicts then fit
            widen_factor=width,
            feed_forward=False,
        )
        self.trunk.layer4 = nn.Sequential()  # does nothing: MONAI always builds four stages
        self.excite_first = _excitation(first)
        self.excite_last = _excitation(last)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(last, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, slices: Tensor) -> Tensor:
        """Return logits (N,) of slices (N, 3, 112, 112), intensities 0 to 1."""
        trunk = self.trunk
        maps = trunk.maxpool(trunk.act(trunk.bn1(trunk.conv1(slices))))  # (N, 64w, 28, 28)
        maps = trunk.layer1(self.excite_first(maps))  # (N, 256w, 28, 28)
        maps = trunk.layer3(trunk.layer2(maps))  # (N, 512w, 14, 14), (N, 1024w, 7, 7)
        features = self.excite_last(maps).mean(dim=(2, 3))  # (N, 1024w)
        return self.head(self.dropout(features))[:, 0]  # type: ignore[no-any-return]


def _excitation(channels: int) -> ChannelSELayer:
    """Return a squeeze-and-excitation block: every channel times a gate (0 to 1) computed from all channels' means."""
    hidden = max(channels // REDUCTION, FEWEST_HIDDEN)
    return ChannelSELayer(spatial_dims=2, in_channels=channels, r=channels // hidden)


def load_pretrained(network: ResponseNetwork, path: Path) -> None:
    """Start the trunk from a local ResNet50 state dict in torchvision's layout; `layer4` and `fc` are left out.

    Counters of batches, which files written before 2018 lack, are not asked for.

    Raises:
        ValueError: The file cannot be read as a plain state dict, or names or shapes differ from ResNet50's.
    """
    load_trunk(network.trunk, path, "ResNet50", NOT_TAKEN)
