"""Training of the tile classifier on made-up tissues, from the tiles to the file that reads a slide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.checkpoints import serialised
from models.distributed import Worker
from models.histology_spatial_survival import TILE_PX, TISSUES
from models.histology_spatial_survival.labelled import LabelledTiles, evaluate
from models.histology_spatial_survival.reading import INPUT, OUTPUT, read_tiles
from models.histology_spatial_survival.tile_map import DROPPED
from models.histology_spatial_survival.tiles import (
    FittedClassifier,
    TileTrainingParams,
    export_classifier,
    fit_classifier,
    probabilities,
    task,
    tissue_weights,
)
from models.onnx_export import parity
from models.runtime import OnnxModel
from models.system import TrainingParams
from models.training import Trainer, _optimiser
from tests.models.histology_spatial_survival.slides import slide_with_tissue
from tests.models.specimens import TINY, Notebook

SLIDES = 5
COLOURS = np.random.default_rng(3).integers(40, 240, (len(TISSUES), 3))


def params(**changes: Any) -> TileTrainingParams:
    """Parameters of the smallest sensible training."""
    block = {
        "optimiser": "sgd",
        "momentum": 0.9,
        "stain_jitter": 0.02,
        "blur": 0.1,
        "crop_px": 192,
        "joined": 0.3,
        "balance": 0.5,
        "batch_size": 7,
        "learning_rate": 0.02,
    }
    return TileTrainingParams.from_mapping({**TINY, **block, "threads": 2, "dropout": 0.1, **changes})


def coloured_tiles(folder: Path | None = None) -> LabelledTiles:
    """One tile of each tissue on each slide, each tissue of its own colour; on disk if a folder is given."""
    shape = (SLIDES * len(TISSUES), TILE_PX, TILE_PX, 3)
    pixels: Any = np.empty(shape, dtype=np.uint8)
    if folder is not None:
        pixels = np.lib.format.open_memmap(folder / "tiles.npy", mode="w+", dtype=np.uint8, shape=shape)
    tissue = np.tile(np.arange(len(TISSUES), dtype=np.int8), SLIDES)
    noise = np.random.default_rng(0)
    for row, index in enumerate(tissue):
        pixels[row] = np.clip(COLOURS[index] + noise.integers(-10, 10, shape[1:]), 0, 255)
    if folder is not None:
        pixels.flush()
        pixels = np.load(folder / "tiles.npy", mmap_mode="r")
    return LabelledTiles(pixels, tissue, [f"S{row // len(TISSUES)}" for row in range(len(tissue))])


def fitted(folder: Path, tiles: LabelledTiles, notebook: Notebook | None = None, **changes: Any) -> FittedClassifier:
    """Train."""
    given = params(**changes)
    worker = Worker(device=torch.device("cpu"))
    return fit_classifier(Trainer(given, 3, worker, folder, "origin", notebook or Notebook()), tiles, given)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[FittedClassifier, Path, Notebook]:
    """A classifier trained for a few epochs, its ONNX file, and what was reported."""
    folder, notebook = tmp_path_factory.mktemp("tiles"), Notebook()
    given = {"epochs": 5, "patience": 5, "schedule": "constant", "learning_rate": 0.05, "joined": 0.0}
    classifier = fitted(folder, coloured_tiles(), notebook, **given)
    export_classifier(classifier.network.state, params(**given), {"hallmark.model": "specimen"}, folder / "tiles.onnx")
    return classifier, folder / "tiles.onnx", notebook


def test_learns_and_keeps_the_best_epoch(trained: tuple[FittedClassifier, Path, Notebook]) -> None:
    """The loss falls, and the weights are those of the epoch with the lowest cross-entropy on the other slides."""
    network = trained[0].network

    assert network.training_losses[-1] < 0.8 * network.training_losses[0]
    assert network.best_epoch == 1 + int(np.argmin(network.tuning_losses))


def test_classes_are_counted_by_slide(trained: tuple[FittedClassifier, Path, Notebook]) -> None:
    """One of five slides is validated on; every tissue has tiles on both sides, and people are told how many."""
    classifier, _, notebook = trained
    facts = classifier.facts(coloured_tiles())

    assert facts["training"] == {name: {"tiles": 4, "slides": 4} for name in TISSUES}
    assert facts["validation"] == {name: {"tiles": 1, "slides": 1} for name in TISSUES}
    assert len(facts["validation_slides"]) == 1
    assert notebook.messages[0] == f"training tiles: {', '.join(f'{name} 4' for name in TISSUES)}"


def test_what_ships_is_what_was_trained(trained: tuple[FittedClassifier, Path, Notebook]) -> None:
    """The file gives the probabilities of the network, whatever the number of threads."""
    classifier, path, _ = trained
    tiles = coloured_tiles()
    module = probabilities(classifier.network.state, params())
    difference = parity(module, path, {INPUT: tiles.pixels[:7]})[OUTPUT]
    found = [evaluate(OnnxModel(path, threads=n), tiles, classifier.validation_rows) for n in (1, 2)]

    assert difference is not None
    assert difference <= 1e-5
    np.testing.assert_array_equal(found[0].probability, found[1].probability)
    assert found[0].matrix.sum() == len(TISSUES)


def test_file_reads_a_slide(trained: tuple[FittedClassifier, Path, Notebook]) -> None:
    """The classifier runs on a slide; the map is the same for any number of readers and of threads."""
    tissue = np.array([[True, True, False], [True, True, True]])
    slide = slide_with_tissue(tissue)
    maps = [read_tiles(slide, OnnxModel(trained[1], threads=t), readers=r) for t, r in ((1, 1), (2, 3), (1, 4))]

    np.testing.assert_array_equal(maps[0].tissue != DROPPED, tissue)
    assert len({(m.tissue.tobytes(), m.probability.tobytes()) for m in maps}) == 1


def test_tiles_on_disk_give_the_same_weights(tmp_path: Path) -> None:
    """Tiles that are mapped from a file, not writable, are trained on as those in memory."""
    states = []
    for name, tiles in (("disk", coloured_tiles(tmp_path)), ("memory", coloured_tiles())):
        states.append(serialised(fitted(tmp_path / name, tiles).network.state))

    assert states[0] == states[1]


def test_momentum_and_optimiser_count(tmp_path: Path) -> None:
    """Each is a parameter: other values, other weights."""
    changes = ({}, {"momentum": 0.0}, {"optimiser": "adamw", "momentum": 0.0})
    states = {serialised(fitted(tmp_path / str(n), coloured_tiles(), **c).network.state) for n, c in enumerate(changes)}

    assert len(states) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimiser": "adam"}, "optimiser: found 'adam', expected adamw or sgd"),
        ({"momentum": 1.0}, r"momentum: found 1\.0, expected 0 <= momentum < 1"),
        ({"optimiser": "adamw"}, r"momentum: found 0\.9, expected 0 <= momentum < 1, and 0 with adamw"),
        ({"tuning_fraction": 0}, "tuning_fraction: found 0"),
        ({"stain_jitter": 1.5}, r"stain_jitter: found 1\.5"),
        ({"blur": 0.3}, r"blur: found 0\.3"),
        ({"crop_px": 32}, r"crop_px: found 32, expected 64 to 224"),
        ({"joined": 1.5}, r"joined: found 1\.5, expected 0 <= joined <= 1"),
        ({"balance": 2.0}, r"balance: found 2\.0"),
    ],
)
def test_params_refuse(changes: dict[str, Any], message: str) -> None:
    """Every error names the key, what was found and what was expected."""
    with pytest.raises(ValueError, match=f"training parameter {message}"):
        params(**changes)


def test_sgd_steps_as_written_by_hand() -> None:
    """Without momentum the paper's optimiser moves a weight by rate times gradient; AdamW stays the default."""
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(layer.weight, 2.0)
    step = _optimiser(layer, params(momentum=0.0, weight_decay=0.0, learning_rate=0.1))
    (3 * layer.weight.sum()).backward()
    step.step()

    assert layer.weight.item() == pytest.approx(2 - 0.1 * 3)
    assert isinstance(_optimiser(layer, TrainingParams.from_mapping(TINY)), torch.optim.AdamW)


def test_tissues_weigh_by_their_rarity() -> None:
    """Power 0 leaves all tiles alike, 1 gives every tissue the same weight in total, between them the root."""
    tissue = np.repeat(np.arange(len(TISSUES), dtype=np.int8), [1, 2, 4, 1, 2, 4, 14])

    assert tissue_weights(tissue, 0.0).tolist() == [1.0] * 7
    assert np.allclose(tissue_weights(tissue, 1.0) * np.bincount(tissue), len(tissue) / 7)
    assert np.allclose(tissue_weights(tissue, 0.5) ** 2, [4, 2, 1, 4, 2, 1, 2 / 7])


def test_the_best_answer_to_a_joined_tile_is_its_shares() -> None:
    """Rare tissues weigh more, but the loss of a joined tile is lowest at its shares, and of whole tiles as always."""
    tiles = coloured_tiles()
    rows = np.repeat(np.arange(len(TISSUES)), [1, 2, 4, 1, 2, 4, 14])
    loss = task(tiles, params(balance=1.0), rows).loss
    share = torch.tensor([[0.3, 0, 0, 0, 0, 0, 0.7]])
    logits = torch.zeros(1, 7, requires_grad=True)
    step = torch.optim.LBFGS([logits], max_iter=200)

    def evaluated() -> float:
        step.zero_grad()
        value = loss(logits, {"share": share})
        value.backward()
        return float(value.detach())

    step.step(evaluated)
    weights = torch.from_numpy(tissue_weights(tiles.tissue[rows], 1.0)).float()
    given, whole = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 6, 6, 3, 2])
    usual = torch.nn.functional.cross_entropy(given, whole, weight=weights)

    assert torch.softmax(logits, dim=1).detach().numpy() == pytest.approx(share.numpy(), abs=0.01)
    assert float(loss(given, {"share": torch.eye(7)[whole]})) == pytest.approx(float(usual), abs=1e-6)
