"""The one way to sealed outcomes: a locked protocol, a model, its predictions, a judge, and a line in the ledger.

    with opened(question, ledger_file, anchors) as opening:
        evidence = ...opening.outcomes...
        opening.release(evidence, description)

Plan, lock, ledger, budget and key are checked before a byte is decrypted; that plan, model and predictions fit each
other is checked before by `validation.evaluate.check_evaluable`. The line is added after the figures are known, because
it holds them, and before anything is written. Until then a note `<ledger>.<id>.unfinished` stands beside the ledger: an
opening that was interrupted leaves it, and counts as spent until it is repeated.
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
    agree,
    append,
    figures_of,
    locked_ledger,
    parse_ledger,
    read_ledger,
    released_sha256,
    same_patients,
    verify_anchors,
)
from validation.sealing.lock import Lock, plan_problem, require_latest
from validation.sealing.seal import Sealed, decrypt, passed, read_sealed

_NOTED = ("id", "cohort", "synthetic", "tables", "model", "who", "when", "alpha")


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

    def __init__(
        self, outcomes: pd.DataFrame, entry: Entry, ledger_file: Path, note: Path, elsewhere: tuple[Ledger, ...]
    ) -> None:
        self.outcomes, self.entry = outcomes, entry
        self._ledger_file, self._note, self._elsewhere = ledger_file, note, elsewhere

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
        with locked_ledger(self._ledger_file) as file:
            before = read_ledger(self._ledger_file)
            kept = before.find(entry.id)
            if kept is not None:
                _require_same(kept, entry)
            else:
                if entry.kind == REANALYSIS:
                    earlier = before.latest(entry.question)
                    if earlier is not None and agree(earlier.estimates, figures):
                        entry = replace(entry, alpha=0.0)
                    else:
                        _require_room(before.together(self._elsewhere), entry, unfinished(self._ledger_file))
                kept = append(file, self._ledger_file, before, entry)
            self._note.unlink(missing_ok=True)
        return kept


def _require_same(known: Entry, again: Entry) -> None:
    """Refuse a repeated run that gave something else.

    Raises:
        InputError: Other estimates, or another document around them.
    """
    where = f"{again.cohort} of {again.model}"
    if not agree(known.estimates, again.estimates):
        remedy = "Install the versions of constraints.txt; if they are, report a judge that is not deterministic."
        found = f"other estimates than line {known.sequence} of the ledger released"
        raise InputError(where, found, "the same estimates from the same judge", remedy)
    if known.released != again.released:
        remedy = "Keep the evidence that is in git: another type of machine may differ in the last digits."
        found = f"estimates that agree in documents that do not with line {known.sequence} of the ledger"
        raise InputError(where, found, "the same documents to nine digits", remedy)


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
    elsewhere = tuple(parse_ledger(version, f"{ledger_file} on another branch") for version in anchors.elsewhere)
    entry = _entry(question, lock, sealed, ledger.together(elsewhere))
    require_budget(ledger.together(elsewhere), entry, unfinished(ledger_file))
    key = key_of(sealed.header.key_id)
    note = ledger_file.with_name(f"{ledger_file.name}.{entry.id[:16]}.unfinished")
    with locked_ledger(ledger_file):  # of two that ask at once for the last of a budget one is refused
        now = read_ledger(ledger_file)
        require_budget(now.together(elsewhere), entry, unfinished(ledger_file))
        if now.find(entry.id) is None:
            _write_note(note, entry)
    outcomes = _outcomes(question.cohort, sealed, decrypt(sealed, key))
    yield Opening(outcomes, entry, ledger_file, note, elsewhere)


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
    problem = plan_problem(lock, protocol, question.plan)
    if lock is None or problem:
        remedy = "Outcomes are opened by a locked plan only: undo the change, or record it."
        raise InputError(str(protocol.file), str(problem), "the plan that was locked", remedy)
    at_hand, locked = cohort_digests(cohort.folder, cohort.meta), lock.cohorts.get(cohort.meta.name)
    if locked is None or dict(locked) != at_hand:
        other = [name for name in at_hand if locked and locked.get(name) != at_hand[name]]
        found = f"other {' and '.join(other)} than were locked" if locked else "a cohort that is not in the lock"
        remedy = f"Undo the change, or record it: hallmark protocol amend {protocol.model} --reason TEXT"
        raise InputError(f"cohort {cohort.meta.name}", found, "the cohort that was locked", remedy)
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
    known = {one.id for one in ledger.entries} | {entry.id}
    spent += sum(
        max(note["alpha"], entry.alpha)
        for note in pending
        if note["id"] not in known and same_patients(note, vars(entry))
    )
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
    kind = REANALYSIS if before is not None and before.judge != entry.judge else OPENING
    return replace(entry, kind=kind, alpha=ledger.cost(entry))


def _write_note(note: Path, entry: Entry) -> None:
    content = {key: getattr(entry, key) for key in _NOTED}
    try:
        note.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")
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
            same_patients(note, note)  # has what the comparison needs
            notes.append({**{key: note[key] for key in _NOTED}, "alpha": float(note["alpha"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            remedy = "Outcomes were opened and nothing recorded: find out whose, evaluate again, then remove the note."
            raise InputError(str(path), f"a malformed note ({error})", "a note as written", remedy) from error
    return tuple(notes)
