"""Weights to start from: named by their digest, so that a training with others is another training."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from models.pretrained import pretrained_sha256


def test_weights_are_named_by_the_digest_of_their_file(tmp_path: Path) -> None:
    """Equal bytes have one name wherever they lie; without weights there is none."""
    path = tmp_path / "weights.pt"
    path.write_bytes(b"weights")

    assert pretrained_sha256(str(path)) == hashlib.sha256(b"weights").hexdigest()
    assert pretrained_sha256(None) is None


def test_weights_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(ValueError, match=r"pretrained weights .*missing\.pt: No such file"):
        pretrained_sha256(str(tmp_path / "missing.pt"))
