"""Grad-CAM by hand, against MONAI's, and on every image network."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from monai.visualize.class_activation_maps import GradCAM
from torch import Tensor, nn

from models.ct_stroma_survival.network import build_network
from models.gradcam import ScoreMap, explained, grad_cam
from models.maps.ct_stroma_survival import LAYERS
from models.mri_distant_metastasis.network import SequenceNetwork


class TwoChannels(nn.Module):
    """An image and its opposite as two channels; the score is the weighted sum of their means."""

    def __init__(self, weights: tuple[float, float], in_place: bool = False) -> None:
        """Take the weights of the channels."""
        super().__init__()
        self.maps = nn.Conv2d(1, 2, kernel_size=1, bias=False)
        self.maps.weight.data = torch.tensor([1.0, -1.0])[:, None, None, None]
        self.act = nn.ReLU(inplace=in_place)
        self.unused = nn.Conv2d(1, 2, kernel_size=1)
        self.flat = nn.Flatten()
        self.register_buffer("weights", torch.tensor(weights))

    def forward(self, image: Tensor) -> Tensor:
        """Return scores (N,)."""
        means = self.act(self.maps(image)).mean(dim=(2, 3))
        return self.flat(means) @ self.weights


IMAGE = torch.tensor([[[[1.0, -2.0], [4.0, -8.0]]]])


@pytest.mark.parametrize(
    ("layer", "weights", "expected"),
    [
        ("act", (1.0, 0.0), [[0.25, 0], [1, 0]]),
        ("act", (0.0, 1.0), [[0, 0.25], [0, 1]]),
        ("act", (2.0, 1.0), [[0.25, 0.25], [1, 1]]),
        ("act", (1.0, -3.0), [[0.25, 0], [1, 0]]),
        ("maps", (1.0, 0.0), [[0.25, 0], [1, 0]]),
    ],
)
def test_by_hand(layer: str, weights: tuple[float, float], expected: list[list[float]]) -> None:
    """Channels weighted by the mean gradient, summed, negatives cut, divided by the largest."""
    result = grad_cam(TwoChannels(weights), layer, IMAGE)

    assert result.reason is None
    np.testing.assert_allclose(result.values, expected, atol=1e-6)
    assert result.values.dtype == np.float32


def test_activations_changed_in_place_are_explained_as_they_were() -> None:
    """A ReLU that overwrites the layer's output behind it makes no difference."""
    maps = [grad_cam(TwoChannels((1.0, 0.2), in_place), "maps", IMAGE).values for in_place in (False, True)]

    np.testing.assert_array_equal(*maps)


@pytest.mark.parametrize("size", [8, 9])
def test_map_has_the_size_of_the_image(size: int) -> None:
    """A pooled map is interpolated: values between 0 and 1, the largest 1, highest where the image is bright."""
    network = nn.Sequential(nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    image = torch.zeros(1, 1, size, size)
    image[..., :2, :2] = 1
    values = grad_cam(network, "0", image).values

    assert values.shape == (size, size)
    assert (values.min(), values.max()) == (0, 1)
    assert values[0, 0] == 1


class Column(nn.Module):
    """One column of logits instead of a vector, as MONAI's Grad-CAM wants it."""

    def __init__(self, network: nn.Module) -> None:
        """Take the network."""
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return (N, 1)."""
        return self.network(image)[:, None]


def test_is_monais_grad_cam_on_the_mri_network() -> None:
    """The same map but for the scale: MONAI's runs from 1 at the smallest value to 0 at the largest."""
    torch.manual_seed(0)
    network = SequenceNetwork(0.25, 0.5).eval()
    nn.init.normal_(network.head.weight)
    stack = torch.randn(1, 20, 112, 112)
    ours = grad_cam(network, "trunk.layer3", stack).values
    theirs = 1 - GradCAM(Column(network), "network.trunk.layer3")(stack, class_idx=0)[0, 0].numpy()

    assert ours.shape == (112, 112)
    np.testing.assert_allclose((ours - ours.min()) / (ours.max() - ours.min()), theirs, atol=1e-4)


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("trunk", list(LAYERS))
def test_explains_both_tasks_of_every_ct_trunk(trunk: str, column: int) -> None:
    """Each score of a network with several outputs has a map of its own."""
    torch.manual_seed(1)
    plain = {} if trunk == "se_resnet50" else {"multiscale": False, "attention": False}
    network = build_network(trunk, width=0.25, **plain)
    image = torch.rand(1, 1, 112, 112)
    signs = [grad_cam(network, LAYERS[trunk], image, lambda o, s=s: s * o[0][:, column]) for s in (1, -1)]
    maps = [result.values for result in signs if result.values is not None]

    assert maps
    assert all(m.shape == (112, 112) and m.min() >= 0 and m.max() == 1 for m in maps)


def test_leaves_the_network_as_it_was() -> None:
    """Mode, weights, running means, gradients and hooks; whatever the mode the map is that of evaluation."""
    torch.manual_seed(0)
    network = SequenceNetwork(0.25, 0.5).train()
    nn.init.normal_(network.head.weight)
    network.trunk.layer1.eval()
    before, stack = copy.deepcopy(network.state_dict()), torch.randn(1, 20, 112, 112)
    with torch.no_grad():
        first = grad_cam(network, "trunk.layer3", stack).values
    modes = {name for name, module in network.named_modules() if not module.training}

    assert modes == {name for name, _ in network.named_modules() if name.startswith("trunk.layer1")}
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    assert not network.trunk.layer3._forward_hooks
    np.testing.assert_array_equal(grad_cam(network.eval().requires_grad_(False), "trunk.layer3", stack).values, first)


@pytest.mark.parametrize("score", [lambda o: o * 0, lambda _: torch.tensor(3.0)])
def test_score_that_does_not_depend_on_the_layer(score: Any) -> None:
    """No map, and the reason: the gradient is zero."""
    result = grad_cam(TwoChannels((1.0, 1.0)), "act", IMAGE, score)

    assert result.values is None
    assert result.reason == "the score does not depend on layer act: its gradient is zero"


def test_score_that_everything_lowers() -> None:
    """No map, and the reason: nothing raises the score."""
    result = grad_cam(TwoChannels((-1.0, -1.0)), "act", IMAGE)

    assert result.values is None
    assert result.reason == "nothing in layer act moves the score that way: the map is zero everywhere"


@pytest.mark.parametrize(
    ("layer", "image", "score", "message"),
    [
        ("nothing", IMAGE, lambda o: o, "no layer 'nothing' among the network's named modules, .* maps, act, unused"),
        ("", IMAGE, lambda o: o, "no layer ''"),
        ("unused", IMAGE, lambda o: o, "layer unused is not passed by the network"),
        ("flat", IMAGE, lambda o: o, r"layer flat gives \(1, 2\), expected \(1, channels, rows, columns\)"),
        ("act", IMAGE.expand(2, -1, -1, -1), lambda o: o, r"image of shape \(2, 1, 2, 2\), expected"),
        ("act", IMAGE, lambda o: torch.cat([o, o]), "the score is .*, expected one finite value"),
        ("act", IMAGE, lambda o: o * torch.nan, "the score is .nan., expected one finite value"),
    ],
)
def test_refuses_what_it_cannot_explain(layer: str, image: Tensor, score: Any, message: str) -> None:
    """Each refusal says what was found; no hook stays behind."""
    network = TwoChannels((1.0, 1.0))
    with pytest.raises(ValueError, match=message):
        grad_cam(network, layer, image, score)

    assert not any(module._forward_hooks for module in network.modules())


def test_a_declared_map_is_that_of_its_network_column_and_sign() -> None:
    """By name in the signature; the sign decides whether what raises or what lowers the score is shown."""
    signature = nn.ModuleDict({"network": nn.Sequential(TwoChannels((1.0, -1.0)), nn.Unflatten(0, (1, 1)))})
    image = IMAGE[0].numpy()
    raises, lowers = (ScoreMap("m", "", "", "", "network", "0.act", 0, lowers=sign) for sign in (False, True))

    np.testing.assert_allclose(explained(signature, raises, image).values, [[0.25, 0], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(explained(signature, lowers, image).values, [[0, 0.25], [0, 1]], atol=1e-6)
    assert ScoreMap("m", "", "", "", "", "", 1).score(torch.tensor([[1.0, 2.0]])).tolist() == [2.0]
    with pytest.raises(AttributeError, match="no attribute `elsewhere`"):
        explained(signature, ScoreMap("m", "", "", "", "elsewhere", "act"), image)
