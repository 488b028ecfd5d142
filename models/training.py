"""The one training loop: AdamW or SGD, early stopping, checkpoints to resume from, several processes, bfloat16.

Every epoch starts from random numbers derived from (seed, run, epoch), so that a run that was killed and started again
ends in the same weights as one that was not: nothing random has to be saved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.checkpoints import load_checkpoint, run_key, save_checkpoint
from models.distributed import Worker
from models.reproducibility import derived_seed, reproducible
from models.system import Progress, TrainingParams

Output = Tensor | tuple[Tensor, ...]
Rows = NDArray[np.intp]
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Task:
    """What one network learns.

    Attributes:
        name: Name of the network, for instance "t2w".
        build: Builds the untrained network for the patients (row numbers) to train on. Its output is a tensor of
            scores, (N,) or (N, K), or a tuple of that and what else the loss needs.
        inputs: Arguments of the network in order, batch axis first; float16 or float32, images (N, channels, rows,
            columns). Or uint8, of any layout, which stay what they are until the network or `augment` takes them, and
            of which only a batch at a time is in memory: they may be an `np.memmap`.
        targets: What the loss compares with, batch axis first.
        loss: Mean loss of a batch from the network's output and the targets; in tuning, of all tuning patients.
        augment: Changes a training batch of one input; None for no augmentation.
        combine: Then combines patients of a training batch of one input and their targets; None for each by itself.
        penalty: Added to the training loss and not to the tuning loss, for instance squares of weights; None for none.
    """

    name: str
    build: Callable[[Rows], nn.Module]
    inputs: Mapping[str, NDArray[Any]]
    targets: Mapping[str, NDArray[np.floating[Any]]]
    loss: Callable[[Any, Mapping[str, Tensor]], Tensor]
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None
    combine: Callable[[Tensor, Mapping[str, Tensor], torch.Generator], tuple[Tensor, dict[str, Tensor]]] | None = None
    penalty: Callable[[nn.Module], Tensor] | None = None

    @cached_property
    def _stored(self) -> tuple[Tensor | NDArray[np.uint8], ...]:
        """Inputs in the order of the network's arguments; images of numbers with channels last, fast to gather."""
        return tuple(array if array.dtype == np.uint8 else _channels_last(array) for array in self.inputs.values())

    def gather(self, rows: Rows) -> Iterator[Tensor]:
        """Yield each input for some patients, as the network takes it but for precision."""
        for stored in self._stored:
            if isinstance(stored, Tensor):
                tensor = stored[torch.from_numpy(rows)]
                yield tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor
            else:
                yield torch.from_numpy(np.asarray(stored[rows]))


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network.

    Attributes:
        state: State dict on the CPU, of the epoch with the lowest tuning loss, or of the last epoch without tuning.
        best_epoch: That epoch, counted from 1.
        training_losses: Mean training loss of each epoch.
        tuning_losses: Tuning loss of each epoch; empty without tuning patients.
        scores: After each epoch the scores of the patients to be scored, (n,) or (n, K); empty if there were none.
    """

    state: dict[str, Tensor]
    best_epoch: int
    training_losses: tuple[float, ...]
    tuning_losses: tuple[float, ...]
    scores: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Trainer:
    """Everything about training that is not the task.

    Attributes:
        params: Parameters of the training.
        seed: Seed of everything random.
        worker: This process among those of torchrun.
        checkpoints: Folder of checkpoints, one file per run.
        origin: Digest of data and sources; a checkpoint of another origin is never resumed.
        progress: Told about every epoch.
    """

    params: TrainingParams
    seed: int
    worker: Worker
    checkpoints: Path
    origin: str
    progress: Progress

    def fit(
        self,
        task: Task,
        run: str,
        rows: Rows,
        *,
        tuning_rows: Rows | None = None,
        scored_rows: Rows | None = None,
        epochs: int | None = None,
    ) -> FittedNetwork:
        """Train a network, going on from its checkpoint if there is one.

        Args:
            task: What to learn.
            run: Name of the run, unique within the training: "t2w/fold-1".
            rows: Patients to train on, as row numbers.
            tuning_rows: Patients for early stopping; None trains for `epochs` and keeps the last weights.
            scored_rows: Patients to score after every epoch; nothing is learnt from them.
            epochs: Stop after so many epochs, with the learning rates of the full schedule; None for all of them.

        Raises:
            ValueError: Too few patients for the number of processes, or a loss is not finite.
        """
        if len(rows) < 2 * self.worker.world:
            raise ValueError(f"{run}: {len(rows)} patients to train on, expected at least {2 * self.worker.world}")
        last = epochs or self.params.epochs
        with reproducible(self.params.threads, self.worker.device):
            state = _Run(self, task, run, rows)
            state.resume(self._key(run, rows, tuning_rows, last))
            while not state.finished(last, self.params.patience):
                self._epoch(state, rows, tuning_rows, scored_rows)
            return state.fitted()

    def predict(self, task: Task, state: Mapping[str, Tensor], rows: Rows) -> NDArray[np.float32]:
        """Return the scores of a trained network for some patients, (n,) or (n, K)."""
        with reproducible(self.params.threads, self.worker.device):
            network = task.build(rows)
            network.load_state_dict(state)
            scores = _parts(self._evaluate(placed(network, self.worker.device), task, rows))[0]
        return np.asarray(scores.cpu().numpy())

    def discard_checkpoints(self) -> None:
        """Remove the checkpoints, once the results of all runs are safely written."""
        for path in self.checkpoints.glob("*.pt"):
            path.unlink()

    def checkpoint_path(self, run: str) -> Path:
        """Return where the checkpoint of a run lies."""
        return self.checkpoints / f"{run.replace('/', '-')}.pt"

    def _key(self, run: str, rows: Rows, tuning_rows: Rows | None, last: int) -> str:
        return run_key(
            origin=self.origin,
            params=vars(self.params),
            seed=self.seed,
            run=run,
            rows=rows.tolist(),
            tuning=None if tuning_rows is None else tuning_rows.tolist(),
            epochs=last,
            world=self.worker.world,
            device=self.worker.device.type,
            torch=torch.__version__,
        )

    def _epoch(self, state: _Run, rows: Rows, tuning_rows: Rows | None, scored_rows: Rows | None) -> None:
        losses = {"training_loss": self._train(state, rows)}
        self.worker.adopt(*state.network.buffers())
        if tuning_rows is not None:
            losses["tuning_loss"] = self._tune(state, tuning_rows)
        if not all(map(math.isfinite, losses.values())):
            raise ValueError(
                f"{state.name}: loss not finite in epoch {state.epoch + 1}: {losses}; lower the learning rate"
            )
        state.record(losses)
        if scored_rows is not None:
            state.scores.append(_parts(self._evaluate(state.network, state.task, scored_rows))[0].cpu())
        if self.worker.leads:
            state.save()
            self.progress.epoch(state.name, state.epoch, losses)

    def _train(self, state: _Run, rows: Rows) -> float:
        epoch = state.epoch + 1
        torch.manual_seed(derived_seed(self.seed, state.name, epoch, self.worker.rank))
        generator = torch.Generator().manual_seed(
            derived_seed(self.seed, state.name, epoch, self.worker.rank, "augment")
        )
        shuffled = np.random.default_rng(derived_seed(self.seed, state.name, epoch, "order")).permutation(rows)
        batches = np.array_split(shuffled, math.ceil(len(rows) / self.params.batch_size))
        total = torch.zeros((), device=self.worker.device)
        state.network.train()
        for step, batch in enumerate(batches):
            for group in state.optimiser.param_groups:
                group["lr"] = self._rate(state.epoch + step / len(batches))
            share = self.worker.share(batch)
            inputs, targets = self._batch(state.task, share, generator)
            state.optimiser.zero_grad()
            with self._autocast():
                output = state.parallel(*inputs)
            weight = len(share) / len(batch)
            loss = state.task.loss(_full_precision(output), targets)
            if state.task.penalty is not None:
                loss = loss + state.task.penalty(state.network)
            loss = loss * weight
            (loss * self.worker.world).backward()  # type: ignore[no-untyped-call]  # processes are averaged: undo the division
            state.optimiser.step()
            total += loss.detach() * len(batch)
        return self.worker.total(total) / len(rows)

    def _tune(self, state: _Run, rows: Rows) -> float:
        output = self._evaluate(state.network, state.task, rows)
        loss = state.task.loss(output, self._targets(state.task, rows)).detach()
        self.worker.adopt(loss)
        return float(loss)

    @torch.no_grad()
    def _evaluate(self, network: nn.Module, task: Task, rows: Rows) -> Output:
        """Return the outputs of a network in evaluation mode for all rows, batch by batch."""
        network.eval()
        outputs = []
        for batch in np.array_split(rows, math.ceil(len(rows) / EVALUATION_BATCH)):
            with self._autocast():
                outputs.append(_full_precision(network(*self._batch(task, batch, None)[0])))
        parts = [torch.cat(part) for part in zip(*map(_parts, outputs), strict=True)]
        return parts[0] if isinstance(outputs[0], Tensor) else tuple(parts)

    def _batch(
        self, task: Task, rows: Rows, generator: torch.Generator | None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Return inputs (augmented if a generator is given) and targets of some patients on this worker's device."""
        inputs = []
        for gathered in task.gather(rows):
            tensor = gathered.to(self.worker.device)
            if tensor.dtype != torch.uint8:
                tensor = tensor.float()
            if generator is not None and task.augment is not None:
                tensor = task.augment(tensor, generator)
            inputs.append(tensor)
        targets = self._targets(task, rows)
        if generator is not None and task.combine is not None:
            (tensor,) = inputs
            combined, targets = task.combine(tensor, targets, generator)
            inputs = [combined]
        return inputs, targets

    def _targets(self, task: Task, rows: Rows) -> dict[str, Tensor]:
        return {
            name: torch.from_numpy(array[rows]).to(self.worker.device).float() for name, array in task.targets.items()
        }

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.worker.device.type, torch.bfloat16, enabled=self.params.precision == "bf16")

    def _rate(self, epochs_done: float) -> float:
        if self.params.schedule == "constant":
            return self.params.learning_rate
        return self.params.learning_rate * 0.5 * (1 + math.cos(math.pi * epochs_done / self.params.epochs))


class _Run:
    """The state of one run between epochs; what a checkpoint holds."""

    def __init__(self, trainer: Trainer, task: Task, name: str, rows: Rows) -> None:
        torch.manual_seed(derived_seed(trainer.seed, name, "initial weights"))
        self.task = task
        self.name = name
        self.progress = trainer.progress
        self.network = placed(task.build(rows), trainer.worker.device)
        self.parallel = trainer.worker.wrap(self.network)
        self.optimiser = _optimiser(self.network, trainer.params)
        self.path = trainer.checkpoint_path(name)
        self.key = ""
        self.best = _detached(self.network)
        self.best_epoch = 0
        self.training_losses: list[float] = []
        self.tuning_losses: list[float] = []
        self.scores: list[Tensor] = []

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.training_losses)

    def finished(self, last: int, patience: int) -> bool:
        """Whether the last epoch is done, or the tuning loss has not fallen for too long."""
        return self.epoch >= last or self.epoch - self.best_epoch >= patience

    def record(self, losses: Mapping[str, float]) -> None:
        """Take the losses of the epoch just done; keep its weights if they are the best so far, or the latest."""
        self.training_losses.append(losses["training_loss"])
        if "tuning_loss" in losses:
            self.tuning_losses.append(losses["tuning_loss"])
        if "tuning_loss" not in losses or losses["tuning_loss"] < min(self.tuning_losses[:-1], default=math.inf):
            self.best, self.best_epoch = _detached(self.network), self.epoch

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "best": self.best,
            "best_epoch": self.best_epoch,
            "training_losses": self.training_losses,
            "tuning_losses": self.tuning_losses,
            "scores": self.scores,
        }
        save_checkpoint(self.path, self.key, state)

    def resume(self, key: str) -> None:
        """Go on from the checkpoint of this very run, if there is one."""
        self.key = key
        state = load_checkpoint(self.path, key)
        if state is None:
            return
        self.progress.message(f"{self.name}: resumed after epoch {len(state['training_losses'])}")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self.training_losses, self.tuning_losses = state["training_losses"], state["tuning_losses"]
        self.scores = state["scores"]

    def fitted(self) -> FittedNetwork:
        """Return the result."""
        scores = tuple(np.asarray(epoch.numpy()) for epoch in self.scores)
        return FittedNetwork(self.best, self.best_epoch, tuple(self.training_losses), tuple(self.tuning_losses), scores)


def _optimiser(network: nn.Module, params: TrainingParams) -> torch.optim.Optimizer:
    rule, rate, decay = params.optimisation, params.learning_rate, params.weight_decay
    if rule.name == "sgd":
        return torch.optim.SGD(network.parameters(), rate, momentum=rule.momentum, weight_decay=decay, fused=True)
    return torch.optim.AdamW(network.parameters(), rate, weight_decay=decay, fused=True)


def _channels_last(array: NDArray[Any]) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor.permute(0, 2, 3, 1).contiguous() if tensor.ndim == 4 else tensor


def placed(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, weights laid out channels last, which is the faster layout for convolutions."""
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _detached(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the state dict on the CPU in the usual memory layout."""
    return {
        name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }


def _parts(output: Output) -> tuple[Tensor, ...]:
    return (output,) if isinstance(output, Tensor) else output


def _full_precision(output: Output) -> Output:
    return output.float() if isinstance(output, Tensor) else tuple(part.float() for part in output)
