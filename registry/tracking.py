"""What MLflow makes of a training: one run with its parameters, the digests of its data and its curves.

Tracking never costs a training. Whatever MLflow says (no server, full disk, locked database), it is said once as a
warning, and the training goes on untracked; its result does not depend on MLflow.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from registry.connection import experiment_id, mlflow_store
from validation.errors import InputError

LOGGER = logging.getLogger(__name__)
MESSAGES = "messages.txt"
RUN_NAME = "train"
LEFT_BEHIND = f"attributes.run_name = '{RUN_NAME}' and attributes.status = 'RUNNING'"


class TrainingTracker:
    """Hands epochs and messages of one training on to an MLflow run; a context manager.

    A run ends as FINISHED, or as FAILED when the training raises. What a killed process left RUNNING is ended as KILLED
    by the next training of the model, which has a run of its own: one run is one process. (A process that is alive
    after all goes on recording, and ends its run as FINISHED.) Of several under torchrun only the first tracks.
    """

    def __init__(self, model: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Take what the run is to hold; nothing is contacted yet.

        Args:
            model: Entry of params.yaml; names the experiment.
            params: Parameters of the training.
            tags: Digests of the data, commits.
        """
        self._model, self._params, self._tags = model, params, tags
        self._messages: list[str] = []
        self._run_id: str | None = None

    def __enter__(self) -> Self:
        """Start the run."""
        if os.environ.get("RANK", "0") == "0":
            self._safely(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the run; an error of the training passes through."""
        status = "FINISHED" if kind is None else "FAILED"
        self._if_started(lambda client, run: client.log_text(run, "".join(f"{m}\n" for m in self._messages), MESSAGES))
        self._if_started(lambda client, run: client.set_terminated(run, status))

    def epoch(self, run: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record the figures of one epoch of one run, for instance "t2w/fold-1": metrics "t2w/fold-1/loss" ..."""
        self._if_started(lambda client, run_id: _log_epoch(client, run_id, run, epoch, metrics))

    def message(self, text: str) -> None:
        """Keep one line for people; all of them are in messages.txt of the run when it ends."""
        self._messages.append(text)

    def _start(self) -> None:
        """End what killed processes left behind, and make the run."""
        from mlflow.entities import Param

        with mlflow_store(create=True) as client:
            experiment = experiment_id(client, self._model)
            for left in client.search_runs([experiment], LEFT_BEHIND):
                client.set_terminated(left.info.run_id, "KILLED")
            run = client.create_run(experiment, run_name=RUN_NAME, tags=dict(self._tags))
            self._run_id = str(run.info.run_id)
            client.log_batch(self._run_id, params=[Param(name, str(value)) for name, value in self._params.items()])

    def _if_started(self, action: Callable[[Any, str], None]) -> None:
        """Do something with the run, if there is one."""
        if (run_id := self._run_id) is not None:
            self._safely(lambda: _with_client(action, run_id))

    def _safely(self, action: Callable[[], None]) -> None:
        """Do something; if the store does not answer, say so and stop tracking."""
        try:
            action()
        except (InputError, OSError) as error:
            self._run_id = None
            LOGGER.warning("training goes on without tracking: %s", error)


def track_training(model: str, params: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> TrainingTracker:
    """Return a tracker to be used as a context manager; see `TrainingTracker`."""
    return TrainingTracker(model, params, tags or {})


def _with_client(action: Callable[[Any, str], None], run_id: str) -> None:
    """Call with a client of the store."""
    with mlflow_store() as client:
        action(client, run_id)


def _log_epoch(client: Any, run_id: str, run: str, epoch: int, metrics: Mapping[str, float]) -> None:
    """Send one epoch in one request."""
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    client.log_batch(
        run_id, metrics=[Metric(f"{run}/{name}", float(value), now, epoch) for name, value in metrics.items()]
    )
