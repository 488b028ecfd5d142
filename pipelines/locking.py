"""Lock, compare and amend protocols: what the commands `hallmark protocol lock|diff|amend` do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.anchors import anchors, who
from pipelines.layout import LEDGER, cohort_folder, lock_file, protocol_file
from pipelines.names import require_cohort_folder
from validation.cohort import cohort_digests, read_meta
from validation.documents import read_yaml
from validation.errors import InputError
from validation.protocol import Protocol, check_follow_up, load_protocol
from validation.sealing.ledger import Ledger, read_ledger, verify_anchors
from validation.sealing.lock import (
    Amendment,
    Lock,
    changed_parts,
    plan_digests,
    read_lock,
    require_latest,
    write_lock,
)
from validation.sealing.seal import SEALED, read_sealed

DRAWN_ANEW = "Synthetic cohorts were drawn anew."


@dataclass(frozen=True)
class Locked:
    """What locking or amending did.

    Attributes:
        lock: The lock as it is now.
        changed: What differs from the lock before: analysis, gates, terms, cohorts; empty if nothing does.
        created: Whether there was none before.
    """

    lock: Lock
    changed: tuple[str, ...]
    created: bool


@dataclass(frozen=True)
class _Present:
    """Protocol and cohorts as they are now."""

    protocol: Protocol
    plan: Mapping[str, Any]
    digests: Mapping[str, str]
    cohorts: Mapping[str, Mapping[str, str]]
    synthetic: Mapping[str, bool]


def lock_protocol(architecture: str) -> Locked:
    """Lock a protocol with the cohorts at hand; one that is locked already stays as it is.

    Where nothing but synthetic cohorts has changed, they were drawn anew: that is recorded, as an amendment without
    consequence, since nobody has seen anything of the new patients.

    Raises:
        InputError: The protocol is wrong, a cohort is missing or not sealed, a horizon lies beyond what a cohort
            recorded, the lock is lost, or the plan differs from what is locked.
    """
    path, present, ledger = lock_file(architecture), _present(architecture), _ledger()
    lock = read_lock(path)
    if lock is None:
        if opened := _openings(ledger, architecture):
            found = f"no lock, although outcomes were opened under one (line {opened[-1]} of the ledger)"
            raise InputError(str(path), found, "the lock they were opened under", "Restore it from git, and amend it.")
        lock = Lock(architecture, present.plan, present.digests, present.cohorts, who(), _today())
        write_lock(path, lock)
        return Locked(lock, (), created=True)
    require_latest(lock, ledger, str(path))
    changed = changed_parts(lock, present.digests, present.cohorts)
    if not changed:
        return Locked(lock, (), created=False)
    anew = [name for name, digests in present.cohorts.items() if dict(lock.cohorts.get(name, {})) != dict(digests)]
    if changed == ("cohorts",) and anew and all(_drawn_anew(present, lock, name) for name in anew):
        return _amended(present, lock, changed, DRAWN_ANEW, ledger)
    remedy = f"Undo the change, or record it: hallmark protocol amend {architecture} --reason TEXT"
    raise InputError(str(path), f"{' and '.join(changed)} changed since it was locked", "the plan as locked", remedy)


def amend_protocol(architecture: str, reason: str) -> Locked:
    """Record a change of a locked protocol.

    A changed analysis needs a new opening of every cohort that it is about. Changed gates leave the evidence valid, and
    the verdict no better than INCONCLUSIVE until someone signs a waiver, if outcomes had been opened before.

    Raises:
        InputError: As `lock_protocol`; no reason, no lock, or nothing has changed.
    """
    path = lock_file(architecture)
    if len(reason.split()) < 3:
        found, expected = repr(reason), "why the protocol is changed, in a sentence"
        raise InputError("--reason", found, expected, "Reviewers will read it beside the verdict.")
    present, ledger = _present(architecture), _ledger()
    lock = read_lock(path)
    if lock is None:
        raise InputError(str(path), "no lock", "a locked protocol", f"Lock it: hallmark protocol lock {architecture}")
    require_latest(lock, ledger, str(path))
    changed = changed_parts(lock, present.digests, present.cohorts)
    if not changed:
        raise InputError(str(path), "nothing that has changed", "a change to record", "The lock stays as it is.")
    return _amended(present, lock, changed, " ".join(reason.split()), ledger)


def difference(architecture: str) -> list[str]:
    """Return what differs between a protocol and its lock, one line per key, empty if nothing does.

    Raises:
        InputError: As `lock_protocol`, or there is no lock.
    """
    path, present = lock_file(architecture), _present(architecture)
    lock = read_lock(path)
    if lock is None:
        raise InputError(str(path), "no lock", "a locked protocol", f"Lock it: hallmark protocol lock {architecture}")
    return [*_differences("", lock.plan, present.plan), *_differences("cohorts", lock.cohorts, present.cohorts)]


def _drawn_anew(present: _Present, lock: Lock, name: str) -> bool:
    """Whether a cohort is synthetic, was locked before, and has other patients and outcomes now."""
    before, now = lock.cohorts.get(name), present.cohorts[name]
    return before is not None and present.synthetic[name] and all(before[t] != now[t] for t in ("patients", "outcomes"))


def _differences(where: str, locked: Any, now: Any) -> Iterator[str]:
    """Yield one line per leaf that differs; entries of lists are known by their id."""
    before, after = _parts(locked), _parts(now)
    if before is None or after is None:
        if locked != now:
            yield f"{where}: locked {_shown(locked)}; now {_shown(now)}"
        return
    for key in dict.fromkeys([*before, *after]):
        yield from _differences(f"{where}.{key}".lstrip("."), before.get(key), after.get(key))


def _parts(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list) and value and all(isinstance(part, Mapping) and "id" in part for part in value):
        return {str(part["id"]): part for part in value}
    return None


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def _present(architecture: str) -> _Present:
    protocol = load_protocol(protocol_file(architecture))
    plan = read_yaml(protocol.file)
    cohorts, synthetic = {}, {}
    for name in (*protocol.analysis.external, *protocol.analysis.internal):
        folder = cohort_folder(name)
        require_cohort_folder(folder)
        meta = read_meta(folder)
        if not meta.sealed:
            remedy = f"Seal them: hallmark cohort seal {folder}"
            raise InputError(f"{folder}/cohort.yaml", "outcomes that lie open", f"tables.outcomes: {SEALED}", remedy)
        check_follow_up(protocol, read_sealed(folder / meta.tables["outcomes"]).header.longest_follow_up_months, name)
        cohorts[name], synthetic[name] = cohort_digests(folder, meta), meta.synthetic
    return _Present(protocol, plan, plan_digests(protocol, plan), cohorts, synthetic)


def _ledger() -> Ledger:
    ledger = read_ledger(LEDGER)
    verify_anchors(ledger, anchors(), str(LEDGER))
    return ledger


def _openings(ledger: Ledger, architecture: str) -> list[int]:
    return [entry.sequence for entry in ledger.entries if entry.protocol == architecture]


def _amended(present: _Present, lock: Lock, changed: tuple[str, ...], reason: str, ledger: Ledger) -> Locked:
    openings = len(_openings(ledger, lock.protocol))
    amendment = Amendment(lock.sha256, changed, reason, who(), _today(), openings)
    history = (*lock.history, amendment)
    new = Lock(lock.protocol, present.plan, present.digests, present.cohorts, who(), _today(), history)
    write_lock(lock_file(lock.protocol), new)
    return Locked(new, changed, created=False)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
