"""The pre-specified plan of one architecture: what is estimated on which cohort, and what is demanded of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from validation.digests import json_sha256
from validation.documents import read_yaml
from validation.errors import InputError
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import Estimator
from validation.estimators.catalogue.survival import SURVIVAL
from validation.gates import GATES
from validation.gates.base import SIDES, GateSpec, Limit, Side

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_Path = tuple[str | int, ...]


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
        level: Two-sided confidence level of every interval.
        external: External cohorts on which the model is judged.
        estimates: In the order of the protocol.
        digest: Of the whole block `analysis`.
        estimates_digest: Of the block without its cohorts. Evidence on a cohort is bound to this one, so that a further
            cohort leaves the evidence on the others valid.
    """

    endpoint: str
    level: float
    external: tuple[str, ...]
    estimates: tuple[EstimateSpec, ...]
    digest: str
    estimates_digest: str


@dataclass(frozen=True)
class Protocol:
    """A protocol that has been read and found consistent.

    Attributes:
        model: Architecture.
        version: Version of the protocol.
        intended_use: What the model is for.
        analysis: What is estimated.
        gates: What is demanded, in the order of the protocol.
        gates_digest: Digest of the block `gates`.
    """

    model: str
    version: int
    intended_use: str
    analysis: Analysis
    gates: tuple[GateSpec, ...]
    gates_digest: str


class _Block:
    """A mapping of the file that knows where it stands; every value is taken once, with its type."""

    def __init__(self, file: Path, path: _Path, value: Any, keys: frozenset[str]) -> None:
        self.file, self.path = file, path
        if not isinstance(value, dict):
            raise self.error("", f"a {type(value).__name__}", "a mapping")
        self.value: dict[str, Any] = value
        for key in value:
            if key not in keys:
                raise self.error(
                    key, f"unknown key {key}", f"one of {', '.join(sorted(keys))}", "Remove or respell it."
                )

    def error(self, key: str | int, found: str, expected: str, remedy: str = "Correct the protocol.") -> InputError:
        """Return an error that names file, line and key."""
        path = (*self.path, key) if key != "" else self.path
        where = ".".join(str(part) for part in path) or "the file"
        return InputError(f"{self.file} line {_line(self.file, path)} key {where}", found, expected, remedy)

    def take(self, key: str, kind: type | tuple[type, ...], expected: str, optional: bool = False) -> Any:
        """Return a value of the kind, or None if it is optional and absent."""
        value = self.value.get(key)
        if value is None and optional and key not in self.value:
            return None
        wrong_bool = isinstance(value, bool) and kind is not bool
        if wrong_bool or not isinstance(value, kind) or (isinstance(value, str) and not value.strip()):
            found = "nothing" if value is None else repr(value)
            raise self.error(key if key in self.value else "", f"{key}: {found}", f"{key}: {expected}")
        return value

    def name(self, key: str) -> str:
        """Return an identifier."""
        value: str = self.take(key, str, "a name")
        if not _NAME.fullmatch(value):
            raise self.error(key, repr(value), "letters, digits, _ and -")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        """Return a finite number strictly between two bounds."""
        value = self.take(key, (int, float), "a number")
        if not (math.isfinite(value) and low < value < high):
            raise self.error(key, repr(value), f"a number between {low:g} and {high:g}, both excluded")
        return float(value)


def _line(file: Path, path: _Path) -> int:
    """Line of the deepest part of a key path that exists in the file."""
    node = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
    line = node.start_mark.line if node else 0
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node.value[part], node.value[part])
        else:
            found = None
        if found is None:
            break
        line, node = found[0].start_mark.line, found[1]
    return int(line) + 1


def _unique(block: _Block, key: str, names: list[str]) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise block.error(key, f"{name} given twice", "every name once")


def _external(block: _Block) -> tuple[str, ...]:
    cohorts = _Block(block.file, (*block.path, "cohorts"), block.value.get("cohorts"), frozenset(("external",)))
    names = cohorts.take("external", list, "a list of cohorts")
    if not names or not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        raise cohorts.error("external", repr(names), "at least one cohort name")
    _unique(cohorts, "external", names)
    return tuple(names)


def _binary_endpoints(block: _Block, endpoint: str) -> tuple[str, ...]:
    names = block.take("binary_endpoints", list, "a list of endpoints without time", optional=True) or []
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names) or endpoint in names:
        raise block.error("binary_endpoints", repr(names), f"names other than {endpoint}, which has a time")
    _unique(block, "binary_endpoints", names)
    return tuple(names)


def _estimate(file: Path, position: int, value: Any, endpoint: str, binary: tuple[str, ...]) -> EstimateSpec:
    path = ("analysis", "estimates", position)
    keys = frozenset(("id", "estimator", "prediction", "horizon_months", "endpoint"))
    block = _Block(file, path, value, keys)
    own = block.name("endpoint") if "endpoint" in block.value else endpoint
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
    keys = frozenset(("endpoint", "binary_endpoints", "level", "cohorts", "estimates"))
    block = _Block(file, ("analysis",), value, keys)
    endpoint = block.name("endpoint")
    binary = _binary_endpoints(block, endpoint)
    level = block.number("level", 0.5, 1)
    external = _external(block)
    raw = block.take("estimates", list, "a list of estimates")
    estimates = tuple(_estimate(file, position, entry, endpoint, binary) for position, entry in enumerate(raw))
    if not estimates:
        raise block.error("estimates", "an empty list", "at least one estimate")
    _unique(block, "estimates", [estimate.id for estimate in estimates])
    without_cohorts = {key: part for key, part in block.value.items() if key != "cohorts"}
    return Analysis(
        endpoint=endpoint,
        level=level,
        external=external,
        estimates=estimates,
        digest=json_sha256(block.value),
        estimates_digest=json_sha256(without_cohorts),
    )


def _limit(block: _Block, sides: tuple[Side, ...], low: float, high: float) -> Limit | None:
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


def _target(block: _Block, measures: str, analysis: Analysis) -> EstimateSpec:
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
    block = _Block(file, ("gates", position), value, common | on_estimates)
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
    top = _Block(path, (), raw, frozenset(("model", "version", "intended_use", "analysis", "gates")))
    analysis = _analysis(path, raw.get("analysis"))
    entries = top.take("gates", list, "a list of gates")
    gates = tuple(_gate(path, position, entry, analysis) for position, entry in enumerate(entries))
    _unique(top, "gates", [gate.id for gate in gates])
    if not any(gate.blocking for gate in gates):
        raise top.error(
            "gates", "no blocking gate", "at least one", "A protocol that demands nothing passes everything."
        )
    return Protocol(
        model=top.name("model"),
        version=top.take("version", int, "a whole number"),
        intended_use=" ".join(top.take("intended_use", str, "what the model is for").split()),
        analysis=analysis,
        gates=gates,
        gates_digest=json_sha256(entries),
    )
