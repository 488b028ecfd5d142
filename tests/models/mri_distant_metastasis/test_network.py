"""The network of one sequence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.mri_distant_metastasis.network import SequenceNetwork, load_pretrained

RESNET18_TRUNK_PARAMETERS = 11_176_512  # torchvision's resnet18 without its classifier


def test_is_resnet18_behind_a_slice_mixture() -> None:
    """At full width the trunk has ResNet18's parameters; before it a 1 x 1 convolution 20 to 3, behind it one logit."""
    network = SequenceNetwork(width=1.0, dropout=0.5)

    assert sum(p.numel() for p in network.trunk.parameters()) == RESNET18_TRUNK_PARAMETERS
    assert tuple(network.mix.weight.shape) == (3, 20, 1, 1)
    assert tuple(network.head.weight.shape) == (1, 512)
    assert network.trunk.conv1.stride == (2, 2)
    assert network(torch.zeros(2, 20, 112, 112)).shape == (2,)


def test_residual_connections_are_there() -> None:
    """With all convolutions of a block at zero its input passes through."""
    block = SequenceNetwork(width=0.125, dropout=0.0).trunk.layer1[0].eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.rand(1, 8, 4, 4)

    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize("prevalence", [0.2, 0.5])
def test_starts_at_the_prevalence_and_at_the_average_slice(prevalence: float) -> None:
    """Before training everybody gets the prevalence, and the three channels show the average of the slices."""
    network = SequenceNetwork(width=0.125, dropout=0.5, prevalence=prevalence)
    stack = torch.randn(3, 20, 112, 112)
    mixed = network.mix(stack)

    torch.testing.assert_close(torch.sigmoid(network(stack)), torch.full((3,), prevalence))
    torch.testing.assert_close(mixed, stack.sum(dim=1, keepdim=True).expand(-1, 3, -1, -1) / 20**0.5)


def pretrained_file(folder: Path, **changes: Tensor | None) -> Path:
    """A ResNet18 state dict as torchvision writes it, classifier included; None removes a tensor."""
    torch.manual_seed(0)
    weights = dict(SequenceNetwork(1.0, 0.0).trunk.state_dict())
    weights |= {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    weights |= {name.replace("__", "."): value for name, value in changes.items() if value is not None}
    for name in (name.replace("__", ".") for name, value in changes.items() if value is None):
        del weights[name]
    path = folder / "resnet18.pt"
    torch.save(weights, path)
    return path


def test_pretrained_weights_are_taken_over(tmp_path: Path) -> None:
    """The trunk equals the file; slice mixture and head stay as built."""
    path, network = pretrained_file(tmp_path), SequenceNetwork(1.0, 0.0)
    head = network.head.weight.clone()
    load_pretrained(network, path)

    weights = torch.load(path, weights_only=True)
    assert all(torch.equal(value, weights[name]) for name, value in network.trunk.state_dict().items())
    assert torch.equal(head, network.head.weight)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"conv1__weight": torch.zeros(64, 1, 7, 7)},
            r"conv1\.weight: found \(64, 1, 7, 7\), expected \(64, 3, 7, 7\)",
        ),
        (
            {"bn1__weight": None},
            r"1 tensors differ from ResNet18's, first bn1\.weight: found nothing, expected \(64,\)",
        ),
        ({"extra": torch.zeros(2)}, r"first extra: found \(2,\), expected nothing"),
    ],
)
def test_pretrained_weights_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Tensor | None], message: str
) -> None:
    """Another shape, a missing or an unknown tensor is named; nothing is loaded half."""
    with pytest.raises(ValueError, match=message):
        load_pretrained(SequenceNetwork(1.0, 0.0), pretrained_file(tmp_path, **changes))


def test_pretrained_file_must_be_a_plain_state_dict(tmp_path: Path) -> None:
    """A missing file, other content and pickled code are refused with the file's name; no code is run."""
    (tmp_path / "text.pt").write_text("not weights")
    torch.save(SequenceNetwork(0.125, 0.0), tmp_path / "whole_module.pt")
    torch.save([1, 2], tmp_path / "list.pt")

    for name in ("missing.pt", "text.pt", "whole_module.pt", "list.pt"):
        with pytest.raises(ValueError, match=f"pretrained weights .*{name}"):
            load_pretrained(SequenceNetwork(1.0, 0.0), tmp_path / name)
