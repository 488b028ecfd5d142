"""Promoting: only on PASS, only what was judged, and repairable at every step."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.connection import mlflow_store
from registry.errors import IntegrityError, Refusal
from registry.loading import load
from registry.promotion import Promotion, not_passed
from registry.store import aliases_of
from tests.registry.conftest import DVC_POINTER, Maker, Submission, stored_folder
from tests.registry.specimens import NAME, make_judged
from tests.validation import specimens as judge_specimens
from validation.documents import write_json
from validation.errors import InputError
from validation.verdict import Verdict, judge


def aliases() -> dict[str, int]:
    """Aliases of the registered name."""
    with mlflow_store() as client:
        return aliases_of(client, NAME)


def record(store: Path, which: str) -> dict[str, Any]:
    """Content of a release record."""
    content: dict[str, Any] = json.loads((store / "releases" / NAME / f"{which}.json").read_text(encoding="utf-8"))
    return content


def test_pass_becomes_champion(store: Path, submit: Maker) -> None:
    """A registered PASS gets the alias and both records."""
    made = submit()
    made.register()

    assert Promotion(NAME, 1, made.artefact.digest, previous=None, changed=True) == made.promote()
    assert aliases() == {"champion": 1}
    champion = record(store, "champion")
    assert record(store, "original") == champion
    assert (made.artefact.digest, 1, True) == tuple(champion[k] for k in ("artefact_sha256", "version", "synthetic"))
    assert {"path": champion["dvc_path"], "md5": champion["dvc_md5"]} == DVC_POINTER
    assert str(store) not in (store / "releases" / NAME / "champion.json").read_text(encoding="utf-8")


def test_promoting_again_changes_nothing(store: Path, submit: Maker) -> None:
    """The champion promoted again is the champion; no byte of its records changes."""
    made = submit()
    made.register()
    made.promote()
    before = record(store, "champion")

    assert not made.promote().changed
    assert ({"champion": 1}, before) == (aliases(), record(store, "champion"))
    assert made.register().updated == ()


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("state", "code"), [("FAIL", 1), ("INCONCLUSIVE", 3)])
def test_refused(submit: Maker, state: str, code: int) -> None:
    """A refusal carries the exit code of its verdict and a line per gate; the champion stays."""
    champion, made = submit(), submit(state, shift=1.0)
    champion.register()
    made.register()
    champion.promote()

    with pytest.raises(Refusal, match=rf"concordance on mri_external: {state}; value .* limit > 0\.65") as no:
        made.promote()
    assert (code, 1) == (no.value.exit_code, len(no.value.reasons))
    assert aliases() == {"champion": 1, "candidate": 2}


def test_line_of_a_refusal(submit: Maker) -> None:
    """Gate, cohort, number with interval, limit, patients, events, reason, and what would settle it."""
    assert not_passed(Verdict.from_dict(submit("INCONCLUSIVE").verdict)) == [
        "concordance on mri_external: INCONCLUSIVE; value 0.685 [0.600, 0.770], limit > 0.65, n 500, events 150; the "
        "interval holds values on both sides of the limit; about 831 events, 2770 patients in all would settle it if "
        "the value stays"
    ]


def test_lines_where_there_is_no_number(tmp_path: Path) -> None:
    """What a gate does not have is left out, not shown as None; failures come first, descriptive gates not at all."""
    plan = judge_specimens.protocol(tmp_path)
    given = judge_specimens.documents(plan)
    given["parity"] = None
    given["evidence"]["mri_second"]["estimates"][0] = judge_specimens.undefined("c", "no event", True, 0)
    given["evidence"]["mri_second"]["estimates"][2] = judge_specimens.undefined("oe", "no event", True, 0)

    assert not_passed(judge(plan, **given)) == [
        "parity on the model: FAIL; limit ≤ 0.0001; parity was not recorded",
        "concordance on mri_second: INCONCLUSIVE; limit > 0.65, n 500, events 0; undefined: no event (0 events, fewer "
        "than the 50 the protocol asks for); about 50 events in all would settle it",
    ]


def test_previous_is_kept_and_can_return(store: Path, submit: Maker) -> None:
    """The old champion becomes previous, can be promoted again, and the new one after it; the original stays."""
    one, two, three = (submit(shift=shift) for shift in (1.0, 2.0, 3.0))
    for made in (one, two, three):
        made.register()

    assert None is one.promote().previous
    assert two.promote().previous == 1
    assert aliases() == {"champion": 2, "previous": 1, "candidate": 3, "challenger": 3}
    assert Promotion(NAME, 1, one.artefact.digest, previous=2, changed=True) == one.promote()
    assert aliases() == {"champion": 1, "previous": 2, "candidate": 3, "challenger": 3}
    assert three.promote().previous == 1
    assert aliases() == {"champion": 3, "previous": 1}
    assert (one.artefact.digest, three.artefact.digest) == tuple(
        record(store, which)["artefact_sha256"] for which in ("original", "champion")
    )


@pytest.mark.usefixtures("store")
def test_alias_moved_by_hand_is_put_right(submit: Maker) -> None:
    """A refused model given the alias by hand loses it with the next promotion and does not become previous."""
    champion, refused = submit(), submit("FAIL", shift=1.0)
    champion.register()
    refused.register()
    champion.promote()
    with mlflow_store() as client:
        client.set_registered_model_alias(NAME, "champion", "2")

    assert champion.promote().changed
    assert aliases() == {"champion": 1, "candidate": 2}


@pytest.mark.usefixtures("store")
def test_verdict_on_another_artefact(submit: Maker) -> None:
    """A PASS of one model promotes no other."""
    good, bad = submit(), submit("FAIL", shift=1.0)
    good.register()
    bad.register()

    with pytest.raises(IntegrityError, match=f"expected digest {good.artefact.digest}.*found {bad.artefact.digest}"):
        replace(good, artefact=bad.artefact).promote()
    relabelled = deepcopy(good.verdict)
    relabelled["digests"]["artifact"] = bad.artefact.digest
    with pytest.raises(IntegrityError, match="expected evidence on"):
        replace(good, artefact=bad.artefact, verdict=relabelled).promote()
    assert aliases() == {"candidate": 2, "challenger": 1}


@pytest.mark.usefixtures("store")
def test_edited_verdict(submit: Maker) -> None:
    """FAIL overwritten by PASS contradicts its gates; with these overwritten too, it is not the verdict registered."""
    made = submit("FAIL")
    made.register()
    edited = replace(made, verdict={**deepcopy(made.verdict), "verdict": "PASS"})
    gate = next(gate for gate in edited.verdict["gates"] if gate["id"] == "concordance")

    with pytest.raises(InputError, match="found PASS; expected FAIL, as its gates say"):
        edited.promote()
    gate["state"] = "PASS"
    with pytest.raises(InputError, match="PASS, which its interval and events do not bear out"):
        edited.promote()
    gate |= {"value": 0.8, "lower": 0.7, "upper": 0.9}
    with pytest.raises(InputError, match="found another verdict than the one given"):
        edited.promote()


@pytest.mark.usefixtures("store")
def test_edited_or_missing_evidence(submit: Maker) -> None:
    """Evidence must be there and be what was judged."""
    made = submit()
    made.register()

    with pytest.raises(InputError, match="no file for parity"):
        replace(made, files={slot: path for slot, path in made.files.items() if slot != "parity"}).promote()
    made.files["parity"].write_text("{}", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"parity\.json: expected one of the files judged"):
        made.promote()


@pytest.mark.usefixtures("store")
def test_not_registered(submit: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is not in the store cannot be promoted; a store that does not exist is not created."""
    with pytest.raises(InputError, match=r"found no version of this artefact.*Run `hallmark register`"):
        submit().promote()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(InputError, match="found no database"):
        submit(shift=1.0).promote()
    assert not (tmp_path / "none.db").exists()


def test_tampered_store(store: Path, submit: Maker) -> None:
    """Stored files are checked before the alias moves."""
    made = submit()
    made.register()
    model = stored_folder(store) / "model.onnx"
    model.write_bytes(model.read_bytes().replace(b"specimen", b"spicemen"))

    with pytest.raises(IntegrityError, match=r"model\.onnx: expected .*; found "):
        made.promote()
    assert "champion" not in aliases()
    assert not (store / "releases").exists()


def test_new_evidence_on_the_champion(store: Path, submit: Maker, tmp_path: Path) -> None:
    """A champion that passes on new evidence keeps its version; the record names the new verdict."""
    made = submit()
    made.register()
    made.promote()
    later = Submission(made.artefact, *make_judged(tmp_path / "later", made.artefact, cohort="mri_other"))
    later.register()

    assert Promotion(NAME, 1, made.artefact.digest, previous=None, changed=True) == later.promote()
    assert record(store, "original")["verdict_sha256"] != record(store, "champion")["verdict_sha256"]


class Killed(BaseException):
    """Stands for `kill -9`: nothing catches it."""


@pytest.mark.parametrize("step", range(1, 6))
def test_killed_at_any_write(store: Path, submit: Maker, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Killed after any write, `load` gives the old champion or refuses, and a second run completes the promotion."""
    one, two = submit(shift=1.0), submit(shift=2.0)
    one.register()
    one.promote()
    two.register()
    kill_after(monkeypatch, step)
    with pytest.raises(Killed, match="killed"):
        two.promote()
    monkeypatch.undo()
    monkeypatch.chdir(store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}/mlflow.db")

    try:
        digest = load(NAME, into=store / "first").artefact.digest
    except IntegrityError:
        assert step == 2
    else:
        assert (one if step < 2 else two).artefact.digest == digest
    assert two.promote().previous == 1
    assert two.artefact.digest == load(NAME, into=store / "second").artefact.digest
    assert aliases() == {"champion": 2, "previous": 1}


def kill_after(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the process die right after its n-th write: alias set, alias removed, or record written."""
    import mlflow

    done: list[None] = []

    def counted(write: Any) -> Any:
        def wrapper(*arguments: Any) -> None:
            write(*arguments)
            done.append(None)
            if len(done) == step:
                raise Killed("killed")

        return wrapper

    client = mlflow.MlflowClient
    for name in ("set_registered_model_alias", "delete_registered_model_alias"):
        monkeypatch.setattr(client, name, counted(getattr(client, name)))
    monkeypatch.setattr("registry.releases.write_json", counted(write_json))
