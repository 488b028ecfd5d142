"""Tracking a training: everything recorded, and never at the training's cost."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from registry.connection import experiment_id, mlflow_store
from registry.tracking import track_training


def only_run() -> Any:
    """The only run of the experiment "model"."""
    with mlflow_store() as client:
        (run,) = client.search_runs([experiment_id(client, "model")])
    return run


def statuses(model: str) -> list[str]:
    """Names and statuses of the runs of a model, sorted."""
    with mlflow_store() as client:
        runs = client.search_runs([experiment_id(client, model)])
    return sorted(f"{run.info.run_name} {run.info.status}" for run in runs)


@pytest.mark.usefixtures("store")
def test_run_holds_parameters_digests_and_curves(tmp_path: Path) -> None:
    """Parameters, tags, metrics per run and epoch, messages."""
    with track_training("model", {"epochs": 2, "pretrained": None}, {"cohort_sha256": "abc"}) as tracker:
        tracker.message("fold 1")
        tracker.epoch("t2w/fold-1", 1, {"loss": 0.7, "tuning_loss": 0.8})
        tracker.epoch("t2w/fold-1", 2, {"loss": 0.6, "tuning_loss": 0.9})
    run = only_run()

    assert (run.info.status, run.info.run_name) == ("FINISHED", "train")
    assert run.data.params == {"epochs": "2", "pretrained": "None"}
    assert run.data.tags["cohort_sha256"] == "abc"
    assert run.data.metrics == {"t2w/fold-1/loss": 0.6, "t2w/fold-1/tuning_loss": 0.9}
    with mlflow_store() as client:
        history = client.get_metric_history(run.info.run_id, "t2w/fold-1/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.7), (2, 0.6)]
    assert next(tmp_path.rglob("messages.txt")).read_text(encoding="utf-8") == "fold 1\n"


@pytest.mark.usefixtures("store")
def test_failed_training_fails_its_run() -> None:
    """An error of the training passes through and marks the run."""
    with pytest.raises(ValueError, match="no events"), track_training("model", {}):
        raise ValueError("no events")

    assert only_run().info.status == "FAILED"


@pytest.mark.usefixtures("store")
def test_what_a_killed_training_left_is_ended() -> None:
    """The next training of the model ends it as KILLED, whatever its parameters; other models' and other runs stay."""
    killed = track_training("model", {"epochs": 2}).__enter__()
    killed.epoch("t2w", 1, {"loss": 0.7})
    track_training("other", {}).__enter__()
    with mlflow_store() as client:
        client.create_run(experiment_id(client, "model"), run_name="register")
    with track_training("model", {"epochs": 3}) as resumed:
        resumed.epoch("t2w", 2, {"loss": 0.6})

    assert statuses("model") == ["register RUNNING", "train FINISHED", "train KILLED"]
    assert statuses("other") == ["train RUNNING"]


@pytest.mark.usefixtures("store")
def test_taken_for_killed_but_alive() -> None:
    """A training that was running all the time loses nothing when another one takes its run for left behind."""
    with track_training("model", {}) as alive:
        with track_training("model", {}):
            assert statuses("model") == ["train KILLED", "train RUNNING"]
        alive.epoch("t2w", 1, {"loss": 0.7})

    assert statuses("model") == ["train FINISHED", "train FINISHED"]
    with mlflow_store() as client:
        (run,) = client.search_runs([experiment_id(client, "model")], "metrics.`t2w/loss` > 0")
    assert run.data.metrics == {"t2w/loss": 0.7}


def test_store_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken store is one warning; the training runs to its end."""
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/broken.db")
    with caplog.at_level(logging.WARNING, "registry.tracking"), track_training("model", {}) as tracker:
        tracker.epoch("t2w", 1, {"loss": 0.7})
        tracker.message("done")

    (record,) = caplog.records
    assert "training goes on without tracking: MLflow store" in record.getMessage()


@pytest.mark.usefixtures("store")
def test_store_lost_during_training(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A server that goes away is one warning, then silence; the training runs to its end."""
    with caplog.at_level(logging.WARNING, "registry.tracking"), track_training("model", {}) as tracker:
        tracker.epoch("t2w", 1, {"loss": 0.7})
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        tracker.epoch("t2w", 2, {"loss": 0.6})
        tracker.epoch("t2w", 3, {"loss": 0.5})

    assert len(caplog.records) == 1


def test_only_the_first_process_tracks(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under torchrun one run is made, not one per process."""
    monkeypatch.setenv("RANK", "1")
    with track_training("model", {}) as tracker:
        tracker.epoch("t2w", 1, {"loss": 0.7})

    with mlflow_store() as client:
        assert None is client.get_experiment_by_name("model")
    assert not (store / "mlartifacts").exists()
