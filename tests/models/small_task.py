"""A task small enough to train in a second; also a program that trains it, for tests that kill it or start two.

python -m tests.models.small_task FOLDER [--normalised]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.augmentation import StackAugmentation
from models.checkpoints import serialised
from models.distributed import Worker, joined
from models.system import Progress
from models.training import Rows, Task, Trainer
from tests.models.specimens import params

PATIENTS = 48
EPOCHS = 6


def bright_stacks(n: int = PATIENTS) -> tuple[np.ndarray, np.ndarray]:
    """Noise stacks (n, 4, 16, 16) and labels (n,): a bright blob marks the cases."""
    rng = np.random.default_rng(3)
    label = (np.arange(n) % 3 == 0).astype(np.float64)
    stacks = rng.standard_normal((n, 4, 16, 16), dtype=np.float32)
    stacks[:, :, 4:12, 4:12] += label[:, None, None, None].astype(np.float32)
    return stacks, label


def normalised_network() -> nn.Module:
    """A network with everything random or stateful that the real ones have: batch normalisation and dropout."""
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(8, 1),
        nn.Flatten(0),
    )


def plain_network() -> nn.Module:
    """A network in which a batch is the mean of its patients: several processes must give the result of one."""
    return nn.Sequential(
        nn.Conv2d(4, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1), nn.Flatten(0)
    )


def cross_entropy(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Binary cross-entropy."""
    return nn.functional.binary_cross_entropy_with_logits(logits, targets["label"])


def small_task(normalised: bool = True) -> Task:
    """The task."""
    stacks, label = bright_stacks()

    def build(rows: Rows) -> nn.Module:
        return normalised_network() if normalised else plain_network()

    augment = StackAugmentation(shift_px=1) if normalised else None
    return Task("small", build, {"stack": stacks}, {"label": label}, cross_entropy, augment)


def small_trainer(folder: Path, progress: Progress, worker: Worker | None = None, **changes: object) -> Trainer:
    """A trainer with checkpoints in `folder`."""
    changed = params(**{"epochs": EPOCHS, "patience": EPOCHS, "learning_rate": 0.01, **changes})
    return Trainer(changed, 7, worker or Worker(device=torch.device("cpu")), folder, "origin", progress)


class Lines:
    """Progress as lines on standard output, at once."""

    def epoch(self, run: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Print one epoch."""
        sys.stdout.write(f"{run} {epoch}\n")
        sys.stdout.flush()

    def message(self, text: str) -> None:
        """Print nothing."""


def main(folder: Path, normalised: bool) -> None:
    """Train and write the weights of each process to weights-<rank>.pt."""
    with joined() as worker:
        trainer = small_trainer(folder / "checkpoints", Lines(), worker)
        fitted = trainer.fit(small_task(normalised), "small/run", np.arange(36), tuning_rows=np.arange(36, PATIENTS))
        (folder / f"weights-{worker.rank}.pt").write_bytes(serialised(fitted.state))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--normalised" in sys.argv)
