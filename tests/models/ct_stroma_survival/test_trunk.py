"""The trunk: SE-ResNet50, concurrent excitation, receptive-field attention, four scales."""

from __future__ import annotations

import pytest
import torch
from monai.networks.blocks.squeeze_and_excitation import ChannelSELayer
from torch import Tensor, nn

from models.ct_stroma_survival.trunk import ConcurrentExcitation, MultiscaleTrunk, ReceptiveFieldAttention

RESNET50_TRUNK_PARAMETERS = 23_508_032  # torchvision's resnet50, three input channels, without its classifier


def convolution(inputs: int, outputs: int, size: int) -> int:
    """Parameters of a convolution without bias and of the batch normalisation behind it."""
    return inputs * outputs * size**2 + 2 * outputs


def excitation(channels: int) -> int:
    """Parameters of both gates: two dense layers by way of channels / 32, 8 at least; 1 x 1 convolution; biases."""
    squeezed = max(8, channels // 32)
    return (channels * squeezed + squeezed) + (squeezed * channels + channels) + (channels + 1)


def bottleneck(inputs: int, planes: int, first: bool) -> int:
    """Parameters of a bottleneck: 1 x 1, 3 x 3, 1 x 1, in the first of a stage the projection of the residual."""
    outputs = 4 * planes
    layers = convolution(inputs, planes, 1) + convolution(planes, planes, 3) + convolution(planes, outputs, 1)
    return layers + (convolution(inputs, outputs, 1) if first else 0)


def attention(channels: int) -> int:
    """Parameters of three depthwise 3 x 3 convolutions, a 1 x 1 convolution to three weights, a normalisation."""
    return 3 * 9 * channels + (3 * channels + 3) + 2 * channels


def trunk_parameters(width: float, input_channels: int = 1, excited: bool = True) -> int:
    """Parameters of stem and 3, 4, 6, 3 bottlenecks."""
    inputs = int(64 * width)
    total = convolution(input_channels, inputs, 7)
    for planes, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        scaled = int(planes * width)
        for block in range(blocks):
            total += bottleneck(inputs, scaled, block == 0) + (excitation(4 * scaled) if excited else 0)
            inputs = 4 * scaled
    return total


def count(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters())


def test_arithmetic_is_that_of_resnet50() -> None:
    """Without excitation and with three input channels the sum below is the published ResNet50's."""
    assert trunk_parameters(1.0, input_channels=3, excited=False) == RESNET50_TRUNK_PARAMETERS


@pytest.mark.parametrize("width", [0.25, 0.5, 1.0])
def test_parameters_are_those_of_the_architecture(width: float) -> None:
    """Stem, sixteen bottlenecks, sixteen excitations; attention on 256, 512, 1024 and 2048 channels."""
    trunk = MultiscaleTrunk(width, multiscale=True, attention=True)

    assert count(trunk.resnet) == trunk_parameters(width)
    assert count(trunk.attention) == sum(attention(int(channels * width)) for channels in (256, 512, 1024, 2048))
    assert trunk.features == 3840 * width


def test_full_width_in_numbers() -> None:
    """The published size, written out."""
    assert trunk_parameters(1.0) == 23_501_760 + 13_851 + 69_700 + 405_702 + 798_915 == 24_789_928
    assert sum(map(attention, (256, 512, 1024, 2048))) == 122_892


def test_stages_have_the_published_sizes() -> None:
    """A crop of 112 pixels is 28, 14, 7 and 4 pixels wide after the four stages."""
    maps = MultiscaleTrunk(0.25, True, True).eval().stages(torch.rand(2, 1, 112, 112))

    assert [tuple(x.shape) for x in maps] == [(2, 64, 28, 28), (2, 128, 14, 14), (2, 256, 7, 7), (2, 512, 4, 4)]


def test_excitation_adds_both_gated_maps() -> None:
    """The result is the channel-gated map (MONAI's layer with the same weights) plus the map gated pixel by pixel."""
    torch.manual_seed(0)
    module, x = ConcurrentExcitation(256), torch.rand(2, 256, 5, 5)
    channel = ChannelSELayer(2, 256, r=32)
    channel.fc[0].load_state_dict(module.channel[0].state_dict())
    channel.fc[2].load_state_dict(module.channel[2].state_dict())

    torch.testing.assert_close(module(x), channel(x) + x * torch.sigmoid(module.spatial(x)))


def test_residual_connections_are_there() -> None:
    """With its last convolution at zero and both gates at one half, a block hands on its input."""
    block = MultiscaleTrunk(0.25, True, True).resnet.layer1[1].eval()
    nn.init.zeros_(block.conv3.weight)
    nn.init.zeros_(block.excitation.channel[2].weight)
    nn.init.zeros_(block.excitation.channel[2].bias)
    x = torch.rand(2, 64, 6, 6)

    torch.testing.assert_close(block(x), x)


def test_untrained_trunk_is_well_conditioned() -> None:
    """However deep, maps neither swell nor fade, and single precision is within 1e-5 of double, of their spread."""
    torch.manual_seed(0)
    trunk = MultiscaleTrunk(0.25, True, True)
    image = torch.rand(8, 1, 112, 112)
    with torch.no_grad():
        maps, exact = trunk.stages(image), trunk.double().stages(image.double())

    assert all(0.3 < float(x.mean()) < 3 for x in maps)
    assert all(float((x - y).square().mean().sqrt() / y.std()) < 1e-5 for x, y in zip(maps, exact, strict=True))


def reach(module: nn.Module, channels: int) -> Tensor:
    """Where the middle pixel of a map of 11 x 11 is seen in the output."""
    x = torch.ones(1, channels, 11, 11, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x)[0, :, 5, 5].sum(), x)
    return gradient.abs().sum(dim=(0, 1)) > 0


@pytest.mark.parametrize(("field", "pixels"), [(0, 3), (1, 5), (2, 7)])
def test_attention_weighs_fields_of_3_5_and_7_pixels(field: int, pixels: int) -> None:
    """With all weight on one field, an output pixel sees a square of that size and nothing else."""
    torch.manual_seed(0)
    module = ReceptiveFieldAttention(8).eval()
    module.weigh.bias.data[field] = 200.0
    module.norm.bias.data.fill_(100.0)  # away from the ReLU's zero
    expected = torch.zeros(11, 11, dtype=torch.bool)
    expected[5 - pixels // 2 : 6 + pixels // 2, 5 - pixels // 2 : 6 + pixels // 2] = True

    assert torch.equal(reach(module, 8), expected)


def test_attention_has_a_residual() -> None:
    """Without anything in its fields the input passes through."""
    module = ReceptiveFieldAttention(8).eval()
    for parameter in module.fields.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(2, 8, 7, 7)

    torch.testing.assert_close(module(x), x)


def trunks(**changes: bool) -> tuple[MultiscaleTrunk, MultiscaleTrunk]:
    """The whole trunk and an ablated one with the same ResNet, in evaluation mode."""
    torch.manual_seed(0)
    whole = MultiscaleTrunk(0.25, True, True)
    ablated = MultiscaleTrunk(0.25, **{"multiscale": True, "attention": True, **changes})
    ablated.resnet.load_state_dict(whole.resnet.state_dict())
    return whole.eval(), ablated.eval()


def test_single_scale_is_the_last_stage() -> None:
    """The features of a single scale are the last 2048w of the 3840w, attention included."""
    whole, single = trunks(multiscale=False)
    single.attention[0].load_state_dict(whole.attention[3].state_dict())
    image = torch.rand(2, 1, 112, 112)

    assert single.features == 512
    torch.testing.assert_close(single(image), whole(image)[:, -512:])


def test_without_attention_the_stages_are_averaged() -> None:
    """The features are the means of the stages' maps, in order; only the attention's parameters are gone."""
    whole, plain = trunks(attention=False)
    image = torch.rand(2, 1, 112, 112)
    means = torch.cat([x.mean(dim=(2, 3)) for x in plain.stages(image)], dim=1)

    torch.testing.assert_close(plain(image), means)
    gone = set(whole.state_dict()) - set(plain.state_dict())
    assert set(plain.state_dict()) <= set(whole.state_dict())
    assert {name.split(".")[0] for name in gone} == {"attention"}
    assert not torch.allclose(whole(image), means)
