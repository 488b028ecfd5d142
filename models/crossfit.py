"""Cross-fitting: every development patient is scored by a network that has not seen that patient.

The risk models are fitted on these out-of-fold scores; the network that ships is then trained on everyone, for as many
epochs on the same schedule, so that its scores lie on the scale of the out-of-fold scores. That number is the one with
the lowest tuning loss averaged over the folds: the tuning split of a single fold is too small to choose by, and folds
that stop at different epochs give out-of-fold scores on different scales, which biases the risk models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training import FittedNetwork, Rows, Task, Trainer


@dataclass(frozen=True)
class CrossFitted:
    """The outcome of cross-fitting one network.

    Attributes:
        outputs: (N, ...) scores of each patient, from the fold's network that has not seen the patient.
        folds: The folds' networks, in order.
        epochs: Epochs after which the folds' networks scored, and for which the refitted one was trained.
        refitted: The network trained on every patient with a known target: the one that ships.
    """

    outputs: NDArray[np.float32]
    folds: tuple[FittedNetwork, ...]
    epochs: int
    refitted: FittedNetwork


def assign_folds(patient_ids: Sequence[str], strata: NDArray[np.float64], folds: int, seed: int) -> NDArray[np.intp]:
    """Return the fold of each patient, 0 to `folds` - 1, balanced within strata, whatever the order of patients.

    Raises:
        ValueError: A stratum has fewer patients than folds, so that some fold would lack it.
    """
    fold = np.full(len(patient_ids), -1, dtype=np.intp)
    dealt = 0
    for rows in _shuffled_strata(patient_ids, strata, np.arange(len(patient_ids)), f"folds {seed}"):
        if len(rows) < folds and not np.isnan(strata[rows[0]]):
            raise ValueError(f"{len(rows)} patients with status {strata[rows[0]]:g}, fewer than {folds} folds")
        fold[rows] = (dealt + np.arange(len(rows))) % folds
        dealt += len(rows)
    return fold


def split_tuning(
    patient_ids: Sequence[str], strata: NDArray[np.float64], rows: Rows, fraction: float, name: str
) -> tuple[Rows, Rows]:
    """Split patients into those to train on and those to tune on, the same share of each stratum, at least one.

    Raises:
        ValueError: A stratum has only one patient.
    """
    tuning = []
    for stratum in _shuffled_strata(patient_ids, strata, rows, f"tuning {name}"):
        if len(stratum) < 2:
            raise ValueError(f"tuning split {name}: only one patient with status {strata[stratum[0]]:g}")
        tuning.append(stratum[: max(1, round(fraction * len(stratum)))])
    chosen = np.sort(np.concatenate(tuning))
    return np.setdiff1d(rows, chosen), chosen


def cross_fit(
    trainer: Trainer,
    task: Task,
    patient_ids: Sequence[str],
    status: NDArray[np.float64],
    fold: NDArray[np.intp],
    *,
    enlarge: Callable[[str, Rows], tuple[Task, Rows]] | None = None,
) -> CrossFitted:
    """Train a network per fold and one on everyone.

    Patients whose status is unknown (NaN) are trained on by none and scored by their own fold's network. Without tuning
    patients (`tuning_fraction` 0) every network is trained for all epochs, to the end of its schedule.

    Args:
        trainer: Trains one network.
        task: What to learn.
        patient_ids: Ids of the N patients.
        status: (N,) 1, 0 or NaN for unknown; the tuning split is stratified by it.
        fold: (N,) fold of each patient.
        enlarge: Takes the name of a run and the rows to train on; returns a task whose inputs and targets are those of
            the N patients followed by made-up ones, and the rows to train on. It sees no other row of its fold, and
            tuning and scoring stay with the patients. None trains on the patients alone.
    """
    known = np.flatnonzero(~np.isnan(status))
    fitted, order = [], []
    for k in range(int(fold.max()) + 1):
        name = f"{task.name}/fold-{k + 1}"
        rows, tuning = known[fold[known] != k], None
        if trainer.params.tuning_fraction > 0:
            rows, tuning = split_tuning(
                patient_ids, status, rows, trainer.params.tuning_fraction, f"{trainer.seed} {name}"
            )
        order.append(np.flatnonzero(fold == k))
        enlarged, trained = (task, rows) if enlarge is None else enlarge(name, rows)
        fitted.append(trainer.fit(enlarged, name, trained, tuning_rows=tuning, scored_rows=order[-1]))
    epochs = _best_epoch(fitted) if trainer.params.tuning_fraction > 0 else trainer.params.epochs
    scores = np.concatenate([network.scores[epochs - 1] for network in fitted])
    enlarged, trained = (task, known) if enlarge is None else enlarge(f"{task.name}/refit", known)
    refitted = trainer.fit(enlarged, f"{task.name}/refit", trained, epochs=epochs)
    return CrossFitted(scores[np.argsort(np.concatenate(order))], tuple(fitted), epochs, refitted)


def _best_epoch(fitted: Sequence[FittedNetwork]) -> int:
    """Return the epoch, counted from 1, at which the mean tuning loss of the folds is lowest."""
    reached = min(len(network.tuning_losses) for network in fitted)
    return 1 + int(np.argmin(np.mean([network.tuning_losses[:reached] for network in fitted], axis=0)))


def _shuffled_strata(patient_ids: Sequence[str], strata: NDArray[np.float64], rows: Rows, salt: str) -> list[Rows]:
    """Return the rows of each stratum, ordered by a digest of the patient's id: random, yet the patient's own."""
    drawn = {row: hashlib.sha256(f"{salt} {patient_ids[row]}".encode()).digest() for row in rows.tolist()}
    shuffled = np.array(sorted(drawn, key=drawn.__getitem__), dtype=np.intp)
    code = np.nan_to_num(strata[shuffled], nan=-1.0)
    return [shuffled[code == value] for value in np.unique(code)]
