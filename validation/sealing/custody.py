"""Whether evidence on a cohort may be used: made by this plan, of this model, by this judge, and in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from validation.gates.base import Custody
from validation.sealing.ledger import Entry, Ledger, released_sha256
from validation.sealing.lock import Lock

TABLES = ("cohort_yaml", "patients", "outcomes")


def custody_of(
    cohort: str, evidence: Mapping[str, Any], *, lock: Lock, ledger: Ledger, predictions: str | None, judge: str
) -> Custody:
    """Follow evidence back to the opening it was made in.

    Args:
        cohort: Name of the cohort.
        evidence: Well-formed evidence on it.
        lock: Lock of the plan.
        ledger: Every opening.
        predictions: Digest of the predictions at hand; None if there are none.
        judge: Digest of the judge's sources.
    """
    stated = evidence["digests"]
    locked = lock.cohorts.get(cohort, {})
    if other := [name for name in TABLES if stated[name] != locked.get(name)]:
        return Custody(f"stale: it is about other {' and '.join(other)} of {cohort} than are locked")
    if predictions is None:
        return Custody(f"no predictions on {cohort} at hand to compare it with: dvc pull")
    for name, digest in {"predictions": predictions, "judge": judge}.items():
        if stated[name] != digest:
            return Custody(f"stale: it is about {name} {str(stated[name])[:12]}, not {digest[:12]}")
    entry = ledger.find(str(stated["opening"]))
    if entry is None:
        return Custody(f"the ledger holds no opening {str(stated['opening'])[:12]}, by which it was made")
    if problem := _problem(entry, evidence, lock):
        return Custody(problem)
    first = ledger.first_on(entry) or entry
    amended = None
    if first.gates != lock.digests["gates"]:
        amended = f"gates were changed after outcomes of these patients had been opened on {first.when}"
    return Custody(None, amended, entry.id, entry.content)


def dropped(external: Collection[str], ledger: Ledger, protocol: str) -> dict[str, Custody]:
    """Return the cohorts on which models were judged by a protocol that declares them no longer.

    Args:
        external: External cohorts that it declares now.
        ledger: Every opening.
        protocol: Its architecture.
    """
    opened: dict[str, Custody] = {}
    for entry in ledger.entries:
        if entry.protocol == protocol and entry.alpha > 0 and entry.cohort not in external:
            why = f"the cohort was opened on {entry.when}, and the protocol declares it no longer"
            opened.setdefault(entry.cohort, Custody(None, why))
    return opened


def _problem(entry: Entry, evidence: Mapping[str, Any], lock: Lock) -> str | None:
    """Say why an entry is not about the evidence; None if it is."""
    stated = evidence["digests"]
    about = {
        "protocol": (entry.protocol, lock.protocol),
        "analysis": (entry.analysis, lock.digests["descriptive"]),
        "model": (entry.model, evidence["model"]),
        "cohort": (entry.cohort, evidence["cohort"]),
        "artifact": (entry.artifact, stated["artifact"]),
        "predictions": (entry.predictions, stated["predictions"]),
        "judge": (entry.judge, stated["judge"]),
        **{name: (entry.tables[name], stated[name]) for name in TABLES},
    }
    for name, (opened, found) in about.items():
        if opened != found:
            return f"stale: line {entry.sequence} of the ledger is about {name} {opened[:12]}, not {str(found)[:12]}"
    if entry.released.get("evidence") != released_sha256(evidence):
        return f"it is not the evidence that was released by line {entry.sequence} of the ledger"
    return None
