"""What a gate is: a rule of the protocol that answers PASS, FAIL or INCONCLUSIVE on what is in evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol

from validation.estimators.estimate import Estimate
from validation.estimators.intervals import inside, on_scale

Side = Literal["above", "below", "between", "at_most"]
SIDES: tuple[Side, ...] = ("above", "below", "between", "at_most")
POOLED = "pooled"
"""What a gate names as its cohort that looks at the summary over all external cohorts."""


class State(StrEnum):
    """Answer of a gate and of the whole verdict."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Limit:
    """What a protocol demands of an interval.

    `above` and `below` are strict, `between` and `at_most` include the limits.

    Attributes:
        side: On which side of the limits the good values lie.
        values: One limit, or two for `between`.
    """

    side: Side
    values: tuple[float, ...]

    def _good(self, value: float) -> bool:
        first, last = self.values[0], self.values[-1]
        return {
            "above": value > first,
            "below": value < first,
            "between": first <= value <= last,
            "at_most": value <= first,
        }[self.side]

    def compatible(self, other: Limit) -> bool:
        """Whether some value meets both limits."""
        low = max(self._range[0], other._range[0])
        high = min(self._range[1], other._range[1])
        return low < high or (low == high and self._good(low) and other._good(low))

    @property
    def _range(self) -> tuple[float, float]:
        """Ends of the good values."""
        first, last = self.values[0], self.values[-1]
        return {
            "above": (first, math.inf),
            "below": (-math.inf, first),
            "between": (first, last),
            "at_most": (-math.inf, first),
        }[self.side]

    def state(self, lower: float, upper: float) -> State:
        """Answer for an interval: wholly good PASS, wholly bad FAIL, otherwise INCONCLUSIVE."""
        if self._good(lower) and self._good(upper):
            return State.PASS
        across = self.side == "between" and lower < self.values[0] and upper > self.values[-1]
        if self._good(lower) or self._good(upper) or across:
            return State.INCONCLUSIVE
        return State.FAIL

    def to_dict(self) -> dict[str, Any]:
        """Return the limit as the protocol writes it: {"above": 0.65}, {"between": [0.7, 1.4]}."""
        return {self.side: list(self.values) if self.side == "between" else self.values[0]}

    def events_needed(self, estimate: Estimate) -> int | None:
        """Return the events at which the interval would leave the limit, if the value stays what it is.

        The half-width shrinks with the square root of the events on the scale where the interval is symmetric.

        Returns:
            The total number of events, or None if the value lies on the limit, where no number would do.
        """
        factor = max(_growth(estimate, value) for value in self.values if inside(value, estimate.scale))
        return math.floor(estimate.events * factor) + 1 if math.isfinite(factor) else None


def _growth(estimate: Estimate, limit: float) -> float:
    """By how much the events must grow for the interval to reach from the value just to the limit."""
    near = estimate.upper if limit > estimate.value else estimate.lower
    if not inside(near, estimate.scale) or not inside(estimate.value, estimate.scale):
        return math.inf
    centre = on_scale(estimate.value, estimate.scale)
    distance = abs(on_scale(limit, estimate.scale) - centre)
    return (abs(on_scale(near, estimate.scale) - centre) / distance) ** 2 if distance else math.inf


@dataclass(frozen=True)
class GateSpec:
    """One gate as the protocol declares it.

    Attributes:
        id: Name in protocol and verdict.
        kind: Which gate.
        blocking: Whether it decides the verdict; a descriptive gate is only shown.
        hazard: Harm that it guards against.
        source: Where the limit comes from.
        limit: What is demanded, for gates with a limit.
        estimate: Id of the estimate it looks at, for gates on estimates.
        minimum_events: With fewer events the answer is INCONCLUSIVE, for gates on estimates.
        cohort: The only cohort it looks at, or `POOLED`; every declared external cohort if None.
    """

    id: str
    kind: str
    blocking: bool
    hazard: str
    source: str
    limit: Limit | None = None
    estimate: str | None = None
    minimum_events: int | None = None
    cohort: str | None = None


@dataclass(frozen=True)
class Needed:
    """How many events and patients in all would settle an inconclusive gate; None where the number is not known."""

    events: int | None
    patients: int | None


@dataclass(frozen=True)
class Answer:
    """What a gate answers on one cohort (or on the model: cohort None).

    Attributes:
        cohort: Cohort, or None where the gate looks at the model.
        state: The answer.
        reason: Why, in words.
        value: The number that was compared with the limit.
        lower: Lower limit of its interval; equals `value` where a count or a maximum is exact.
        upper: Upper limit.
        level: Confidence level of the interval.
        n: Patients behind it.
        events: Events behind it.
        method: How it was measured.
        needed: What would settle an INCONCLUSIVE.
    """

    cohort: str | None
    state: State
    reason: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float | None = None
    n: int | None = None
    events: int | None = None
    method: str | None = None
    needed: Needed | None = None


def limit_from_dict(raw: Mapping[str, Any]) -> Limit:
    """Read what `Limit.to_dict` wrote.

    Raises:
        TypeError, ValueError: Not exactly one side, or not two limits for `between`.
    """
    ((key, value),) = raw.items()
    side = next((side for side in SIDES if side == key), None)
    if side is None:
        raise ValueError(f"unknown limit {key}")
    if side == "between":
        low, high = value
        return Limit(side, (low, high))
    return Limit(side, (value,))


def _check(spec: GateSpec, answer: Answer) -> None:
    """Refuse what no gate answers: a number that is none, or a PASS that its own numbers do not bear out."""
    limits = spec.limit.values if spec.limit else ()
    lower, value, upper = answer.lower, answer.value, answer.upper
    for number in (lower, value, upper, answer.n, answer.events, *limits):
        known = isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
        if not known and number is not None:
            raise ValueError(f"gate {spec.id}: {number!r} is not a finite number")
    if answer.state is not State.PASS or spec.limit is None:
        return
    if lower is None or value is None or upper is None or not lower <= value <= upper:
        raise ValueError(f"gate {spec.id}: PASS without a value in its interval")
    if spec.limit.state(lower, upper) is not State.PASS or (answer.events or 0) < (spec.minimum_events or 0):
        raise ValueError(f"gate {spec.id}: PASS, which its interval and events do not bear out")


@dataclass(frozen=True)
class GateResult:
    """One row of the verdict: the gate as declared and its answer."""

    spec: GateSpec
    answer: Answer

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, every field present."""
        spec, answer = self.spec, self.answer
        return {
            "id": spec.id,
            "kind": spec.kind,
            "cohort": answer.cohort,
            "state": str(answer.state),
            "blocking": spec.blocking,
            "value": answer.value,
            "lower": answer.lower,
            "upper": answer.upper,
            "level": answer.level,
            "n": answer.n,
            "events": answer.events,
            "limit": spec.limit.to_dict() if spec.limit else None,
            "estimate": spec.estimate,
            "minimum_events": spec.minimum_events,
            "method": answer.method,
            "source": spec.source,
            "hazard": spec.hazard,
            "reason": answer.reason,
            "needed": {"events": answer.needed.events, "patients": answer.needed.patients} if answer.needed else None,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> GateResult:
        """Read what `to_dict` wrote.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: It did not write this, or it is a PASS that its own numbers
                do not bear out; `Verdict.from_dict` makes one `InputError` of them.
        """
        spec = {key: raw[key] for key in ("id", "kind", "blocking", "hazard", "source", "estimate", "minimum_events")}
        limit = limit_from_dict(raw["limit"]) if raw["limit"] is not None else None
        needed = Needed(**raw["needed"]) if raw["needed"] is not None else None
        rest = {key: raw[key] for key in raw if key not in {*spec, "limit", "needed", "state"}}
        result = cls(GateSpec(**spec, limit=limit), Answer(**rest, state=State(raw["state"]), needed=needed))
        _check(result.spec, result.answer)
        return result


Document = Mapping[str, Any]


@dataclass(frozen=True)
class Custody:
    """How outcomes were opened for the evidence on one cohort, as lock and ledger at hand tell.

    Attributes:
        problem: Why the evidence may not be used; None if it may.
        amended: How the plan was changed after outcomes had been opened; None if it was not.
        opening: Id of its entry in the ledger; None where there is none.
        content: Digest of that entry.
    """

    problem: str | None
    amended: str | None = None
    opening: str | None = None
    content: str | None = None


@dataclass(frozen=True)
class Case:
    """Everything that is judged: what is demanded, and the documents in evidence (None where one is missing).

    Attributes:
        model: Name of the model.
        architecture: Architecture, which names the protocol.
        artifact_digest: Digest of the folder that ships.
        development: What that folder says of the cohort it was trained on: cohort, patients_sha256, outcomes_sha256.
        outputs: Names of its outputs and of its ONNX files but the first: all that parity must be recorded of.
        level: Confidence level of the protocol.
        external: External cohorts that the protocol declares.
        estimates_digest: Digest of the analysis that the evidence must have followed.
        evidence: Per external cohort, the estimates.
        cohort_checks: Per external and development cohort, the report of the data checks.
        independence: Per external cohort, what it shares with the development cohort.
        parity: Difference between torch and ONNX Runtime.
        custody: Per external cohort, how its outcomes were opened; and what was opened and is declared no longer.
        lock_problem: Why the protocol is not the locked one, or the ledger not whole; None if both are.
    """

    model: str
    architecture: str
    artifact_digest: str
    development: Document
    outputs: tuple[str, ...]
    level: float
    external: tuple[str, ...]
    estimates_digest: str
    evidence: Mapping[str, Document | None]
    cohort_checks: Mapping[str, Document | None]
    independence: Mapping[str, Document | None]
    parity: Document | None
    custody: Mapping[str, Custody]
    lock_problem: str | None

    @property
    def checked_development(self) -> tuple[str, ...]:
        """Cohorts that were checked and are not external: the development cohort of params.yaml."""
        return tuple(sorted(set(self.cohort_checks) - set(self.external)))

    def cohorts_of(self, spec: GateSpec) -> tuple[str, ...]:
        """Return the external cohorts that a gate looks at."""
        return (spec.cohort,) if spec.cohort else self.external


class Gate(Protocol):
    """A kind of gate. A new one is a class like this, a line in `GATES`, a test and a section in docs/gates.md."""

    @property
    def kind(self) -> str:
        """Name in the protocol."""

    @property
    def sides(self) -> tuple[Side, ...]:
        """Limits that make sense for it; empty for a gate without limit."""

    @property
    def measures(self) -> str | None:
        """Which estimates it looks at; None if it looks at something else."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Open range of its limit; None for gates on estimates, where the range is the estimator's."""

    def judge(self, spec: GateSpec, case: Case) -> list[Answer]:
        """Return one answer per cohort the gate looks at. Whatever is missing or malformed is a FAIL, said so."""
