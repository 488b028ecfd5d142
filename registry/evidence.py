"""A verdict together with the documents it was computed from; these are found by digest, never by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.artefact import Artefact
from registry.errors import IntegrityError
from registry.names import NAME
from validation.digests import file_sha256
from validation.documents import document_sha256
from validation.errors import InputError
from validation.evidence import OF_GROUP, read_evidence
from validation.gates.base import State
from validation.verdict import Verdict

JUDGE_AGAIN = "Run `dvc repro` so that the verdict is computed from the files on disk."
EVIDENCE = "evidence/"
NO_DOCUMENTS = ("artifact", "protocol_gates", "analysis")


@dataclass(frozen=True)
class Judged:
    """An artefact, the verdict on it, and every document the verdict rests on, byte for byte what was judged.

    Attributes:
        artefact: What ships.
        verdict: The verdict on it.
        files: Path by slot, for instance {"evidence/mri_external": ..., "parity": ...}.
        digests: sha256 of each file, by slot.
        cohorts: Content of the evidence files, by cohort.
    """

    artefact: Artefact
    verdict: Verdict
    files: Mapping[str, Path]
    digests: Mapping[str, str]
    cohorts: Mapping[str, Mapping[str, Any]]

    @property
    def verdict_sha256(self) -> str:
        """Digest of verdict.json."""
        return document_sha256(self.verdict.to_dict())

    def metrics(self) -> dict[str, float]:
        """Estimates with their limits as flat figures: "external/mri_external/c_nomogram", "..._lower", "..._upper".

        Those of subgroups stay in the evidence: MLflow takes no name like "c_nomogram@sex=female".
        """
        return {
            f"{content['role']}/{cohort}/{estimate['id']}{suffix}": float(estimate[key])
            for cohort, content in self.cohorts.items()
            for estimate in content["estimates"]
            for key, suffix in (("value", ""), ("lower", "_lower"), ("upper", "_upper"))
            if estimate.get(key) is not None and OF_GROUP not in estimate["id"]
        }


def read_judged(artefact: Artefact, document: Mapping[str, Any], evidence_files: Sequence[Path]) -> Judged:
    """Bring an artefact, a verdict and its documents together, if they belong together.

    Args:
        artefact: What ships.
        document: Content of verdict.json.
        evidence_files: Every file the verdict was computed from, in any order.

    Raises:
        IntegrityError: The verdict or an evidence file is about another artefact, or a file is not one that was judged
            (edited, or of another model).
        InputError: The verdict is malformed or better than its gates, a file that was judged is not among those given,
            or evidence is not of the present schema.
    """
    verdict = Verdict.from_dict(document)
    judged = verdict.digests.get("artifact")
    if judged != artefact.digest:
        expected = f"digest {judged}, the artefact that was judged"
        raise IntegrityError(str(artefact.folder), expected, artefact.digest, JUDGE_AGAIN)
    digests = _documents(verdict)
    files = _match(evidence_files, digests)
    cohorts = {
        slot.removeprefix(EVIDENCE): _evidence(path, slot.removeprefix(EVIDENCE), verdict)
        for slot, path in files.items()
        if slot.startswith(EVIDENCE)
    }
    return Judged(artefact, verdict, files, digests, cohorts)


def _documents(verdict: Verdict) -> dict[str, str]:
    """Digest of every document judged, by slot; one that was missing (null) has no slot, and a PASS misses none."""
    slots = _slots(verdict.digests)
    missing = [slot for slot, digest in slots.items() if digest is None]
    if not any(slot.startswith(EVIDENCE) for slot in slots):
        missing.append("evidence")
    if verdict.state is State.PASS and missing:
        found = f"PASS without {', '.join(missing)}"
        raise InputError("verdict.json digests", found, "a digest for everything judged", JUDGE_AGAIN)
    return {slot: digest for slot, digest in slots.items() if digest is not None}


def _slots(digests: Mapping[str, Any]) -> dict[str, str | None]:
    """Flatten {"parity": x, "evidence": {cohort: y}} to {"parity": x, "evidence/cohort": y}; slots become paths."""
    slots: dict[str, Any] = {}
    for kind, entry in digests.items():
        if isinstance(entry, Mapping):
            slots |= {f"{kind}/{name}": digest for name, digest in entry.items()}
        elif kind not in NO_DOCUMENTS:
            slots[kind] = entry
    for slot, digest in slots.items():
        if not all(NAME.fullmatch(part) for part in slot.split("/", 1)) or not isinstance(digest, str | None):
            found = f"{slot!r}: {digest!r}"
            raise InputError("verdict.json digests", found, "a plain name with a sha256 or null", JUDGE_AGAIN)
    return slots


def _match(evidence_files: Sequence[Path], digests: Mapping[str, str]) -> dict[str, Path]:
    """Find the file of every slot by its digest; each file must have a slot and each slot a file."""
    known = "; ".join(f"{slot} {digest}" for slot, digest in sorted(digests.items()))
    given: dict[str, Path] = {}
    for path in evidence_files:
        if not path.is_file():
            raise InputError(str(path), "no file", "evidence", JUDGE_AGAIN)
        digest = file_sha256(path)
        if digest not in digests.values():
            raise IntegrityError(str(path), f"one of the files judged ({known})", digest, JUDGE_AGAIN)
        given[digest] = path
    if missing := sorted(slot for slot, digest in digests.items() if digest not in given):
        raise InputError("evidence", f"no file for {', '.join(missing)}", "every file that was judged", JUDGE_AGAIN)
    return {slot: given[digest] for slot, digest in digests.items()}


def _evidence(path: Path, cohort: str, verdict: Verdict) -> dict[str, Any]:
    """Read the evidence on one cohort; refuse what is about another cohort, model or artefact."""
    content = read_evidence(path)
    about = (content["model"], content["cohort"], content["digests"]["artifact"])
    expected = (verdict.model, cohort, verdict.digests["artifact"])
    if about != expected:
        raise IntegrityError(str(path), f"evidence on {expected}", str(about), JUDGE_AGAIN)
    return content
