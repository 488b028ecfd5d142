"""The coverage simulation: its committed table, and what gates may build on it."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from models import MODELS
from tests.benchmarks.loading import ROOT, benchmark
from validation.documents import read_json
from validation.protocol import load_protocol


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    """The script, imported as a module."""
    return benchmark("coverage")


def test_committed_table_is_complete_and_shown(coverage: ModuleType) -> None:
    """Every estimator at every size, at least 2000 simulations, and the table of the docs is made of it."""
    document = read_json(coverage.OUTPUT)
    assert document is not None
    cells = [coverage.Cell(**cell) for cell in document["cells"]]

    assert document["simulations"] >= 2000
    assert {(c.estimator, c.n, c.events) for c in cells} == {
        (name, n, events) for name in coverage.ESTIMATORS for n, events in coverage.SIZES
    }
    assert document["minimum_events"] == coverage.minimum_events(cells)
    assert coverage.table(cells) in (ROOT / "docs" / "estimates.md").read_text(encoding="utf-8")


def test_gates_demand_the_events_that_their_intervals_need(coverage: ModuleType) -> None:
    """No gate answers on fewer events than the coverage of its estimate's interval was found good at."""
    document = read_json(coverage.OUTPUT)
    assert document is not None
    for name in MODELS:
        protocol = load_protocol(ROOT / "validation" / "protocols" / f"{name}.yaml")
        estimators = {spec.id: spec.estimator for spec in protocol.analysis.estimates}
        for gate in protocol.gates:
            if gate.estimate is not None:
                least = document["minimum_events"][estimators[gate.estimate]]
                assert least is not None
                assert gate.minimum_events is not None
                assert gate.minimum_events >= least, gate.id


def test_cohorts_are_as_declared(coverage: ModuleType) -> None:
    """A fifth of the patients have an observed event by the horizon, and risks are right."""
    scale = coverage.scale_for(0.2)
    cohort = coverage.draw(np.random.default_rng(1), 200_000, scale)
    early = cohort.event_time <= coverage.HORIZON

    assert np.mean(cohort.event & (cohort.time <= coverage.HORIZON)) == pytest.approx(0.2, abs=0.004)
    assert early.mean() == pytest.approx(cohort.risk.mean(), abs=0.004)
    assert cohort.case.mean() == pytest.approx(cohort.risk.mean(), abs=0.004)


def test_misses_and_undefined_estimates_count(coverage: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell whose coverage leaves its bounds demands more events; an undefined estimate is no coverage."""
    good = coverage.Cell("c", 500, 100, 0.7, 0.95, 0.0, 0.7, 0.1, 0.93, 0.97)
    missed = coverage.Cell("c", 100, 20, 0.7, 0.90, 0.0, 0.7, 0.2, 0.92, 0.98)
    monkeypatch.setattr(coverage, "ESTIMATORS", {"c": None})

    assert coverage.minimum_events([good, missed]) == {"c": 100}
    assert "90.0% (missed)" in coverage.table([good, missed])


def test_repeats_itself(coverage: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same simulations give the same figures."""
    monkeypatch.setattr(coverage, "TRUTH_SIZE", 20_000)
    first, second = (coverage.simulate(100, 20, 10) for _ in range(2))

    assert first == second
