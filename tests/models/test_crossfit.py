"""Cross-fitting: folds, out-of-fold scores, and that they lie on the scale of the network that ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

from models.cox import fit_cox
from models.crossfit import assign_folds, cross_fit, split_tuning
from models.training import Rows, Task
from tests.models.small_task import small_trainer
from tests.models.specimens import Notebook
from validation.estimators.calibration.survival import cox_calibration_slope

IDS = [f"P{number:03d}" for number in range(100)]
STATUS = np.array([1.0] * 22 + [0.0] * 70 + [np.nan] * 8)


def test_folds_are_balanced_within_every_status() -> None:
    """Cases, controls and patients of unknown status are spread evenly, and so are all together."""
    fold = assign_folds(IDS, STATUS, 5, seed=1)

    for members in (STATUS == 1, STATUS == 0, np.isnan(STATUS), np.ones(100, dtype=bool)):
        counts = np.bincount(fold[members], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert set(fold) == {0, 1, 2, 3, 4}


def test_fold_of_a_patient_does_not_depend_on_the_order() -> None:
    """Shuffled rows give every patient the same fold; another seed gives other folds."""
    order = np.random.default_rng(0).permutation(100)
    shuffled = assign_folds([IDS[i] for i in order], STATUS[order], 5, seed=1)

    np.testing.assert_array_equal(shuffled, assign_folds(IDS, STATUS, 5, seed=1)[order])
    assert not np.array_equal(assign_folds(IDS, STATUS, 5, seed=2), assign_folds(IDS, STATUS, 5, seed=1))


def test_more_folds_than_cases_is_refused() -> None:
    """Every fold needs a case and a control; patients of unknown status may be few."""
    with pytest.raises(ValueError, match="22 patients with status 1, fewer than 23 folds"):
        assign_folds(IDS, STATUS, 23, seed=1)
    assert set(assign_folds(IDS, STATUS, 10, seed=1)) == set(range(10))


def test_tuning_split_is_stratified_and_disjoint() -> None:
    """Training and tuning patients share nobody, are everybody, and have the same prevalence."""
    known = np.flatnonzero(~np.isnan(STATUS))
    training, tuning = split_tuning(IDS, STATUS, known, 0.25, "fold-1")

    assert sorted([*training, *tuning]) == known.tolist()
    assert (np.sum(STATUS[tuning] == 1), np.sum(STATUS[tuning] == 0)) == (round(0.25 * 22), round(0.25 * 70))
    assert not np.array_equal(split_tuning(IDS, STATUS, known, 0.25, "fold-2")[1], tuning)


def test_tuning_split_needs_two_of_each() -> None:
    """With a single case there is none left to train on."""
    with pytest.raises(ValueError, match="tuning split x: only one patient with status 1"):
        split_tuning(IDS, STATUS, np.arange(21, 60), 0.25, "x")


def squares(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    """Textures (n, 4, 12, 12) whose core shows a latent that drives the hazard; event and time."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal(n)
    stacks = rng.standard_normal((n, 4, 12, 12))
    stacks[:, :, 4:8, 4:8] += 0.45 * latent[:, None, None, None]
    event_months = rng.exponential(110.0 * np.exp(-1.1 * latent))
    censoring_months = rng.uniform(30.0, 68.0, n)
    time_months = np.minimum(event_months, censoring_months)
    return stacks.astype(np.float32), event_months <= censoring_months, time_months


class SmallNetwork(nn.Module):
    """Convolution, batch normalisation, dropout: enough to overfit."""

    def __init__(self) -> None:
        """Build."""
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(4, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(32 * 16, 1), nn.Flatten(0))

    def forward(self, stack: Tensor) -> Tensor:
        """Return logits (N,) of stacks (N, 4, 12, 12)."""
        return self.head(self.body(stack))  # type: ignore[no-any-return]


def contrast_task(stacks: NDArray[np.float32], status: NDArray[np.float64]) -> Task:
    """Learn the status at 36 months from the texture."""

    def build(rows: Rows) -> nn.Module:
        return SmallNetwork()

    def loss(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(logits, targets["status"])

    return Task("toy", build, {"stack": stacks}, {"status": status}, loss)


def status_of(event: NDArray[np.bool_], time_months: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 with the event by 36 months, 0 without it, NaN where unknown."""
    return np.where(event & (time_months <= 36), 1.0, np.where(time_months >= 36, 0.0, np.nan))


def test_patients_are_scored_by_a_network_that_has_not_seen_them(tmp_path: Path) -> None:
    """Changing a patient's target changes nothing in that patient's own score; unknown status is scored too."""
    stacks, event, time_months = squares(60, seed=0)
    status = status_of(event, time_months)
    ids = [f"P{number}" for number in range(60)]
    fold = assign_folds(ids, status, 3, seed=1)
    trainer = small_trainer(tmp_path / "a", Notebook(), epochs=2)
    fitted = cross_fit(trainer, contrast_task(stacks, status), ids, status, fold)
    targets = status.copy()
    targets[fold == 0] = 1 - targets[fold == 0]
    other = replace(trainer, checkpoints=tmp_path / "b", origin="other")
    changed = cross_fit(other, replace(contrast_task(stacks, status), targets={"status": targets}), ids, status, fold)

    assert np.isfinite(fitted.outputs).all()
    np.testing.assert_array_equal(changed.outputs[fold == 0], fitted.outputs[fold == 0])
    assert not np.array_equal(changed.outputs[fold == 1], fitted.outputs[fold == 1])
    assert fitted.refitted.best_epoch == int(np.median([network.best_epoch for network in fitted.folds]) + 0.5)


def test_without_tuning_patients_every_network_runs_to_the_end(tmp_path: Path) -> None:
    """Nobody is kept apart, so every patient outside the fold is trained on, for all epochs, in refitting too."""
    stacks, event, time_months = squares(60, seed=0)
    status = status_of(event, time_months)
    ids = [f"P{number}" for number in range(60)]
    fold = assign_folds(ids, status, 3, seed=1)
    trainer = small_trainer(tmp_path, Notebook(), epochs=3, patience=1, tuning_fraction=0)
    fitted = cross_fit(trainer, contrast_task(stacks, status), ids, status, fold)
    others = np.flatnonzero((fold != 0) & ~np.isnan(status))
    alone = replace(trainer, checkpoints=tmp_path / "alone").fit(
        contrast_task(stacks, status), "toy/fold-1", others, scored_rows=np.flatnonzero(fold == 0)
    )

    assert fitted.epochs == 3
    assert [len(network.training_losses) for network in (*fitted.folds, fitted.refitted)] == [3, 3, 3, 3]
    np.testing.assert_array_equal(fitted.outputs[fold == 0], alone.scores[-1])


def test_made_up_rows_are_trained_on_and_never_scored(tmp_path: Path) -> None:
    """Enlarging sees only the rows of its fold; scores and tuning are of the patients, in their order."""
    stacks, event, time_months = squares(60, seed=0)
    status = status_of(event, time_months)
    ids = [f"P{number}" for number in range(60)]
    fold = assign_folds(ids, status, 3, seed=1)
    task = contrast_task(stacks, status)
    seen: dict[str, Rows] = {}

    def enlarge(name: str, rows: Rows) -> tuple[Task, Rows]:
        seen[name] = rows
        more = {"stack": np.concatenate([stacks, stacks[rows[:4]]])}
        targets = {"status": np.concatenate([status, np.ones(4)])}
        return replace(task, inputs=more, targets=targets), np.concatenate([rows, np.arange(60, 64)])

    plain = cross_fit(small_trainer(tmp_path / "a", Notebook(), epochs=1), task, ids, status, fold)
    trainer = replace(small_trainer(tmp_path / "b", Notebook(), epochs=1), origin="enlarged")
    fitted = cross_fit(trainer, task, ids, status, fold, enlarge=enlarge)

    assert set(seen) == {"toy/fold-1", "toy/fold-2", "toy/fold-3", "toy/refit"}
    assert not set(seen["toy/fold-1"]) & set(np.flatnonzero(fold == 0))
    assert fitted.outputs.shape == (60,)
    assert not np.array_equal(fitted.outputs, plain.outputs)


@pytest.mark.slow
def test_external_slope_is_near_one(tmp_path: Path) -> None:
    """A Cox model on out-of-fold scores has an external slope near 1; on the network's in-sample scores it has not."""
    stacks, event, time_months = squares(500, seed=1)
    outside, outside_event, outside_time = squares(4000, seed=2)
    status = status_of(event, time_months)
    ids = [f"P{number}" for number in range(500)]
    trainer = small_trainer(tmp_path, Notebook(), epochs=12, patience=12, learning_rate=0.003, folds=5)
    task = contrast_task(stacks, status)
    fitted = cross_fit(trainer, task, ids, status, assign_folds(ids, status, 5, seed=1))

    def slope(development_logits: NDArray[np.float32]) -> float:
        scores = 1 / (1 + np.exp(-development_logits.astype(float)))
        model = fit_cox(["score"], scores[:, None], event, time_months, [36])
        logits = trainer.predict(contrast_task(outside, np.zeros(4000)), fitted.refitted.state, np.arange(4000))
        linear_predictor = model.linear_predictor(1 / (1 + np.exp(-logits.astype(float)))[:, None])
        return cox_calibration_slope(outside_time, outside_event, linear_predictor, horizon=36).value

    out_of_fold = slope(fitted.outputs)
    in_sample = slope(trainer.predict(task, fitted.refitted.state, np.arange(500)))
    assert 0.8 < out_of_fold < 1.25
    assert in_sample < out_of_fold - 0.1
