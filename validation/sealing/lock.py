"""The lock of a protocol: what was fixed, for which cohorts, before outcomes were opened.

A lock holds the digests of the plan and of the cohorts' tables, never of a model or commit; the plan itself, so that a
change can be shown; and every amendment. `evaluate` depends on the digests of estimates, descriptive analyses and its
own cohort, so a changed limit or a further cohort leaves what was estimated on the others valid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from validation.digests import json_sha256
from validation.documents import read_json, require_keys, write_json
from validation.errors import InputError
from validation.protocol import Protocol
from validation.sealing.ledger import Ledger

SCHEMA = 1
PARTS = ("analysis", "gates", "terms")
_RESTORE = "Restore the file from git; a lock is never edited."
_KEYS = {
    "schema": int,
    "protocol": str,
    "digests": dict,
    "cohorts": dict,
    "plan": dict,
    "locked": dict,
    "history": list,
}


@dataclass(frozen=True)
class Amendment:
    """One change of a lock.

    Attributes:
        lock: Digest of the lock before it.
        changed: What was changed: analysis, gates, terms, cohorts.
        reason: Why.
        by: Who.
        on: Day, YYYY-MM-DD.
        openings: How often outcomes had been opened under the protocol by then.
    """

    lock: str
    changed: tuple[str, ...]
    reason: str
    by: str
    on: str
    openings: int


@dataclass(frozen=True)
class Lock:
    """A locked protocol.

    Attributes:
        protocol: Architecture.
        plan: The protocol as it was locked, all of it.
        digests: Of the parts analysis, gates and terms (all else), and of estimates and descriptive within analysis.
        cohorts: Digests of cohort_yaml, patients and outcomes by cohort.
        by: Who locked it last.
        on: Day, YYYY-MM-DD.
        history: Amendments, first to last.
    """

    protocol: str
    plan: Mapping[str, Any]
    digests: Mapping[str, str]
    cohorts: Mapping[str, Mapping[str, str]]
    by: str
    on: str
    history: tuple[Amendment, ...] = ()

    @property
    def sha256(self) -> str:
        """Digest of plan, cohorts and every amendment on the way here."""
        history = [asdict(amendment) for amendment in self.history]
        parts = {"protocol": self.protocol, "digests": self.digests, "cohorts": self.cohorts, "history": history}
        return json_sha256(parts)

    @property
    def line(self) -> tuple[str, ...]:
        """Digests of every lock this one descends from, and its own."""
        return (*(amendment.lock for amendment in self.history), self.sha256)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol,
            "digests": {**self.digests, "lock": self.sha256},
            "cohorts": {name: dict(digests) for name, digests in self.cohorts.items()},
            "plan": dict(self.plan),
            "locked": {"by": self.by, "on": self.on},
            "history": [{**asdict(amendment), "changed": list(amendment.changed)} for amendment in self.history],
        }


def plan_digests(protocol: Protocol, plan: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of a protocol's parts; see `Lock.digests`."""
    return {
        "analysis": protocol.analysis.digest,
        "estimates": protocol.analysis.estimates_digest,
        "descriptive": protocol.analysis.descriptive_digest,
        "gates": protocol.gates_digest,
        "terms": json_sha256({key: value for key, value in plan.items() if key not in ("analysis", "gates")}),
    }


def plan_problem(lock: Lock | None, protocol: Protocol, plan: Mapping[str, Any]) -> str | None:
    """Say why a lock is not that of a plan; None if it is.

    Args:
        lock: The lock; None if there is none.
        protocol: The plan as read.
        plan: Its content, all of it.
    """
    if lock is None:
        return f"a protocol that is not locked (hallmark protocol lock {protocol.model})"
    if lock.protocol != protocol.model:
        return f"the lock of {lock.protocol}"
    digests = plan_digests(protocol, plan)
    changed = [part for part in PARTS if lock.digests[part] != digests[part]]
    if not changed and dict(lock.digests) != digests:
        return "a lock with digests that are not those of its content"
    amend = f"hallmark protocol amend {protocol.model} --reason TEXT"
    return f"{' and '.join(changed)} changed since the protocol was locked ({amend})" if changed else None


def changed_parts(lock: Lock, digests: Mapping[str, str], cohorts: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return what of plan and cohorts differs from the lock: analysis, gates, terms, cohorts."""
    parts = [part for part in PARTS if lock.digests[part] != digests[part]]
    return (*parts, *(["cohorts"] if dict(lock.cohorts) != dict(cohorts) else []))


def read_lock(path: Path) -> Lock | None:
    """Read a lock; None if there is none.

    Raises:
        InputError: It is malformed, or its digests are not those of its content.
    """
    raw = read_json(path)
    if raw is None:
        return None
    require_keys({**raw, "history": raw.get("history") or [0]}, _KEYS, str(path))  # a new lock has no history
    try:
        if raw["schema"] != SCHEMA or set(raw["locked"]) != {"by", "on"}:
            raise ValueError(f"schema {raw['schema']}, locked {raw['locked']}")
        history = tuple(_amendment(entry) for entry in raw["history"])
        digests = {key: str(value) for key, value in raw["digests"].items() if key != "lock"}
        lock = Lock(raw["protocol"], raw["plan"], digests, raw["cohorts"], **raw["locked"], history=history)
        content = _content_digests(lock.plan)
        if lock.to_dict() != raw or any(lock.digests[part] != digest for part, digest in content.items()):
            raise ValueError("digests that are not those of its content")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(str(path), found, "a lock as written", _RESTORE) from error
    return lock


def _content_digests(plan: Mapping[str, Any]) -> dict[str, str]:
    rest = {key: value for key, value in plan.items() if key not in ("analysis", "gates")}
    return {
        part: json_sha256(value) for part, value in zip(PARTS, (plan["analysis"], plan["gates"], rest), strict=True)
    }


def _amendment(raw: Mapping[str, Any]) -> Amendment:
    if set(raw) != {field.name for field in fields(Amendment)}:
        raise ValueError(f"an amendment with the keys {sorted(raw)}")
    return Amendment(**{**raw, "changed": tuple(raw["changed"])})


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock, whole or not at all."""
    write_json(path, lock.to_dict())


def require_latest(lock: Lock, ledger: Ledger, where: str) -> None:
    """Refuse a lock that is older than, or foreign to, the one under which outcomes were opened last.

    Raises:
        InputError: It does not descend from that one.
    """
    last = next((entry for entry in reversed(ledger.entries) if entry.protocol == lock.protocol), None)
    if last is not None and last.lock not in lock.line:
        found = f"lock {lock.sha256[:12]} of {lock.protocol}, an older or a foreign one"
        remedy = "Restore the lock from git, and amend it."
        raise InputError(where, found, f"lock {last.lock[:12]} (entry {last.sequence}), or an amendment of it", remedy)
