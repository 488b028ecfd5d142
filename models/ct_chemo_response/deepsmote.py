"""DeepSMOTE: synthetic minority images, decoded from between the codes of real ones (Dablain, IEEE TNNLS 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ct_chemo_response.autoencoder import DeepSmoteParams, FittedAutoencoder, Images, fit_autoencoder
from models.reproducibility import derived_seed, reproducible
from models.training import Trainer

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Where synthetic codes lie: code of the first parent + position x (code of the second - code of the first).

    Attributes:
        first: (m,) number of the first parent among the codes given.
        second: (m,) number of the second, one of the k nearest neighbours of the first.
        position: (m,) 0 (the first parent) to 1 (the second).
        codes: (m, latent).
    """

    first: Rows
    second: Rows
    position: NDArray[np.float32]
    codes: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Oversampled:
    """Synthetic images that make the two classes equally large, and where they come from.

    Attributes:
        images: (m, channels, rows, columns), of the type of the images given; m may be 0.
        case: Class of all of them: the rarer one.
        first: (m,) row, among the images given, of the first parent.
        second: (m,) row of the second parent.
        position: (m,) share of the way from the first parent's code to the second's.
        autoencoder: The encoder-decoder, for figures of its reconstructions.
    """

    images: NDArray[np.floating[Any]]
    case: bool
    first: Rows
    second: Rows
    position: NDArray[np.float32]
    autoencoder: FittedAutoencoder


def oversample(
    trainer: Trainer, run: str, images: Images, case: NDArray[np.bool_], params: DeepSmoteParams
) -> Oversampled:
    """Train an encoder-decoder and make as many images of the rarer class as it lacks to be as large as the other.

    Only what is given is seen: give the training images of one fold, without its tuning images.

    Args:
        trainer: Gives seed, threads, device and the receiver of progress.
        run: Name of the run, for instance "signature/fold-1/deepsmote"; all that is random depends on it.
        images: (n, channels, rows, columns), intensities 0 to 1.
        case: (n,) class of each image.
        params: Size and training of the encoder-decoder, and k.

    Raises:
        ValueError: Other shapes or intensities, fewer than k + 1 images of the rarer class, or as `fit_autoencoder`.
    """
    _check(images, case)
    rarer = bool(case.sum() * 2 <= len(case))
    minority = np.flatnonzero(case == rarer)
    if len(minority) <= params.neighbours:
        raise ValueError(
            f"DeepSMOTE {run}: {len(minority)} images of the rarer class, expected at least {params.neighbours + 1} "
            f"for {params.neighbours} nearest neighbours"
        )
    fitted = fit_autoencoder(trainer, run, images, case, params)
    rng = np.random.default_rng(derived_seed(trainer.seed, run, "smote"))
    with reproducible(trainer.params.threads, trainer.worker.device):
        codes = fitted.encode(images[minority])
        made = smote(codes, len(case) - 2 * len(minority), params.neighbours, rng)
        synthetic = fitted.decode(made.codes).astype(images.dtype)
    return Oversampled(synthetic, rarer, minority[made.first], minority[made.second], made.position, fitted)


def smote(codes: NDArray[np.float32], count: int, neighbours: int, rng: np.random.Generator) -> Interpolation:
    """Interpolate between points and their neighbours (Chawla, J Artif Intell Res 2002;16:321), uniformly at random.

    Args:
        codes: (n, latent), more than `neighbours` of them.
        count: Points to make.
        neighbours: Nearest points by Euclidean distance among which the second parent is drawn.
        rng: Draws the first parent, the second, and the position between them.
    """
    wide = codes.astype(np.float64)
    squares = (wide**2).sum(axis=1)
    distance = squares[:, None] + squares[None] - 2 * wide @ wide.T
    np.fill_diagonal(distance, np.inf)  # no point is its own neighbour, not even beside a twin
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
    first = rng.integers(len(codes), size=count)
    second = nearest[first, rng.integers(neighbours, size=count)]
    position = rng.random(count, dtype=np.float32)
    return Interpolation(first, second, position, codes[first] + position[:, None] * (codes[second] - codes[first]))


def _check(images: Images, case: NDArray[np.bool_]) -> None:
    if images.ndim != 4 or case.shape != (len(images),) or case.dtype != np.bool_:
        raise ValueError(f"DeepSMOTE: images of shape {images.shape} with classes of shape {case.shape}, {case.dtype}")
    if not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"DeepSMOTE: intensities {images.min():g} to {images.max():g}, expected 0 to 1")
