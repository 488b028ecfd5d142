"""Documents belong to a verdict by their digests."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.errors import IntegrityError
from registry.evidence import Judged, read_judged
from tests.registry.conftest import Maker, Submission
from tests.validation import specimens as judge_specimens
from validation.digests import file_sha256
from validation.documents import write_json
from validation.errors import InputError
from validation.verdict import judge

EVIDENCE = "evidence/mri_external"


def read(made: Submission) -> Judged:
    """Bring the parts of a submission together."""
    return read_judged(made.artefact, made.verdict, made.evidence_files)


def edit(path: Path, old: str, new: str) -> None:
    """Replace text in a file that holds it."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def rejudge(submission: Submission) -> None:
    """Put the digest of the evidence file as it is now into the verdict."""
    submission.verdict["digests"]["evidence"]["mri_external"] = file_sha256(submission.files[EVIDENCE])


def test_files_are_found_by_digest(submit: Maker, tmp_path: Path) -> None:
    """Names and order of the files do not matter."""
    made = submit()
    moved = {slot: shutil.copyfile(path, tmp_path / f"{n}.json") for n, (slot, path) in enumerate(made.files.items())}
    judged = read_judged(made.artefact, made.verdict, list(moved.values())[::-1])

    assert (moved, {slot: file_sha256(path) for slot, path in moved.items()}) == (judged.files, judged.digests)


def test_digest_of_the_verdict_is_that_of_its_file(submit: Maker, tmp_path: Path) -> None:
    """The digest of a verdict is what sha256sum prints for verdict.json as the gate writes it."""
    made = submit()
    write_json(tmp_path / "verdict.json", made.verdict)

    assert file_sha256(tmp_path / "verdict.json") == read(made).verdict_sha256


def test_metrics(submit: Maker) -> None:
    """Estimates become flat figures with their limits; an undefined one is left out."""
    c, slope = "external/mri_external/c", "external/mri_external/slope"

    assert read(submit()).metrics() == {
        **{c: 0.74, f"{c}_lower": 0.71, f"{c}_upper": 0.77},
        **{slope: 1.0, f"{slope}_lower": 0.8, f"{slope}_upper": 1.2},
    }


def test_metrics_leave_out_subgroups(submit: Maker) -> None:
    """MLflow refuses a name with "@" or "="; the evidence that goes with the version holds the figures."""
    judged = read(submit())
    content = judged.cohorts["mri_external"]
    part = {**content["estimates"][0], "id": "c@sex=male", "group": "sex=male"}
    grown = replace(judged, cohorts={"mri_external": {**content, "estimates": [*content["estimates"], part]}})

    assert grown.metrics() == judged.metrics()


@pytest.mark.parametrize(
    ("slot", "old", "new"),
    [(EVIDENCE, "0.74", "0.84"), ("cohorts/mri_external", "true", "false"), ("parity", "2e-06", "1e-06")],
)
def test_edited_file(submit: Maker, slot: str, old: str, new: str) -> None:
    """A file that was edited after the verdict is named with both digests."""
    made = submit()
    path = made.files[slot]
    before = file_sha256(path)
    edit(path, old, new)

    with pytest.raises(IntegrityError, match=f"{path.name}.*{before}.*found {file_sha256(path)}"):
        read(made)


def test_missing_file(submit: Maker) -> None:
    """Everything that was judged must be given, and exist."""
    made = submit()

    with pytest.raises(InputError, match=f"no file for {EVIDENCE}"):
        read_judged(made.artefact, made.verdict, [path for slot, path in made.files.items() if slot != EVIDENCE])
    made.files[EVIDENCE].unlink()
    with pytest.raises(InputError, match=r"mri_external\.json: found no file"):
        read(made)


def test_file_that_was_not_judged(submit: Maker) -> None:
    """Evidence of another model cannot be slipped in."""
    made, other = submit(), submit("FAIL", shift=1.0)

    with pytest.raises(IntegrityError, match="one of the files judged"):
        read_judged(made.artefact, made.verdict, [*made.evidence_files, other.files[EVIDENCE]])


def test_verdict_on_another_artefact(submit: Maker) -> None:
    """A verdict stays with the artefact it judged."""
    made, other = submit(), submit(shift=1.0)

    with pytest.raises(IntegrityError, match=f"expected digest {made.artefact.digest}.*found {other.artefact.digest}"):
        read_judged(other.artefact, made.verdict, made.evidence_files)


@pytest.mark.parametrize("key", ["model", "cohort", "artifact"])
def test_evidence_on_something_else(submit: Maker, key: str) -> None:
    """Evidence on another model, cohort or artefact is refused even if the verdict names its digest."""
    made = submit()
    content = json.loads(made.files[EVIDENCE].read_text(encoding="utf-8"))
    edit(made.files[EVIDENCE], f'"{key}": "{content.get(key) or made.artefact.digest}"', f'"{key}": "other"')
    rejudge(made)

    with pytest.raises(IntegrityError, match=r"expected evidence on .*; found .*'other'"):
        read(made)


@pytest.mark.parametrize(("old", "new"), [('"role"', '"rule"'), ("0.74", '"high"'), ('"schema": 1', '"schema": 2')])
def test_evidence_of_another_form(submit: Maker, old: str, new: str) -> None:
    """Evidence that is not of the present schema is bad input."""
    made = submit()
    edit(made.files[EVIDENCE], old, new)
    rejudge(made)

    with pytest.raises(InputError, match=r"mri_external\.json"):
        read(made)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parity": None}, "PASS without parity"),
        ({"evidence": {"mri_external": None}}, f"PASS without {EVIDENCE}"),
        ({"evidence": {}}, "PASS without evidence"),
        ({"evidence": {"../up": "0" * 64}}, r"'evidence/\.\./up': '0+'; expected a plain name"),
        ({"parity": 1}, "'parity': 1; expected a plain name with a sha256 or null"),
        ({"parity": []}, r"'parity': \[\]; expected a plain name"),
    ],
)
def test_digests_edited(submit: Maker, changes: dict[str, Any], message: str) -> None:
    """A PASS that rests on nothing, or a digest under a name that is a path, is bad input."""
    made = submit()
    made.verdict["digests"].update(changes)

    with pytest.raises(InputError, match=rf"verdict\.json digests: found .*{message}"):
        read(made)


def test_verdict_better_than_its_gates(submit: Maker) -> None:
    """The judge's own reader finds a verdict that its gates do not bear out."""
    for state in ("FAIL", "INCONCLUSIVE"):
        made = submit(state)
        edited = {**deepcopy(made.verdict), "verdict": "PASS"}

        with pytest.raises(InputError, match=f"found PASS; expected {state}, as its gates say"):
            read_judged(made.artefact, edited, made.evidence_files)


def test_nothing_in_evidence(submit: Maker, tmp_path: Path) -> None:
    """A FAIL for want of any document can be read, and so be registered."""
    artefact, plan = submit().artefact, judge_specimens.protocol(tmp_path)
    nothing: dict[str, Any] = {"evidence": {}, "cohort_checks": {}, "independence": {}, "parity": None, "custody": {}}
    nothing["lock_problem"] = "the protocol is not locked"
    verdict = judge(plan, model="m", artifact_digest=artefact.digest, development={}, outputs=(), **nothing)

    judged = read_judged(artefact, verdict.to_dict(), [])

    assert (str(judged.verdict.state), judged.files, judged.digests, judged.metrics()) == ("FAIL", {}, {}, {})
