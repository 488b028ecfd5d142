"""Training and export of the tile classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.augmentation import JoinedTiles, TileAugmentation
from models.histology_spatial_survival import TILE_PX, TISSUES
from models.histology_spatial_survival.labelled import LabelledTiles, split_by_slide
from models.histology_spatial_survival.network import TileClassifier, TissueProbabilities
from models.histology_spatial_survival.reading import INPUT, OUTPUT
from models.histology_spatial_survival.stain import REFERENCE_STAINS, WHITE
from models.onnx_export import export_graph
from models.system import Optimisation, ParameterError, TrainingParams
from models.training import FittedNetwork, Rows, Task, Trainer

RUN = "tiles"
BLUR_MAX = 0.25  # a pixel keeps at least half of its light along a row or column
CROP_MIN = 64  # 32 um: less is a cell, not a tissue


@dataclass(frozen=True)
class TileTrainingParams(TrainingParams):
    """Training parameters of the classifier: what every network has, and its optimiser.

    Of the others `tuning_fraction` is the share of the slides to validate on, not 0. The paper trains by gradient
    descent, rate 0.001, batch 32; momentum and epochs are not published.

    Attributes:
        optimiser: "sgd" or "adamw".
        momentum: Of "sgd", 0 <= momentum < 1.
        stain_jitter: Largest relative change of the amount of each stain, 0 <= stain_jitter < 1.
        blur: Largest share of its light that a pixel exchanges with each neighbour, 0 <= blur <= 0.25.
        crop_px: Side of the part of each tile that is trained on, drawn anew every time, 64 to 224.
        joined: Share of the tiles that are joined with another along a line, 0 to 1: so borders between tissues are
            learnt, the target being the area of each.
        balance: Power by which a tile of a rare tissue weighs more: 0 all tiles alike, 1 all tissues alike.
    """

    optimiser: str
    momentum: float
    stain_jitter: float
    blur: float
    crop_px: int
    joined: float
    balance: float

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: Names the key, its value and what is allowed.
        """
        super().__post_init__()
        _ = self.optimisation
        if not self.tuning_fraction > 0:
            raise ParameterError("tuning_fraction", str(self.tuning_fraction), "above 0")
        if not 0 <= self.stain_jitter < 1:
            raise ParameterError("stain_jitter", str(self.stain_jitter), "0 <= stain_jitter < 1")
        if not 0 <= self.blur <= BLUR_MAX:
            raise ParameterError("blur", str(self.blur), f"0 <= blur <= {BLUR_MAX}")
        if not CROP_MIN <= self.crop_px <= TILE_PX:
            raise ParameterError("crop_px", str(self.crop_px), f"{CROP_MIN} to {TILE_PX}")
        if not 0 <= self.joined <= 1:
            raise ParameterError("joined", str(self.joined), "0 <= joined <= 1")
        if not 0 <= self.balance <= 1:
            raise ParameterError("balance", str(self.balance), "0 <= balance <= 1")

    @property
    def optimisation(self) -> Optimisation:
        """As `optimiser` and `momentum` say."""
        return Optimisation(self.optimiser, self.momentum)


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """A trained classifier.

    Attributes:
        network: Weights of the epoch with the lowest cross-entropy on the slides validated on, and losses.
        training_rows: Tiles trained on.
        validation_rows: Tiles validated on, of other slides.
    """

    network: FittedNetwork
    training_rows: Rows
    validation_rows: Rows

    def facts(self, tiles: LabelledTiles) -> dict[str, Any]:
        """Return what training.json says of the classifier; no clock times, no paths."""
        return {
            "best_epoch": self.network.best_epoch,
            "training_losses": list(self.network.training_losses),
            "validation_losses": list(self.network.tuning_losses),
            "training": tiles.counts(self.training_rows),
            "validation": tiles.counts(self.validation_rows),
            "validation_slides": sorted({tiles.slide[row] for row in self.validation_rows}),
        }


def fit_classifier(trainer: Trainer, tiles: LabelledTiles, params: TileTrainingParams) -> FittedClassifier:
    """Train the classifier on 80 % of the slides, or what `tuning_fraction` leaves, and keep the best epoch.

    Best is the lowest cross-entropy on the other slides, the tissues weighted as in training.

    Args:
        trainer: Trains, by the same parameters.
        tiles: Normalised tiles with their tissues and slides.
        params: Parameters of the training.

    Raises:
        ValueError: A tissue lacks slides on either side, the pretrained weights do not fit, or a loss is not finite.
    """
    training_rows, validation_rows = split_by_slide(tiles, params.tuning_fraction, trainer.seed)
    for part, rows in (("training", training_rows), ("validation", validation_rows)):
        counts = ", ".join(f"{name} {count['tiles']}" for name, count in tiles.counts(rows).items())
        trainer.progress.message(f"{part} tiles: {counts}")
    network = trainer.fit(task(tiles, params, training_rows), RUN, training_rows, tuning_rows=validation_rows)
    return FittedClassifier(network, training_rows, validation_rows)


def task(tiles: LabelledTiles, params: TileTrainingParams, training_rows: Rows) -> Task:
    """Return what the network learns; `training_rows` say how common each tissue is."""
    weights = torch.from_numpy(tissue_weights(tiles.tissue[training_rows], params.balance)).float()

    def build(_rows: Rows) -> TileClassifier:
        network = TileClassifier(params.width, params.dropout)
        if params.pretrained is not None:
            network.load_pretrained(Path(params.pretrained))
        return network

    return Task(
        name=RUN,
        build=build,
        inputs={INPUT: tiles.pixels},
        targets={"share": np.eye(len(TISSUES))[tiles.tissue]},
        loss=partial(_cross_entropy, weights),
        augment=TileAugmentation(REFERENCE_STAINS, WHITE, params.stain_jitter, params.blur, params.crop_px),
        combine=JoinedTiles(params.joined),
    )


def export_classifier(
    state: Mapping[str, Tensor], params: TileTrainingParams, metadata: Mapping[str, str], path: Path
) -> None:
    """Write a trained classifier as the ONNX file that reads slides: uint8 tiles in, probabilities out.

    Args:
        state: Its weights.
        params: Parameters that it was trained with.
        metadata: Readable from the file as `OnnxModel.metadata`.
        path: The ONNX file, written whole or not at all.
    """
    example = {INPUT: torch.zeros(2, TILE_PX, TILE_PX, 3, dtype=torch.uint8)}
    export_graph(probabilities(state, params), example, [OUTPUT], metadata, path)


def probabilities(state: Mapping[str, Tensor], params: TileTrainingParams) -> TissueProbabilities:
    """Return a trained classifier as it ships, in evaluation mode."""
    network = TileClassifier(params.width, params.dropout)
    network.load_state_dict(state)
    return TissueProbabilities(network).eval()


def tissue_weights(tissue: NDArray[np.int8], balance: float) -> NDArray[np.float64]:
    """Return the weight of a tile of each tissue, (7,): (n / (7 * n of the tissue)) ** balance.

    Args:
        tissue: (n,) index into `TISSUES`, each of them at least once.
        balance: 0 all alike, 1 every tissue has the same weight in total.
    """
    share = np.bincount(tissue, minlength=len(TISSUES)) / len(tissue)
    return np.asarray((1 / (len(TISSUES) * share)) ** balance)


def _cross_entropy(weights: Tensor, logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Return the weighted mean; of a joined tile the weight is the mean of its parts', the best answer their shares."""
    share = targets["share"]  # (N, 7); a weight per tissue instead of per tile would make the rarer part the larger one
    weight = share @ weights.to(share.device)
    return (weight * nn.functional.cross_entropy(logits, share, reduction="none")).sum() / weight.sum()
