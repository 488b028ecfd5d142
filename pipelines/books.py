"""Lock and ledger of a plan as they are at hand, and what they say of the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.anchors import anchors
from pipelines.layout import LEDGER, lock_file
from validation.digests import file_sha256
from validation.documents import read_yaml
from validation.errors import InputError
from validation.evidence import check_evidence
from validation.gates.base import Custody
from validation.protocol import Protocol
from validation.sealing.custody import custody_of, dropped
from validation.sealing.judge import judge_sha256
from validation.sealing.ledger import Ledger, figures_of, read_ledger, released_sha256, verify_anchors
from validation.sealing.lock import Lock, plan_problem, read_lock, require_latest


@dataclass(frozen=True)
class Books:
    """Lock and ledger, or why they do not hold together.

    Attributes:
        lock: Lock of the plan; None if there is none, or it cannot be used.
        ledger: Every opening.
        problem: Why plan, lock and ledger do not hold together; None if they do.
    """

    lock: Lock | None
    ledger: Ledger
    problem: str | None

    def custody(
        self,
        architecture: str,
        external: tuple[str, ...],
        evidence: Mapping[str, Mapping[str, Any] | None],
        predictions: Mapping[str, Path],
    ) -> dict[str, Custody]:
        """Return by cohort how the outcomes behind its evidence were opened; also of cohorts no longer declared.

        Args:
            architecture: Names the protocol.
            external: External cohorts that it declares.
            evidence: By cohort; None where there is none.
            predictions: Table of predictions by cohort; it need not exist.
        """
        found = {cohort: self._custody(cohort, document, predictions[cohort]) for cohort, document in evidence.items()}
        return {**dropped(external, self.ledger, architecture), **found}

    def _custody(self, cohort: str, evidence: Mapping[str, Any] | None, predictions: Path) -> Custody:
        if self.lock is None:
            return Custody(self.problem or "the protocol is not locked")
        if evidence is None:
            return Custody(f"no evidence on {cohort}")
        try:
            check_evidence(evidence, cohort)
        except InputError as error:
            return Custody(f"malformed evidence: {error}")
        digest = file_sha256(predictions) if predictions.is_file() else None
        return custody_of(
            cohort, evidence, lock=self.lock, ledger=self.ledger, predictions=digest, judge=judge_sha256()
        )

    def as_if_opened(self, evidence: Mapping[str, Mapping[str, Any]]) -> Books:
        """Return the books as they would be had the openings on disk released other evidence; nothing is written."""
        entries = list(self.ledger.entries)
        for document in evidence.values():
            for position, entry in enumerate(entries):
                if entry.id == document["digests"]["opening"]:
                    released = {**entry.released, "evidence": released_sha256(document)}
                    entries[position] = replace(entry, released=released, estimates=figures_of(document))
        return replace(self, ledger=Ledger(tuple(entries)))


def read_books(protocol: Protocol) -> Books:
    """Read lock and ledger of a plan; what is wrong with them is in the result, not raised."""
    try:
        lock = read_lock(lock_file(protocol.model))
        ledger = read_ledger(LEDGER)
        verify_anchors(ledger, anchors(), str(LEDGER))
        if lock is not None:
            require_latest(lock, ledger, str(LEDGER))
    except InputError as error:
        return Books(None, Ledger(), str(error))
    return Books(lock, ledger, plan_problem(lock, protocol, read_yaml(protocol.file)))
