"""The multitask network, its ablations and comparators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from models.ct_stroma_survival.losses import MultitaskLoss
from models.ct_stroma_survival.network import MultitaskNetwork, build_network, score_names
from models.onnx_export import export_onnx, parity
from models.spec import ModelSpec, TensorSpec

COMPARATOR = {"multiscale": False, "attention": False, "autoencoder": False}
VARIANTS: dict[str, dict[str, Any]] = {
    "whole": {},
    "tsr alone": {"tasks": "tsr"},
    "survival alone": {"tasks": "survival"},
    "single scale": {"multiscale": False},
    "without attention": {"attention": False},
    "without autoencoder": {"autoencoder": False},
    "vgg16": {"trunk": "vgg16", **COMPARATOR},
    "densenet121": {"trunk": "densenet121", **COMPARATOR},
}
SPEC = ModelSpec(
    name="specimen",
    title="",
    modality="CT",
    endpoint="",
    horizons_months=(),
    images=(),
    covariates=(),
    inputs=(TensorSpec("image", (1, 112, 112), ""),),
    outputs=(TensorSpec("tsr_logit", (), ""), TensorSpec("log_hazard", (), "")),
    prepare_path="",
    system_path="",
    maps_path="",
)


def crops(n: int, seed: int = 0) -> Tensor:
    """Images (n, 1, 112, 112) in [0, 1] that differ from each other: coarse mottling of another strength in each."""
    g = torch.Generator().manual_seed(seed)
    mottling = nn.functional.interpolate(torch.rand(n, 1, 14, 14, generator=g), size=112, mode="bilinear")
    return (mottling * torch.linspace(0.3, 1.0, n)[:, None, None, None]).clamp(0, 1)


def network(seed: int = 0, **changes: Any) -> MultitaskNetwork:
    """A network of a quarter of the width, whose normalisations hold the means and variances of eight crops."""
    torch.manual_seed(seed)
    built = build_network(**{"width": 0.25, **changes})
    normalisations = [m for m in built.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for module in normalisations:
        module.momentum = 1.0
    with torch.no_grad():
        built(crops(8))
    for module in normalisations:
        module.momentum = 0.1
    return built


def targets(n: int) -> dict[str, Tensor]:
    """Both tasks' targets; some ratios unknown, some events tied, some censored."""
    rows = torch.arange(n)
    return {
        "tsr_high": torch.where(rows % 4 == 3, torch.nan, (rows % 2).double()),
        "event": (rows % 3 > 0).double(),
        "time_months": 1 + (rows // 2).double(),
    }


@pytest.mark.parametrize("name", VARIANTS)
def test_output_shapes(name: str) -> None:
    """Scores in the order of the tasks; with the autoencoder bottleneck, features and reconstruction."""
    built = network(**VARIANTS[name]).eval()
    scores, *coded = built(crops(3))
    columns = 1 if name.endswith("alone") else 2
    features = {"single scale": 512}.get(name, 960)

    assert scores.shape == (3, columns)
    assert [tuple(part.shape) for part in coded] == (
        [] if built.autoencoder is None else [(3, 16), (3, features), (3, features)]
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_reach_every_parameter(name: str) -> None:
    """Each tensor of parameters has a gradient from at least one of three starting points (a narrow gate may be shut).

    In double precision, so that what cancels exactly is not mistaken for a gradient.
    """
    variant = VARIANTS[name]
    loss = MultitaskLoss(variant.get("tasks", "both"))
    unreached: set[str] = set()
    for seed in range(3):
        built = network(seed, **variant).double().train()
        loss(built(crops(8).double()), targets(8)).backward()
        silent = {n for n, p in built.named_parameters() if p.grad is None or float(p.grad.abs().max()) < 1e-10}
        unreached = silent if seed == 0 else unreached & silent

    assert unreached == set()


@pytest.mark.parametrize(("task", "other"), [("tsr", "log_hazard"), ("survival", "tsr_logit")])
def test_each_task_reaches_the_trunk_and_not_the_other_head(task: str, other: str) -> None:
    """The trunk learns from both tasks; a head learns from its own alone."""
    built = network().double().train()
    MultitaskLoss().terms(built(crops(8).double()), targets(8))[task].backward()

    assert not any(p.grad.any() for p in built.heads[other].parameters())
    assert float(built.trunk.resnet.conv1.weight.grad.abs().max()) > 0


def test_batch_without_events_and_ratios_has_no_nan_gradient() -> None:
    """All censored, all ratios unknown: the gradient comes from the autoencoder alone and is finite."""
    built = network().train()
    nothing = {"tsr_high": torch.full((4,), torch.nan), "event": torch.zeros(4), "time_months": torch.ones(4)}
    MultitaskLoss()(built(crops(4)), nothing).backward()

    assert all(p.grad.isfinite().all() for p in built.parameters())
    assert all(not p.grad.any() for p in built.heads.parameters())


@pytest.mark.parametrize("name", ["whole", "vgg16", "densenet121"])
def test_batch_of_one_is_a_row_of_a_batch(name: str) -> None:
    """In evaluation mode a patient's output does not depend on who else is in the batch."""
    built = network(**VARIANTS[name]).eval()
    images = crops(5, seed=1)
    with torch.inference_mode():
        together, alone = built(images), built(images[3:4])

    assert (together[0].std(dim=0) > 0.05).all(), "scores that hardly differ prove nothing"
    for part, row in zip(together, alone, strict=True):
        torch.testing.assert_close(row, part[3:4], atol=5e-5, rtol=1e-5)


def count(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters())


def test_full_width() -> None:
    """24 912 820 trunk, 8 430 400 autoencoder, shared layer 64 x 256 with normalisation, two heads; it runs."""
    built = build_network(width=1.0)
    shared = (64 * 256 + 256) + 2 * 256
    heads = 2 * (256 * 64 + 64) + (64 + 1) + 64  # the hazard's last layer has no bias

    assert count(built.trunk) == 24_912_820
    assert count(built) == 24_912_820 + 8_430_400 + shared + heads
    with torch.inference_mode():
        scores, code, features, _ = built.eval()(crops(1))
    assert (scores.shape, code.shape, features.shape) == ((1, 2), (1, 64), (1, 3840))


@pytest.mark.parametrize(("tasks", "column", "gone"), [("tsr", 0, "log_hazard"), ("survival", 1, "tsr_logit")])
def test_single_task_lacks_the_other_head_and_nothing_else(tasks: str, column: int, gone: str) -> None:
    """With the same weights the remaining score is the same."""
    whole, single = network().eval(), network(tasks=tasks).eval()
    missing = single.load_state_dict(whole.state_dict(), strict=False)
    image = crops(2, seed=1)

    assert missing.missing_keys == []
    assert {name.rsplit(".", 2)[0] for name in missing.unexpected_keys} == {f"heads.{gone}"}
    with torch.inference_mode():
        torch.testing.assert_close(single(image)[0][:, 0], whole(image)[0][:, column])


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        ({"multiscale": False}, {"trunk.attention", "autoencoder.encoder", "autoencoder.decoder"}),
        ({"attention": False}, {"trunk.attention"}),
        ({"autoencoder": False}, {"autoencoder.encoder", "autoencoder.decoder", "shared.0"}),
    ],
)
def test_ablations_change_nothing_else(change: dict[str, Any], differ: set[str]) -> None:
    """Names and shapes of all other parameters are those of the whole network."""
    whole, ablated = build_network(width=0.25), build_network(width=0.25, **change)
    shapes = [{(name, tuple(p.shape)) for name, p in net.named_parameters()} for net in (whole, ablated)]

    assert {".".join(name.split(".")[:2]) for name, _ in shapes[0] ^ shapes[1]} == differ


def test_without_autoencoder_the_features_reach_the_heads_as_they_are() -> None:
    """The only output is the scores, those of shared layer and heads on the trunk's features."""
    built = network(autoencoder=False).eval()
    image = crops(2, seed=1)
    shared = built.shared(built.trunk(image))

    (scores,) = built(image)
    torch.testing.assert_close(scores, torch.cat([head(shared) for head in built.heads.values()], dim=1))


@pytest.mark.parametrize("trunk", ["vgg16", "densenet121"])
def test_comparators_have_the_same_heads(trunk: str) -> None:
    """All but the trunk is the network without autoencoder, whose first dense layer takes the trunk's features."""
    ours, theirs = build_network(width=0.25, autoencoder=False), build_network(trunk, width=0.25, **COMPARATOR)

    assert [(n, p.shape) for n, p in theirs.heads.named_parameters()] == [
        (n, p.shape) for n, p in ours.heads.named_parameters()
    ]
    assert theirs.shared[0].in_features == theirs.trunk.features


def test_hazard_may_take_either_sign() -> None:
    """Log relative hazards are linear in the last layer: turned around, they are the opposite; no |x|."""
    built = network().eval()
    image = crops(4)
    hazard = built(image)[0][:, 1].detach()
    with torch.no_grad():
        built.heads["log_hazard"][-1].weight.mul_(-1)

    torch.testing.assert_close(built(image)[0][:, 1], -hazard)


def test_ratio_starts_at_its_prevalence() -> None:
    """The last bias is the prevalence's logit."""
    built = build_network(width=0.25, tsr_prevalence=0.2)

    assert float(torch.sigmoid(built.heads["tsr_logit"][-1].bias).detach()) == pytest.approx(0.2)


def test_penalty_is_on_the_shared_layer_and_the_heads() -> None:
    """0.02 times the squares of five weight matrices, no bias, no normalisation, nothing of trunk and autoencoder."""
    built = network()
    names = {name for name, p in built.named_parameters() if any(p is q for q in built.penalised_parameters())}
    built.l2_penalty().backward()

    assert names == {
        "shared.0.weight",
        "heads.tsr_logit.0.weight",
        "heads.tsr_logit.3.weight",
        "heads.log_hazard.0.weight",
        "heads.log_hazard.2.weight",
    }
    assert {name for name, p in built.named_parameters() if p.grad is not None} == names
    weights = built.penalised_parameters()
    squares = sum(float(w.detach().square().sum()) for w in weights)
    assert float(built.l2_penalty().detach()) == pytest.approx(0.02 * squares, rel=1e-5)
    torch.testing.assert_close(weights[0].grad, 0.04 * weights[0])


def test_dropout_is_in_front_of_the_ratio_alone() -> None:
    """One dropout layer, of the probability asked for."""
    drops = {name: m.p for name, m in build_network(width=0.25).named_modules() if isinstance(m, nn.Dropout)}

    assert drops == {"heads.tsr_logit.2": 0.2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trunk": "resnet"}, "trunk: found 'resnet', expected one of se_resnet50, vgg16, densenet121"),
        ({"trunk": "vgg16"}, "trunk vgg16 has neither multiscale features nor attention"),
        ({"trunk": "densenet121", "attention": False}, "trunk densenet121 has neither"),
        ({"tasks": "os"}, "tasks: found 'os', expected one of both, tsr, survival"),
    ],
)
def test_builder_refuses_what_it_does_not_have(arguments: dict[str, Any], message: str) -> None:
    """Unknown names, and ablations of what a comparator does not have."""
    with pytest.raises(ValueError, match=message):
        build_network(width=0.25, **arguments)


class Scores(nn.Module):
    """The part of the network that ships: one output per score."""

    def __init__(self, built: MultitaskNetwork) -> None:
        """Take the network."""
        super().__init__()
        self.network = built

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the columns of the scores."""
        return self.network(image)[0].unbind(dim=1)  # type: ignore[no-any-return]


def test_onnx_is_the_network(tmp_path: Path) -> None:
    """ONNX Runtime within 1e-4 of torch for one patient and for several; the decoder is not shipped."""
    built = network()
    path = tmp_path / "model.onnx"
    export_onnx(Scores(built), SPEC, {}, path)
    with torch.inference_mode():
        assert (built(crops(5, seed=1))[0].std(dim=0) > 0.05).all(), "scores that hardly differ prove nothing"
    for n in (1, 5):
        differences = parity(Scores(built), path, {"image": crops(n, seed=1).numpy()})
        assert set(differences) == set(score_names("both"))
        assert all(d is not None and d <= 1e-4 for d in differences.values())

    shipped = sum(int(np.prod(tensor.dims)) for tensor in onnx.load(path).graph.initializer)
    assert built.autoencoder is not None
    assert shipped <= count(built) + sum(b.numel() for b in built.buffers()) - count(built.autoencoder.decoder)
