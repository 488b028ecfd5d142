"""The network of the CT signature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.ct_chemo_response.network import ResponseNetwork, load_pretrained
from models.onnx_export import export_onnx, parity
from models.runtime import OnnxModel
from models.spec import ModelSpec, TensorSpec

SPEC = ModelSpec(
    name="specimen",
    title="",
    modality="CT",
    endpoint="",
    horizons_months=(),
    images=(),
    covariates=(),
    inputs=(TensorSpec("slices", (3, 112, 112), ""),),
    outputs=(TensorSpec("logit", (), ""),),
    prepare_path="",
    system_path="",
    maps_path="",
)


def network(width: float = 0.25, seed: int = 0) -> ResponseNetwork:
    """A network whose head is no longer zero, in evaluation mode."""
    torch.manual_seed(seed)
    built = ResponseNetwork(width, dropout=0.0)
    nn.init.normal_(built.head.weight, std=0.05)
    return built.eval()


class OneOutput(nn.Module):
    """The network as a signature: a tuple of outputs."""

    def __init__(self, built: ResponseNetwork) -> None:
        """Take the network."""
        super().__init__()
        self.built = built

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return the logit."""
        return (self.built(images),)


def slices(n: int, seed: int = 1) -> Tensor:
    """Images with intensities 0 to 1, (n, 3, 112, 112)."""
    return torch.rand(n, 3, 112, 112, generator=torch.Generator().manual_seed(seed))


def parameters_by_hand(planes: tuple[int, int, int]) -> int:
    """Weights of stem, bottleneck blocks (3, 4, 6), two excitations and head, added up from the description."""
    normalised = 2  # scale and shift per channel of batch normalisation
    total = 3 * 7 * 7 * planes[0] + normalised * planes[0]
    channels = planes[0]
    for plane, blocks in zip(planes, (3, 4, 6), strict=True):
        for block in range(blocks):
            total += channels * plane + 9 * plane * plane + plane * 4 * plane + normalised * (plane + plane + 4 * plane)
            if block == 0:
                total += channels * 4 * plane + normalised * 4 * plane
            channels = 4 * plane
    for excited in (planes[0], 4 * planes[2]):
        hidden = max(excited // 16, 8)
        total += excited * hidden + hidden + hidden * excited + excited
    return total + 4 * planes[2] + 1


@pytest.mark.parametrize(("width", "planes"), [(1.0, (64, 128, 256)), (0.25, (16, 32, 64)), (0.5, (32, 64, 128))])
def test_has_the_parameters_of_the_description(width: float, planes: tuple[int, int, int]) -> None:
    """As many parameters as the architecture's layers add up to, at any width."""
    assert sum(p.numel() for p in ResponseNetwork(width, 0.0).parameters()) == parameters_by_hand(planes)


def test_trunk_is_resnet50_without_its_last_stage() -> None:
    """At full width the trunk has ResNet50's 23 508 032 parameters without classifier, less 14 964 736 of stage 4."""
    trunk = ResponseNetwork(1.0, 0.0).trunk

    assert sum(p.numel() for p in trunk.parameters()) == 23_508_032 - 14_964_736
    assert [len(stage) for stage in (trunk.layer1, trunk.layer2, trunk.layer3)] == [3, 4, 6]
    assert trunk.conv1.stride == (2, 2)


def test_excitations_stand_ahead_of_the_first_and_behind_the_last_block() -> None:
    """The first excitation sees the stem's 28 x 28 maps, the last one the 7 x 7 maps of the last block."""
    built, seen = network(), []
    for block in (built.excite_first, built.excite_last):
        block.register_forward_hook(lambda _module, given, _result: seen.append(tuple(given[0].shape)))

    assert built(slices(2)).shape == (2,)
    assert seen == [(2, 16, 28, 28), (2, 256, 7, 7)]


def test_excitation_multiplies_every_channel_by_a_gate() -> None:
    """Squeeze, two dense layers with ReLU and sigmoid, product; computed here by hand."""
    block = network().excite_first
    maps = torch.rand(2, 16, 5, 5)
    down, _, up, _ = block.fc
    gate = torch.sigmoid(torch.relu(maps.mean(dim=(2, 3)) @ down.weight.T + down.bias) @ up.weight.T + up.bias)

    torch.testing.assert_close(block(maps), maps * gate[:, :, None, None])


def test_gradients_reach_every_parameter() -> None:
    """No part of the network is cut off from the logit."""
    built = network().train()
    built(slices(4)).sum().backward()

    for name, parameter in built.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_starts_undecided() -> None:
    """Before training everybody has even odds."""
    assert ResponseNetwork(0.25, dropout=0.5)(slices(2)).tolist() == [0.0, 0.0]


def test_batch_of_one_equals_a_row_of_a_batch() -> None:
    """A patient's logit does not depend on the others."""
    built, images = network(), slices(4)
    with torch.inference_mode():
        together = built(images)
        apart = torch.cat([built(images[row : row + 1]) for row in range(4)])

    torch.testing.assert_close(together, apart, rtol=0, atol=1e-5)
    assert len(set(together.tolist())) == 4


def test_onnx_equals_torch(tmp_path: Path) -> None:
    """What ships computes what was trained, for any number of patients."""
    built, path = OneOutput(network()), tmp_path / "model.onnx"
    export_onnx(built, SPEC, {}, path)

    difference = parity(built, path, {"slices": slices(5).numpy()})["logit"]
    assert difference is not None
    assert difference <= 1e-4
    alone, together = (OnnxModel(path, batch_size=size).run({"slices": slices(3).numpy()})["logit"] for size in (1, 3))
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)


def torchvision_names() -> list[str]:
    """Names of the convolutions of torchvision's resnet50 up to stage 3, written down from its layout."""
    names = ["conv1.weight"]
    for stage, blocks in (("layer1", 3), ("layer2", 4), ("layer3", 6)):
        for block in range(blocks):
            names += [f"{stage}.{block}.conv{k}.weight" for k in (1, 2, 3)]
        names.append(f"{stage}.0.downsample.0.weight")
    return names


def pretrained_file(folder: Path, **changes: Tensor | None) -> Path:
    """A ResNet50 state dict as torchvision writes it, stage 4 and classifier included; None removes a tensor."""
    torch.manual_seed(5)
    weights = dict(ResponseNetwork(1.0, 0.0).trunk.state_dict())
    weights |= {"layer4.0.conv1.weight": torch.zeros(512, 1024, 1, 1), "fc.weight": torch.zeros(1000, 2048)}
    weights |= {name.replace("__", "."): value for name, value in changes.items() if value is not None}
    for name in (name.replace("__", ".") for name, value in changes.items() if value is None):
        del weights[name]
    path = folder / "resnet50.pt"
    torch.save(weights, path)
    return path


def test_pretrained_weights_are_taken_over(tmp_path: Path) -> None:
    """The trunk equals the file, under torchvision's names; excitations and head stay as built."""
    path, built = pretrained_file(tmp_path), ResponseNetwork(1.0, 0.0)
    gate = built.excite_first.fc[0].weight.clone()
    load_pretrained(built, path)

    weights, trunk = torch.load(path, weights_only=True), built.trunk.state_dict()
    assert set(torchvision_names()) == {name for name, value in trunk.items() if value.ndim == 4}
    assert all(torch.equal(value, weights[name]) for name, value in trunk.items())
    assert torch.equal(gate, built.excite_first.fc[0].weight)


def test_pretrained_file_without_batch_counters_will_do(tmp_path: Path) -> None:
    """Old files of torchvision hold no counters of batches."""
    built = ResponseNetwork(1.0, 0.0)
    load_pretrained(built, pretrained_file(tmp_path, bn1__num_batches_tracked=None))

    assert int(built.trunk.bn1.num_batches_tracked) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv1__weight": torch.zeros(64, 1, 7, 7)}, r"conv1\.weight: found \(64, 1, 7, 7\), expected \(64, 3, 7, 7"),
        ({"bn1__weight": None}, r"1 tensors differ from ResNet50's, first bn1\.weight: found nothing, expected \(64,"),
        ({"layer3__6__conv1__weight": torch.zeros(2)}, r"first layer3\.6\.conv1\.weight: found \(2,\), expected"),
    ],
)
def test_pretrained_weights_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Tensor | None], message: str
) -> None:
    """Another shape, a missing tensor and one of a deeper ResNet are named; nothing is loaded."""
    built = ResponseNetwork(1.0, 0.0)
    before = built.trunk.conv1.weight.clone()

    with pytest.raises(ValueError, match=message):
        load_pretrained(built, pretrained_file(tmp_path, **changes))
    assert torch.equal(before, built.trunk.conv1.weight)


def test_pretrained_file_must_be_a_plain_state_dict(tmp_path: Path) -> None:
    """A missing file, other content and pickled code are refused with the file's name; no code is run."""
    (tmp_path / "text.pt").write_text("not weights")
    torch.save(ResponseNetwork(0.25, 0.0), tmp_path / "whole_module.pt")
    torch.save([1, 2], tmp_path / "list.pt")

    for name in ("missing.pt", "text.pt", "whole_module.pt", "list.pt"):
        with pytest.raises(ValueError, match=f"pretrained weights .*{name}"):
            load_pretrained(ResponseNetwork(0.25, 0.0), tmp_path / name)
