"""How often the 95 % intervals hold the truth, in cohorts of a given size and number of events.

    python benchmarks/coverage.py [simulations]

Survival: log hazard normal with standard deviation 0.8, Weibull event times of shape 1.2, administrative censoring and
exponential loss, set so that the expected number of events by the horizon is the one named; the model reports the true
log hazard and the true risk, so its slope is 1. Binary: drawn with the same risk, hence with the few cases more that
censoring hides. Truth: Harrell's C, which depends on censoring, from two million patients with it; all others from two
million without. An undefined estimate (no event, perfect separation) counts as a miss. Writes benchmarks/coverage.json
and prints a table; a cell outside its bounds (92-98 % at 20 events, 93-97 % from 100 on; straight lines between)
demands more events of a gate on that estimate: `minimum_events` is the first size from which every cell holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from validation.documents import write_json
from validation.estimators.calibration.survival import cox_calibration_slope, observed_expected_ratio
from validation.estimators.classification.at_horizon import classification_at_horizon
from validation.estimators.discrimination.auc import auc, auc_at_horizon
from validation.estimators.discrimination.concordance import harrell_c, uno_c
from validation.estimators.discrimination.time_dependent import auc_t
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.overall.brier_survival import brier_t, ipa_t
from validation.estimators.utility.net_benefit import net_benefit, net_benefit_at_horizon

SEED = 20261120
SIMULATIONS = 4000
SIZES = ((100, 20), (150, 30), (250, 50), (500, 100))
SPREAD, SHAPE, HORIZON, THRESHOLD, LOSS = 0.8, 1.2, 36.0, 0.2, 0.004
TRUTH_SIZE = 2_000_000
OUTPUT = Path(__file__).with_suffix(".json")

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cohort:
    """What the estimators see, and what they do not.

    Attributes:
        time: Follow-up, months.
        event: Event indicator.
        linear_predictor: True log hazard.
        risk: True risk by the horizon.
        case: Binary outcome of the same risk.
        event_time: Uncensored event time.
    """

    time: Array
    event: NDArray[np.bool_]
    linear_predictor: Array
    risk: Array
    case: NDArray[np.bool_]
    event_time: Array


def draw(rng: np.random.Generator, n: int, scale: float) -> Cohort:
    """Draw n patients whose cumulative hazard at month t is (t / scale)^SHAPE exp(log hazard)."""
    lp = rng.normal(0, SPREAD, n)
    event_time = scale * (rng.exponential(size=n) * np.exp(-lp)) ** (1 / SHAPE)
    censoring = np.minimum(rng.exponential(1 / LOSS, n), rng.uniform(HORIZON * 0.9, HORIZON * 2, n))
    risk = -np.expm1(-((HORIZON / scale) ** SHAPE) * np.exp(lp))
    return Cohort(
        np.minimum(event_time, censoring), event_time <= censoring, lp, risk, rng.random(n) < risk, event_time
    )


def scale_for(share: float) -> float:
    """Return the time scale at which this share of patients has an observed event by the horizon."""

    def excess(log_scale: float) -> float:
        sample = draw(np.random.default_rng(SEED), 200_000, float(np.exp(log_scale)))
        return float(np.mean(sample.event & (sample.time <= HORIZON))) - share

    return float(np.exp(brentq(excess, 2, 9, xtol=1e-6)))


ESTIMATORS: dict[str, Callable[[Cohort], Estimate]] = {
    "harrell_c": lambda c: harrell_c(c.time, c.event, c.linear_predictor, horizon=HORIZON),
    "uno_c": lambda c: uno_c(c.time, c.event, c.linear_predictor, horizon=HORIZON),
    "auc": lambda c: auc_at_horizon(c.time, c.event, c.linear_predictor, HORIZON),
    "auc_t": lambda c: auc_t(c.time, c.event, c.linear_predictor, HORIZON),
    "brier_t": lambda c: brier_t(c.time, c.event, c.risk, HORIZON),
    "ipa_t": lambda c: ipa_t(c.time, c.event, c.risk, HORIZON),
    "calibration_slope": lambda c: cox_calibration_slope(c.time, c.event, c.linear_predictor, horizon=HORIZON),
    "oe_ratio": lambda c: observed_expected_ratio(c.time, c.event, c.risk, HORIZON),
    "sensitivity": lambda c: classification_at_horizon(
        "sensitivity", c.time, c.event, c.risk, threshold=THRESHOLD, horizon=HORIZON
    ),
    "net_benefit": lambda c: net_benefit_at_horizon(c.time, c.event, c.risk, threshold=THRESHOLD, horizon=HORIZON),
    "binary auc": lambda c: auc(c.case, c.risk),
    "binary net_benefit": lambda c: net_benefit(c.case, c.risk, threshold=THRESHOLD),
}


def truths(scale: float) -> dict[str, float]:
    """Return what each estimator aims at."""
    large = draw(np.random.default_rng(SEED + 1), TRUTH_SIZE, scale)
    early = large.event_time <= HORIZON
    everybody = np.full(TRUTH_SIZE, HORIZON)
    status_time = np.where(early, np.minimum(large.event_time, HORIZON), everybody)
    treated = large.risk >= THRESHOLD
    odds = THRESHOLD / (1 - THRESHOLD)
    brier = float(np.mean((early - large.risk) ** 2))
    return {
        "harrell_c": harrell_c(large.time, large.event, large.linear_predictor, horizon=HORIZON).value,
        "uno_c": harrell_c(status_time, early, large.linear_predictor, horizon=HORIZON).value,
        "auc": auc(early, large.risk).value,
        "auc_t": auc(early, large.risk).value,
        "brier_t": brier,
        "ipa_t": 1 - brier / float(early.mean() * (1 - early.mean())),
        "calibration_slope": 1.0,
        "oe_ratio": 1.0,
        "sensitivity": float(treated[early].mean()),
        "net_benefit": float(np.mean(early & treated) - odds * np.mean(~early & treated)),
        "binary auc": auc(large.case, large.risk).value,
        "binary net_benefit": float(np.mean(large.case & treated) - odds * np.mean(~large.case & treated)),
    }


@dataclass(frozen=True)
class Cell:
    """One estimator at one size.

    Attributes:
        estimator: Name.
        n: Patients.
        events: Expected events by the horizon.
        truth: What is estimated.
        covered: Share of intervals that hold the truth.
        undefined: Share of cohorts without estimate; counted as not covered.
        mean: Mean estimate.
        width: Mean width of the interval.
        lower_bound: Smallest acceptable share.
        upper_bound: Largest.
    """

    estimator: str
    n: int
    events: int
    truth: float
    covered: float
    undefined: float
    mean: float
    width: float
    lower_bound: float
    upper_bound: float

    @property
    def holds(self) -> bool:
        """Whether the coverage lies within its bounds."""
        return self.lower_bound <= self.covered <= self.upper_bound


def simulate(n: int, events: int, simulations: int) -> list[Cell]:
    """Return the coverage of every estimator at one size."""
    scale = scale_for(events / n)
    aims = truths(scale)
    found: dict[str, list[Estimate]] = {name: [] for name in ESTIMATORS}
    rng = np.random.default_rng([SEED, n, events])
    for _ in range(simulations):
        sample = draw(rng, n, scale)
        for name, estimate in ESTIMATORS.items():
            try:
                found[name].append(estimate(sample))
            except UndefinedEstimate:
                continue
    slack = 0.01 * (100 - min(events, 100)) / 80
    return [
        Cell(
            estimator=name,
            n=n,
            events=events,
            truth=aims[name],
            covered=sum(e.lower <= aims[name] <= e.upper for e in estimates) / simulations,
            undefined=1 - len(estimates) / simulations,
            mean=float(np.mean([e.value for e in estimates])),
            width=float(np.mean([e.upper - e.lower for e in estimates])),
            lower_bound=0.93 - slack,
            upper_bound=0.97 + slack,
        )
        for name, estimates in found.items()
    ]


def minimum_events(cells: list[Cell]) -> dict[str, int | None]:
    """Return, per estimator, the events from which on every cell holds; None where the largest does not."""
    result: dict[str, int | None] = {}
    for name in ESTIMATORS:
        result[name] = None
        for cell in sorted((c for c in cells if c.estimator == name), key=lambda c: -c.events):
            if not cell.holds:
                break
            result[name] = cell.events
    return result


def table(cells: list[Cell]) -> str:
    """Return the coverage as Markdown: one row per estimator, one column per size."""
    sizes = list(dict.fromkeys((cell.n, cell.events) for cell in cells))
    head = ["estimator", *(f"n {n}, {events} events" for n, events in sizes), "minimum events"]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    least = minimum_events(cells)
    for name in ESTIMATORS:
        row = {
            (c.n, c.events): f"{c.covered:.1%}{'' if c.holds else ' (missed)'}" for c in cells if c.estimator == name
        }
        lines.append(f"| {' | '.join([name, *(row[size] for size in sizes), str(least[name] or 'above 100')])} |")
    return "\n".join(lines)


def main() -> None:
    """Simulate every size."""
    simulations = int(sys.argv[1]) if len(sys.argv) > 1 else SIMULATIONS
    cells = [cell for n, events in SIZES for cell in simulate(n, events, simulations)]
    print(table(cells))  # noqa: T201 - the output of a script
    if simulations >= SIMULATIONS:
        document = {
            "simulations": simulations,
            "seed": SEED,
            "cells": [asdict(cell) for cell in cells],
            "minimum_events": minimum_events(cells),
        }
        write_json(OUTPUT, document)


if __name__ == "__main__":
    main()
