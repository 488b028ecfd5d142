"""What sealing costs: both ways are run, and the committed figure keeps the bar."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.locking import lock_protocol
from tests.benchmarks.loading import benchmark
from tests.pipelines.study import ARCHITECTURE, COHORT, MODEL, entries, make_study, run_all
from validation.documents import read_json


def test_both_ways_run_and_the_ledger_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small study; the benchmark adds its lines to a copy."""
    cost = benchmark("sealing_cost")
    monkeypatch.chdir(tmp_path)
    make_study(tmp_path)
    lock_protocol(ARCHITECTURE)
    run_all()
    before = entries()

    found = cost.measure(MODEL, COHORT, turns=1)

    assert entries() == before
    assert set(found["median_seconds"]) == {"open", "sealed"}
    assert all(seconds > 0 for seconds in found["median_seconds"].values())


def test_the_committed_figure() -> None:
    """Sealed costs at most a tenth more; the figure is of at least five turns."""
    document = read_json(benchmark("sealing_cost").OUTPUT)
    assert document is not None

    assert document["turns"] >= 5
    assert document["median_ratio"] <= 1.10
