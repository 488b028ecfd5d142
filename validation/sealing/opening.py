"""The one way to sealed outcomes: a locked protocol, a model, its predictions, a judge, and a line in the ledger.

    with opened(question, ledger_file, anchors) as opening:
        evidence = ...opening.outcomes...
        opening.release(evidence, description)

Everything is checked before a byte is decrypted. The line is added after the figures are known, because it holds them,
and before anything is written. Until then a note `<ledger>.<id>.unfinished` stands beside the ledger: an opening that
was interrupted leaves it, and counts as spent until it is repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from validation.cells import PATIENT, convert, parse_table
from validation.cohort import Cohort, cohort_digests, outcomes_of
from validation.errors import InputError
from validation.outcome_checks import check_outcomes
from validation.protocol import Protocol
from validation.schema import load_schema
from validation.sealing.judge import judge_sha256
from validation.sealing.keys import key_of
from validation.sealing.ledger import (
    OPENING,
    REANALYSIS,
    Anchors,
    Entry,
    Ledger,
    add_entry,
    agree,
    figures_of,
    locked_ledger,
    read_ledger,
    released_sha256,
    verify_anchors,
)
from validation.sealing.lock import PARTS, Lock, plan_digests, require_latest
from validation.sealing.seal import Sealed, decrypt, passed, read_sealed


@dataclass(frozen=True)
class Question:
    """What is asked of whom, by which plan.

    Attributes:
        protocol: The plan as it is now.
        plan: Its content, all of it.
        lock: Its lock; None if there is none.
        cohort: The cohort.
        model: Entry of params.yaml.
        artifact: Digest of the folder that ships.
        predictions: Digest of the predictions.
        who: Who asks.
    """

    protocol: Protocol
    plan: Mapping[str, Any]
    lock: Lock | None
    cohort: Cohort
    model: str
    artifact: str
    predictions: str
    who: str


class Opening:
    """Outcomes that have been opened; nothing may be written of them before `release`."""

    def __init__(self, outcomes: pd.DataFrame, entry: Entry, ledger_file: Path, note: Path) -> None:
        self.outcomes, self.entry = outcomes, entry
        self._ledger_file, self._note = ledger_file, note

    @property
    def id(self) -> str:
        """Id of the entry in the ledger."""
        return self.entry.id

    def release(self, evidence: Mapping[str, Any], description: Mapping[str, Any]) -> Entry:
        """Add the line to the ledger; from then on evidence and description may be written.

        A re-analysis whose estimates all agree to 1e-9 spends nothing. A repeated run adds nothing, and must give the
        same estimates.

        Raises:
            InputError: A repeated run gave other estimates, a re-analysis needs more than is left of the budget, or the
                line cannot be kept.
        """
        figures = figures_of(evidence)
        released = {"evidence": released_sha256(evidence), "descriptive": released_sha256(description)}
        entry = replace(self.entry, released=released, estimates=figures)
        before = read_ledger(self._ledger_file)
        if (known := before.find(entry.id)) is not None and not agree(known.estimates, figures):
            where, found = f"{entry.cohort} of {entry.model}", f"other estimates than entry {known.sequence} released"
            remedy = "Install the versions of constraints.txt; if they are, report a judge that is not deterministic."
            raise InputError(where, found, "the same estimates from the same judge", remedy)
        if entry.kind == REANALYSIS and known is None:
            earlier = before.latest(entry.question)
            if earlier is not None and agree(earlier.estimates, figures):
                entry = replace(entry, alpha=0.0)
            else:
                _require_room(before, entry, ())
        kept = add_entry(self._ledger_file, entry)
        self._note.unlink(missing_ok=True)
        return kept


@contextmanager
def opened(question: Question, ledger_file: Path, anchors: Anchors) -> Iterator[Opening]:
    """Open the sealed outcomes of a cohort for one model.

    Args:
        question: What is asked of whom.
        ledger_file: The exposure ledger.
        anchors: What is known of it elsewhere.

    Raises:
        InputError: The outcomes lie open; the protocol is not locked, has been changed, or its lock is an older one or
            one of other patients; the ledger is damaged, cut or cannot be written to; the alpha budget of the cohort is
            spent; there is no key; or the outcomes fail their suite.
    """
    sealed = _sealed(question.cohort)
    lock = require_lock(question)
    ledger = read_ledger(ledger_file)
    verify_anchors(ledger, anchors, str(ledger_file))
    require_latest(lock, ledger, str(ledger_file))
    entry = _entry(question, lock, sealed, ledger)
    require_budget(ledger, entry, unfinished(ledger_file))
    key = key_of(sealed.header.key_id)
    note = ledger_file.with_name(f"{ledger_file.name}.{entry.id[:16]}.unfinished")
    with locked_ledger(ledger_file):  # of two that ask at once for the last of a budget one is refused
        require_budget(read_ledger(ledger_file), entry, unfinished(ledger_file))
        _write_note(note, entry)
    yield Opening(_outcomes(question.cohort, sealed, decrypt(sealed, key)), entry, ledger_file, note)


def open_demonstration(cohort: Cohort) -> pd.DataFrame:
    """Open outcomes that claim no secrecy: synthetic, sealed with the published key. No line is kept of it.

    Raises:
        InputError: They are sealed with another key, or the patients are not synthetic.
    """
    sealed = _sealed(cohort)
    if not (sealed.published and cohort.meta.synthetic):
        found = "outcomes that are secret"
        raise InputError(str(sealed.file), found, "synthetic ones under the published key", "Use hallmark evaluate.")
    return _outcomes(cohort, sealed, decrypt(sealed, key_of(sealed.header.key_id)))


def _sealed(cohort: Cohort) -> Sealed:
    if not cohort.meta.sealed:
        found = f"outcomes that lie open ({cohort.meta.tables['outcomes']})"
        remedy = f"Seal them: hallmark cohort seal {cohort.folder}"
        raise InputError(f"{cohort.meta.name}/cohort.yaml key tables.outcomes", found, "sealed outcomes", remedy)
    return read_sealed(cohort.folder / cohort.meta.tables["outcomes"])


def _outcomes(cohort: Cohort, sealed: Sealed, content: bytes) -> pd.DataFrame:
    """Return opened outcomes after their suite, in the order of the cohort's patients."""
    schema, name = load_schema(cohort.meta.schema), sealed.header.table
    table = convert(parse_table(f"{cohort.meta.name}/{name}", name, content), schema.outcomes.columns)
    passed(table, check_outcomes(table, schema, tuple(cohort.patients[PATIENT])), cohort.meta)
    return outcomes_of(cohort, table)


def require_lock(question: Question) -> Lock:
    """Return the lock of a plan, after making sure that it locks just this plan and this cohort.

    Raises:
        InputError: There is none, it is of another protocol, plan or cohort have been changed.
    """
    protocol, lock, cohort = question.protocol, question.lock, question.cohort
    if lock is None:
        remedy = f"Lock it before outcomes are opened: hallmark protocol lock {protocol.model}"
        raise InputError(str(protocol.file), "a protocol that is not locked", "a locked protocol", remedy)
    amend = f"Undo the change, or record it: hallmark protocol amend {protocol.model} --reason TEXT"
    if lock.protocol != protocol.model:
        raise InputError(str(protocol.file), f"the lock of {lock.protocol}", f"the lock of {protocol.model}", amend)
    digests = plan_digests(protocol, question.plan)
    if changed := [part for part in PARTS if lock.digests[part] != digests[part]]:
        found = f"{' and '.join(changed)} changed since the protocol was locked"
        raise InputError(str(protocol.file), found, "the plan that was locked", amend)
    at_hand, locked = cohort_digests(cohort.folder, cohort.meta), lock.cohorts.get(cohort.meta.name)
    if locked is None or dict(locked) != at_hand:
        other = [name for name in at_hand if locked and locked.get(name) != at_hand[name]]
        found = f"other {' and '.join(other)} than were locked" if locked else "a cohort that is not in the lock"
        raise InputError(f"cohort {cohort.meta.name}", found, "the cohort that was locked", amend)
    return lock


def require_budget(ledger: Ledger, entry: Entry, pending: tuple[Mapping[str, Any], ...]) -> None:
    """Refuse an opening for which too little is left of the cohort's alpha budget; one that is repeated costs nothing.

    The budget bounds the probability that any of all models opened on these patients passes a gate wrongly, by adding
    up what each opening may err (Bonferroni); the smallest budget that was ever stated binds.

    Args:
        ledger: Openings so far.
        entry: The one that is asked for.
        pending: Openings that were begun and not finished.

    Raises:
        InputError: The budget is spent.
    """
    if entry.kind == OPENING and ledger.find(entry.id) is None:
        _require_room(ledger, entry, pending)


def _require_room(ledger: Ledger, entry: Entry, pending: tuple[Mapping[str, Any], ...]) -> None:
    spent, budget = ledger.spent(entry)
    spent += sum(note["alpha"] for note in pending if note["cohort"] == entry.cohort and note["id"] != entry.id)
    if entry.alpha > 0 and spent + entry.alpha > budget + 1e-12:
        count = len(ledger.on_cohort(entry))
        found = (
            f"{count} openings that spent {spent:g} of an alpha budget of {budget:g}; this one takes {entry.alpha:g}"
        )
        remedy = "These patients have answered often enough: collect a cohort that no model was judged on."
        raise InputError(f"cohort {entry.cohort}", found, "a budget with room", remedy)


def _entry(question: Question, lock: Lock, sealed: Sealed, ledger: Ledger) -> Entry:
    """Return the line of an opening, without its figures."""
    meta, repeated = question.cohort.meta, question.protocol.repeated_use
    judged = meta.name in question.protocol.analysis.external
    entry = Entry(
        sequence=0,
        previous="",
        kind=OPENING,
        who=question.who,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        protocol=question.protocol.model,
        lock=lock.sha256,
        analysis=lock.digests["descriptive"],
        gates=lock.digests["gates"],
        cohort=meta.name,
        synthetic=meta.synthetic,
        tables={**cohort_digests(question.cohort.folder, meta), "outcomes": sealed.sha256},
        model=question.model,
        artifact=question.artifact,
        predictions=question.predictions,
        judge=judge_sha256(),
        alpha=repeated.alpha_per_opening if judged else 0.0,
        budget=repeated.alpha_budget,
        released={},
        estimates={},
    )
    before = ledger.latest(entry.question)
    return replace(entry, kind=REANALYSIS) if before is not None and before.judge != entry.judge else entry


def _write_note(note: Path, entry: Entry) -> None:
    content = {"id": entry.id, "cohort": entry.cohort, "model": entry.model, "who": entry.who, "when": entry.when}
    try:
        note.write_text(json.dumps({**content, "alpha": entry.alpha}, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        expected, remedy = "a note of the opening", "Make the folder writable, or evaluate elsewhere."
        raise InputError(str(note), str(error.strerror), expected, remedy) from error


def unfinished(ledger_file: Path) -> tuple[Mapping[str, Any], ...]:
    """Return what is noted of openings that were begun and not finished.

    Raises:
        InputError: A note is malformed.
    """
    notes = []
    for path in sorted(ledger_file.parent.glob(f"{ledger_file.name}.*.unfinished")):
        try:
            note = json.loads(path.read_text(encoding="utf-8"))
            alpha = float(note["alpha"])
            notes.append({**{key: str(note[key]) for key in ("id", "cohort", "model", "who", "when")}, "alpha": alpha})
        except (OSError, ValueError, KeyError, TypeError) as error:
            remedy = "Run the evaluation again that was interrupted, then remove the note."
            raise InputError(str(path), f"a malformed note ({error})", "a note as written", remedy) from error
    return tuple(notes)
