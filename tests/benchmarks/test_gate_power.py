"""The simulation behind the limits of the demo protocol."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.benchmarks.loading import ROOT, benchmark
from validation.documents import read_json
from validation.protocol import Protocol, load_protocol


@pytest.fixture(scope="module")
def gate_power() -> ModuleType:
    """The script, imported as a module."""
    return benchmark("gate_power")


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    """The protocol of the demo."""
    return load_protocol(ROOT / "validation" / "protocols" / "mri_distant_metastasis.yaml")


def test_committed_figures_are_of_the_present_limits(protocol: Protocol) -> None:
    """A changed limit needs the simulation to be run again; a good model passes with probability of at least 0.9."""
    document = read_json(ROOT / "benchmarks" / "gate_power.json")
    assert document is not None
    good = {result["scenario"]: result["verdict"] for result in document["results"]}["good"]

    assert document["protocol"]["gates_sha256"] == protocol.gates_digest
    assert good["PASS"]["share"] - 2 * good["PASS"]["standard_error"] >= 0.9


def test_repeats_itself(gate_power: ModuleType, protocol: Protocol) -> None:
    """The same replicates give the same figures."""
    scenario = gate_power.Scenario("small", 120, gate_power.GOOD)
    first, second = (gate_power.run_scenario(protocol, scenario, 5) for _ in range(2))

    assert first == second
    assert sum(share["share"] for share in first["verdict"].values()) == pytest.approx(1)


def test_truth_is_as_declared(gate_power: ModuleType) -> None:
    """Over many patients 30 % have the event within three years, the mean risk is that over O/E, C is 0.77."""
    scenario = gate_power.Scenario("large", 100_000, gate_power.GOOD, slope=0.6, ratio=2.0)
    cohort = gate_power.simulate(scenario, np.random.default_rng(1))

    assert cohort.predictions["risk_nomogram_36m"].mean() == pytest.approx(0.15, abs=0.002)
    known = np.mean(cohort.event & (cohort.time_months <= 36))
    assert known == pytest.approx(0.30 * (1 - 0.054 / 2), abs=0.01)
    assert gate_power.achieved(gate_power.GOOD)["harrell_c"] == pytest.approx(0.77, abs=0.002)


def test_table_has_a_line_per_scenario(gate_power: ModuleType, protocol: Protocol) -> None:
    """Header, rule, one line per scenario."""
    result = gate_power.run_scenario(protocol, gate_power.Scenario("tiny", 65, gate_power.WEAK), 2)
    lines = list(gate_power.table([result, result]))

    assert len(lines) == 4
    assert "0.0 / 0.0 / 100.0" in lines[2]
