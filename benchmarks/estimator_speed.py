"""How fast the estimators are, as ratios to peers timed in the same run on the same data.

    python benchmarks/estimator_speed.py [--quick]

Peers: lifelines; scikit-learn; scikit-survival (GPL, so no dependency: timed where it is installed); R's survival and
boot where Rscript is there (Rscript times itself, without start-up or reading). Slow peers run fewer bootstrap
replicates, given in the table, and are scaled to the number of ours. One thread, best of three for what takes less than
a few seconds; compilation, once per machine, is not timed. Writes benchmarks/estimator_speed.json and prints a table.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
from numpy.typing import NDArray

from validation.assess.assessment import assess
from validation.assess.questions import Plan
from validation.assess.table import Grouping, PredictionTable, SurvivalColumns
from validation.documents import write_json
from validation.estimators.bootstrap import resampling
from validation.estimators.discrimination.auc import auc_replicates
from validation.estimators.discrimination.concordance import harrell_c, harrell_c_replicates

SEED = 20261120
OUTPUT = Path(__file__).with_suffix(".json")
R_HARRELL = """
d <- read.csv("{path}"); suppressPackageStartupMessages(library(survival))
t <- system.time(o <- concordance(Surv(time, event) ~ prediction, d, reverse = TRUE))[["elapsed"]]
cat(t, o$concordance, sqrt(o$var))
"""
R_BOOT = """
d <- read.csv("{path}"); suppressPackageStartupMessages({{library(survival); library(boot)}})
f <- function(d, i) concordance(Surv(time, event) ~ prediction, d[i, ], reverse = TRUE)$concordance
t <- system.time(b <- boot(d, f, R = {replicates}))[["elapsed"]]
cat(t, b$t0, sd(b$t))
"""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Timing:
    """One peer on one task.

    Attributes:
        task: What was computed.
        n: Patients.
        who: Hallmark or the peer.
        seconds: Of the whole task; scaled where `replicates` is below the task's.
        replicates: Bootstrap replicates that were timed, if the task is a bootstrap.
        value: The point estimate, its bootstrap standard error or the number of estimates: what was computed.
        ratio: Seconds over Hallmark's.
    """

    task: str
    n: int
    who: str
    seconds: float
    replicates: int | None
    value: float
    ratio: float


@dataclass(frozen=True, eq=False)
class Cohort:
    """A synthetic cohort: proportional hazards, half of the patients censored."""

    time: Array
    event: NDArray[np.bool_]
    prediction: Array


def cohort(n: int) -> Cohort:
    """Draw n patients."""
    rng = np.random.default_rng(SEED)
    prediction = rng.normal(size=n)
    event_time = rng.exponential(size=n) * np.exp(-0.8 * prediction)
    censoring = rng.exponential(size=n)
    return Cohort(np.minimum(event_time, censoring), event_time <= censoring, prediction)


def seconds(work: Callable[[], float], repeats: int = 3) -> tuple[float, float]:
    """Return the shortest of some runs, and what the work returned."""
    best, value = np.inf, np.nan
    for _ in range(repeats):
        start = time.perf_counter()
        value = work()
        best = min(best, time.perf_counter() - start)
    return best, value


def in_r(script: str, data: Cohort, **given: object) -> tuple[float, float] | None:
    """Run an R script on the data; return the seconds it measured, and its last number; None without R."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cohort.csv"
        columns = np.column_stack([data.time, data.event, data.prediction])
        np.savetxt(path, columns, delimiter=",", header="time,event,prediction", comments="", fmt="%.17g")
        run = subprocess.run(
            ["Rscript", "-e", script.format(path=path, **given)], capture_output=True, text=True, check=True
        )
    elapsed, _, last = (float(word) for word in run.stdout.split())
    return elapsed, last


def compare(
    task: str, n: int, ours: tuple[float, float], peers: Mapping[str, tuple[float, float, int | None] | None]
) -> list[Timing]:
    """Return our timing and each peer's that could run."""
    timings = [Timing(task, n, "hallmark", ours[0], None, ours[1], 1.0)]
    for who, measured in peers.items():
        if measured is not None:
            elapsed, value, replicates = measured
            timings.append(Timing(task, n, who, elapsed, replicates, value, elapsed / ours[0]))
    return timings


def harrell(n: int) -> list[Timing]:
    """Harrell's C with its standard error; lifelines and scikit-survival have no standard error to give."""
    from lifelines.utils import concordance_index

    data = cohort(n)
    harrell_c(data.time[:100], data.event[:100], data.prediction[:100])
    ours = seconds(lambda: harrell_c(data.time, data.event, data.prediction).value)
    lifelines = seconds(lambda: float(concordance_index(data.time, -data.prediction, data.event)), 1)
    r = in_r(R_HARRELL, data)
    peers: dict[str, tuple[float, float, int | None] | None]
    peers = {"lifelines": (*lifelines, None), "R survival": (*r, None) if r else None}
    if n <= 20_000 and importlib.util.find_spec("sksurv"):
        from sksurv.metrics import concordance_index_censored

        sksurv = seconds(lambda: float(concordance_index_censored(data.event, data.time, data.prediction)[0]), 1)
        peers["scikit-survival"] = (*sksurv, None)
    return compare("Harrell's C with standard error", n, ours, peers)


def bootstrap_of_c(n: int, replicates: int = 1000, timed: int = 5) -> list[Timing]:
    """The bootstrap of Harrell's C."""
    from lifelines.utils import concordance_index

    data = cohort(n)
    plan = resampling(n, replicates, SEED)
    ours = seconds(lambda: float(harrell_c_replicates(data.time, data.event, data.prediction, plan).std()))
    rng = np.random.default_rng(SEED)

    def one() -> float:
        rows = rng.integers(0, n, n)
        return float(concordance_index(data.time[rows], -data.prediction[rows], data.event[rows]))

    elapsed, spread = seconds(lambda: float(np.std([one() for _ in range(timed)])), 1)
    r = in_r(R_BOOT, data, replicates=timed)
    scale = replicates / timed
    peers = {
        "lifelines in a loop": (elapsed * scale, spread, timed),
        "R boot, survival": (r[0] * timed / (timed + 1) * scale, r[1], timed) if r else None,
    }
    return compare(f"bootstrap of Harrell's C, {replicates} replicates", n, ours, peers)


def bootstrap_of_auc(n: int, replicates: int = 1000, timed: int = 5) -> list[Timing]:
    """The bootstrap of the AUC."""
    from sklearn.metrics import roc_auc_score

    data = cohort(n)
    plan = resampling(n, replicates, SEED)
    ours = seconds(lambda: float(auc_replicates(data.event, data.prediction, plan).std()))
    rng = np.random.default_rng(SEED)

    def one() -> float:
        rows = rng.integers(0, n, n)
        return float(roc_auc_score(data.event[rows], data.prediction[rows]))

    elapsed, spread = seconds(lambda: float(np.std([one() for _ in range(timed)])), 1)
    peers = {"scikit-learn in a loop": (elapsed * replicates / timed, spread, timed)}
    return compare(f"bootstrap of the AUC, {replicates} replicates", n, ours, peers)


def everything(n: int, replicates: int = 2000) -> list[Timing]:
    """All estimates of one cohort: two models, three horizons, a threshold; reading the table is not timed."""
    data = cohort(n)
    horizons = (0.2, 0.4, 0.8)
    risk = {h: -np.expm1(-h * np.exp(0.8 * data.prediction)) for h in horizons}
    other = {h: -np.expm1(-h * np.exp(0.4 * data.prediction)) for h in horizons}
    noisy = data.prediction + np.random.default_rng(SEED).normal(size=n)
    columns = SurvivalColumns(
        "time", "event", "lp", {h: f"risk {h}" for h in horizons}, "lp2", {h: f"other {h}" for h in horizons}
    )
    numbers = {"time": data.time, "event": data.event.astype(np.float64), "lp": data.prediction, "lp2": noisy}
    numbers |= {f"risk {h}": values for h, values in risk.items()} | {f"other {h}": v for h, v in other.items()}
    given = PredictionTable("synthetic", "", n, numbers, {})
    plan = Plan(columns, Grouping(), horizons, (0.3,), replicates=replicates, seed=SEED)
    assess(given, replace(plan, replicates=100))
    ours = seconds(lambda: float(sum(answer.estimate is not None for answer in assess(given, plan))))
    return compare(f"all estimates of one cohort, {replicates} replicates", n, ours, {})


def table(timings: list[Timing]) -> str:
    """Return the timings as Markdown."""
    lines = ["| task | n | who | seconds | ratio | replicates timed |", "| --- | --- | --- | --- | --- | --- |"]
    for timing in timings:
        lines.append(
            f"| {timing.task} | {timing.n} | {timing.who} | {timing.seconds:.3g} | {timing.ratio:.3g} "
            f"| {timing.replicates or 'all'} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Time every task; with --quick at a hundredth of the sizes, to see that it runs."""
    quick = 100 if "--quick" in sys.argv else 1
    timings = [
        *harrell(1_000),
        *harrell(10_000),
        *harrell(1_000_000 // quick),
        *bootstrap_of_c(500),
        *bootstrap_of_c(50_000 // quick),
        *bootstrap_of_auc(500),
        *bootstrap_of_auc(50_000 // quick),
        *everything(500),
    ]
    print(table(timings))  # noqa: T201 - the output of a script
    if quick == 1:
        write_json(OUTPUT, {"threads": 1, "timings": [asdict(timing) for timing in timings]})


if __name__ == "__main__":
    main()
