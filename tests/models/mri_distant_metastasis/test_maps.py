"""Maps of the MRI networks: of the stage whose maps lie where a network was taught to look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.gradcam import grad_cam
from models.maps.mri_distant_metastasis import maps
from models.mri_distant_metastasis.network import SequenceNetwork

SIDE = 28  # of the square, in pixels


def stacks(n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, NDArray[np.intp]]:
    """Noise (n, 20, 112, 112) with a bright square in every second one, which of them, and the square's corner."""
    images = 0.5 * rng.standard_normal((n, 20, 112, 112), dtype=np.float32)
    corner = SIDE * rng.integers(0, 4, (n, 2))
    for image, (row, column) in list(zip(images, corner, strict=True))[1::2]:
        image[:, row : row + SIDE, column : column + SIDE] += 1.5
    return torch.from_numpy(images), torch.arange(n) % 2, corner


@pytest.fixture(scope="module")
def taught() -> SequenceNetwork:
    """A network that has learnt to tell stacks with a bright square from those without."""
    torch.manual_seed(0)
    rng, network = np.random.default_rng(0), SequenceNetwork(0.25, 0.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(12):
        images, bright, _ = stacks(16, rng)
        loss = nn.functional.binary_cross_entropy_with_logits(network(images), bright.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        for _ in range(15):  # the normalisations get to know what evaluation will see
            network(stacks(16, rng)[0])
    return network.eval()


@pytest.mark.slow
def test_the_map_of_a_taught_network_peaks_on_what_it_was_taught(taught: SequenceNetwork) -> None:
    """By the declared layer the peak is on the square, wherever it lies; by the last stage, mostly beside it."""
    images, bright, corners = stacks(24, np.random.default_rng(1))
    declared = maps(Path())[0].layer
    hits = dict.fromkeys((declared, "trunk.layer4"), 0)
    for layer in hits:
        for image, (row, column) in zip(images[bright == 1], corners[bright.numpy() == 1], strict=True):
            values = grad_cam(taught, layer, image[None]).values
            assert values is not None
            square = values[row : row + SIDE, column : column + SIDE]
            hits[layer] += square.max() == 1
            assert layer != declared or square.mean() > values.mean() + 0.2

    assert hits[declared] >= 9
    assert hits["trunk.layer4"] <= 6
