"""The network of the tile classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets.resnet import ResNetBottleneck
from torch import Tensor

from models.histology_spatial_survival import TISSUES
from models.histology_spatial_survival.network import TileClassifier, TissueProbabilities
from models.onnx_export import export_graph, parity
from models.runtime import OnnxModel


def tiles(n: int, side: int = 64, seed: int = 1) -> Tensor:
    """Random tiles (n, side, side, 3), grey levels."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, side, side, 3), generator=generator, dtype=torch.uint8)


def network(width: float = 0.25, dropout: float = 0.0, seed: int = 0) -> TileClassifier:
    """A network with random weights, in evaluation mode."""
    torch.manual_seed(seed)
    return TileClassifier(width, dropout).eval()


def bottlenecks(built: TileClassifier) -> list[ResNetBottleneck]:
    """The blocks of its trunk."""
    return [part for part in built.trunk.modules() if isinstance(part, ResNetBottleneck)]


def begun(built: TileClassifier) -> TileClassifier:
    """The same with bottlenecks that add something, as those of a network that has learnt."""
    for part in bottlenecks(built):
        torch.nn.init.ones_(part.bn3.weight)
    return built


def parameters_by_hand(planes: tuple[int, ...], hidden: int) -> int:
    """Weights of stem, bottleneck blocks (3, 4, 6, 3) and dense layers, added up from the description."""
    normalised = 2  # scale and shift per channel of batch normalisation
    total = 3 * 7 * 7 * planes[0] + normalised * planes[0]
    channels = planes[0]
    for plane, blocks in zip(planes, (3, 4, 6, 3), strict=True):
        for block in range(blocks):
            total += channels * plane + 9 * plane * plane + plane * 4 * plane + normalised * (plane + plane + 4 * plane)
            if block == 0:
                total += channels * 4 * plane + normalised * 4 * plane
            channels = 4 * plane
    return total + (channels + 1) * hidden + (hidden + 1) * 7


@pytest.mark.parametrize(
    ("width", "planes", "hidden"), [(1.0, (64, 128, 256, 512), 512), (0.25, (16, 32, 64, 128), 128)]
)
def test_number_of_parameters(width: float, planes: tuple[int, ...], hidden: int) -> None:
    """Full width is ResNet50's trunk, 23 508 032 parameters, and two dense layers; a quarter is narrower all over."""
    counted = sum(parameter.numel() for parameter in TileClassifier(width, 0.5).parameters())

    assert counted == parameters_by_hand(planes, hidden)
    if width == 1:
        assert counted == 23_508_032 + 2049 * 512 + 513 * 7


def test_gradients_reach_every_parameter() -> None:
    """No part of the network is cut off from the logits, once the bottlenecks have begun to add something."""
    built = begun(network()).train()
    torch.nn.functional.cross_entropy(built(tiles(4)), torch.tensor([0, 2, 4, 6])).backward()

    for name, parameter in built.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_untrained_bottlenecks_add_nothing() -> None:
    """At first each of the sixteen hands on what it gets, through its shortcut, and the first step changes that."""
    built = network().train()
    (first, *others) = bottlenecks(built)
    features = torch.rand(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.nn.functional.cross_entropy(built(tiles(4)), torch.tensor([0, 2, 4, 6])).backward()

    assert len(others) == 15
    assert torch.equal(first(features), first.downsample(features).relu())
    assert all(part.bn3.weight.grad.abs().sum() > 0 for part in (first, *others))


def test_grey_levels_of_any_type_are_the_same() -> None:
    """Augmented tiles are numbers, others bytes: the scale is the same."""
    built, given = network(), tiles(2)
    with torch.inference_mode():
        torch.testing.assert_close(built(given), built(given.float()), rtol=0, atol=0)


def test_the_trunk_sees_shares_of_white() -> None:
    """Grey level 255 reaches the trunk as 1, colours as channels."""
    built, seen = network(), list[Tensor]()
    built.trunk.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    picture = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    picture[..., 0], picture[..., 2] = 255, 51
    built(picture)

    assert seen[0].shape == (1, 3, 32, 32)
    assert [float(channel.mean()) for channel in seen[0][0]] == pytest.approx([1, 0, 0.2])


def test_probabilities_add_up_to_one() -> None:
    """Seven tissues, softmax of the logits."""
    with torch.inference_mode():
        (found,) = TissueProbabilities(network())(tiles(3))

    assert found.shape == (3, len(TISSUES))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(3))
    assert found.std() > 0


def test_onnx_equals_torch_and_takes_bytes_only(tmp_path: Path) -> None:
    """What ships computes what was trained, for any number of tiles; numbers are refused, being perhaps shares."""
    path, built = tmp_path / "tiles.onnx", TissueProbabilities(network())
    export_graph(built, {"tiles": torch.zeros(2, 224, 224, 3, dtype=torch.uint8)}, ["probability"], {"a": "b"}, path)
    given = tiles(3, side=224).numpy()

    difference = parity(built, path, {"tiles": given})["probability"]
    assert difference is not None
    assert difference <= 1e-5
    assert OnnxModel(path).metadata == {"a": "b"}
    with pytest.raises(ValueError, match="input tiles: float32, expected uint8 pixels"):
        OnnxModel(path).run({"tiles": (given / 255).astype(np.float32)})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A nine-class ResNet50 as torchvision writes it."""
    torch.manual_seed(5)
    weights = dict(begun(TileClassifier(1.0, 0.0)).trunk.state_dict())
    weights |= {"fc.weight": torch.zeros(9, 2048), "fc.bias": torch.zeros(9)}
    path = tmp_path_factory.mktemp("published") / "nine_tissues.pt"
    torch.save(weights, path)
    return path


def test_published_weights_are_taken_over_and_mostly_frozen(published: Path) -> None:
    """The trunk equals the file; only its last stage and the dense layers learn, and the rest stays in evaluation."""
    built = TileClassifier(1.0, 0.5)
    assert all(parameter.requires_grad for parameter in built.parameters())
    built.load_pretrained(published)
    weights, trunk = torch.load(published, weights_only=True), built.trunk.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in trunk.items())

    learning = {name for name, parameter in built.named_parameters() if parameter.requires_grad}
    assert {name.rpartition(".")[0].split(".")[0] for name in learning} == {"trunk", "head"}
    assert all(name.startswith(("trunk.layer4.", "head.")) for name in learning)
    assert sum(p.numel() for p in built.parameters() if p.requires_grad) == 14_964_736 + 2049 * 512 + 513 * 7


def test_what_is_frozen_stays_and_the_rest_learns(published: Path) -> None:
    """A step in training mode moves the last stage and the dense layers, and no frozen weight or batch statistic."""
    built = TileClassifier(1.0, 0.0)
    built.load_pretrained(published)
    before = {name: value.clone() for name, value in built.state_dict().items()}
    built.train()
    optimiser = torch.optim.SGD(built.parameters(), 0.1, weight_decay=0.1)
    torch.nn.functional.cross_entropy(built(tiles(2)), torch.tensor([1, 5])).backward()
    optimiser.step()

    for name, value in built.state_dict().items():
        learns = name.startswith(("trunk.layer4.", "head."))
        assert torch.equal(before[name], value) != learns, name


def test_file_that_is_no_resnet50_is_refused(tmp_path: Path, published: Path) -> None:
    """Another architecture is named; nothing is loaded and nothing frozen."""
    weights = torch.load(published, weights_only=True)
    del weights["layer4.2.bn3.weight"]
    torch.save(weights, tmp_path / "shallow.pt")
    built = TileClassifier(1.0, 0.0)

    with pytest.raises(
        ValueError, match=r"shallow\.pt: 1 tensors differ from ResNet50's, first layer4\.2\.bn3\.weight"
    ):
        built.load_pretrained(tmp_path / "shallow.pt")
    assert built.frozen == ()
