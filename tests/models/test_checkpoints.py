"""Checkpoints are found by their own run only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.checkpoints import load_checkpoint, run_key, save_checkpoint, serialised, sources_digest, training_sources


def test_round_trip(tmp_path: Path) -> None:
    """What was saved is loaded by the same key."""
    path = tmp_path / "run.pt"
    save_checkpoint(path, "k", {"weights": {"w": torch.arange(3.0)}, "losses": [0.5]})
    state = load_checkpoint(path, "k")

    assert state is not None
    assert state["weights"]["w"].tolist() == [0.0, 1.0, 2.0]
    assert state["losses"] == [0.5]


def test_another_run_or_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    """A missing or stale checkpoint is not resumed."""
    path = tmp_path / "run.pt"
    assert load_checkpoint(path, "k") is None
    save_checkpoint(path, "k", {})
    assert load_checkpoint(path, "other") is None


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_unreadable_file_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    """A damaged file costs the progress, not the training."""
    path = tmp_path / "run.pt"
    path.write_bytes(content)

    assert load_checkpoint(path, "k") is None


def test_torn_checkpoint_is_no_checkpoint(tmp_path: Path) -> None:
    """Half a checkpoint is not read."""
    path = tmp_path / "run.pt"
    save_checkpoint(path, "k", {"w": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:2000])

    assert load_checkpoint(path, "k") is None


def test_serialised_depends_on_the_state_only() -> None:
    """Equal states give equal bytes."""
    assert serialised({"w": torch.ones(3)}) == serialised({"w": torch.ones(3)})
    assert serialised({"w": torch.ones(3)}) != serialised({"w": torch.zeros(3)})


def test_key_depends_on_every_fact() -> None:
    """Names and values count, the order does not."""
    assert run_key(a=1, b=[2]) == run_key(b=[2], a=1)
    assert len({run_key(a=1, b=[2]), run_key(a=1, b=[3]), run_key(a=1, c=[2]), run_key(a=2, b=[2])}) == 4


def test_sources_digest_follows_the_sources(tmp_path: Path) -> None:
    """A changed line of the model's package changes the digest, so that no old checkpoint is resumed."""
    before = sources_digest(tmp_path)
    (tmp_path / "network.py").write_text("x = 1\n")
    after = sources_digest(tmp_path)
    (tmp_path / "network.py").write_text("x = 2\n")

    assert len({before, after, sources_digest(tmp_path)}) == 3


def test_what_is_explained_after_training_is_no_source_of_it(tmp_path: Path) -> None:
    """A changed declaration of maps trains nothing again."""
    sources = training_sources(tmp_path)

    assert any(path.name == "training.py" for path in sources)
    assert not any("maps" in path.parts or path.name == "gradcam.py" for path in sources)
