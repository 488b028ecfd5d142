"""Every route to sealed outcomes that was tried, and what stands in the way."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.books import read_books
from pipelines.evaluate import evaluate
from pipelines.gate import gate
from pipelines.layout import (
    LEDGER,
    PARAMS,
    cohort_folder,
    evidence_file,
    lock_file,
    predictions_table,
    protocol_file,
    verdict_file,
)
from pipelines.ledger_commands import merge_ledger, verify_ledger
from pipelines.locking import amend_protocol, difference, lock_protocol
from pipelines.params import load_params
from pipelines.sealing import seal_cohort
from pipelines.status import _problems
from tests.cohorts import edit_meta, write_cohort
from tests.pipelines.study import (
    ARCHITECTURE,
    COHORT,
    INTERNAL,
    MODEL,
    OTHER,
    N,
    answers,
    commit,
    entries,
    git,
    lock_text,
    make_model,
    make_predictions,
    make_study,
    run_all,
    write_protocol,
)
from validation.cohort import load_cohort, load_outcomes
from validation.documents import read_json, read_yaml, write_json
from validation.errors import InputError
from validation.protocol import load_protocol
from validation.sealing.keys import new_key
from validation.sealing.ledger import Ledger
from validation.sealing.lock import Amendment, Lock, plan_digests, read_lock, write_lock
from validation.sealing.opening import open_demonstration, unfinished
from validation.sealing.seal import SEALED

LOOSER = ("above: 0.65", "above: 0.55")
REASON = "The reviewers asked for it."


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that is not locked."""
    folder = tmp_path_factory.mktemp("study")
    with working_in(folder):
        make_study(folder)
    return folder


@pytest.fixture(scope="module")
def opened_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that is locked, evaluated and committed."""
    folder = tmp_path_factory.mktemp("opened") / "study"
    shutil.copytree(template, folder)
    with working_in(folder):
        lock_protocol(ARCHITECTURE)
        run_all()
        commit()
    return folder


class working_in:  # noqa: N801 - reads as a statement
    """Stand in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        self.before = Path.cwd()
        os.chdir(self.folder)

    def __exit__(self, *_: object) -> None:
        os.chdir(self.before)


@pytest.fixture
def study(template: Path, tmp_path: Path) -> Iterator[Path]:
    """A study that is not locked, to be spoilt."""
    yield from _copy(template, tmp_path)


@pytest.fixture
def opened(opened_template: Path, tmp_path: Path) -> Iterator[Path]:
    """A study that is locked and evaluated, to be spoilt."""
    yield from _copy(opened_template, tmp_path)


def _copy(template: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(template, tmp_path / "study")
    with working_in(tmp_path / "study"):
        yield tmp_path / "study"


def refused(message: str, model: str = MODEL, cohort: str = COHORT) -> None:
    """The outcomes are not opened: no line, no note, no evidence that was not there before."""
    lines, before = LEDGER.read_bytes() if LEDGER.exists() else b"", _bytes(evidence_file(model, cohort))
    with pytest.raises(InputError, match=message):
        evaluate(model, cohort)
    assert (LEDGER.read_bytes() if LEDGER.exists() else b"") == lines
    assert _bytes(evidence_file(model, cohort)) == before
    assert unfinished(LEDGER) == ()


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def test_a_locked_study_is_opened_once_per_model_and_cohort(opened: Path) -> None:
    """One line each, internal cohorts spend nothing; a second run adds none and writes the same bytes."""
    lines, document = LEDGER.read_bytes(), _bytes(evidence_file(MODEL, COHORT))

    assert [(e.model, e.cohort, e.alpha) for e in entries()] == [
        (MODEL, COHORT, 0.025),
        (MODEL, INTERNAL, 0.0),
        (OTHER, COHORT, 0.025),
        (OTHER, INTERNAL, 0.0),
    ]
    run_all()
    assert (LEDGER.read_bytes(), _bytes(evidence_file(MODEL, COHORT))) == (lines, document)
    assert {answer.state for answer in answers().values()} == {"PASS"}
    assert verify_ledger() == 0


def test_a_new_model_adds_one_line_per_cohort(opened: Path) -> None:
    """Retrained: other bytes, other predictions."""
    make_model(MODEL, shift=7.0)
    assert "stale" in answers()["provenance", COHORT].reason
    for cohort in (COHORT, INTERNAL):
        make_predictions(MODEL, cohort, seed=6)
        evaluate(MODEL, cohort)

    assert [(e.model, e.cohort) for e in entries()[4:]] == [(MODEL, COHORT), (MODEL, INTERNAL)]


def test_an_unlocked_protocol_opens_nothing(study: Path) -> None:
    """Neither the command nor the DVC stage, which is the same function."""
    refused(r"a protocol that is not locked \(hallmark protocol lock")


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (*LOOSER, "gates"),
        ("level: 0.95", "level: 0.96", "analysis"),
        ("estimator: harrell_c, prediction: lp", "estimator: harrell_c, prediction: risk_36m", "analysis"),
        ("intended_use: Test.", "intended_use: Anything.", "terms"),
        ("alpha_budget: 0.5", "alpha_budget: 0.9", "terms"),
    ],
)
def test_a_changed_protocol_opens_nothing(opened: Path, old: str, new: str, part: str) -> None:
    """Whatever was changed, by hand, after the lock; and the verdict fails until it is undone or recorded."""
    change = (old, new)
    if part == "analysis" and "level" in old:
        write_protocol(("alpha_per_opening: 0.025", "alpha_per_opening: 0.02"))
    write_protocol(change)

    refused(f"{part}.* changed since the protocol was locked")
    assert f"{part}" in answers()["protocol", None].reason
    assert answers()["protocol", None].state == "FAIL"
    assert difference(ARCHITECTURE)


def test_a_lock_of_another_protocol_opens_nothing(opened: Path) -> None:
    """A lock that was copied and renamed."""
    lock = json.loads(lock_text())
    lock["protocol"] = "ct_stroma_survival"
    write_json(lock_file(ARCHITECTURE), lock)

    refused("digests that are not those of its content|the lock of ct_stroma_survival")


@pytest.mark.parametrize("key", ["analysis", "gates", "terms", "lock", "estimates", "descriptive"])
def test_a_lock_edited_to_fit_opens_nothing(opened: Path, key: str) -> None:
    """Its digests are those of its content."""
    lock = json.loads(lock_text())
    lock["digests"][key] = "f" * 64
    write_json(lock_file(ARCHITECTURE), lock)

    refused("digests that are not those of its content")
    assert answers()["protocol", None].state == "FAIL"


def test_the_history_of_a_lock_cannot_be_edited(opened: Path) -> None:
    """Nobody takes back a reason, or how often outcomes had been opened by then."""
    write_protocol(("intended_use: Test.", "intended_use: Another test."))
    amend_protocol(ARCHITECTURE, REASON)
    make_predictions(MODEL, COHORT, seed=8)
    evaluate(MODEL, COHORT)
    lock = json.loads(lock_text())
    lock["history"][0] |= {"openings": 0, "reason": "Nothing was seen yet."}
    write_json(lock_file(ARCHITECTURE), lock)
    refused("digests that are not those of its content")
    lock["digests"]["lock"] = replace(read_lock_of(lock), history=(replace(read_lock_of(lock).history[0]),)).sha256
    write_json(lock_file(ARCHITECTURE), lock)
    refused("an older or a foreign one")


def read_lock_of(document: dict[str, Any]) -> Lock:
    """The lock that a document would be, whatever it says of its own digest."""
    history = tuple(Amendment(**{**entry, "changed": tuple(entry["changed"])}) for entry in document["history"])
    digests = {key: value for key, value in document["digests"].items() if key != "lock"}
    return Lock(document["protocol"], document["plan"], digests, document["cohorts"], "A", "2026-01-01", history)


def test_lock_and_protocol_changed_together_open_nothing(opened: Path) -> None:
    """A lock made anew without the history of the old one, whose openings the ledger knows."""
    written = read_lock(lock_file(ARCHITECTURE))
    assert written is not None
    lock_file(ARCHITECTURE).unlink()
    write_protocol(LOOSER)
    with pytest.raises(InputError, match=r"no lock, although outcomes were opened under one \(line 4"):
        lock_protocol(ARCHITECTURE)
    plan = read_yaml(protocol_file(ARCHITECTURE))
    forged = replace(written, plan=plan, digests=plan_digests(load_protocol(protocol_file(ARCHITECTURE)), plan))
    write_lock(lock_file(ARCHITECTURE), forged)
    refused("an older or a foreign one")
    assert answers()["protocol", None].state == "FAIL"


def test_an_old_lock_opens_nothing(opened: Path) -> None:
    """After an amendment under which outcomes were opened, the plan before it is put back to judge a new model."""
    old_lock, old_plan = lock_text(), protocol_file(ARCHITECTURE).read_text()
    write_protocol(LOOSER)
    amend_protocol(ARCHITECTURE, REASON)
    make_predictions(MODEL, COHORT, seed=8)
    evaluate(MODEL, COHORT)
    lock_file(ARCHITECTURE).write_text(old_lock)
    protocol_file(ARCHITECTURE).write_text(old_plan)

    refused("an older or a foreign one")
    assert "an older or a foreign one" in answers()["protocol", None].reason


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> None:
    LEDGER.write_bytes(b"".join(change(LEDGER.read_bytes().splitlines(keepends=True))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[1:], "line 1: found entry 2"),
        (lambda lines: [lines[0], *lines[2:]], "line 2: found entry 3"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1: found entry 2"),
        (lambda lines: [lines[0].replace(b"0.025", b"0.001"), *lines[1:]], "a line that was altered"),
        (lambda lines: [lines[0].replace(b'"who":"Test', b'"who":"Toast'), *lines[1:]], "a line that was altered"),
        (lambda lines: [*lines[:3], lines[3][:-10]], "a line without an end"),
        (lambda lines: [*lines, lines[3]], "line 5: found entry 4"),
        (lambda lines: [*lines, b"{}\n"], "a malformed line"),
        (lambda lines: lines[:3], "no entry on mri_home and mri_shortcut_challenger"),
        (lambda lines: [], "no entry on mri_external"),
    ],
)
def test_a_ledger_that_was_touched_opens_nothing(
    opened: Path, change: Callable[[list[bytes]], list[bytes]], message: str
) -> None:
    """Deleted, reordered, altered, cut or repeated lines; a tail cut off is found against git."""
    _lines(change)

    refused(message)
    assert answers()["protocol", None].state == "FAIL"
    with pytest.raises(InputError, match=message):
        verify_ledger()


def test_a_ledger_written_anew_is_found_against_git(opened: Path) -> None:
    """The same entries in another order, every hash computed again."""
    anew = Ledger()
    for entry in reversed(entries()):
        anew = anew.with_entry(entry)
    LEDGER.write_bytes(b"".join(entry.encode() for entry in anew.entries))

    refused("other lines than those committed")


def test_lines_written_anew_and_committed_are_found(opened: Path) -> None:
    """Every line says that nothing was spent, every hash is computed again, and the commit at hand agrees."""
    anew = Ledger()
    for entry in entries():
        anew = anew.with_entry(replace(entry, alpha=0.0, gates="f" * 64))
    LEDGER.write_bytes(b"".join(entry.encode() for entry in anew.entries))
    commit()

    refused("another entry on mri_external and mri_distant_metastasis")


def test_other_branches_count(opened: Path) -> None:
    """A branch from before the openings has the budget that is left, and a branch without history none at all."""
    former = git("rev-list", "--max-parents=0", "HEAD").strip()
    write_protocol(("alpha_budget: 0.5", "alpha_budget: 0.05"))
    text = protocol_file(ARCHITECTURE).read_text()
    git("checkout", "-q", "-f", "-b", "fresh", former)
    protocol_file(ARCHITECTURE).write_text(text)
    assert not LEDGER.exists()
    lock_protocol(ARCHITECTURE)
    make_model(MODEL, shift=21.0)
    make_predictions(MODEL, COHORT)
    refused("2 openings that spent 0.05 of an alpha budget of 0.05")
    git("checkout", "-q", "--orphan", "nothing")
    refused("a branch without commits, beside others whose ledgers have lines")


def test_a_ledger_behind_a_link_opens_nothing(study: Path, tmp_path: Path) -> None:
    """Git keeps the link, and nothing of what lies behind it."""
    lock_protocol(ARCHITECTURE)
    shutil.move("evidence", tmp_path / "elsewhere")
    Path("evidence").symlink_to(tmp_path / "elsewhere")
    refused("found a link")


def test_a_history_that_cannot_be_read_opens_nothing(opened: Path) -> None:
    """A commit that is missing is no shorter history."""
    commit()
    parent = git("rev-parse", "HEAD~1").strip()
    (Path(".git/objects") / parent[:2] / parent[2:]).unlink()
    make_predictions(MODEL, COHORT, seed=4)
    refused("a history that git cannot read")


def test_a_full_disk_leaves_the_ledger_as_it_was(opened: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half line; the opening stays noted."""
    before = LEDGER.read_bytes()
    make_predictions(MODEL, COHORT, seed=4)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("validation.sealing.ledger.os.fsync", full)
        with pytest.raises(InputError, match="No space left on device; expected a line that can be kept"):
            evaluate(MODEL, COHORT)
    assert LEDGER.read_bytes() == before
    assert len(unfinished(LEDGER)) == 1
    evaluate(MODEL, COHORT)
    assert len(entries()) == 5


def test_a_malformed_verdict_is_one_clear_error(opened: Path) -> None:
    """And no verdict is better than FAIL beside it."""
    write_json(verdict_file(OTHER), {"openings": {COHORT: {"line": 1}}})

    refused("expected id and content of an opening")
    assert answers()["protocol", None].state == "FAIL"


def test_what_does_not_fit_is_found_before_anything_is_opened(opened: Path) -> None:
    """A plan that asks for groups by a prediction without cut-off, recorded and locked: no line, no note."""
    write_protocol(
        (
            "  cohorts:",
            "  descriptive:\n    - {id: g, kind: kaplan_meier, by: lp, endpoint: dmfs, horizons_months: [36]}\n"
            "  cohorts:",
        )
    )
    amend_protocol(ARCHITECTURE, REASON)
    refused("cut-off")


def test_a_cut_that_was_committed_is_found_against_the_history(opened: Path) -> None:
    """The commit before it knows the line."""
    _lines(lambda lines: lines[:1])
    commit()

    refused("no entry on mri_home")


def test_a_line_that_a_verdict_rests_on_is_an_anchor(opened: Path) -> None:
    """Even where git never saw it."""
    gate(MODEL)
    shutil.rmtree(".git")
    git("init", "-q")
    _lines(lambda lines: [])

    refused("the opening that evidence/mri_distant_metastasis/verdict.json on mri_external rests on")


def test_without_git_nothing_is_opened(study: Path) -> None:
    """There the ledger would have no anchor."""
    lock_protocol(ARCHITECTURE)
    shutil.rmtree(".git")
    refused("no git repository")


def test_a_ledger_that_git_ignores_opens_nothing(study: Path) -> None:
    """It would be lost with the checkout."""
    lock_protocol(ARCHITECTURE)
    Path(".gitignore").write_text("*.jsonl\n")
    refused("a ledger that git ignores")


def test_a_read_only_checkout_opens_nothing(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CI job that could not keep the line."""
    lock_protocol(ARCHITECTURE)
    open_file = Path.open

    def read_only(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if "a" in mode:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return open_file(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", read_only)
    refused("Read-only file system; expected .*outcomes are not opened where no line can be kept")


def test_a_ledger_that_cannot_be_kept_opens_nothing(study: Path) -> None:
    """No file can be made where a folder stands."""
    lock_protocol(ARCHITECTURE)
    LEDGER.mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        evaluate(MODEL, COHORT)
    assert not evidence_file(MODEL, COHORT).exists()


def test_predictions_of_another_model_are_refused(opened: Path) -> None:
    """Swapped files name their model by themselves."""
    shutil.copy(predictions_table(OTHER, COHORT), predictions_table(MODEL, COHORT))

    refused("hallmark.artifact_digest")
    assert "stale: it is about predictions" in answers()["provenance", COHORT].reason


def test_evidence_of_another_model_is_refused(opened: Path) -> None:
    """Swapped and renamed: its opening in the ledger is that of the other model."""
    stolen = read_json(evidence_file(OTHER, COHORT)) or {}
    mine = read_json(evidence_file(MODEL, COHORT)) or {}
    for digests in ({}, {"artifact": mine["digests"]["artifact"], "predictions": mine["digests"]["predictions"]}):
        write_json(
            evidence_file(MODEL, COHORT), {**stolen, "model": MODEL, "digests": {**stolen["digests"], **digests}}
        )
        assert answers()["provenance", COHORT].state == "FAIL"
    assert "line 3 of the ledger is about model" in answers()["provenance", COHORT].reason


@pytest.mark.parametrize("figure", ["value", "upper"])
def test_edited_evidence_is_refused(opened: Path, figure: str) -> None:
    """The ledger knows what was released."""
    document = read_json(evidence_file(MODEL, COHORT)) or {}
    document["estimates"][0][figure] += 1e-4
    write_json(evidence_file(MODEL, COHORT), document)

    assert "not the evidence that was released by line 1" in answers()["provenance", COHORT].reason


def test_a_cohort_changed_after_the_lock_opens_nothing(opened: Path) -> None:
    """Another meaning of a column, another patients table, other sealed outcomes: all in the lock."""
    folder = cohort_folder(COHORT)
    edit_meta(folder, provenance="Somewhere else.")
    refused("cohort mri_external: found other cohort_yaml than were locked")
    git_clean = (folder / SEALED).read_bytes()
    (folder / SEALED).write_bytes(git_clean[:-1] + bytes([git_clean[-1] ^ 1]))
    refused("found other cohort_yaml and outcomes than were locked")


def test_outcomes_changed_after_sealing_do_not_open(study: Path) -> None:
    """One bit of the ciphertext, or of what the header says in the open."""
    path = cohort_folder(COHORT) / SEALED
    content = path.read_bytes()
    for changed in (content[:-1] + bytes([content[-1] ^ 1]), content.replace(b'"evaluated":40', b'"evaluated":41', 1)):
        path.write_bytes(changed)
        lock_file(ARCHITECTURE).unlink(missing_ok=True)
        lock_protocol(ARCHITECTURE)
        with pytest.raises(InputError, match="does not open: changed since they were sealed"):
            evaluate(MODEL, COHORT)
        assert entries() == ()
        assert not evidence_file(MODEL, COHORT).exists()


def test_a_cohort_that_is_not_declared_opens_nothing(opened: Path) -> None:
    """Neither one that the protocol does not name, nor one that params.yaml does not run."""
    write_protocol((f"\n    internal: [{INTERNAL}]", ""))
    refused(f"no cohort {INTERNAL}", cohort=INTERNAL)
    PARAMS.write_text(PARAMS.read_text().replace(f"{MODEL}-{COHORT}:", f"{MODEL}-other:"))
    with pytest.raises(InputError):
        evaluate(MODEL, COHORT)


def test_open_outcomes_of_an_external_cohort_are_refused(study: Path, tmp_path: Path) -> None:
    """They cannot even be locked; nobody knows who has looked."""
    (cohort_folder(COHORT) / "outcomes.csv").write_text("patient_id\n")
    edit_meta(cohort_folder(COHORT), tables={"patients": "patients.csv", "outcomes": "outcomes.csv"})

    with pytest.raises(InputError, match="outcomes that lie open"):
        lock_protocol(ARCHITECTURE)
    make_predictions(MODEL, COHORT)
    refused("outcomes that lie open")


def test_the_loader_of_open_outcomes_does_not_read_sealed_ones(study: Path) -> None:
    """There is one way in."""
    with pytest.raises(InputError, match="sealed outcomes; expected a table that may be read"):
        load_outcomes(load_cohort(cohort_folder(COHORT)))


def test_the_way_of_the_demonstration_opens_synthetic_cohorts_only(
    study: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Under the published key; a secret key, or patients who are real, and it is shut."""
    cohort = load_cohort(cohort_folder(COHORT))
    assert len(open_demonstration(cohort)) == 40
    edit_meta(cohort.folder, synthetic=False)
    with pytest.raises(InputError, match="outcomes that are secret"):
        open_demonstration(load_cohort(cohort.folder))


def test_a_spent_budget_opens_nothing(study: Path) -> None:
    """Two openings are allowed; the third model learns nothing, whatever budget a later lock states."""
    write_protocol(("alpha_budget: 0.5", "alpha_budget: 0.05"))
    lock_protocol(ARCHITECTURE)
    run_all()
    make_model(MODEL, shift=3.0)
    make_predictions(MODEL, COHORT)
    refused("2 openings that spent 0.05 of an alpha budget of 0.05")
    write_protocol(("alpha_budget: 0.05", "alpha_budget: 0.9"))
    amend_protocol(ARCHITECTURE, REASON)
    refused("2 openings that spent 0.05 of an alpha budget of 0.05")
    evaluate(OTHER, COHORT)  # asked before: no line, no alpha
    assert len(entries()) == 4


def test_an_interrupted_opening_is_noted_and_counts(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after decryption, before the line: the note stays, its alpha is spent, and repeating it settles both."""
    write_protocol(("alpha_budget: 0.5", "alpha_budget: 0.025"))
    lock_protocol(ARCHITECTURE)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.evaluate.judged", killed)
        with pytest.raises(KeyboardInterrupt):
            evaluate(MODEL, COHORT)
    assert [note["model"] for note in unfinished(LEDGER)] == [MODEL]
    assert entries() == ()
    with pytest.raises(InputError, match=r"spent 0\.025 of an alpha budget of 0\.025"):
        evaluate(OTHER, COHORT)
    evaluate(MODEL, COHORT)
    assert len(entries()) == 1
    assert unfinished(LEDGER) == ()


def test_amended_limits_keep_the_evidence_and_cap_the_verdict(opened: Path) -> None:
    """No new line; INCONCLUSIVE until a waiver, whatever is opened again on the same patients, and by which model."""
    write_protocol(LOOSER)
    done = amend_protocol(ARCHITECTURE, REASON)

    assert (done.changed, done.lock.history[-1].openings) == (("gates",), 4)
    answer = answers()["protocol", COHORT]
    assert answer.state == "INCONCLUSIVE"
    assert "gates were changed after outcomes of these patients had been opened" in answer.reason
    run_all()
    assert len(entries()) == 4
    assert answers()["protocol", COHORT].state == "INCONCLUSIVE"
    make_predictions(MODEL, COHORT, seed=10)  # another opening, under the new limits
    evaluate(MODEL, COHORT)
    assert answers()["protocol", COHORT].state == "INCONCLUSIVE"
    make_model(MODEL, shift=5.0)
    make_predictions(MODEL, COHORT)
    evaluate(MODEL, COHORT)
    assert answers()["protocol", COHORT].state == "INCONCLUSIVE"
    assert answers()["provenance", COHORT].state == "PASS"


def test_a_cohort_that_was_opened_cannot_be_dropped(opened: Path) -> None:
    """It is no longer in the plan, and the verdict says so."""
    declared = f"external: [{COHORT}]\n    internal: [{INTERNAL}]"
    write_protocol((declared, f"external: [{INTERNAL}]"))
    edit_meta(cohort_folder(INTERNAL), role="external")
    PARAMS.write_text(PARAMS.read_text().replace(f"{MODEL}-{COHORT}:", f"{MODEL}-{COHORT}-dropped:"))
    amend_protocol(ARCHITECTURE, REASON)
    books = read_books(load_protocol(protocol_file(ARCHITECTURE)))
    found = books.custody(ARCHITECTURE, (INTERNAL,), {}, {})

    assert "declares it no longer" in str(found[COHORT].amended)


def test_cheap_openings_count_when_patients_are_judged(study: Path) -> None:
    """As internal cohort five models were looked at for nothing; as external one they have all been openings."""
    write_protocol(
        (f"external: [{COHORT}]\n    internal: [{INTERNAL}]", f"external: [{INTERNAL}]\n    internal: [{COHORT}]"),
        ("alpha_budget: 0.5", "alpha_budget: 0.1"),
    )
    for cohort, role in ((COHORT, "internal"), (INTERNAL, "external")):
        edit_meta(cohort_folder(cohort), role=role)
    lock_protocol(ARCHITECTURE)
    for shift in range(4):
        make_model(MODEL, shift=float(shift))
        make_predictions(MODEL, COHORT)
        evaluate(MODEL, COHORT)
    assert sum(entry.alpha for entry in entries()) == 0
    write_protocol(
        (f"external: [{INTERNAL}]\n    internal: [{COHORT}]", f"external: [{COHORT}]\n    internal: [{INTERNAL}]")
    )
    for cohort, role in ((COHORT, "external"), (INTERNAL, "internal")):
        edit_meta(cohort_folder(cohort), role=role)
    amend_protocol(ARCHITECTURE, REASON)

    refused("4 openings that spent 0.1 of an alpha budget of 0.1")


def test_an_amended_analysis_needs_a_new_opening(opened: Path) -> None:
    """The evidence is of the plan before."""
    write_protocol(
        ("estimator: oe_ratio, prediction: risk_36m", "estimator: brier_t, prediction: risk_36m"),
        ("estimate: oe, between: [0.67, 1.5]", "estimate: c, above: 0.5"),
        ("kind: calibration, estimate: c", "kind: discrimination, estimate: c"),
    )
    assert "analysis and gates" in answers()["protocol", None].reason
    assert amend_protocol(ARCHITECTURE, REASON).changed == ("analysis", "gates")
    assert "stale: it is about analysis" in answers()["provenance", COHORT].reason
    run_all()
    assert len(entries()) == 8


def test_a_changed_judge_is_a_re_analysis(opened: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It spends nothing where all estimates agree, and alpha where one does not."""
    monkeypatch.setattr("pipelines.evidence.judge_sha256", lambda: "1" * 64)
    monkeypatch.setattr("validation.sealing.opening.judge_sha256", lambda: "1" * 64)
    evaluate(MODEL, COHORT)
    assert [(e.kind, e.alpha) for e in entries()[4:]] == [("re-analysis", 0.0)]

    from pipelines import evidence

    original = evidence.evaluate_cohort

    def other(*given: object, **named: object) -> dict[str, object]:
        document = original(*given, **named)  # type: ignore[arg-type]
        document["estimates"][0]["value"] -= 1e-6
        return document

    monkeypatch.setattr("pipelines.evidence.evaluate_cohort", other)
    with pytest.raises(InputError, match="other estimates than line 5 of the ledger released"):
        evaluate(MODEL, COHORT)
    for module in ("pipelines.evidence", "validation.sealing.opening"):
        monkeypatch.setattr(f"{module}.judge_sha256", lambda: "2" * 64)
    evaluate(MODEL, COHORT)
    assert [(e.kind, e.alpha) for e in entries()[5:]] == [("re-analysis", 0.025)]


def test_evidence_of_another_judge_is_stale(opened: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made by sources that are no longer these."""
    monkeypatch.setattr("pipelines.books.judge_sha256", lambda: "1" * 64)

    assert "stale: it is about judge" in answers()["provenance", COHORT].reason


def test_the_key_of_the_study_is_needed(study: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Real patients under a key of their own: without it, or with another, nothing opens; nothing of it is shown."""
    folder = cohort_folder(COHORT)
    shutil.rmtree(folder)
    write_cohort(folder, n=N, seed=3)
    edit_meta(folder, synthetic=False)
    with pytest.raises(InputError, match="the published key of the demonstration, for patients who are not synthetic"):
        seal_cohort(folder, None, demonstration=True)
    key = new_key(tmp_path / "key")
    monkeypatch.setenv("HALLMARK_KEY_FILE", str(tmp_path / "key"))
    seal_cohort(folder, tmp_path / "kept.csv", demonstration=False)
    make_predictions(MODEL, COHORT)
    lock_protocol(ARCHITECTURE)
    monkeypatch.delenv("HALLMARK_KEY_FILE")
    refused("environment variable HALLMARK_KEY_FILE: found nothing")
    other = new_key(tmp_path / "other")
    monkeypatch.setenv("HALLMARK_KEY_FILE", str(tmp_path / "other"))
    refused(f"found key {other.id}; expected key {key.id}, which sealed these outcomes")
    monkeypatch.setenv("HALLMARK_KEY_FILE", str(tmp_path / "key"))
    evaluate(MODEL, COHORT)
    assert [entry.synthetic for entry in entries()] == [False]
    assert key.secret.hex() not in repr(key)


def test_ledgers_of_two_branches_are_merged(opened: Path, tmp_path: Path) -> None:
    """Each branch opened something; after the merge the entries of both are there, once, in one chain."""
    theirs = tmp_path / "theirs.jsonl"
    git("checkout", "-q", "-b", "theirs")
    make_model(OTHER, shift=11.0)
    make_predictions(OTHER, COHORT)
    evaluate(OTHER, COHORT)
    gate(OTHER)
    commit()
    shutil.copy(LEDGER, theirs)
    their_verdict = shutil.copy(verdict_file(OTHER), tmp_path / "verdict.json")
    git("checkout", "-q", "-")
    make_model(MODEL, shift=12.0)
    make_predictions(MODEL, COHORT)
    evaluate(MODEL, COHORT)
    commit()

    assert merge_ledger(theirs) == 0
    assert merge_ledger(theirs) == 0
    shutil.copy(their_verdict, verdict_file(OTHER))
    assert [entry.model for entry in entries()[4:]] == [MODEL, OTHER]
    assert verify_ledger() == 0


def test_status_says_why_evidence_is_not_used_and_what_to_run(opened: Path) -> None:
    """Of each model: stale evidence, a changed plan, a verdict that no longer follows."""
    gate(MODEL)
    params = load_params()
    assert _problems(params, MODEL) == ()
    make_predictions(MODEL, COHORT, seed=9)
    stale, verdict = _problems(params, MODEL)
    assert stale.startswith("mri_external: stale: it is about predictions")
    assert stale.endswith(f"dvc repro -f -s evaluate@{MODEL}-{COHORT}")
    assert verdict == f"verdict.json is not what the evidence says now: dvc repro -f -s gate@{MODEL}"
    write_protocol(LOOSER)
    assert "gates changed since the protocol was locked" in _problems(params, MODEL)[1]
    shutil.rmtree(Path("artifacts") / MODEL)
    assert _problems(params, MODEL) == (f"not exported yet: dvc repro gate@{MODEL}",)
