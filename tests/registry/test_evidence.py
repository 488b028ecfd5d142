"""Evidence files belong to a verdict by their digests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from registry.errors import IntegrityError
from registry.evidence import read_judged
from tests.registry.conftest import Maker, Submission
from validation.digests import file_sha256
from validation.errors import InputError


def edit(path: Path, old: str, new: str) -> None:
    """Replace text in a file that holds it."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def rejudge(submission: Submission) -> None:
    """Put the digest of the evidence file as it is now into the verdict."""
    submission.verdict["digests"]["evidence"]["mri_external"] = file_sha256(submission.evidence_files[0])


def test_files_are_found_by_digest(submit: Maker, tmp_path: Path) -> None:
    """Names and order of the files do not matter."""
    made = submit()
    moved = [shutil.copyfile(path, tmp_path / f"{n}.json") for n, path in enumerate(made.evidence_files)]
    judged = read_judged(made.artefact, made.verdict, moved[::-1])

    assert {"evidence/mri_external": moved[0], "cohorts/mri_external": moved[1], "parity": moved[2]} == judged.files


def test_metrics(submit: Maker) -> None:
    """Estimates become flat figures with their limits; an undefined one is left out."""
    made = submit()
    name = "external/mri_external/c_nomogram"

    metrics = read_judged(made.artefact, made.verdict, made.evidence_files).metrics()

    assert {name: 0.74, f"{name}_lower": 0.71, f"{name}_upper": 0.77} == metrics


@pytest.mark.parametrize(("index", "old", "new"), [(0, "0.74", "0.84"), (1, "true", "false"), (2, "1e-06", "1e-07")])
def test_edited_file(submit: Maker, index: int, old: str, new: str) -> None:
    """A file that was edited after the verdict is named with both digests."""
    made = submit()
    path = made.evidence_files[index]
    before = file_sha256(path)
    edit(path, old, new)

    with pytest.raises(IntegrityError, match=f"{path.name}.*{before}.*found {file_sha256(path)}"):
        read_judged(made.artefact, made.verdict, made.evidence_files)


def test_missing_file(submit: Maker) -> None:
    """Everything that was judged must be given, and exist."""
    made = submit()

    with pytest.raises(InputError, match="no file for evidence/mri_external"):
        read_judged(made.artefact, made.verdict, made.evidence_files[1:])
    made.evidence_files[0].unlink()
    with pytest.raises(InputError, match=r"mri_external\.json: found no file"):
        read_judged(made.artefact, made.verdict, made.evidence_files)


def test_file_that_was_not_judged(submit: Maker) -> None:
    """Evidence of another model cannot be slipped in."""
    made, other = submit(), submit("FAIL", shift=1.0)

    with pytest.raises(IntegrityError, match="one of the files judged"):
        read_judged(made.artefact, made.verdict, [*made.evidence_files, other.evidence_files[0]])


def test_verdict_on_another_artefact(submit: Maker) -> None:
    """A verdict stays with the artefact it judged."""
    made, other = submit(), submit(shift=1.0)

    with pytest.raises(IntegrityError, match=f"expected digest {made.artefact.digest}.*found {other.artefact.digest}"):
        read_judged(other.artefact, made.verdict, made.evidence_files)


@pytest.mark.parametrize("key", ["model", "cohort", "artifact"])
def test_evidence_on_something_else(submit: Maker, key: str) -> None:
    """Evidence on another model, cohort or artefact is refused even if the verdict names its digest."""
    made = submit()
    content = json.loads(made.evidence_files[0].read_text(encoding="utf-8"))
    edit(made.evidence_files[0], f'"{key}": "{content.get(key) or made.artefact.digest}"', f'"{key}": "other"')
    rejudge(made)

    with pytest.raises(IntegrityError, match=r"expected evidence on .*; found .*'other'"):
        read_judged(made.artefact, made.verdict, made.evidence_files)


@pytest.mark.parametrize(("old", "new"), [('"role"', '"rule"'), ("0.74", '"high"'), ('"schema": 1', '"schema": 2')])
def test_evidence_of_another_form(submit: Maker, old: str, new: str) -> None:
    """Evidence that is not of the present schema is bad input."""
    made = submit()
    edit(made.evidence_files[0], old, new)
    rejudge(made)

    with pytest.raises(InputError, match=r"mri_external\.json"):
        read_judged(made.artefact, made.verdict, made.evidence_files)
