"""The training loop: learns, stops early, resumes to the same weights, works on several processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.checkpoints import serialised
from models.training import FittedNetwork, Trainer
from tests.models.small_task import EPOCHS, PATIENTS, bright_stacks, plain_network, small_task, small_trainer
from tests.models.specimens import Notebook

ROOT = Path(__file__).parent.parent.parent
ROWS, TUNING = np.arange(36), np.arange(36, PATIENTS)
PROGRAM = [sys.executable, "-m", "tests.models.small_task"]


def fit(folder: Path, progress: Notebook | None = None, **changes: Any) -> FittedNetwork:
    """Train the small task."""
    trainer = small_trainer(folder, progress or Notebook(), **changes)
    return trainer.fit(small_task(), "small/run", ROWS, tuning_rows=TUNING)


def weights(fitted: FittedNetwork) -> bytes:
    """The weights as bytes."""
    return serialised(fitted.state)


def test_learns(tmp_path: Path) -> None:
    """The tuning loss falls well below that of guessing, and cases score higher than others."""
    trainer = small_trainer(tmp_path, Notebook(), epochs=12, patience=12)
    fitted = trainer.fit(small_task(), "small/run", ROWS, tuning_rows=TUNING)
    scores = trainer.predict(small_task(), fitted.state, TUNING)
    label = bright_stacks()[1][TUNING]

    assert min(fitted.tuning_losses) < 0.9 * fitted.tuning_losses[0]
    assert scores[label == 1].mean() > scores[label == 0].mean() + 0.5
    assert fitted.best_epoch == 1 + int(np.argmin(fitted.tuning_losses))


def test_same_seed_same_weights(tmp_path: Path) -> None:
    """Weights depend on seed and run name, and on nothing that happened before."""
    first = fit(tmp_path / "a")
    torch.manual_seed(1)
    again = fit(tmp_path / "b")
    other_seed = replace(small_trainer(tmp_path / "c", Notebook()), seed=8).fit(
        small_task(), "small/run", ROWS, tuning_rows=TUNING
    )
    other_run = small_trainer(tmp_path / "d", Notebook()).fit(small_task(), "small/other", ROWS, tuning_rows=TUNING)

    assert weights(first) == weights(again)
    assert len({weights(first), weights(other_seed), weights(other_run)}) == 3


def test_float16_storage_trains_as_float32(tmp_path: Path) -> None:
    """Inputs stored in half precision are computed in full precision."""
    task = small_task()
    rounded = {"stack": task.inputs["stack"].astype(np.float16)}
    half = small_trainer(tmp_path / "a", Notebook()).fit(replace(task, inputs=rounded), "small/run", ROWS)
    full = small_trainer(tmp_path / "b", Notebook()).fit(
        replace(task, inputs={"stack": rounded["stack"].astype(np.float32)}), "small/run", ROWS
    )

    assert weights(half) == weights(full)


def test_progress_is_told_every_epoch(tmp_path: Path) -> None:
    """One report per epoch, counted from 1, with both losses."""
    notebook = Notebook()
    fitted = fit(tmp_path, notebook)

    assert [(run, epoch) for run, epoch, _ in notebook.epochs] == [("small/run", n + 1) for n in range(EPOCHS)]
    assert [metrics["tuning_loss"] for _, _, metrics in notebook.epochs] == list(fitted.tuning_losses)
    assert [metrics["training_loss"] for _, _, metrics in notebook.epochs] == list(fitted.training_losses)


def test_stops_early_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    """When the tuning loss stops falling, training ends after `patience` epochs with the weights of the best."""
    task = replace(small_task(), loss=rising_after_two_epochs())
    fitted = small_trainer(tmp_path / "a", Notebook(), patience=2).fit(task, "small/run", ROWS, tuning_rows=TUNING)
    two_epochs = small_trainer(tmp_path / "b", Notebook()).fit(small_task(), "small/run", ROWS, epochs=2)

    assert (fitted.best_epoch, len(fitted.tuning_losses)) == (2, 4)
    assert weights(fitted) == weights(two_epochs)


def rising_after_two_epochs() -> Any:
    """The loss of the small task; in evaluation, 3, 2, 3, 4 ... epoch by epoch."""
    plain, tuned = small_task().loss, iter([3.0, 2.0, 3.0, 4.0, 5.0, 6.0])

    def loss(output: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        return plain(output, targets) if output.requires_grad else torch.tensor(next(tuned))

    return loss


def test_without_tuning_the_last_weights_are_kept(tmp_path: Path) -> None:
    """A refit runs for the epochs given and keeps the last weights, at the rates of the full schedule."""
    fitted = small_trainer(tmp_path, Notebook()).fit(small_task(), "small/refit", ROWS, epochs=3)

    assert (fitted.best_epoch, len(fitted.training_losses), fitted.tuning_losses) == (3, 3, ())


@pytest.mark.parametrize(("schedule", "expected"), [("cosine", [0.01, 0.005, 0.0]), ("constant", [0.01, 0.01, 0.01])])
def test_schedule(tmp_path: Path, schedule: str, expected: list[float]) -> None:
    """The cosine rate is full at the start, half in the middle and zero at the last epoch's end; or it is constant."""
    trainer = small_trainer(tmp_path, Notebook(), schedule=schedule)

    assert [trainer._rate(done) for done in (0, EPOCHS / 2, EPOCHS)] == pytest.approx(expected)


def test_bfloat16_learns_too_and_differs(tmp_path: Path) -> None:
    """Autocast to bfloat16 trains; weights stay float32."""
    half, full = fit(tmp_path / "a", precision="bf16"), fit(tmp_path / "b")

    assert min(half.tuning_losses) < half.tuning_losses[0]
    assert weights(half) != weights(full)
    assert {value.dtype for name, value in half.state.items() if name.endswith("weight")} == {torch.float32}


def test_network_may_return_more_than_scores(tmp_path: Path) -> None:
    """Of several outputs the first is the score; all reach the loss, in tuning for all patients at once."""

    class WithEmbedding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv2d(4, 5, 16)

        def forward(self, stack: Tensor) -> tuple[Tensor, Tensor]:
            features = self.body(stack)[:, :, 0, 0]
            return features[:, :2], features[:, 2:]

    seen = []

    def loss(output: tuple[Tensor, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        scores, embedding = output
        seen.append((tuple(scores.shape), tuple(embedding.shape)))
        return ((scores - targets["label"][:, None]) ** 2).mean() + embedding.square().mean()

    trainer = small_trainer(tmp_path, Notebook(), epochs=1)
    task = replace(small_task(), build=lambda rows: WithEmbedding(), loss=loss)
    fitted = trainer.fit(task, "small/two", ROWS, tuning_rows=TUNING)

    assert ((12, 2), (12, 3)) in seen
    assert trainer.predict(task, fitted.state, TUNING).shape == (12, 2)


def test_penalty_is_trained_on_and_not_tuned_on(tmp_path: Path) -> None:
    """A penalty on the weights shrinks them and is part of the training loss; the tuning loss leaves it out."""

    def penalty(network: nn.Module) -> Tensor:
        return 10 * sum((weight.square().sum() for weight in network.parameters()), torch.zeros(()))

    plain = small_trainer(tmp_path / "a", Notebook(), epochs=3)
    other = replace(small_trainer(tmp_path / "b", Notebook(), epochs=3), origin="penalised")
    free = plain.fit(small_task(False), "small/run", ROWS, tuning_rows=TUNING)
    shrunk = other.fit(replace(small_task(False), penalty=penalty), "small/run", ROWS, tuning_rows=TUNING)
    sizes = [sum(float(value.square().sum()) for value in fitted.state.values()) for fitted in (free, shrunk)]

    assert sizes[1] < 0.7 * sizes[0]
    assert shrunk.training_losses[0] > 5 * shrunk.tuning_losses[0]


def test_refuses_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    """Training that diverges is an error that names run and epoch, not a network full of NaN."""
    task = replace(small_task(), loss=lambda output, targets: output.mean() * float("inf"))

    with pytest.raises(ValueError, match="small/run: loss not finite in epoch 1"):
        small_trainer(tmp_path, Notebook()).fit(task, "small/run", ROWS)


def test_refuses_too_few_patients(tmp_path: Path) -> None:
    """Batch normalisation cannot train on one patient."""
    with pytest.raises(ValueError, match="small/run: 1 patients to train on, expected at least 2"):
        small_trainer(tmp_path, Notebook()).fit(small_task(), "small/run", np.arange(1))


def interrupted(folder: Path, after: int, changes: Mapping[str, Any]) -> None:
    """Train and break off after some epochs, in the same process."""

    class Stop(Notebook):
        def epoch(self, run: str, epoch: int, metrics: Mapping[str, float]) -> None:
            if epoch == after:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(folder, Stop(), **changes)


@pytest.mark.parametrize("after", [1, 4])
def test_resumes_to_the_same_weights(tmp_path: Path, after: int) -> None:
    """A training that was broken off goes on after its last epoch and ends as if nothing had happened."""
    expected = fit(tmp_path / "whole")
    interrupted(tmp_path / "broken", after, {})
    notebook = Notebook()
    resumed = fit(tmp_path / "broken", notebook)

    assert [epoch for _, epoch, _ in notebook.epochs] == list(range(after + 1, EPOCHS + 1))
    assert weights(resumed) == weights(expected)
    assert resumed.tuning_losses == expected.tuning_losses


def test_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    """After all epochs the checkpoint gives the result at once."""
    expected, notebook = fit(tmp_path), Notebook()

    assert weights(fit(tmp_path, notebook)) == weights(expected)
    assert not notebook.epochs


@pytest.mark.parametrize(
    "change",
    [{"params": {"learning_rate": 0.02}}, {"seed": 8}, {"origin": "other data"}, {"rows": np.arange(1, 36)}],
)
def test_stale_checkpoint_is_never_resumed(tmp_path: Path, change: dict[str, Any]) -> None:
    """Another rate, seed, data set or patient starts from the beginning and gives what it gives in an empty folder."""

    def changed(folder: Path) -> tuple[Trainer, Notebook]:
        notebook = Notebook()
        trainer = small_trainer(folder, notebook, **change.get("params", {}))
        fields = {key: value for key, value in change.items() if key in ("seed", "origin")}
        return replace(trainer, **fields), notebook

    interrupted(tmp_path / "used", 4, {})
    results = []
    for folder in ("used", "empty"):
        trainer, notebook = changed(tmp_path / folder)
        results.append(weights(trainer.fit(small_task(), "small/run", change.get("rows", ROWS), tuning_rows=TUNING)))
        assert len(notebook.epochs) == EPOCHS
    assert results[0] == results[1]


@pytest.mark.slow
def test_kill_9_and_again_gives_the_same_weights(tmp_path: Path) -> None:
    """A process killed in the middle of an epoch, started again, ends in the bytes of one that was left alone."""
    killed = subprocess.Popen([*PROGRAM, str(tmp_path), "--normalised"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    with killed.stdout as lines:
        for line in lines:
            if line == "small/run 3\n":
                killed.kill()
    assert killed.wait() == -9
    assert not (tmp_path / "weights-0.pt").exists()

    again = subprocess.run(
        [*PROGRAM, str(tmp_path), "--normalised"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    expected = fit(tmp_path / "whole")

    assert 1 <= len(again.stdout.splitlines()) <= EPOCHS - 3
    assert (tmp_path / "weights-0.pt").read_bytes() == weights(expected)
    assert not list((tmp_path / "checkpoints").glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--normalised"]])
def test_two_processes(tmp_path: Path, flags: list[str]) -> None:
    """Under torchrun both processes end in the same weights; without batch normalisation, in those of one process."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", PROGRAM[-1]]
    done = subprocess.run([*launch, str(tmp_path), *flags], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("small/run") == EPOCHS
    first, second = (torch.load(tmp_path / f"weights-{rank}.pt", weights_only=True) for rank in (0, 1))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    if not flags:
        alone = small_trainer(tmp_path / "alone", Notebook()).fit(
            small_task(False), "small/run", ROWS, tuning_rows=TUNING
        )
        for name, value in alone.state.items():
            torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-5)


def test_bytes_are_mapped_and_trained_on_as_numbers(tmp_path: Path) -> None:
    """Pictures of bytes that lie in a file, read-only, train to the weights of the same numbers in memory."""

    class Pictures(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = plain_network()

        def forward(self, stack: Tensor) -> Tensor:
            return self.body(stack.float() / 255)

    task = small_task()
    stored = np.clip(60 + 30 * task.inputs["stack"], 0, 255).astype(np.uint8)
    np.save(tmp_path / "stack.npy", stored)
    seen: list[torch.dtype] = []

    def noticed(stacks: Tensor, _generator: torch.Generator) -> Tensor:
        seen.append(stacks.dtype)
        return stacks

    results = []
    for name, array in (
        ("file", np.load(tmp_path / "stack.npy", mmap_mode="r")),
        ("memory", stored.astype(np.float32)),
    ):
        changed = replace(task, build=lambda rows: Pictures(), inputs={"stack": array}, augment=noticed)
        results.append(small_trainer(tmp_path / name, Notebook(), epochs=2).fit(changed, "small/run", ROWS))

    assert set(seen[: len(seen) // 2]) == {torch.uint8}
    for name, value in results[0].state.items():
        torch.testing.assert_close(value, results[1].state[name], rtol=1e-4, atol=1e-5)


def test_patients_are_combined_in_training_only(tmp_path: Path) -> None:
    """What combines a batch changes inputs and targets that are learnt from, never those that are tuned on."""
    task = small_task()
    sizes: list[int] = []

    def only_the_first(
        stacks: Tensor, targets: Mapping[str, Tensor], _generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        sizes.append(len(stacks))
        return stacks[:1].expand_as(stacks), {name: values[:1].expand_as(values) for name, values in targets.items()}

    fits = [
        small_trainer(tmp_path / name, Notebook(), epochs=2).fit(changed, "small/run", ROWS, tuning_rows=TUNING)
        for name, changed in (("alone", task), ("combined", replace(task, combine=only_the_first)))
    ]

    assert sum(sizes) == 2 * len(ROWS)
    assert fits[0].training_losses != fits[1].training_losses
