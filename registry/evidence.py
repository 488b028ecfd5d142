"""A verdict together with the evidence files it was computed from; these are found by digest, never by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.artefact import Artefact
from registry.errors import IntegrityError
from registry.record import read_record
from registry.verdict import Verdict, read_verdict
from validation.digests import file_sha256
from validation.errors import InputError
from validation.evidence import check_evidence

JUDGE_AGAIN = "Run `dvc repro` so that the verdict is computed from the files on disk."
EVIDENCE = "evidence/"


@dataclass(frozen=True)
class Judged:
    """An artefact, the verdict on it, and every file the verdict rests on, byte for byte what was judged.

    Attributes:
        artefact: What ships.
        verdict: The verdict on it.
        files: Path by slot, for instance {"evidence/mri_external": ..., "parity": ...}.
        cohorts: Content of the evidence files, by cohort.
    """

    artefact: Artefact
    verdict: Verdict
    files: Mapping[str, Path]
    cohorts: Mapping[str, Mapping[str, Any]]

    def metrics(self) -> dict[str, float]:
        """Estimates with their limits as flat figures: "external/mri_external/c_nomogram", "..._lower", "..._upper"."""
        return {
            f"{content['role']}/{cohort}/{estimate['id']}{suffix}": float(estimate[key])
            for cohort, content in self.cohorts.items()
            for estimate in content["estimates"]
            for key, suffix in (("value", ""), ("lower", "_lower"), ("upper", "_upper"))
            if estimate.get(key) is not None
        }


def read_judged(artefact: Artefact, document: Mapping[str, Any], evidence_files: Sequence[Path]) -> Judged:
    """Bring an artefact, a verdict and evidence files together, if they belong together.

    Args:
        artefact: What ships.
        document: Content of verdict.json.
        evidence_files: Every file the verdict was computed from, in any order.

    Raises:
        IntegrityError: The verdict or an evidence file is about another artefact, or a file is not one that was judged
            (edited, or of another model).
        InputError: The verdict is malformed, a file that was judged is not among those given, or one is no JSON record.
    """
    verdict = read_verdict(document)
    if verdict.artefact != artefact.digest:
        expected = f"digest {verdict.artefact}, the artefact that was judged"
        raise IntegrityError(str(artefact.folder), expected, artefact.digest, JUDGE_AGAIN)
    files = _match(evidence_files, verdict)
    cohorts = {
        slot.removeprefix(EVIDENCE): read_record(path) for slot, path in files.items() if slot.startswith(EVIDENCE)
    }
    for cohort, content in cohorts.items():
        _check_content(files[EVIDENCE + cohort], cohort, content, verdict)
    return Judged(artefact, verdict, files, cohorts)


def _match(evidence_files: Sequence[Path], verdict: Verdict) -> dict[str, Path]:
    """Find the file of every slot by its digest."""
    slots = {digest: slot for slot, digest in verdict.files.items()}
    found: dict[str, Path] = {}
    for path in evidence_files:
        if not path.is_file():
            raise InputError(str(path), "no file", "evidence", JUDGE_AGAIN)
        digest = file_sha256(path)
        if digest not in slots:
            judged = "; ".join(f"{slot} {expected}" for slot, expected in sorted(verdict.files.items()))
            raise IntegrityError(str(path), f"one of the files judged ({judged})", digest, JUDGE_AGAIN)
        found[slots[digest]] = path
    if missing := sorted(set(verdict.files) - set(found)):
        raise InputError("evidence", f"no file for {', '.join(missing)}", "every file that was judged", JUDGE_AGAIN)
    return found


def _check_content(path: Path, cohort: str, content: Mapping[str, Any], verdict: Verdict) -> None:
    """Refuse an evidence file about another cohort, model or artefact, or not of the present schema."""
    digests = content.get("digests")
    about = (
        content.get("model"),
        content.get("cohort"),
        digests.get("artifact") if isinstance(digests, dict) else None,
    )
    expected = (verdict.model, cohort, verdict.artefact)
    if about != expected:
        raise IntegrityError(str(path), f"evidence on {expected}", str(about), JUDGE_AGAIN)
    check_evidence(content, str(path))
