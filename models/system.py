"""What a training system is, and the values it is given. Imports neither torch nor MONAI."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, get_type_hints

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn


class Progress(Protocol):
    """Told how training goes; what becomes of it, a line on the screen or a tracked run, is the receiver's business."""

    def epoch(self, run: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Take the figures of one finished epoch (counted from 1) of one run, for instance "t2w/fold-1"."""

    def message(self, text: str) -> None:
        """Take one line for people."""


class ParameterError(ValueError):
    """A training parameter that cannot be.

    Attributes:
        key: Its name in params.yaml.
        found: What was found, as text.
        expected: What is allowed.
    """

    def __init__(self, key: str, found: str, expected: str) -> None:
        """Say which, what was found and what is allowed."""
        super().__init__(f"training parameter {key}: found {found}, expected {expected}")
        self.key, self.found, self.expected = key, found, expected


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Outcome of one endpoint with time.

    Attributes:
        event: (N,) whether the event was observed.
        time_months: (N,) months from the time origin to event or censoring, > 0.
    """

    event: NDArray[np.bool_]
    time_months: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DevelopmentSet:
    """The development patients, pre-processed, with their outcomes.

    Attributes:
        patient_ids: Unique patient ids, N of them.
        inputs: One array per ONNX input, batch axis first: (N, ...); float32, or float16 to save memory. NaN = missing.
        follow_up: Outcomes by endpoint.
        labels: Binary endpoints by name: (N,) float64, 1 case, 0 control, NaN not known.
    """

    patient_ids: tuple[str, ...]
    inputs: Mapping[str, NDArray[np.floating[Any]]]
    follow_up: Mapping[str, FollowUp]
    labels: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what does not fit together.

        Raises:
            ValueError: Ids are repeated, lengths differ, a time is not a positive number, a label is not 0, 1 or NaN.
        """
        n = len(self.patient_ids)
        if len(set(self.patient_ids)) != n:
            raise ValueError("patient_ids: a patient appears more than once")
        lengths = {name: len(array) for name, array in self._arrays().items()}
        if wrong := {name: length for name, length in lengths.items() if length != n}:
            raise ValueError(f"{n} patients, but other lengths for {wrong}")
        for name, outcome in self.follow_up.items():
            if outcome.event.dtype != np.bool_:
                raise ValueError(f"{name} event: dtype {outcome.event.dtype}, expected bool")
            if not (np.isfinite(outcome.time_months).all() and (outcome.time_months > 0).all()):
                raise ValueError(f"{name} time_months: a time is missing, infinite or not positive")
        for name, label in self.labels.items():
            if not np.isin(label[np.isfinite(label)], (0, 1)).all() or np.isinf(label).any():
                raise ValueError(f"label {name}: other values than 0, 1 and NaN")

    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by a name of its own."""
        outcomes = {
            f"{part} of {name}": getattr(outcome, part)
            for name, outcome in sorted(self.follow_up.items())
            for part in ("event", "time_months")
        }
        labels = {f"label {name}": label for name, label in sorted(self.labels.items())}
        return {**dict(sorted(self.inputs.items())), **outcomes, **labels}

    def digest(self) -> str:
        """Return the sha256 of ids, inputs and outcomes, names and types included."""
        digest = hashlib.sha256(repr(self.patient_ids).encode())
        for name, array in self._arrays().items():
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Optimisation:
    """How a network's weights follow their gradients.

    Attributes:
        name: "adamw" or "sgd" (stochastic gradient descent; weight decay is then part of the gradient).
        momentum: Of "sgd", 0 <= momentum < 1; AdamW has its own.
    """

    name: str = "adamw"
    momentum: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: Names the key, its value and what is allowed.
        """
        rules = {
            "optimiser": (self.name, self.name in ("adamw", "sgd"), "adamw or sgd"),
            "momentum": (
                self.momentum,
                0 <= self.momentum < 1 and (self.name == "sgd" or self.momentum == 0),
                "0 <= momentum < 1, and 0 with adamw",
            ),
        }
        for key, (found, holds, allowed) in rules.items():
            if not holds:
                raise ParameterError(key, repr(found), allowed)


@dataclass(frozen=True)
class TrainingParams:
    """The training block of one model in params.yaml. A network that needs more subclasses this.

    Attributes:
        width: Share of the published network's channels, 1.0 = the published network. Below 0.25 on one thread only:
            with fewer than 16 channels in the first block, torch 2.13 on several CPU threads was seen to corrupt its
            memory in the backward pass of convolutions laid out channels last.
        dropout: Probability of dropping a feature in front of the output, 0 <= dropout < 1.
        epochs: Most passes over the training patients; the cosine schedule ends there.
        patience: Epochs without a lower tuning loss after which training stops.
        batch_size: Patients per optimiser step (over all processes together), at most.
        learning_rate: Rate at the start.
        schedule: "cosine" (to zero at `epochs`) or "constant".
        weight_decay: Weight decay of the optimiser; decoupled from the gradient with AdamW.
        folds: Folds of the cross-fitting, by patient.
        tuning_fraction: Share of a fold's training patients kept apart for early stopping; 0 for none: then every
            network is trained for all epochs. Stopping a short cosine schedule early costs more than it saves.
        precision: "fp32", or "bf16" for bfloat16 autocast.
        threads: Threads of torch on the CPU; results are reproducible per number of threads.
        pretrained: Path of a local state dict to start from, or None.
    """

    width: float
    dropout: float
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    schedule: str
    weight_decay: float
    folds: int
    tuning_fraction: float
    precision: str
    threads: int
    pretrained: str | None

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: Names the key, its value and what is allowed.
        """
        rules = {
            "width": (
                (0.25 if self.threads > 1 else 0.0625) <= self.width <= 1,
                "0.25 <= width <= 1, or from 0.0625 on one thread",
            ),
            "dropout": (0 <= self.dropout < 1, "0 <= dropout < 1"),
            "epochs": (self.epochs >= 1, "at least 1"),
            "patience": (self.patience >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 2, "at least 2: batch normalisation needs two patients"),
            "learning_rate": (self.learning_rate > 0, "above 0"),
            "schedule": (self.schedule in ("cosine", "constant"), "cosine or constant"),
            "weight_decay": (self.weight_decay >= 0, "0 or more"),
            "folds": (self.folds >= 2, "at least 2"),
            "tuning_fraction": (0 <= self.tuning_fraction < 1, "0 <= tuning_fraction < 1"),
            "precision": (self.precision in ("fp32", "bf16"), "fp32 or bf16"),
            "threads": (self.threads >= 1, "at least 1"),
            "pretrained": (self.pretrained is None or self.width == 1, "null unless width is 1.0"),
        }
        for key, (holds, allowed) in rules.items():
            if not holds:
                raise ParameterError(key, repr(getattr(self, key)), allowed)

    @property
    def optimisation(self) -> Optimisation:
        """AdamW; a network that is trained otherwise says so in its subclass."""
        return Optimisation()

    @classmethod
    def from_mapping(cls, block: Mapping[str, Any]) -> Self:
        """Build from a block of params.yaml.

        Raises:
            ParameterError: A key is unknown, missing or of the wrong type, or a value is out of range.
        """
        names = [part.name for part in fields(cls)]
        if unknown := sorted(set(block) - set(names)):
            raise ParameterError(str(unknown[0]), "an unknown parameter", f"one of {', '.join(names)}")
        if missing := [name for name in names if name not in block]:
            raise ParameterError(missing[0], "nothing", "a value")
        kinds = get_type_hints(cls)
        return cls(**{name: _typed(name, block[name], kinds[name]) for name in names})


def _typed(name: str, value: Any, kind: Any) -> Any:
    """Return the value if it is of the kind; a whole number will do for a float, a boolean only for a boolean."""
    if kind is float and type(value) is int:
        return float(value)
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, kind):
        expected = getattr(kind, "__name__", str(kind))
        raise ParameterError(name, f"{value!r} ({type(value).__name__})", expected)
    return value


class System(Protocol):
    """How one model is trained and exported; found by `ModelSpec.system_path`."""

    @property
    def params_class(self) -> type[TrainingParams]:
        """What its block in params.yaml holds."""

    def train(
        self,
        development: DevelopmentSet,
        params: TrainingParams,
        seed: int,
        folder: Path,
        checkpoints: Path,
        progress: Progress,
    ) -> None:
        """Cross-fit the networks, fit the risk models on out-of-fold scores, refit the networks on everyone.

        Writes into `folder`, only once all is done: the weights, `scores.parquet` (out-of-fold), `risk_models.json`,
        `training.json`. An interrupted training goes on from `checkpoints` and ends in the same bytes. Under torchrun
        every process calls this and only the first one writes.

        Raises:
            ValueError: The data cannot define the model (no events, too few patients ...); says what is wrong.
        """

    def signature(self, folder: Path) -> nn.Module:
        """Return the whole signature (networks, fusion, risk models) in evaluation mode, as trained into `folder`."""

    def export(self, folder: Path, artifact_folder: Path, identity: Mapping[str, str]) -> Path:
        """Write `model.onnx`, `contract.json` and `card.md` and return the path of the ONNX file.

        Args:
            folder: What `train` wrote.
            artifact_folder: Existing folder to write into.
            identity: Written into the ONNX file as metadata; must hold "hallmark.model", "hallmark.synthetic" ("true"
                or "false"), and "hallmark.development_..." with cohort, excluded (a number), patients_sha256 and
                outcomes_sha256. Patients trained on and events are those of `training.json`.

        Raises:
            ValueError: A required key of `identity` is missing.
        """


class SlideSystem(System, Protocol):
    """The system of a model that reads slides: a classifier of tiles is trained before the rest, and ships with it."""

    def train_tiles(
        self,
        pixels: NDArray[np.uint8],
        tissue: NDArray[np.int8],
        slide: Sequence[str],
        params: TrainingParams,
        seed: int,
        folder: Path,
        checkpoints: Path,
        progress: Progress,
    ) -> None:
        """Train the classifier and write `tiles.onnx` and what `train` needs of it into `folder`.

        An interrupted training goes on from `checkpoints` and ends in the same bytes.

        Args:
            pixels: (N, 224, 224, 3) tiles as the classifier takes them; may be an `np.memmap`.
            tissue: (N,) index into the spec's tissues.
            slide: Slide of each tile.
            params: As of `train`.
            seed: As of `train`.
            folder: As of `train`, which is called with it next.
            checkpoints: As of `train`.
            progress: As of `train`.

        Raises:
            ValueError: The tiles cannot define the classifier; says what is wrong.
        """

    def classifier(self, folder: Path) -> nn.Module:
        """Return the classifier trained into `folder` as it ships, in evaluation mode."""
