"""How often the 95 % intervals of treatment effects and of a score in subgroups hold the planted effect.

    python benchmarks/treatment_effect.py [cohorts]

Tables alone of the five colorectal cohorts (`pipelines/synthetic/colorectal_cohorts.py`), of published size: no image,
no network. The score is the true image risk, which a perfect model would report; high is above 0, where the planted
effect of chemotherapy changes. Asked of each cohort and of all five together, for overall and disease-free survival:
the hazard ratio of chemotherapy in high and in low score and their ratio (the interaction), in stage II and in stage
III, among those whose treatment is known; the hazard ratio of high against low score in every subgroup.

Reference: the same estimators in the same groups of a million patients of the same cohort (all five: in the published
proportions), in ten parts pooled, with the same follow-up, losses and gaps. It is not the planted coefficient: a hazard
ratio that leaves out other prognostic variables lies nearer to 1. An undefined estimate (no event, one arm without
events) is a miss. A group with fewer than 20 expected events, of the interaction's two the smaller, is shown but not
judged, as is one that a cohort does not have. Writes benchmarks/treatment_effect.json and prints its tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.synthetic.colorectal_cancer import CEA_ELEVATED_ABOVE_NG_ML, CHEMOTHERAPY_SHARE, HAZARD
from pipelines.synthetic.colorectal_cancer import HIGH_IMAGE_RISK_ABOVE as HIGH_ABOVE
from pipelines.synthetic.colorectal_cohorts import COLORECTAL_COHORTS
from pipelines.synthetic.definition import CohortDefinition
from pipelines.synthetic.simulation import simulate
from validation.documents import write_json
from validation.estimators.classification.proportion import exact_limits
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import quantile
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.cox_summary import hazard_ratio
from validation.estimators.survival.interaction import treatment_interaction

SEED, REFERENCE_SEED = 20270101, 90270101
COHORTS = 1000
BLOCKS, BLOCK = 10, 100_000
LEVEL, ACCEPTABLE = 0.95, (0.92, 0.98)
MINIMUM_EVENTS = 20
ALL, EVERY = "all five", "every series"
SERIES = (*(definition.name.removeprefix("ct_stroma_") for definition in COLORECTAL_COHORTS), ALL)
ENDPOINTS = ("os", "dfs")
IN_HIGH, IN_LOW, INTERACTION, SCORE = "chemotherapy, high", "chemotherapy, low", "interaction", "high score"
OUTPUT = Path(__file__).with_suffix(".json")

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """A hazard ratio that is asked of every cohort.

    Attributes:
        quantity: `IN_HIGH` or `IN_LOW`, of chemotherapy in that score group; `INTERACTION`, the first over the second;
            `SCORE`, of high against low score.
        endpoint: "os" or "dfs".
        group: Subgroup, a column of `tables`.
    """

    quantity: str
    endpoint: str
    group: str


def subgroups() -> dict[str, tuple[str, str]]:
    """Return column and category of each subgroup of the clinicopathological variables, by name."""
    counts = COLORECTAL_COHORTS[0].population.counts
    return {f"{name} {value}".replace("_", " "): (name, value) for name in counts for value in counts[name]} | {
        "age below 60": ("age_60", "no"),
        "age 60 or above": ("age_60", "yes"),
    }


def tables(definition: CohortDefinition, n: int, seed: int) -> pd.DataFrame:
    """Draw n patients of a cohort with the generator of the demonstration, without images.

    Returns:
        `<endpoint>_time_months`, `<endpoint>_event`, `high` (score), `chemotherapy` (1, 0, NaN: unknown) and membership
        of "everybody" and each of `subgroups`.
    """
    cohort = simulate(definition, n / definition.published_n, seed)
    patients = cohort.patients.assign(
        age_60=np.where(cohort.patients["age_years"].astype(float) >= 60, "yes", "no"),
        cea_elevated=np.where(cohort.patients["cea_ng_ml"].astype(float) > CEA_ELEVATED_ABOVE_NG_ML, "yes", "no"),
    )
    columns = {f"{e}_time_months": cohort.outcomes[f"{e}_time_months"].to_numpy(float) for e in ENDPOINTS}
    columns |= {f"{e}_event": cohort.outcomes[f"{e}_event"].to_numpy() == 1 for e in ENDPOINTS}
    columns["high"] = cohort.oracle["image_risk"].to_numpy(float) > HIGH_ABOVE
    columns["chemotherapy"] = patients["adjuvant_chemotherapy"].map({"yes": 1.0, "no": 0.0}).to_numpy(float)
    columns["everybody"] = np.full(n, True)
    columns |= {name: (patients[column] == value).to_numpy() for name, (column, value) in subgroups().items()}
    return pd.DataFrame(columns)


def cohorts(seed: int, size: int | None = None) -> Iterator[pd.DataFrame]:
    """Draw the five cohorts, then give all of them together: the order of `SERIES`.

    Args:
        seed: Of the generator.
        size: Patients of each, and of all five in the published proportions; None for the published sizes.
    """
    total, parts = sum(definition.published_n for definition in COLORECTAL_COHORTS), []
    for definition in COLORECTAL_COHORTS:
        part = tables(definition, size or definition.published_n, seed)
        parts.append(part[: round((size or total) * definition.published_n / total)])
        yield part
    yield pd.concat(parts, ignore_index=True)


def questions() -> list[Question]:
    """Return what is asked: the effect of chemotherapy by stage, then that of the score by subgroup."""
    effects = [
        Question(quantity, endpoint, f"tnm stage {stage}")
        for stage in CHEMOTHERAPY_SHARE
        for endpoint in ENDPOINTS
        for quantity in (IN_HIGH, IN_LOW, INTERACTION)
    ]
    groups = ("everybody", *subgroups())
    return effects + [Question(SCORE, endpoint, group) for endpoint in ENDPOINTS for group in groups]


def arms(question: Question, sample: pd.DataFrame) -> tuple[Bools, ...]:
    """Return who is in each arm that the question compares, in pairs; an interaction compares two pairs."""
    group, high = sample[question.group].to_numpy(), sample["high"].to_numpy()
    if question.quantity == SCORE:
        return group & high, group & ~high
    given, not_given = sample["chemotherapy"].to_numpy() == 1, sample["chemotherapy"].to_numpy() == 0
    in_high, in_low = (tuple(group & score & arm for arm in (given, not_given)) for score in (high, ~high))
    return {IN_HIGH: in_high, IN_LOW: in_low, INTERACTION: in_high + in_low}[question.quantity]


def estimate(question: Question, sample: pd.DataFrame) -> Estimate:
    """Estimate the hazard ratio with its interval.

    Raises:
        UndefinedEstimate: As `fit_cox` and `treatment_interaction`: no patient, no event, one arm, separation.
    """
    rows = np.logical_or.reduce(arms(question, sample))
    time = sample[f"{question.endpoint}_time_months"].to_numpy()[rows]
    event = sample[f"{question.endpoint}_event"].to_numpy()[rows]
    high = sample["high"].to_numpy(float)[rows]
    if question.quantity == SCORE:
        return hazard_ratio(fit_cox(time, event, high[:, None]), (1,), level=LEVEL)
    given = sample["chemotherapy"].to_numpy()[rows]
    if question.quantity == INTERACTION:
        interaction = treatment_interaction(time, event, given, high, at=(0, 1), level=LEVEL)
        return interaction.summary.hazard_ratios["treatment:signature"]
    return hazard_ratio(fit_cox(time, event, given[:, None]), (1,), level=LEVEL)


def answer(sample: pd.DataFrame) -> Array:
    """Ask every question of one cohort.

    Returns:
        Log hazard ratio, its limits (all NaN if undefined), patients, events (of an interaction in the score group that
        has fewer) and events in the arm that has fewest, shape (6, questions).
    """
    asked = questions()
    found = np.full((6, len(asked)), np.nan)
    for k, question in enumerate(asked):
        members, event = arms(question, sample), sample[f"{question.endpoint}_event"].to_numpy()
        events = [int(event[arm].sum()) for arm in members]
        found[3, k] = sum(int(arm.sum()) for arm in members)
        found[4:, k] = min(sum(events[:2]), sum(events[-2:])), min(events)  # one pair of arms, or two
        try:
            result = estimate(question, sample)
        except UndefinedEstimate:
            continue
        found[:3, k] = np.log([result.value, result.lower, result.upper])
    return found


@dataclass(frozen=True)
class Cell:
    """One question asked of one series of cohorts.

    Attributes:
        series: Cohort, without "ct_stroma_", or `ALL`.
        quantity: As in `Question`.
        endpoint: As in `Question`.
        group: As in `Question`.
        reference: Hazard ratio among a million; None if undefined, which no interval holds.
        reference_error: Standard error of its logarithm.
        blocks: Parts of the population that it is pooled from.
        n: Mean patients.
        events: Mean events; of an interaction, in the score group with fewer.
        fewest: Mean events of the compared arm (treated or not; high or low score) that has fewest.
        few: Share of cohorts with fewer than 20 events.
        undefined: Share of cohorts without estimate; counted as not covered.
        covered: Share of intervals that hold the reference.
        covered_lower: Exact 95 % limit of that share, given the number of cohorts.
        covered_upper: The other.
        median: Median hazard ratio.
        width: Mean width of the interval, log hazard ratio.
        first: Hazard ratio in the first cohort; None if undefined.
    """

    series: str
    quantity: str
    endpoint: str
    group: str
    reference: float | None
    reference_error: float | None
    blocks: int
    n: float
    events: float
    fewest: float
    few: float
    undefined: float
    covered: float
    covered_lower: float
    covered_upper: float
    median: float | None
    width: float | None
    first: float | None

    @property
    def status(self) -> str:
        """Return "absent" or "few events", which are not judged, or "held" or "missed"."""
        if self.n == 0:
            return "absent"
        if self.events < MINIMUM_EVENTS:
            return "few events"
        return "held" if ACCEPTABLE[0] <= self.covered <= ACCEPTABLE[1] else "missed"


def _rounded(value: float | np.floating[Any]) -> float | None:
    """Return six decimals, which the order of summation does not change; None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def cell(series: str, question: Question, truth: Array, found: Array) -> Cell:
    """Compare the intervals of many cohorts with one population.

    Args:
        series: Name of the cohort.
        question: What was asked.
        truth: Of the population, as `reference` gives it, shape (4,).
        found: Answers of the cohorts, shape (cohorts, 6).
    """
    defined, events = found[~np.isnan(found[:, 0])], found[:, 4]
    covered = int(hits(truth, found).sum())
    return Cell(
        series=series,
        **asdict(question),
        reference=_rounded(np.exp(truth[0])),
        reference_error=_rounded((truth[2] - truth[1]) / 2 / quantile(LEVEL)) if truth[3] else None,
        blocks=int(truth[3]),
        n=round(float(found[:, 3].mean()), 2),
        events=round(float(events.mean()), 2),
        fewest=round(float(found[:, 5].mean()), 2),
        few=round(float(np.mean(events < MINIMUM_EVENTS)), 6),
        undefined=round(1 - len(defined) / len(found), 6),
        covered=round(covered / len(found), 6),
        covered_lower=round(exact_limits(covered, len(found), LEVEL)[0], 6),
        covered_upper=round(exact_limits(covered, len(found), LEVEL)[1], 6),
        median=_rounded(np.exp(np.median(defined[:, 0]))) if len(defined) else None,
        width=_rounded(np.mean(defined[:, 2] - defined[:, 1])) if len(defined) else None,
        first=_rounded(np.exp(found[0, 0])),
    )


def hits(truth: Array, found: Array) -> Bools:
    """Say of each interval whether it holds the truth: shapes (4, ...) and (cohorts, 6, ...) to (cohorts, ...)."""
    return np.asarray((found[:, 1] <= truth[0]) & (truth[0] <= found[:, 2]))  # NaN holds nothing


def summary(series: str, about: str, cells: Sequence[Cell], hit: Bools) -> dict[str, Any]:
    """Summarise cells.

    Args:
        series: As in `Cell`, or `EVERY`.
        about: "chemotherapy" or "score".
        cells: k of them.
        hit: As `hits` gives them, shape (cohorts, k).

    Returns:
        Cells judged, held, not judged (too few events, or no such group); the mean coverage of those judged with its
        standard error between cohorts, whose cells share patients; the smallest and the largest.
    """
    judged = [k for k, one in enumerate(cells) if one.status in {"held", "missed"}]
    shares = [cells[k].covered for k in judged]
    by_cohort = hit[:, judged].mean(axis=1) if judged else np.full(len(hit), np.nan)
    return {
        "series": series,
        "about": about,
        "judged": len(judged),
        "held": sum(one.status == "held" for one in cells),
        "not_judged": len(cells) - len(judged),
        "covered": _rounded(by_cohort.mean()),
        "covered_error": _rounded(by_cohort.std(ddof=1) / np.sqrt(len(hit))),
        "lowest": min(shares, default=None),
        "highest": max(shares, default=None),
    }


def reference(blocks: Array) -> Array:
    """Pool the answers of the blocks of a population by inverse variance.

    A block's bias is of the order of one over its events, near a thousand or more where a cell is judged. Undefined
    blocks are left out, the others counted. Takes shape (blocks, 6, questions); returns log hazard ratio, limits (NaN
    without block) and number of blocks, shape (4, questions).
    """
    weight = ((blocks[:, 2] - blocks[:, 1]) / 2 / quantile(LEVEL)) ** -2
    count, total = np.sum(~np.isnan(weight), axis=0), np.nansum(weight, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, half = np.nansum(blocks[:, 0] * weight, axis=0) / total, quantile(LEVEL) / np.sqrt(total)
        return np.stack([value, value - half, value + half, count])


def answers(seeds: range, size: int | None = None) -> Array:
    """Draw the cohorts of every seed and ask every question, shape (series, seeds, 6, questions)."""
    drawn = []
    for seed in seeds:
        drawn.append([answer(sample) for sample in cohorts(seed, size)])
        if len(drawn) % (50 if size is None else 1) == 0:
            print(f"{len(drawn)} of {len(seeds)}, size {size or 'published'}", flush=True)  # noqa: T201 - progress
    return np.array(drawn).swapaxes(0, 1)


def evaluate(number: int, blocks: int) -> tuple[list[Cell], list[dict[str, Any]]]:
    """Draw `number` cohorts of each series and populations of so many blocks, and compare them."""
    asked, cells, hit = questions(), [], []
    found = answers(range(SEED, SEED + number))
    populations = answers(range(REFERENCE_SEED, REFERENCE_SEED + blocks), BLOCK)
    for series, population, many in zip(SERIES, populations, found, strict=True):
        truth = reference(population)
        cells += [cell(series, question, truth[:, k], many[:, :, k]) for k, question in enumerate(asked)]
        hit.append(hits(truth, many))
    holds = np.concatenate(hit, axis=1)
    summaries = []
    for series in (*SERIES, EVERY):
        for about in ("chemotherapy", "score"):
            wanted = [series in {c.series, EVERY} and (c.quantity == SCORE) == (about == "score") for c in cells]
            chosen = np.flatnonzero(wanted)
            summaries.append(summary(series, about, [cells[k] for k in chosen], holds[:, chosen]))
    return cells, summaries


def effect_table(cells: Sequence[Cell]) -> str:
    """Return chemotherapy and interaction as Markdown: reference hazard ratio and coverage, a column per series."""
    lines = [f"| {' | '.join(['hazard ratio', *SERIES])} |", f"| {' | '.join(['---'] * (len(SERIES) + 1))} |"]
    rows: dict[str, list[str]] = {}
    for one in cells:
        if one.quantity != SCORE:
            name = f"{one.quantity}, {one.group.removeprefix('tnm ')}, {one.endpoint.upper()}"
            note = {"held": "", "missed": " (missed)"}.get(one.status, f" ({one.events:.0f} events)")
            rows.setdefault(name, []).append(f"{one.reference or np.nan:.2f}: {one.covered:.1%}{note}")
    return "\n".join([*lines, *(f"| {' | '.join([name, *row])} |" for name, row in rows.items())])


def summary_table(summaries: Sequence[dict[str, Any]]) -> str:
    """Return the summaries as Markdown."""
    lines = [
        "| series | about | cells judged | within 92–98 % | mean | lowest | highest | not judged |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for s in summaries:
        shares = " | ".join("–" if x is None else f"{x:.1%}" for x in (s["covered"], s["lowest"], s["highest"]))
        lines.append("| {series} | {about} | {judged} | {held} | {} | {not_judged} |".format(shares, **s))
    return "\n".join(lines)


def design() -> dict[str, Any]:
    """Return what is planted and drawn; figures of another design than the present one are out of date."""
    return {
        "published_n": {series: d.published_n for series, d in zip(SERIES, COLORECTAL_COHORTS, strict=False)},
        "hazard": asdict(HAZARD),
        "chemotherapy_share": CHEMOTHERAPY_SHARE,
        "high_score_above": HIGH_ABOVE,
        "first_seed": SEED,
        "reference": {"n": BLOCKS * BLOCK, "first_seed": REFERENCE_SEED, "block": BLOCK},
        "minimum_events": MINIMUM_EVENTS,
        "acceptable": list(ACCEPTABLE),
    }


def main() -> None:
    """Simulate, print, write."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else COHORTS
    cells, summaries = evaluate(number, BLOCKS if number >= COHORTS else 1)
    print(effect_table(cells), summary_table(summaries), sep="\n\n")  # noqa: T201 - the output of a script
    if number >= COHORTS:
        document = {"design": design(), "cohorts": number, "summaries": summaries}
        document["cells"] = [asdict(one) | {"status": one.status} for one in cells]
        write_json(OUTPUT, document)


if __name__ == "__main__":
    main()
