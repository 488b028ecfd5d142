"""The autoencoder between trunk and heads, whose bottleneck is drawn towards a standard normal by its loss."""

from __future__ import annotations

from torch import Tensor, nn

HIDDEN = (1024, 256)
BOTTLENECK = 64


class Autoencoder(nn.Module):
    """Features to a bottleneck and back (Cui, Int J Surg 2024: the layers; their widths are our choice).

    Attributes:
        bottleneck: Number of values in the bottleneck, 64 x width.
    """

    def __init__(self, features: int, width: float) -> None:
        """Build with random weights.

        Args:
            features: Number of features to encode.
            width: Share of 1024, 256 and 64.
        """
        super().__init__()
        wide, narrow = (int(count * width) for count in HIDDEN)
        self.bottleneck = int(BOTTLENECK * width)
        self.encoder = nn.Sequential(*_dense(features, wide), *_dense(wide, narrow), nn.Linear(narrow, self.bottleneck))
        self.decoder = nn.Sequential(*_dense(self.bottleneck, narrow), *_dense(narrow, wide), nn.Linear(wide, features))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return bottleneck (N, 64w) and reconstruction (N, F) of features (N, F)."""
        code = self.encoder(features)
        return code, self.decoder(code)


def _dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Return dense, batch normalisation, leaky ReLU (slope 0.01); the normalisation holds the bias."""
    return nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.LeakyReLU()
