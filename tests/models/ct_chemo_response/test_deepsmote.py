"""Synthetic images of the rarer class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.ct_chemo_response.autoencoder import Autoencoder, DeepSmoteParams, FittedAutoencoder, fit_autoencoder
from models.ct_chemo_response.deepsmote import SHOWN, Oversampled, examples, oversample, smote
from models.training import Trainer
from tests.models.small_task import small_trainer
from tests.models.specimens import Notebook

PARAMS = DeepSmoteParams(channels=16, latent=8, epochs=4, batch_size=16, learning_rate=2e-3, neighbours=3)


def blobs(n: int = 40, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Images (n, 3, 16, 16), intensities 0 to 1, of a blob that lies right in every fourth one, the cases."""
    rng = np.random.default_rng(seed)
    case = np.arange(n) % 4 == 0
    row, column = rng.uniform(5, 10, n), np.where(case, 11, 4) + rng.uniform(-1, 1, n)
    y, x = np.mgrid[:16, :16]
    distance = (y - row[:, None, None]) ** 2 + (x - column[:, None, None]) ** 2
    image = np.exp(-distance / 8) + 0.05 * rng.random((n, 16, 16))
    return np.repeat(image[:, None], 3, axis=1).clip(0, 1).astype(np.float32), case


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    """Seed, threads and device; nothing is written."""
    return small_trainer(tmp_path, Notebook())


def made(trainer: Trainer, run: str = "fold-1", **changes: Any) -> Oversampled:
    """Synthetic images from the blobs."""
    return oversample(trainer, run, *blobs(), DeepSmoteParams(**{**vars(PARAMS), **changes}))


@pytest.mark.parametrize("of_cases", [True, False])
def test_classes_become_equally_large(trainer: Trainer, of_cases: bool) -> None:
    """Real and synthetic images of the rarer class are together as many as the others, whichever class is rarer."""
    images, case = blobs()
    result = oversample(trainer, "run", images, case if of_cases else ~case, PARAMS)

    assert result.case is of_cases
    assert len(result.images) == 30 - 10
    assert result.images.shape[1:] == images.shape[1:]
    assert result.images.dtype == images.dtype
    assert result.images.min() >= 0
    assert result.images.max() <= 1


def test_equal_classes_need_no_synthetic_image(trainer: Trainer) -> None:
    """Of balanced classes nothing is made; the arrays are there, with no row."""
    images, _ = blobs()
    result = oversample(trainer, "run", images, np.arange(40) % 2 == 0, PARAMS)

    assert result.images.shape == (0, 3, 16, 16)
    assert result.first.shape == result.second.shape == (0,)


def test_synthetic_images_lie_between_their_parents_in_latent_space(trainer: Trainer) -> None:
    """Each is decoded from a point on the line between two different real images of the rarer class."""
    images, case = blobs()
    result = made(trainer)
    codes = result.autoencoder.encode(images)
    first, second = codes[result.first], codes[result.second]
    between = first + result.position[:, None] * (second - first)

    assert case[result.first].all()
    assert case[result.second].all()
    assert (result.first != result.second).all()
    assert (result.position >= 0).all()
    assert (result.position < 1).all()
    np.testing.assert_allclose(result.autoencoder.decode(between), result.images, atol=1e-5)


def test_second_parents_are_among_the_nearest_neighbours() -> None:
    """On a line of points the two nearest of each are its neighbours; all of them get used, and all first parents."""
    codes = np.array([[0.0], [1.0], [2.1], [3.3], [4.6], [6.0]], dtype=np.float32)
    nearest = {0: {1, 2}, 1: {0, 2}, 2: {1, 3}, 3: {2, 4}, 4: {3, 5}, 5: {4, 3}}
    result = smote(codes, 600, 2, np.random.default_rng(0))
    pairs = set(zip(result.first.tolist(), result.second.tolist(), strict=True))

    assert pairs == {(first, second) for first, seconds in nearest.items() for second in seconds}
    np.testing.assert_allclose(result.position.mean(), 0.5, atol=0.05)
    low, high = (f(codes[result.first], codes[result.second]) for f in (np.minimum, np.maximum))
    assert ((result.codes >= low) & (result.codes <= high)).all()


def test_twins_are_neighbours_of_one_another_but_not_of_themselves() -> None:
    """Two equal images do not make either of them its own neighbour."""
    codes = np.array([[0.0, 0], [0, 0], [5, 5], [9, 9]], dtype=np.float32)
    result = smote(codes, 200, 1, np.random.default_rng(0))

    assert (result.first != result.second).all()
    assert set(result.second[result.first == 0].tolist()) == {1}


def test_nothing_outside_the_given_rows_is_used(trainer: Trainer) -> None:
    """Whatever the other patients' images are, even no numbers: the fold's synthetic images are the same bytes."""
    images, case = blobs()
    fold = np.arange(40) % 5 != 2
    spoilt = np.where(fold[:, None, None, None], images, np.nan)
    clean = oversample(trainer, "run", images[fold], case[fold], PARAMS)
    again = oversample(trainer, "run", spoilt[fold], case[fold], PARAMS)

    assert clean.images.tobytes() == again.images.tobytes()
    assert max(clean.first.max(), clean.second.max()) < fold.sum()


def test_is_a_function_of_seed_run_and_data(trainer: Trainer, tmp_path: Path) -> None:
    """The same seed and run give the same bytes, whatever torch's own state; another seed or run gives others."""
    once = made(trainer)
    torch.manual_seed(99)
    again = made(trainer)
    other_seed = Trainer(trainer.params, 8, trainer.worker, tmp_path, "origin", Notebook())

    assert once.images.tobytes() == again.images.tobytes()
    for other in (made(trainer, "fold-2"), made(other_seed)):
        assert once.images.tobytes() != other.images.tobytes()


def test_torch_state_is_left_as_it_was(trainer: Trainer) -> None:
    """Random numbers and settings of the training around it do not change."""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    made(trainer)

    assert torch.equal(expected, torch.rand(2))
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_losses_fall_and_are_reported(tmp_path: Path, weight: float) -> None:
    """Reconstruction improves by half in a few epochs, the penalty falls too; each epoch is told once."""
    notebook = Notebook()
    result = made(small_trainer(tmp_path, notebook), epochs=8, penalty_weight=weight)
    fitted = result.autoencoder

    assert fitted.reconstruction_losses[-1] < 0.5 * fitted.reconstruction_losses[0]
    assert len(fitted.penalty_losses) == (8 if weight else 0)
    assert not weight or fitted.penalty_losses[-1] < fitted.penalty_losses[0]
    assert [(run, epoch) for run, epoch, _ in notebook.epochs] == [("fold-1", epoch) for epoch in range(1, 9)]


def test_penalty_draws_images_towards_the_mean_of_their_class(trainer: Trainer) -> None:
    """A code decoded and compared with other images of the class makes reconstructions of a class more alike."""
    images, case = blobs()
    spread = {
        weight: made(trainer, epochs=30, penalty_weight=weight).autoencoder.reconstruct(images[case]).std(axis=0).mean()
        for weight in (0.0, 10.0)
    }

    assert spread[10.0] < 0.5 * spread[0.0]


def test_reconstructions_are_pairs_for_a_figure(trainer: Trainer) -> None:
    """After some training each image resembles its own reconstruction more than the mean image does."""
    images, _ = blobs()
    reconstructed = made(trainer, epochs=25, penalty_weight=0.0).autoencoder.reconstruct(images)

    assert reconstructed.shape == images.shape
    assert ((reconstructed - images) ** 2).mean() < 0.5 * images.var(axis=0).mean()


def test_examples_show_each_synthetic_image_below_its_parent(trainer: Trainer) -> None:
    """Real crops differ, each is a first parent; below it its reconstruction, what was made of it, and the second."""
    images, _ = blobs()
    result = made(trainer)
    shown = examples(trainer, result, images)
    middle = (255 * images[:, 1]).round().astype(np.uint8)
    rows = [int(np.flatnonzero((middle == real).all(axis=(1, 2)))[0]) for real in shown["real"]]

    assert len(set(rows)) == len(rows) == min(SHOWN, len(set(result.first.tolist())))
    for place, row in enumerate(rows):
        of_row = np.flatnonzero(result.first == row)[0]
        np.testing.assert_array_equal(shown["neighbour"][place], middle[result.second[of_row]])
        np.testing.assert_array_equal(shown["synthetic"][place], (255 * result.images[of_row, 1]).round())
        assert shown["position"][place] == result.position[of_row]
    expected = 255 * result.autoencoder.reconstruct(images[rows])[:, 1]
    np.testing.assert_allclose(shown["reconstructed"], expected, atol=0.6)
    assert {shown[name].dtype for name in ("real", "reconstructed", "synthetic", "neighbour")} == {np.dtype(np.uint8)}
    assert bool(shown["case"]) is True


def test_examples_of_balanced_classes_are_real_images_alone(trainer: Trainer) -> None:
    """Where nothing was made there is still something to compare: crops and their reconstructions."""
    images, _ = blobs()
    shown = examples(trainer, oversample(trainer, "run", images, np.arange(40) % 2 == 0, PARAMS), images)

    assert shown["real"].shape == shown["reconstructed"].shape == (SHOWN, 16, 16)
    assert shown["synthetic"].shape == shown["neighbour"].shape == (0, 16, 16)


def test_half_precision_images_stay_half_precision(trainer: Trainer) -> None:
    """Development images may be stored as float16; synthetic ones join them."""
    images, case = blobs()

    assert oversample(trainer, "run", images.astype(np.float16), case, PARAMS).images.dtype == np.float16


def test_too_few_images_of_the_rarer_class_are_refused(trainer: Trainer) -> None:
    """With k images none has k neighbours; with k + 1 it works."""
    images, case = blobs(n=16)

    with pytest.raises(ValueError, match="4 images of the rarer class, expected at least 6 for 5 nearest neighbours"):
        oversample(trainer, "run", images, case, DeepSmoteParams(channels=16, latent=8, epochs=1))
    assert len(oversample(trainer, "run", images, case, PARAMS).images) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.full((8, 3, 16, 16), 2.0)}, "intensities 2 to 2, expected 0 to 1"),
        ({"images": np.full((8, 3, 16, 16), np.nan)}, "intensities nan to nan"),
        ({"images": np.zeros((8, 3, 20, 16))}, "images of 20 x 16 pixels, expected multiples of 16"),
        ({"images": np.zeros((8, 16, 16))}, r"images of shape \(8, 16, 16\)"),
        ({"case": np.zeros(7, dtype=bool)}, r"classes of shape \(7,\)"),
        ({"case": np.zeros(8)}, "float64"),
    ],
)
def test_other_inputs_are_refused(trainer: Trainer, changes: dict[str, NDArray[Any]], message: str) -> None:
    """What is no set of images of two classes is named."""
    given: dict[str, Any] = {"images": np.zeros((8, 3, 16, 16)), "case": np.arange(8) < 4, **changes}

    with pytest.raises(ValueError, match=message):
        oversample(trainer, "run", given["images"], given["case"], PARAMS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("channels", 8),
        ("latent", 0),
        ("epochs", 0),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("penalty_weight", -1.0),
        ("neighbours", 0),
    ],
)
def test_parameters_out_of_range_are_refused(key: str, value: float) -> None:
    """Each is named with what is allowed."""
    with pytest.raises(ValueError, match=f"training parameter deepsmote_{key}: found {value}"):
        DeepSmoteParams(**{**vars(PARAMS), key: value})


def test_a_loss_that_is_not_finite_is_refused(trainer: Trainer) -> None:
    """A learning rate far too high ends with a clear reason, not with images of NaN."""
    params = DeepSmoteParams(**{**vars(PARAMS), "learning_rate": 1e30})

    with pytest.raises(ValueError, match="run: loss not finite in epoch"):
        fit_autoencoder(trainer, "run", *blobs(), params)


def test_decoder_mirrors_encoder() -> None:
    """At full size 112 x 112 goes to 7 x 7 x 512, to 300 numbers, and back; gradients reach every parameter."""
    network = Autoencoder((3, 112, 112), channels=64, latent=300)
    codes = network.encoder(torch.rand(2, 3, 112, 112))
    images = network.decoder(codes)
    images.square().sum().backward()

    assert tuple(codes.shape) == (2, 300)
    assert tuple(images.shape) == (2, 3, 112, 112)
    assert tuple(network.encoder[5].weight.shape) == (300, 512 * 7 * 7)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_codes_do_not_depend_on_the_batch(trainer: Trainer) -> None:
    """Encoding one image alone or with 69 others gives the same code."""
    images, case = blobs(n=70)
    fitted: FittedAutoencoder = fit_autoencoder(trainer, "run", images, case, PARAMS)

    np.testing.assert_allclose(fitted.encode(images)[5:6], fitted.encode(images[5:6]), atol=1e-5)
