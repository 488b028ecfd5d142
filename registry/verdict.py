"""The verdict as the release reads it: strictly, and refusing one that contradicts itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.record import DIGEST, NAME
from validation.digests import bytes_sha256
from validation.errors import InputError
from validation.evidence import encode

STATES = ("PASS", "INCONCLUSIVE", "FAIL")
"""From best to worst."""

LIMITS = {"above": 1, "below": 1, "between": 2, "at_most": 1}
NOT_FILES = ("artifact", "protocol_gates", "analysis")
WHERE = "verdict.json"
REMEDY = "Run `dvc repro` to judge again; never edit a verdict."


@dataclass(frozen=True)
class Gate:
    """One gate of a verdict.

    Attributes:
        id: Gate in the protocol.
        cohort: Cohort judged; None for a gate about the model alone.
        state: PASS, FAIL or INCONCLUSIVE; a gate that does not block may have other words.
        blocking: Whether it decides.
        value: Estimate, None if there is none.
        lower: Lower confidence limit, None if the quantity has none.
        upper: Upper confidence limit.
        limit: What was demanded, for instance {"above": 0.65}; empty if the gate has no number.
        reason: In words.
        needed: Events and patients in all that would settle an INCONCLUSIVE gate; None or left out where unknown.
    """

    id: str
    cohort: str | None
    state: str
    blocking: bool
    value: float | None
    lower: float | None
    upper: float | None
    limit: Mapping[str, Any]
    reason: str
    needed: Mapping[str, Any]

    def describe(self) -> str:
        """Return one line: gate, cohort, state, number with interval, limit, reason, what would settle it."""
        number = "no estimate" if self.value is None else f"{self.value:.4g}"
        if self.lower is not None and self.upper is not None and self.lower < self.upper:
            number += f" ({self.lower:.4g} to {self.upper:.4g})"
        limit = ", ".join(f"{word.replace('_', ' ')} {bound}" for word, bound in self.limit.items())
        parts = [f"{self.id} on {self.cohort or 'the model'}: {self.state}"]
        parts += [number + (f", demanded {limit}" if limit else "")] if self.limit or self.value is not None else []
        parts += [self.reason] if self.reason else []
        needed = [f"{number} {what}" for what, number in self.needed.items() if number is not None]
        parts += [f"needed: {', '.join(needed)}"] if needed else []
        return "; ".join(parts)

    def on_good_side(self) -> bool:
        """Whether the interval (for `at_most` the value) respects the limit; True if there is no limit to respect."""
        if (most := self.limit.get("at_most")) is not None:
            return self.value is not None and self.value <= most
        low, high = self.limit.get("between") or (self.limit.get("above"), self.limit.get("below"))
        return (low is None or (self.lower is not None and self.lower >= low)) and (
            high is None or (self.upper is not None and self.upper <= high)
        )


@dataclass(frozen=True)
class Verdict:
    """A verdict that is complete and consistent.

    Attributes:
        model: Entry of params.yaml.
        verdict: PASS, FAIL or INCONCLUSIVE.
        synthetic: Whether any cohort behind it is synthetic.
        gates: Every gate.
        artefact: Digest of the artefact that was judged.
        files: sha256 of every file that was judged, by slot: "evidence/<cohort>", "cohorts/<cohort>", "parity" ...
        document: Its canonical bytes, which are those of verdict.json.
    """

    model: str
    verdict: str
    synthetic: bool
    gates: tuple[Gate, ...]
    artefact: str
    files: Mapping[str, str]
    document: bytes

    @property
    def sha256(self) -> str:
        """Digest of the verdict itself."""
        return bytes_sha256(self.document)

    def not_passed(self) -> tuple[Gate, ...]:
        """Blocking gates that are not PASS."""
        return tuple(gate for gate in self.gates if gate.blocking and gate.state != "PASS")


def read_verdict(document: Mapping[str, Any]) -> Verdict:
    """Read the content of evidence/<model>/verdict.json.

    Raises:
        InputError: A field is missing or of the wrong type, a number is not finite, the verdict is better than its
            gates, a PASS lies on the wrong side of its limit, or a PASS has nothing to rest on.
    """
    if document.get("schema") != 1:
        raise _wrong("schema", document.get("schema"), "1")
    digests = _field(document, "digests", dict)
    verdict = Verdict(
        model=_field(document, "model", str),
        verdict=_field(document, "verdict", str),
        synthetic=_field(document, "synthetic", bool),
        gates=tuple(_gate(gate) for gate in _field(document, "gates", list)),
        artefact=_digest("digests.artifact", digests.get("artifact")),
        files=_files(digests),
        document=encode(document),
    )
    _check_consistency(verdict, _unfilled(digests))
    return verdict


def _check_consistency(verdict: Verdict, unfilled: Sequence[str]) -> None:
    """Refuse a verdict better than its own gates; a worse one is in order (a cap for an amended protocol)."""
    blocking = {gate.state for gate in verdict.gates if gate.blocking}
    if not blocking:
        raise _wrong("gates", "no blocking gate", "at least one")
    best = max(blocking, key=STATES.index)
    if verdict.verdict not in STATES[STATES.index(best) :]:
        raise _wrong("verdict", verdict.verdict, f"{best}, as its gates say")
    for gate in verdict.gates:
        if gate.state == "PASS" and not gate.on_good_side():
            raise _wrong(f"gate {gate.id}", gate.describe(), "a PASS wholly on the good side of its limit")
    if verdict.verdict == "PASS" and (unfilled or not any(slot.startswith("evidence/") for slot in verdict.files)):
        raise _wrong("digests", f"PASS without {', '.join(unfilled) or 'evidence'}", "a digest for everything judged")


def _gate(gate: Any) -> Gate:
    """Read one gate."""
    if not isinstance(gate, Mapping):
        raise _wrong("gates", repr(gate), "objects")
    read = Gate(
        id=_field(gate, "id", str),
        cohort=_field(gate, "cohort", str, optional=True),
        state=_field(gate, "state", str),
        blocking=_field(gate, "blocking", bool),
        value=_number(gate, "value"),
        lower=_number(gate, "lower"),
        upper=_number(gate, "upper"),
        limit=_limit(gate),
        reason=_field(gate, "reason", str, optional=True) or "",
        needed=_field(gate, "needed", dict, optional=True) or {},
    )
    if read.blocking and read.state not in STATES:
        raise _wrong(f"gate {read.id}", f"state {read.state!r}", f"one of {', '.join(STATES)}")
    return read


def _limit(gate: Mapping[str, Any]) -> dict[str, Any]:
    """Read what was demanded: {"above": number}, {"below": number}, {"between": [low, high]} or {"at_most": number}."""
    limit: dict[str, Any] = _field(gate, "limit", dict, optional=True) or {}
    for word, bound in limit.items():
        numbers = bound if word == "between" else [bound]
        if not isinstance(numbers, list) or len(numbers) != LIMITS.get(word) or not all(map(_is_number, numbers)):
            raise _wrong(f"gate {gate.get('id')}", f"limit {limit}", f"one of {', '.join(LIMITS)} with finite numbers")
    return limit


def _files(digests: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the files judged, by slot."""
    return {slot: _digest(f"digests.{slot}", digest) for slot, digest in _slots(digests).items() if digest is not None}


def _unfilled(digests: Mapping[str, Any]) -> list[str]:
    """Slots for which there was no file to judge."""
    return [slot for slot, digest in _slots(digests).items() if digest is None]


def _slots(digests: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten {"parity": x, "evidence": {cohort: y}} to {"parity": x, "evidence/cohort": y}."""
    slots: dict[str, Any] = {}
    for kind, entry in digests.items():
        if isinstance(entry, dict):
            slots |= {f"{kind}/{name}": digest for name, digest in entry.items()}
        elif kind not in NOT_FILES:
            slots[kind] = entry
    if odd := [slot for slot in slots if not all(NAME.fullmatch(part) for part in slot.split("/", 1))]:
        raise _wrong("digests", repr(odd[0]), "names of letters, digits, _ and -")
    return slots


def _digest(where: str, digest: Any) -> str:
    """Read one digest."""
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise _wrong(where, repr(digest), "a sha256")
    return digest


def _number(gate: Mapping[str, Any], key: str) -> float | None:
    """Read a finite number or null."""
    value = gate.get(key)
    if value is not None and not _is_number(value):
        raise _wrong(f"gate {gate.get('id')}", f"{key} {value!r}", "a finite number or null")
    return value


def _is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _field(document: Mapping[str, Any], key: str, kind: type, optional: bool = False) -> Any:
    """Read a field of one type."""
    value = document.get(key)
    if isinstance(value, kind) or (optional and value is None):
        return value
    raise _wrong(f"{document.get('id', 'the verdict')}", f"{key} {value!r}", f"a {kind.__name__}")


def _wrong(what: str, found: Any, expected: str) -> InputError:
    """Compose the error of a verdict that cannot be used."""
    return InputError(f"{WHERE}: {what}", str(found), expected, REMEDY)
