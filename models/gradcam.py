"""Grad-CAM: where in its input an image network found what raised its score (Selvaraju, ICCV 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class ActivationMap:
    """The Grad-CAM of one patient.

    Attributes:
        values: (rows, columns) of the input, 0 to 1, the largest 1; None if there is nothing to show.
        reason: Why there is nothing to show; None if there is a map.
    """

    values: NDArray[np.float32] | None
    reason: str | None


@dataclass(frozen=True)
class ScoreMap:
    """One map that a model declares: which score is explained, and where in the signature it is computed.

    A model's file in `models/maps/` returns these for a training folder; `ModelSpec.maps_path` names the function.

    Attributes:
        name: Name of the map, unique in the model; letters, digits and _, as it becomes part of file names.
        explains: What is shown, for people: "what raises t2w_prob: distant metastasis is likelier".
        output: Output of the spec, a scalar per patient, that rises and falls with the score.
        input: Image input of the spec; the network takes it and nothing else.
        network: Name of the network in the signature, as in `signature.named_modules()`.
        layer: Name of the layer in the network.
        column: Column of the score among those of the network, (1, K); 0 of a network with one score.
        lowers: Explain what lowers the score, and so the output: its negative is what the map is of.
    """

    name: str
    explains: str
    output: str
    input: str
    network: str
    layer: str
    column: int = 0
    lowers: bool = False

    def score(self, scores: Tensor) -> Tensor:
        """Return the value to explain, (1,), of the scores of one patient, (1,) or (1, K)."""
        picked = scores.reshape(len(scores), -1)[:, self.column]
        return -picked if self.lowers else picked


def explained(signature: nn.Module, declared: ScoreMap, image: NDArray[np.float32]) -> ActivationMap:
    """Return a declared map of one patient.

    Args:
        signature: The trained signature, as `System.signature` returns it.
        declared: One of the model's maps.
        image: (channels, rows, columns), the pre-processed input `declared.input`.

    Raises:
        AttributeError: The signature has no such network.
        ValueError: As `grad_cam`.
    """
    network = signature.get_submodule(declared.network)
    return grad_cam(network, declared.layer, torch.from_numpy(image)[None], declared.score)


def grad_cam(
    network: nn.Module, layer: str, image: Tensor, score: Callable[[Any], Tensor] = lambda output: output
) -> ActivationMap:
    """Explain one score of one patient by one layer of an image network, in evaluation mode.

    The layer's channels are weighted by the gradient of the score, averaged over the layer's pixels; the weighted sum,
    negative values set to 0, is interpolated (bilinear) to the size of the image and divided by its largest value.
    Neither the network nor its gradients are changed.

    Args:
        network: Takes the image as its only argument.
        layer: Name of a layer with an output (1, channels, rows, columns), as in `network.named_modules()`. If it is
            passed more than once, its last output counts.
        image: (1, channels, rows, columns).
        score: Picks from the network's output the one value to explain; its sign decides what "raises" means. The
            default serves networks that return it as such.

    Raises:
        ValueError: No such layer, more than one patient, the layer is not passed or gives no map, or the score is not
            one finite value.
    """
    if image.ndim != 4 or len(image) != 1:
        raise ValueError(f"image of shape {tuple(image.shape)}, expected (1, channels, rows, columns)")
    activation, gradient = _activation_and_gradient(network, layer, image, score)
    if not gradient.any():
        return ActivationMap(None, f"the score does not depend on layer {layer}: its gradient is zero")
    weights = gradient.mean(dim=(2, 3), keepdim=True)  # (1, channels, 1, 1)
    raised = (weights * activation).sum(dim=1, keepdim=True).clamp(min=0)  # (1, 1, rows, columns) of the layer
    resized = nn.functional.interpolate(raised, size=image.shape[2:], mode="bilinear", align_corners=False)[0, 0]
    largest = resized.max()
    if largest <= 0:
        return ActivationMap(None, f"nothing in layer {layer} moves the score that way: the map is zero everywhere")
    return ActivationMap((resized / largest).cpu().numpy(), None)


def _activation_and_gradient(
    network: nn.Module, layer: str, image: Tensor, score: Callable[[Any], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the layer's output and the gradient of the score in it, both (1, channels, rows, columns)."""
    outputs: list[Any] = []
    with _evaluating(network), torch.enable_grad(), _recorded(network, layer, outputs):
        value = score(network(image.detach().clone().requires_grad_()))
    if not outputs:
        raise ValueError(f"layer {layer} is not passed by the network")
    activation = outputs[-1]
    if not isinstance(activation, Tensor) or activation.ndim != 4:
        found = tuple(activation.shape) if isinstance(activation, Tensor) else type(activation).__name__
        raise ValueError(f"layer {layer} gives {found}, expected (1, channels, rows, columns)")
    if value.numel() != 1 or not value.isfinite().all():
        raise ValueError(f"the score is {value.tolist()}, expected one finite value")
    gradient = None
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value, activation, torch.ones_like(value), allow_unused=True)
    return activation.detach(), torch.zeros_like(activation) if gradient is None else gradient


@contextmanager
def _recorded(network: nn.Module, layer: str, outputs: list[Any]) -> Iterator[None]:
    """Keep what a layer gives; what follows gets a copy, as it may change it in place."""
    layers = dict(network.named_modules())
    if layer not in layers or not layer:
        children = ", ".join(name for name, _ in network.named_children())
        raise ValueError(f"no layer {layer!r} among the network's named modules, which begin with {children}")

    def keep(_module: nn.Module, _arguments: Any, output: Any) -> Any:
        outputs.append(output)
        return output.clone() if isinstance(output, Tensor) else output

    handle = layers[layer].register_forward_hook(keep)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode for a while."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
