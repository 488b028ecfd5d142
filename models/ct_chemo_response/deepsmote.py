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
SHOWN = 6  # real images in the file of examples


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


def examples(trainer: Trainer, made: Oversampled, images: Images) -> dict[str, NDArray[Any]]:
    """Return a few real images beside what the encoder-decoder makes of them, for people to look at.

    The first parents of synthetic images, none twice, evenly spread over the images given; where nothing was made, as
    the classes were equally large, images evenly spread. No chance is involved, so a resumed training shows the same.

    Args:
        trainer: Gives threads and device.
        made: What `oversample` returned.
        images: (n, channels, rows, columns), what it was given.

    Returns:
        Middle channels, 0 to 255, uint8 (k, rows, columns): "real", and what becomes of each, "reconstructed"; of as
        many or none "synthetic" and "neighbour", the second parent. "position" (k,), float32: where the synthetic image
        lies between real (0) and neighbour (1). "case" (): the class of all of them, unless nothing was made.
    """
    _, order = np.unique(made.first, return_index=True)  # of each first parent the first synthetic image
    chosen = order[_spread(len(order))]
    real = made.first[chosen] if len(chosen) else _spread(len(images))
    with reproducible(trainer.params.threads, trainer.worker.device):
        reconstructed = made.autoencoder.reconstruct(images[real])
    pictures = {
        "real": images[real],
        "reconstructed": reconstructed,
        "synthetic": made.images[chosen],
        "neighbour": images[made.second[chosen]],
    }
    shown: dict[str, NDArray[Any]] = {name: _eight_bits(picture) for name, picture in pictures.items()}
    return {**shown, "position": made.position[chosen], "case": np.array(made.case)}


def _spread(count: int) -> Rows:
    """Return at most `SHOWN` of the numbers 0 to count - 1, evenly spread."""
    return np.linspace(0, count - 1, min(SHOWN, count)).round().astype(np.intp)


def _eight_bits(images: Images) -> NDArray[np.uint8]:
    """Return the middle channel of images, intensities 0 to 1, as 0 to 255."""
    middle = images[:, images.shape[1] // 2].astype(np.float32)
    return (255 * middle).round().astype(np.uint8)


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
