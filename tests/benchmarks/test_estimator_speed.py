"""The timings: that peers compute the same thing, and that the docs show the committed table."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.benchmarks.loading import ROOT, benchmark
from validation.documents import read_json


@pytest.fixture(scope="module")
def speed() -> ModuleType:
    """The script, imported as a module."""
    return benchmark("estimator_speed")


def test_committed_table_is_shown(speed: ModuleType) -> None:
    """The table in the docs is made of the committed timings, one thread."""
    document = read_json(speed.OUTPUT)
    assert document is not None
    timings = [speed.Timing(**timing) for timing in document["timings"]]

    assert document["threads"] == 1
    assert speed.table(timings) in (ROOT / "docs" / "estimates.md").read_text(encoding="utf-8")


def test_peers_compute_the_same(speed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Harrell's C of the peers is ours; bootstrap errors are alike within Monte-Carlo error."""
    monkeypatch.setattr(speed, "in_r", lambda *_, **__: None)
    values = {timing.who: timing.value for timing in speed.harrell(400)}
    bootstrap = {timing.who: timing.value for timing in speed.bootstrap_of_auc(300, replicates=400, timed=60)}

    assert values["lifelines"] == pytest.approx(values["hallmark"], abs=1e-12)
    assert bootstrap["scikit-learn in a loop"] == pytest.approx(bootstrap["hallmark"], rel=0.35)


def test_every_estimate_is_made(speed: ModuleType) -> None:
    """The task "all estimates" leaves out none but those of a cut-off."""
    (timing,) = speed.everything(300, replicates=100)

    assert timing.value > 60
