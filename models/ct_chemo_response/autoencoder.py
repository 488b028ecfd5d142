"""The encoder-decoder of DeepSMOTE (Dablain, Krawczyk and Chawla, IEEE TNNLS 2022), and how it is trained.

The loss is the reconstruction error plus a penalty: codes of one class are permuted, decoded and compared with the
images in their first order, so that the decoder learns to answer a code with any image of its class. This is the
algorithm as printed. The authors' released code permutes the images too, which makes the penalty a second
reconstruction error; a `penalty_weight` of 0 is closest to that. With weight w the best decoder gives
(image + w class mean) / (1 + w): the penalty costs contrast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.distributed import Worker
from models.reproducibility import derived_seed, reproducible
from models.system import ParameterError
from models.training import EVALUATION_BATCH, Trainer

Images = NDArray[np.floating[Any]]
REDUCTION = 16  # pixels along one side of the image per pixel of the smallest map: four strides of 2


@dataclass(frozen=True)
class DeepSmoteParams:
    """Size and training of DeepSMOTE; the values are those of the authors' released code, on 28 x 28 pixels.

    Attributes:
        channels: Channels of the first convolution; each of the three next doubles them. Not below 16, as for any
            network here (see `TrainingParams.width`).
        latent: Length of a code.
        epochs: Passes over the training images.
        batch_size: Images per step, at most.
        learning_rate: Rate of Adam, constant.
        penalty_weight: Weight of the penalty relative to the reconstruction error; 1 as printed, 0 for none.
        neighbours: Nearest minority images (k) among which SMOTE draws the second parent.
    """

    channels: int = 64
    latent: int = 300
    epochs: int = 200
    batch_size: int = 100
    learning_rate: float = 2e-4
    penalty_weight: float = 1.0
    neighbours: int = 5

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: Names the key, its value and what is allowed.
        """
        rules = {
            "channels": (self.channels >= 16, "at least 16"),
            "latent": (self.latent >= 1, "at least 1"),
            "epochs": (self.epochs >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 2, "at least 2: batch normalisation needs two images"),
            "learning_rate": (self.learning_rate > 0, "above 0"),
            "penalty_weight": (self.penalty_weight >= 0, "0 or more"),
            "neighbours": (self.neighbours >= 1, "at least 1"),
        }
        for key, (holds, allowed) in rules.items():
            if not holds:
                raise ParameterError(f"deepsmote_{key}", repr(getattr(self, key)), allowed)


class Autoencoder(nn.Module):
    """Images to codes and back: four strided convolutions and a dense layer, and their mirror image."""

    def __init__(self, shape: tuple[int, int, int], channels: int, latent: int) -> None:
        """Build with random weights.

        Args:
            shape: Channels, rows and columns of an image; rows and columns are multiples of 16.
            channels: Of the first convolution.
            latent: Length of a code.

        Raises:
            ValueError: Rows or columns are no multiple of 16.
        """
        super().__init__()
        if shape[1] % REDUCTION or shape[2] % REDUCTION:
            raise ValueError(f"DeepSMOTE: images of {shape[1]} x {shape[2]} pixels, expected multiples of {REDUCTION}")
        planes = [shape[0], *(channels * 2**stage for stage in range(4))]
        smallest = (planes[-1], shape[1] // REDUCTION, shape[2] // REDUCTION)
        self.encoder = nn.Sequential(
            *(_halving(*planes[stage : stage + 2], normalised=stage > 0) for stage in range(4)),
            nn.Flatten(),
            nn.Linear(math.prod(smallest), latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, math.prod(smallest)),
            nn.ReLU(),
            nn.Unflatten(1, smallest),
            *(_doubling(planes[stage + 1], planes[stage]) for stage in (3, 2, 1)),
            nn.ConvTranspose2d(planes[1], planes[0], kernel_size=4, stride=2, padding=1),
            nn.Sigmoid(),  # intensities lie in [0, 1]; the released code's are in [-1, 1], with tanh
        )


def _halving(given: int, made: int, *, normalised: bool) -> nn.Sequential:
    norm = [nn.BatchNorm2d(made)] if normalised else []
    return nn.Sequential(
        nn.Conv2d(given, made, kernel_size=4, stride=2, padding=1, bias=not normalised), *norm, nn.LeakyReLU(0.2)
    )


def _doubling(given: int, made: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(given, made, kernel_size=4, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(made), nn.ReLU())


@dataclass(frozen=True, eq=False)
class FittedAutoencoder:
    """A trained encoder-decoder.

    Attributes:
        network: In evaluation mode, on the CPU.
        reconstruction_losses: Mean squared error of each epoch.
        penalty_losses: Penalty of each epoch, before its weight; empty if the weight is 0.
    """

    network: Autoencoder
    reconstruction_losses: tuple[float, ...]
    penalty_losses: tuple[float, ...]

    @torch.inference_mode()
    def encode(self, images: Images) -> NDArray[np.float32]:
        """Return the codes (n, latent) of images (n, channels, rows, columns)."""
        return np.concatenate([self.network.encoder(_tensor(part)).numpy() for part in _batches(images)])

    @torch.inference_mode()
    def decode(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the images (n, channels, rows, columns), intensities 0 to 1, of codes (n, latent)."""
        return np.concatenate([self.network.decoder(_tensor(part)).numpy() for part in _batches(codes)])

    def reconstruct(self, images: Images) -> NDArray[np.float32]:
        """Return what encoder and decoder make of images: the other half of each pair of a figure."""
        return self.decode(self.encode(images))


def _batches(rows: NDArray[Any]) -> list[NDArray[Any]]:
    return np.array_split(rows, max(1, math.ceil(len(rows) / EVALUATION_BATCH)))


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def fit_autoencoder(
    trainer: Trainer, run: str, images: Images, case: NDArray[np.bool_], params: DeepSmoteParams
) -> FittedAutoencoder:
    """Train an encoder-decoder on images of both classes.

    Args:
        trainer: Gives seed, threads, device and the receiver of progress.
        run: Name of the run, on which all that is random depends.
        images: (n, channels, rows, columns), intensities 0 to 1; the training images of one fold and no others.
        case: (n,) class of each image.
        params: Size and training.

    Raises:
        ValueError: The size of the images, or a loss that is not finite.
    """
    device = trainer.worker.device
    rng = np.random.default_rng(derived_seed(trainer.seed, run, "order"))
    with reproducible(trainer.params.threads, device):
        torch.manual_seed(derived_seed(trainer.seed, run, "initial weights"))
        network = Autoencoder(images.shape[1:], params.channels, params.latent).to(device)
        optimiser = torch.optim.Adam(network.parameters(), lr=params.learning_rate)
        losses = np.empty((params.epochs, 2))
        for epoch in range(params.epochs):
            losses[epoch] = _epoch(network, optimiser, images, case, params, rng)
            _report(trainer, run, epoch, losses[epoch])
    _adopt(trainer.worker, network)
    penalties = losses[:, 1] if params.penalty_weight else np.empty(0)
    return FittedAutoencoder(network.cpu().eval(), tuple(losses[:, 0].tolist()), tuple(penalties.tolist()))


def _epoch(
    network: Autoencoder,
    optimiser: torch.optim.Optimizer,
    images: Images,
    case: NDArray[np.bool_],
    params: DeepSmoteParams,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Train for one epoch; return the mean reconstruction error and penalty of its steps."""
    device = next(network.parameters()).device
    members = [np.flatnonzero(case == value) for value in (False, True)]
    total = torch.zeros(2, device=device)
    batches = np.array_split(rng.permutation(len(images)), math.ceil(len(images) / params.batch_size))
    network.train()
    for batch in batches:
        of_class = members[rng.integers(2)]
        drawn = rng.choice(of_class, min(len(of_class), params.batch_size), replace=False)
        if params.penalty_weight == 0:
            drawn = drawn[:0]
        target = _tensor(images[np.concatenate([batch, drawn])]).to(device)
        codes = network.encoder(target)
        permuted = torch.cat([codes[: len(batch)], codes[len(batch) :].roll(1, dims=0)])
        error = (network.decoder(permuted) - target).square().mean(dim=(1, 2, 3))
        reconstruction, penalty = error[: len(batch)].mean(), error[len(batch) :].sum() / max(len(drawn), 1)
        optimiser.zero_grad()
        (reconstruction + params.penalty_weight * penalty).backward()
        optimiser.step()
        total += torch.stack([reconstruction.detach(), penalty.detach()])
    mean = total / len(batches)
    return float(mean[0]), float(mean[1])


def _report(trainer: Trainer, run: str, epoch: int, losses: NDArray[np.float64]) -> None:
    """Tell of an epoch, counted here from 0."""
    if not np.isfinite(losses).all():
        raise ValueError(f"{run}: loss not finite in epoch {epoch + 1}: {losses.tolist()}; lower the learning rate")
    if trainer.worker.leads:
        named = {"reconstruction_loss": float(losses[0]), "penalty_loss": float(losses[1])}
        trainer.progress.epoch(run, epoch + 1, named)


def _adopt(worker: Worker, network: Autoencoder) -> None:
    """Use the weights of the first process in all of them, so that all see the same synthetic images."""
    worker.adopt(*network.state_dict().values())
