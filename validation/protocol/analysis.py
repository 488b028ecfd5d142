"""Reading of the block `analysis`: what is estimated and described, on which cohorts, and what contradicts what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from validation.blocks import Block
from validation.descriptive import KINDS
from validation.descriptive.base import Descriptive, EntryError
from validation.digests import json_sha256
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import Estimator
from validation.estimators.catalogue.survival import SURVIVAL
from validation.gates.base import POOLED
from validation.protocol.keys import ANALYSIS, COHORTS, ESTIMATE
from validation.protocol.plan import Analysis, EstimateSpec
from validation.protocol.subgroups import read_subgroups

ANALYSIS_SETS = ("intention_to_diagnose",)
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class _Endpoints:
    """Endpoints of an analysis, the first one, others with time, and binary ones; and the horizons."""

    first: str
    others: tuple[str, ...]
    binary: tuple[str, ...]
    horizons: tuple[float, ...] = ()

    @property
    def with_time(self) -> tuple[str, ...]:
        return (self.first, *self.others)

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.with_time, *self.binary)


def _cohorts(block: Block) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return external and internal cohorts."""
    cohorts = Block(block.file, (*block.path, "cohorts"), block.value.get("cohorts"), COHORTS)
    external, internal = (
        cohorts.names(role, "a list of cohorts", optional=role == "internal") for role in ("external", "internal")
    )
    if both := sorted(set(external) & set(internal)):
        raise cohorts.error("internal", ", ".join(both), "cohorts that are not external too")
    for role, names in (("external", external), ("internal", internal)):
        if POOLED in names:
            raise cohorts.error(role, f"a cohort named {POOLED}", "another name: a gate calls all cohorts so")
    return external, internal


def _endpoints(block: Block) -> _Endpoints:
    first = block.name("endpoint")
    others = block.names("other_endpoints", "a list of endpoints with time", optional=True)
    binary = block.names("binary_endpoints", "a list of endpoints without time", optional=True)
    found = _Endpoints(first, others, binary)
    for position, name in enumerate(found.all):
        if name in found.all[:position]:
            key = "binary_endpoints" if name in binary else "other_endpoints"
            raise block.error(key, f"{name} given twice", "every endpoint once")
    return found


def _horizons(block: Block) -> tuple[tuple[float, ...], float]:
    """Return the horizons of the analysis and the longest planned follow-up, in months."""
    follow_up = block.number("follow_up_months", 0, math.inf)
    horizons: tuple[float, ...] = block.typed("horizons_months", tuple[float, ...])
    for position, horizon in enumerate(horizons):
        here = ("horizons_months", position)
        if horizon <= 0:
            raise block.error(here, f"{horizon:g}", "positive numbers of months")
        if horizon in horizons[:position]:
            raise block.error(here, f"{horizon:g} given twice", "every horizon once")
        if position and horizon < horizons[position - 1]:
            raise block.error(here, f"{horizon:g} after {horizons[position - 1]:g}", "horizons that rise")
        if horizon > follow_up:
            raise block.error(
                here, f"the horizon {horizon:g}", f"none beyond follow_up_months, {follow_up:g}: nobody is seen so long"
            )
    return horizons, follow_up


def _require_declared(block: Block, key: str, horizons: tuple[float, ...], declared: tuple[float, ...]) -> None:
    for horizon in horizons:
        if horizon not in declared:
            expected = f"one of analysis.horizons_months, {', '.join(f'{known:g}' for known in declared)}"
            raise block.error(key, f"the horizon {horizon:g}, which is not declared", expected)


def _endpoint(block: Block, endpoints: tuple[str, ...]) -> str:
    name = block.name("endpoint")
    if name not in endpoints:
        raise block.error("endpoint", f"undeclared endpoint {name}", f"one of {', '.join(endpoints)}")
    return name


def _descriptive(file: Path, position: int, value: Any, endpoints: _Endpoints, seed: int) -> Descriptive:
    path = ("analysis", "descriptive", position)
    known = Block(file, path, value, frozenset(value) if isinstance(value, dict) else frozenset())
    kind = known.take("kind", str, "a kind of descriptive analysis")
    if kind not in KINDS:
        raise known.error("kind", f"unknown kind {kind}", f"one of {', '.join(KINDS)}")
    of_kind = {field.name: field for field in fields(KINDS[kind])}
    block = Block(file, path, value, frozenset(("kind", *of_kind)))
    hints = get_type_hints(KINDS[kind])
    given = {
        name: block.typed(name, hints[name])
        for name, field in of_kind.items()
        if name in block.value or field.default is MISSING
    }
    if "seed" in of_kind:
        given.setdefault("seed", seed)
    block.name("id")
    if given.get("endpoint") is not None:
        _endpoint(block, endpoints.all)
    try:
        analysis = KINDS[kind](**given)
        analysis.check_endpoint(endpoints.with_time, endpoints.binary)
    except EntryError as error:
        raise block.error(error.key, error.found, error.expected, error.remedy) from error
    for key in (name for name in given if "horizon" in name):
        months = given[key] if isinstance(given[key], tuple) else (given[key],)
        _require_declared(block, key, months, endpoints.horizons)
    return analysis


def _estimate(file: Path, position: int, value: Any, endpoints: _Endpoints) -> EstimateSpec:
    block = Block(file, ("analysis", "estimates", position), value, ESTIMATE)
    own = _endpoint(block, endpoints.all) if "endpoint" in block.value else endpoints.first
    binary = endpoints.binary
    table: Mapping[str, Estimator[Any]] = BINARY if own in binary else SURVIVAL
    name = block.take("estimator", str, "the name of an estimator")
    known = [name for name, entry in table.items() if entry.needs <= {"cutoff"}]  # what cohort and contract can give
    if name not in known:
        raise block.error("estimator", f"unknown estimator {name} of {own}", f"one of {', '.join(known)}")
    timed = table[name].horizon
    if timed == "none" and "horizon_months" in block.value:
        raise block.error("horizon_months", "a horizon", f"none for {name} of {own}")
    wanted = timed == "required" or "horizon_months" in block.value
    horizon = block.number("horizon_months", 0, math.inf) if wanted else None
    if horizon is not None:
        _require_declared(block, "horizon_months", (horizon,), endpoints.horizons)
    return EstimateSpec(block.name("id"), name, block.name("prediction"), horizon, own, own in binary)


def _analysis_set(block: Block) -> str:
    name: str = block.take("analysis_set", str, ANALYSIS_SETS[0])
    if name not in ANALYSIS_SETS:
        expected = (
            f"{ANALYSIS_SETS[0]}: a patient whose images fail stays declared, is listed, and counts in the share that"
            " the gate image_failures limits; a set without them would hide the hard cases"
        )
        raise block.error("analysis_set", name, expected)
    return name


def _entries(block: Block, key: str, expected: str, optional: bool = False) -> list[Any]:
    entries: list[Any] = block.take(key, list, expected, optional=optional) or []
    if not entries and not optional:
        raise block.error(key, "an empty list", "at least one")
    return entries


def read_analysis(file: Path, value: Any) -> Analysis:
    """Read the block and refuse what is unknown, missing, given twice or contradictory.

    Raises:
        InputError: With file, line and key.
    """
    block = Block(file, ("analysis",), value, ANALYSIS)
    named = _endpoints(block)
    horizons, follow_up = _horizons(block)
    endpoints = _Endpoints(named.first, named.others, named.binary, horizons)
    level = block.number("level", 0.5, 1)
    analysis_set = _analysis_set(block)
    seed = block.whole("seed", 0, "a whole number, not negative")
    if seed > LARGEST_SEED:
        raise block.error("seed", str(seed), "a number of 63 bits")
    external, internal = _cohorts(block)
    raw = _entries(block, "estimates", "a list of estimates")
    estimates = tuple(_estimate(file, position, entry, endpoints) for position, entry in enumerate(raw))
    block.unique("estimates", [estimate.id for estimate in estimates])
    subgroups = read_subgroups(block, tuple(estimate.id for estimate in estimates))
    entries = _entries(block, "descriptive", "a list of descriptive analyses", optional=True)
    descriptive = tuple(_descriptive(file, n, entry, endpoints, seed) for n, entry in enumerate(entries))
    block.unique("descriptive", [analysis.id for analysis in descriptive])

    def digest(*left_out: str) -> str:
        return json_sha256({key: part for key, part in block.value.items() if key not in left_out})

    return Analysis(
        endpoint=endpoints.first,
        endpoints=endpoints.all,
        horizons_months=horizons,
        follow_up_months=follow_up,
        level=level,
        analysis_set=analysis_set,
        seed=seed,
        external=external,
        internal=internal,
        estimates=estimates,
        subgroups=subgroups,
        descriptive=descriptive,
        digest=digest(),
        estimates_digest=digest("cohorts", "descriptive", "horizons_months", "follow_up_months"),
        descriptive_digest=digest("cohorts"),
    )
