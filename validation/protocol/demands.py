"""Reading of the list `gates`: what is demanded of the estimates, and which demands contradict each other."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import Any

from validation.blocks import Block
from validation.gates import GATES
from validation.gates.base import POOLED, SIDES, Gate, GateSpec, Limit, Side
from validation.protocol.keys import GATE, ON_ESTIMATES
from validation.protocol.plan import Analysis, EstimateSpec
from validation.protocol.subgroups import REASON_LENGTH


def read_gates(top: Block, analysis: Analysis) -> tuple[GateSpec, ...]:
    """Read the gates on an analysis.

    Raises:
        InputError: With file, line and key.
    """
    entries = top.take("gates", list, "a list of gates")
    gates = tuple(_gate(top.file, position, entry, analysis) for position, entry in enumerate(entries))
    top.unique("gates", [gate.id for gate in gates])
    if not any(gate.blocking for gate in gates):
        raise top.error(
            "gates", "no blocking gate", "at least one", "A protocol that demands nothing passes everything."
        )
    _refuse_contradictions(top, gates, analysis)
    _require_failures_bounded(top, gates, analysis)
    return gates


def _limit(block: Block, sides: tuple[Side, ...], low: float, high: float) -> Limit | None:
    given = [side for side in SIDES if side in block.value]
    if not sides and not given:
        return None
    if len(given) != 1 or given[0] not in sides:
        expected = f"exactly one of {', '.join(sides)}" if sides else "no limit for this kind"
        raise block.error(given[-1] if given else "", f"the limits {given}", expected)
    side = given[0]
    if side != "between":
        return Limit(side, (block.number(side, low, high),))
    pair = block.take(side, list, "[lower, upper]")
    numbers = [x for x in pair if isinstance(x, int | float) and not isinstance(x, bool) and low < x < high]
    if len(pair) != 2 or len(numbers) != 2 or not numbers[0] < numbers[1]:
        raise block.error(side, repr(pair), f"[lower, upper], ascending, between {low:g} and {high:g}")
    return Limit(side, (float(numbers[0]), float(numbers[1])))


def _target(block: Block, measures: str, analysis: Analysis) -> EstimateSpec:
    """Estimate that a gate names; its estimator measures what the gate looks at."""
    name = block.take("estimate", str, "the id of an estimate")
    found = next((estimate for estimate in analysis.estimates if estimate.id == name), None)
    if found is None:
        known = ", ".join(estimate.id for estimate in analysis.estimates)
        others = (("a descriptive analysis", analysis.descriptive), ("a subgroup", analysis.subgroups))
        shown = next((what for what, entries in others if name in {entry.id for entry in entries}), None)
        what = f"{name}, {shown}, at which no gate looks" if shown else f"no estimate {name} in the analysis"
        raise block.error("estimate", what, f"one of {known}")
    if found.entry.measures != measures:
        raise block.error("estimate", f"{name}, a {found.estimator}", f"an estimate of {measures}")
    return found


def _cohort(block: Block, gate: Gate, analysis: Analysis) -> str | None:
    cohort: str | None = block.take("cohort", str, "a declared cohort", optional=True)
    if cohort is None or cohort in analysis.external:
        return cohort
    known = ", ".join(analysis.external)
    if cohort == POOLED and gate.measures is None:
        raise block.error("cohort", f"{POOLED}, for a gate of kind {gate.kind}", f"one of {known}: only estimates pool")
    if cohort == POOLED and len(analysis.external) < 2:
        raise block.error("cohort", f"{POOLED}, of one external cohort", f"two external cohorts at least, or {known}")
    if cohort in analysis.internal:
        raise block.error("cohort", f"{cohort}, an internal cohort: it is shown, never judged", f"one of {known}")
    if cohort != POOLED:
        raise block.error("cohort", f"undeclared cohort {cohort}", f"one of {known}, or {POOLED}")
    return cohort


def _check_confidence(block: Block, level: float) -> None:
    if "confidence" in block.value and (confidence := block.number("confidence", 0.5, 1)) != level:
        found, expected = f"{confidence:g}", f"analysis.level, {level:g}: every interval is computed at that level"
        raise block.error("confidence", found, expected)


def _gate(file: Path, position: int, value: Any, analysis: Analysis) -> GateSpec:
    block = Block(file, ("gates", position), value, GATE)
    kind = block.take("kind", str, "a kind of gate")
    if kind not in GATES:
        raise block.error("kind", f"unknown kind {kind}", f"one of {', '.join(GATES)}")
    gate, estimate, minimum, bounds = GATES[kind], None, None, (-math.inf, math.inf)
    if gate.measures:
        target = _target(block, gate.measures, analysis)
        estimate, bounds = target.id, target.entry.bounds
        minimum = block.whole("minimum_events", 1, "a number of events, at least 1")
    for key in sorted(ON_ESTIMATES & set(block.value)) if not gate.measures else ():
        raise block.error(key, f"{key} in a gate of kind {kind}", "only gates on estimates have one")
    _check_confidence(block, analysis.level)
    return GateSpec(
        id=block.name("id"),
        kind=kind,
        blocking=block.take("blocking", bool, "true or false"),
        hazard=block.text("hazard", "the harm it guards against", REASON_LENGTH),
        source=block.text("source", "where the limit comes from", REASON_LENGTH),
        limit=_limit(block, gate.sides, *(gate.bounds or bounds)),
        estimate=estimate,
        minimum_events=minimum,
        cohort=_cohort(block, gate, analysis),
    )


def _refuse_contradictions(top: Block, gates: tuple[GateSpec, ...], analysis: Analysis) -> None:
    """Refuse two gates on one figure that no value can pass together."""
    for first, second in combinations(range(len(gates)), 2):
        one, other = gates[first], gates[second]
        alike = (one.kind, one.estimate) == (other.kind, other.estimate)
        if not alike or one.limit is None or other.limit is None or not _share_a_cohort(one, other, analysis):
            continue
        if not one.limit.compatible(other.limit):
            found = f"limits of {other.id} and {one.id} that no value of {one.estimate or one.kind} can meet together"
            raise top.error(("gates", second, other.limit.side), found, "limits with values in common")


def _share_a_cohort(one: GateSpec, other: GateSpec, analysis: Analysis) -> bool:
    """Whether two gates look at the same cohort; the pooled estimate is one of its own."""
    seen = [{gate.cohort} if gate.cohort else set(analysis.external) for gate in (one, other)]
    return bool(seen[0] & seen[1])


def _require_failures_bounded(top: Block, gates: tuple[GateSpec, ...], analysis: Analysis) -> None:
    """Refuse an analysis set of everybody whose failures no blocking gate bounds on every external cohort."""
    bounded: set[str] = set()
    for gate in gates:
        if gate.kind == "image_failures" and gate.blocking:
            bounded |= {gate.cohort} if gate.cohort else set(analysis.external)
    if missing := [cohort for cohort in analysis.external if cohort not in bounded]:
        found = f"no blocking gate of kind image_failures on {', '.join(missing)}"
        expected = f"one, as analysis.analysis_set is {analysis.analysis_set}: failures must not go unseen"
        raise top.error("gates", found, expected, "Add the gate.")
