"""How often the demo protocol passes a good model and stops a bad one: operating characteristics by simulation.

    python benchmarks/gate_power.py [replicates]

Every replicate is one external cohort, judged by the gates of validation/protocols/mri_distant_metastasis.yaml with
their limits as they stand there. Event times follow a Weibull proportional-hazards model, 30 % within three years;
5.4 % leave earlier whatever their risk; the registry closes 36 to 68 months after surgery. Data checks, independence
and parity are taken as passed, and every patient as predicted. Writes benchmarks/gate_power.json and prints a table.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from validation.documents import write_json
from validation.estimators.catalogue.entry import Settings, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.discrimination.auc import auc_at_horizon
from validation.estimators.discrimination.concordance import harrell_c
from validation.estimators.estimate import UndefinedEstimate
from validation.gates.base import Custody, State
from validation.gates.independence import COMPARISONS
from validation.protocol import EstimateSpec, Protocol, load_protocol
from validation.verdict import Verdict, judge

ROOT = Path(__file__).parents[1]
SEED = 20261120
REPLICATES = 1000
SHAPE, HORIZON, EARLY_EXIT, CLOSING_MONTHS = 0.9, 36.0, 0.054, (36.0, 68.0)
EVENTS_BY_HORIZON = 0.30
COHORT, DEVELOPMENT, ARTIFACT = "mri_external", "mri_development", "0" * 64

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scenario:
    """A truth to be judged.

    Attributes:
        name: What kind of model it is.
        n: External patients.
        spread: Standard deviation of the true log hazard; sets the true C.
        slope: True calibration slope: the model reports the true log hazard divided by it.
        ratio: True observed over expected at 36 months.
    """

    name: str
    n: int
    spread: float
    slope: float = 1.0
    ratio: float = 1.0


GOOD, LEAST, WEAK = 1.18, 1.02, 0.36  # spreads that give C 0.77, 0.745 and 0.60
SCENARIOS = (
    Scenario("good", 520, GOOD),
    Scenario("good, n of the paper", 65, GOOD),
    Scenario("good, fewest allowed in the demo", 400, GOOD),
    Scenario("good, twice the demo", 1040, GOOD),
    Scenario("85 % of the oracle", 520, LEAST),
    Scenario("good, slope 0.9", 520, GOOD, slope=0.9),
    Scenario("weak", 520, WEAK),
    Scenario("weak, n of the paper", 65, WEAK),
    Scenario("overconfident, slope 0.6", 520, GOOD, slope=0.6),
    Scenario("overconfident, n of the paper", 65, GOOD, slope=0.6),
    Scenario("predicts twice the risk", 520, GOOD, ratio=0.5),
    Scenario("predicts half the risk", 520, GOOD, ratio=2.0),
)


def _standard_normal_mean(values: Array) -> float:
    return float(np.sum(values * _WEIGHTS))


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@cache
def cumulative_hazard(spread: float, mean_risk: float) -> float:
    """Cumulative hazard by the horizon at linear predictor 0 that gives the mean risk where lp ~ N(0, spread²)."""
    relative = np.exp(spread * _NODES)

    def excess(log_hazard: float) -> float:
        return _standard_normal_mean(-np.expm1(-np.exp(log_hazard) * relative)) - mean_risk

    return float(np.exp(brentq(excess, -15, 5)))


@dataclass(frozen=True)
class Simulated:
    """One cohort: what happened, and what the model said."""

    time_months: Array
    event: NDArray[np.bool_]
    predictions: dict[str, Array]


def simulate(scenario: Scenario, rng: np.random.Generator) -> Simulated:
    """Draw one external cohort."""
    true = scenario.spread * rng.standard_normal(scenario.n)
    base = cumulative_hazard(scenario.spread, EVENTS_BY_HORIZON)
    event_months = HORIZON * (rng.exponential(size=scenario.n) / (base * np.exp(true))) ** (1 / SHAPE)
    leaves = rng.random(scenario.n) < EARLY_EXIT
    end = np.where(leaves, rng.uniform(1, HORIZON, scenario.n), rng.uniform(*CLOSING_MONTHS, scenario.n))
    reported = true / scenario.slope
    believed = cumulative_hazard(scenario.spread / scenario.slope, EVENTS_BY_HORIZON / scenario.ratio)
    risk = -np.expm1(-believed * np.exp(reported))
    return Simulated(
        time_months=np.minimum(event_months, end),
        event=event_months <= end,
        predictions={"lp_nomogram": reported, "risk_nomogram_36m": risk},
    )


def measure(spec: EstimateSpec, level: float, cohort: Simulated) -> dict[str, Any]:
    """Return the entry of the evidence, as `validation.evaluate` would write it."""
    settings = Settings(level, spec.horizon_months)
    sample = SurvivalSample(cohort.time_months, cohort.event, cohort.predictions[spec.prediction], settings)
    about = {"id": spec.id, "estimator": spec.estimator, "prediction": spec.prediction, "endpoint": spec.endpoint}
    try:
        return {**about, **SURVIVAL[spec.estimator].estimate(sample).to_dict()}
    except UndefinedEstimate as undefined:
        counts = {"n": len(cohort.event), "events": int(cohort.event.sum()), "horizon": spec.horizon_months}
        return {**about, "value": None, "reason": str(undefined), "too_few": undefined.too_few, **counts}


def verdict(protocol: Protocol, cohort: Simulated) -> Verdict:
    """Judge one cohort by the protocol; everything but the estimates is sound."""
    judged = {gate.estimate for gate in protocol.gates}
    specs = [spec for spec in protocol.analysis.estimates if spec.id in judged]
    n = len(cohort.event)
    tables = {"patients": "1" * 64, "outcomes": "2" * 64}
    evidence = {
        "schema": 1,
        "model": "simulated",
        "architecture": protocol.model,
        "cohort": COHORT,
        "role": "external",
        "synthetic": True,
        "endpoint": protocol.analysis.endpoint,
        "patients": {"declared": n, "predicted": n, "failed": [], "with_missing_covariates": 0},
        "estimates": [measure(spec, protocol.analysis.level, cohort) for spec in specs],
        "curves": {},
        "digests": {
            "artifact": ARTIFACT,
            "predictions": "3" * 64,
            **tables,
            **dict.fromkeys(("cohort_yaml", "judge", "opening"), "4" * 64),
            "analysis": protocol.analysis.estimates_digest,
        },
    }
    check = {"n": n, "success": True, "synthetic": True, "checks": [{"id": "all", "success": True}], "digests": tables}
    comparison = {
        "model": "simulated",
        "development": DEVELOPMENT,
        "cohort": COHORT,
        "success": True,
        "digests": {"development_patients": tables["patients"], "external_patients": tables["patients"]},
        "compared": {what: [n, n] for what in COMPARISONS},
        "shared": {what: [] for what in COMPARISONS},
    }
    return judge(
        protocol,
        model="simulated",
        artifact_digest=ARTIFACT,
        development={"cohort": DEVELOPMENT, **{f"{table}_sha256": digest for table, digest in tables.items()}},
        outputs=("lp",),
        evidence={COHORT: evidence},
        cohort_checks={
            COHORT: {**check, "cohort": COHORT, "role": "external"},
            DEVELOPMENT: {**check, "cohort": DEVELOPMENT, "role": "development"},
        },
        independence={COHORT: comparison},
        parity={"model": "simulated", "artifact": ARTIFACT, "max_abs_difference": {"lp": 0.0}, "n": 1},
        custody={COHORT: Custody(None)},
        lock_problem=None,
    )


def _shares(states: Counter[State], replicates: int) -> dict[str, dict[str, float]]:
    shares = {state: states[state] / replicates for state in State}
    return {
        str(state): {"share": share, "standard_error": round(float(np.sqrt(share * (1 - share) / replicates)), 4)}
        for state, share in shares.items()
    }


@cache
def achieved(spread: float) -> dict[str, float]:
    """C and three-year AUC of a model that orders patients as the truth does, in a cohort of 200 000."""
    large = simulate(Scenario("large", 200_000, spread), np.random.default_rng(SEED))
    lp = large.predictions["lp_nomogram"]
    c = harrell_c(large.time_months, large.event, lp)
    auc = auc_at_horizon(large.time_months, large.event, lp, HORIZON)
    return {"harrell_c": round(c.value, 3), "auc_36_months": round(auc.value, 3)}


def run_scenario(protocol: Protocol, scenario: Scenario, replicates: int) -> dict[str, Any]:
    """Judge `replicates` cohorts of one scenario; the generators are keyed by scenario and replicate."""
    overall: Counter[State] = Counter()
    gates: dict[str, Counter[State]] = {gate.id: Counter() for gate in protocol.gates if gate.limit}
    events = 0
    for replicate in range(replicates):
        key = [SEED, *scenario.name.encode(), scenario.n, replicate]
        cohort = simulate(scenario, np.random.default_rng(key))
        events += int(np.count_nonzero(cohort.event & (cohort.time_months <= HORIZON)))
        result = verdict(protocol, cohort)
        overall[result.state] += 1
        for row in result.gates:
            if row.spec.id in gates:
                gates[row.spec.id][row.answer.state] += 1
    return {
        "scenario": scenario.name,
        "n": scenario.n,
        "events_by_36_months": round(events / replicates, 1),
        "truth": {**achieved(scenario.spread), "slope": scenario.slope, "observed_expected": round(scenario.ratio, 3)},
        "verdict": _shares(overall, replicates),
        "gates": {name: _shares(states, replicates) for name, states in gates.items()},
    }


def table(results: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of a Markdown table: per scenario PASS / FAIL / INCONCLUSIVE in per cent, overall and per gate."""
    gates = list(results[0]["gates"])
    yield f"| model | n | events | C | AUC | verdict | {' | '.join(gates)} |"
    yield "|" + " --- |" * (6 + len(gates))
    for result in results:
        shares = [result["verdict"], *(result["gates"][gate] for gate in gates)]
        cells = [" / ".join(f"{100 * share[str(state)]['share']:.1f}" for state in State) for share in shares]
        truth = result["truth"]
        about = [result["scenario"], result["n"], f"{result['events_by_36_months']:.0f}"]
        yield "| " + " | ".join(map(str, [*about, truth["harrell_c"], truth["auc_36_months"], *cells])) + " |"


def main(replicates: int = REPLICATES) -> None:
    """Run every scenario, write the JSON and print the table."""
    protocol = load_protocol(ROOT / "validation" / "protocols" / "mri_distant_metastasis.yaml")
    results = [run_scenario(protocol, scenario, replicates) for scenario in SCENARIOS]
    document = {
        "protocol": {"model": protocol.model, "gates_sha256": protocol.gates_digest},
        "replicates": replicates,
        "seed": SEED,
        "results": results,
    }
    write_json(ROOT / "benchmarks" / "gate_power.json", document)
    sys.stdout.write("PASS / FAIL / INCONCLUSIVE in per cent of replicates\n\n" + "\n".join(table(results)) + "\n")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
