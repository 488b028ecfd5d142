"""The pre-specified plan of one architecture: what is estimated on which cohort, and what is demanded of it."""

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
from validation.documents import read_yaml
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import Estimator
from validation.estimators.catalogue.survival import SURVIVAL
from validation.gates import GATES
from validation.gates.base import SIDES, GateSpec, Limit, Side


@dataclass(frozen=True)
class EstimateSpec:
    """One estimate as the protocol declares it.

    Attributes:
        id: Name in protocol and evidence.
        estimator: Name in the catalogue of its kind of endpoint.
        prediction: Column of the predictions.
        horizon_months: Horizon, if the estimator takes one.
        endpoint: Endpoint of the outcome tables.
        binary: Whether that endpoint is binary.
    """

    id: str
    estimator: str
    prediction: str
    horizon_months: float | None
    endpoint: str
    binary: bool = False

    @property
    def entry(self) -> Estimator[Any]:
        """Its entry in the catalogue."""
        return (BINARY if self.binary else SURVIVAL)[self.estimator]


@dataclass(frozen=True)
class Analysis:
    """What is estimated, on which cohorts.

    Attributes:
        endpoint: Endpoint of the estimates that name no other.
        endpoints: Every endpoint, with time or binary; a cohort may lack one.
        level: Two-sided confidence level of every interval.
        external: External cohorts on which the model is judged.
        internal: Patients of the development centre, kept out of training; evaluated, never judged.
        estimates: In the order of the protocol.
        descriptive: What is analysed and shown, never judged, in the order of the protocol.
        digest: Of the whole block `analysis`.
        estimates_digest: Of the block without its cohorts and descriptive analyses. Evidence on a cohort is bound to
            this one, so that a further cohort leaves the evidence on the others valid.
        descriptive_digest: Of the block without its cohorts.
    """

    endpoint: str
    endpoints: tuple[str, ...]
    level: float
    external: tuple[str, ...]
    internal: tuple[str, ...]
    estimates: tuple[EstimateSpec, ...]
    descriptive: tuple[Descriptive, ...]
    digest: str
    estimates_digest: str
    descriptive_digest: str


@dataclass(frozen=True)
class Protocol:
    """A protocol that has been read and found consistent.

    Attributes:
        file: It was read from.
        model: Architecture.
        version: Version of the protocol.
        intended_use: What the model is for.
        analysis: What is estimated.
        gates: What is demanded, in the order of the protocol.
        gates_digest: Digest of the block `gates`.
    """

    file: Path
    model: str
    version: int
    intended_use: str
    analysis: Analysis
    gates: tuple[GateSpec, ...]
    gates_digest: str


def _cohorts(block: Block) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return external and internal cohorts."""
    roles = frozenset(("external", "internal"))
    cohorts = Block(block.file, (*block.path, "cohorts"), block.value.get("cohorts"), roles)
    external, internal = (
        cohorts.names(role, "a list of cohorts", optional=role == "internal") for role in ("external", "internal")
    )
    if both := sorted(set(external) & set(internal)):
        raise cohorts.error("internal", ", ".join(both), "cohorts that are not external too")
    return external, internal


@dataclass(frozen=True)
class _Endpoints:
    """Endpoints of an analysis: the first one, others with time, and binary ones."""

    first: str
    others: tuple[str, ...]
    binary: tuple[str, ...]

    @property
    def with_time(self) -> tuple[str, ...]:
        return (self.first, *self.others)

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.with_time, *self.binary)


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


def _endpoint(block: Block, endpoints: tuple[str, ...]) -> str:
    name = block.name("endpoint")
    if name not in endpoints:
        raise block.error("endpoint", f"undeclared endpoint {name}", f"one of {', '.join(endpoints)}")
    return name


def _descriptive(file: Path, position: int, value: Any, endpoints: _Endpoints) -> Descriptive:
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
    block.name("id")
    if given.get("endpoint") is not None:
        _endpoint(block, endpoints.all)
    try:
        analysis = KINDS[kind](**given)
        analysis.check_endpoint(endpoints.with_time, endpoints.binary)
    except EntryError as error:
        raise block.error(error.key, error.found, error.expected, error.remedy) from error
    return analysis


def _estimate(file: Path, position: int, value: Any, endpoints: _Endpoints) -> EstimateSpec:
    path = ("analysis", "estimates", position)
    keys = frozenset(("id", "estimator", "prediction", "horizon_months", "endpoint"))
    block = Block(file, path, value, keys)
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
    return EstimateSpec(block.name("id"), name, block.name("prediction"), horizon, own, own in binary)


def _analysis(file: Path, value: Any) -> Analysis:
    keys = ("endpoint", "other_endpoints", "binary_endpoints", "level", "cohorts", "estimates", "descriptive")
    block = Block(file, ("analysis",), value, frozenset(keys))
    endpoints = _endpoints(block)
    level = block.number("level", 0.5, 1)
    external, internal = _cohorts(block)
    raw = block.take("estimates", list, "a list of estimates")
    estimates = tuple(_estimate(file, position, entry, endpoints) for position, entry in enumerate(raw))
    if not estimates:
        raise block.error("estimates", "an empty list", "at least one estimate")
    block.unique("estimates", [estimate.id for estimate in estimates])
    entries = block.take("descriptive", list, "a list of descriptive analyses", optional=True) or []
    descriptive = tuple(_descriptive(file, n, entry, endpoints) for n, entry in enumerate(entries))
    block.unique("descriptive", [analysis.id for analysis in descriptive])

    def digest(*left_out: str) -> str:
        return json_sha256({key: part for key, part in block.value.items() if key not in left_out})

    return Analysis(
        endpoint=endpoints.first,
        endpoints=endpoints.all,
        level=level,
        external=external,
        internal=internal,
        estimates=estimates,
        descriptive=descriptive,
        digest=digest(),
        estimates_digest=digest("cohorts", "descriptive"),
        descriptive_digest=digest("cohorts"),
    )


def _limit(block: Block, sides: tuple[Side, ...], low: float, high: float) -> Limit | None:
    given = [side for side in SIDES if side in block.value]
    if not sides and not given:
        return None
    if len(given) != 1 or given[0] not in sides:
        expected = f"exactly one of {', '.join(sides)}" if sides else "no limit for this kind"
        raise block.error("", f"the limits {given}", expected)
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
        raise block.error("estimate", f"no estimate {name} in the analysis", f"one of {known}")
    if found.entry.measures != measures:
        raise block.error("estimate", f"{name}, a {found.estimator}", f"an estimate of {measures}")
    return found


def _gate(file: Path, position: int, value: Any, analysis: Analysis) -> GateSpec:
    on_estimates = frozenset(("estimate", "minimum_events"))
    common = frozenset(("id", "kind", "blocking", "hazard", "source", "cohort", *SIDES))
    block = Block(file, ("gates", position), value, common | on_estimates)
    kind = block.take("kind", str, "a kind of gate")
    if kind not in GATES:
        raise block.error("kind", f"unknown kind {kind}", f"one of {', '.join(GATES)}")
    gate, estimate, minimum, bounds = GATES[kind], None, None, (-math.inf, math.inf)
    if gate.measures:
        target = _target(block, gate.measures, analysis)
        estimate, bounds = target.id, target.entry.bounds
        minimum = block.take("minimum_events", int, "a number of events, at least 1")
        if minimum < 1:
            raise block.error("minimum_events", repr(minimum), "at least 1")
    for key in on_estimates & set(block.value) if not gate.measures else ():
        raise block.error(key, f"{key} in a gate of kind {kind}", "only gates on estimates have one")
    cohort = block.take("cohort", str, "a declared cohort", optional=True)
    if cohort is not None and cohort not in analysis.external:
        raise block.error("cohort", f"undeclared cohort {cohort}", f"one of {', '.join(analysis.external)}")
    return GateSpec(
        id=block.name("id"),
        kind=kind,
        blocking=block.take("blocking", bool, "true or false"),
        hazard=" ".join(block.take("hazard", str, "the harm it guards against").split()),
        source=" ".join(block.take("source", str, "where the limit comes from").split()),
        limit=_limit(block, gate.sides, *(gate.bounds or bounds)),
        estimate=estimate,
        minimum_events=minimum,
        cohort=cohort,
    )


def load_protocol(path: Path) -> Protocol:
    """Read a protocol and refuse what is unknown, missing, given twice or contradictory.

    Args:
        path: validation/protocols/<architecture>.yaml.

    Raises:
        InputError: With file, line and key.
    """
    raw: Mapping[str, Any] = read_yaml(path)
    top = Block(path, (), raw, frozenset(("model", "version", "intended_use", "analysis", "gates")))
    analysis = _analysis(path, raw.get("analysis"))
    entries = top.take("gates", list, "a list of gates")
    gates = tuple(_gate(path, position, entry, analysis) for position, entry in enumerate(entries))
    top.unique("gates", [gate.id for gate in gates])
    if not any(gate.blocking for gate in gates):
        raise top.error(
            "gates", "no blocking gate", "at least one", "A protocol that demands nothing passes everything."
        )
    return Protocol(
        file=path,
        model=top.name("model"),
        version=top.take("version", int, "a whole number"),
        intended_use=" ".join(top.take("intended_use", str, "what the model is for").split()),
        analysis=analysis,
        gates=gates,
        gates_digest=json_sha256(entries),
    )
