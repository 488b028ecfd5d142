"""Registering: once per artefact, with everything the verdict rests on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from registry.artefact import read_artefact, write_manifest
from registry.connection import mlflow_store
from registry.errors import IntegrityError
from registry.store import aliases_of, find_version, model_id_of, register
from tests.registry.conftest import Maker, Submission, stored_folder
from tests.registry.specimens import MODEL, NAME, make_judged
from validation.digests import file_sha256
from validation.documents import read_json
from validation.errors import InputError


def tags_of(version: int) -> dict[str, str]:
    """Tags of a version."""
    with mlflow_store() as client:
        return dict(client.get_model_version(NAME, str(version)).tags)


def aliases() -> dict[str, int]:
    """Aliases of the registered name."""
    with mlflow_store() as client:
        return aliases_of(client, NAME)


@pytest.mark.usefixtures("store")
def test_registering_twice_makes_one_version(submit: Maker) -> None:
    """The second call finds the version by its digest and changes nothing."""
    made = submit()
    first = made.register(git_commit="abc")
    before = tags_of(1)
    second = made.register(git_commit="another")

    assert (first.version, first.created, first.updated) == (1, True, ("alias candidate", "alias challenger"))
    assert (second.version, second.created, second.updated) == (1, False, ())
    assert made.artefact.digest == first.digest == second.digest
    assert before == tags_of(1)


@pytest.mark.usefixtures("store")
def test_tags(submit: Maker) -> None:
    """The version says what it is: digests of artefact, ONNX file, verdict and every evidence file, and the verdict."""
    made = submit()
    made.register(git_commit="abc")
    tags = tags_of(1)

    assert made.artefact.digest == tags["artefact_sha256"]
    assert made.artefact.files["model.onnx"] == tags["onnx_sha256"]
    assert (tags["verdict"], tags["synthetic"], tags["git_commit"], tags["model"]) == ("PASS", "true", "abc", MODEL)
    proof = {key.removeprefix("proof/"): digest for key, digest in tags.items() if key.startswith("proof/")}
    assert {**{slot: file_sha256(path) for slot, path in made.files.items()}, "verdict": proof["verdict"]} == proof
    figure = {"gate": "concordance", "state": "PASS", "value": 0.74, "lower": 0.71, "upper": 0.77}
    assert json.loads(tags["figures/mri_external"])[0] == figure


def test_stored_bytes(store: Path, submit: Maker) -> None:
    """MLflow holds the artefact and the evidence byte for byte, and one ONNX file only."""
    made = submit()
    made.register()
    stored = stored_folder(store)

    for name in (*made.artefact.files, "manifest.json"):
        assert (made.artefact.folder / name).read_bytes() == (stored / name).read_bytes()
    digest = made.verdict["digests"]["evidence"]["mri_external"]
    proof = stored / "proof/evidence/mri_external" / f"{digest}.json"
    assert made.files["evidence/mri_external"].read_bytes() == proof.read_bytes()
    (verdict,) = (stored / "proof/verdict").iterdir()
    assert (verdict.stem, made.verdict) == (file_sha256(verdict), read_json(verdict))
    assert [stored / "model.onnx"] == list(stored.rglob("*.onnx*"))


@pytest.mark.usefixtures("store")
def test_mlflow_can_serve_it(submit: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own loader runs the certified file, with the signature of the contract."""
    submit(shift=2.0).register()
    import mlflow.onnx

    with mlflow_store() as client:
        location = client.get_logged_model(model_id_of(client.get_model_version(NAME, "1"))).artifact_location
    model = mlflow.pyfunc.load_model(location)

    out = model.predict({"covariates": np.zeros((3, 4), np.float32)})
    np.testing.assert_array_equal(np.full((3, 4), 2, np.float32), out["lp_nomogram"])
    assert [(spec.name, spec.shape, str(spec.type)) for spec in model.metadata.signature.inputs] == [
        ("covariates", (-1, 4), "float32")
    ]


@pytest.mark.usefixtures("store")
def test_estimates_are_metrics_of_the_run(submit: Maker) -> None:
    """Every estimate with its limits is a metric of the run that registered the model."""
    submit().register()
    with mlflow_store() as client:
        metrics = client.get_run(str(client.get_model_version(NAME, "1").run_id)).data.metrics

    name = "external/mri_external/c"
    assert (metrics[name], metrics[f"{name}_lower"], metrics[f"{name}_upper"]) == (0.74, 0.71, 0.77)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("state", ["FAIL", "INCONCLUSIVE"])
def test_only_a_pass_is_a_challenger(submit: Maker, state: str) -> None:
    """Whatever its verdict a model is registered as candidate; the alias challenger stays with the last PASS."""
    submit().register()
    submit(state, shift=1.0).register()

    assert aliases() == {"candidate": 2, "challenger": 1}


@pytest.mark.usefixtures("store")
def test_new_evidence_updates_the_version(submit: Maker, tmp_path: Path) -> None:
    """A new verdict on the same artefact makes no version; tags, files and aliases follow, and are named."""
    made = submit()
    made.register(git_commit="abc")
    later = Submission(made.artefact, *make_judged(tmp_path / "later", made.artefact, "FAIL"))

    again = later.register(git_commit="def")

    assert (again.version, again.created) == (1, False)
    changed = {"tag verdict", "tag proof/verdict", "tag proof/evidence/mri_external", "tag figures/mri_external"}
    assert {*changed, "alias challenger removed"} == set(again.updated)
    assert aliases() == {"candidate": 1}
    assert (tags_of(1)["verdict"], tags_of(1)["git_commit"]) == ("FAIL", "def")
    stored = stored_folder(tmp_path)
    assert len(list((stored / "proof/evidence/mri_external").iterdir())) == 2


@pytest.mark.usefixtures("store")
def test_tags_of_a_dropped_cohort_go(submit: Maker, tmp_path: Path) -> None:
    """A cohort that is no longer declared leaves no figures behind."""
    made = submit()
    made.register()
    Submission(made.artefact, *make_judged(tmp_path / "later", made.artefact, cohort="mri_other")).register()

    assert not [key for key in tags_of(1) if key.endswith("mri_external")]
    assert "proof/evidence/mri_other" in tags_of(1)


@pytest.mark.usefixtures("store")
def test_interrupted_update_is_completed(submit: Maker) -> None:
    """Aliases and tags lost in an interrupted call come back with the next."""
    made = submit()
    made.register()
    with mlflow_store() as client:
        client.delete_registered_model_alias(NAME, "candidate")
        client.delete_model_version_tag(NAME, "1", "proof/verdict")

    assert made.register().updated == ("tag proof/verdict", "alias candidate")
    assert aliases() == {"candidate": 1, "challenger": 1}


@pytest.mark.usefixtures("store")
def test_deleted_version_is_registered_anew(submit: Maker) -> None:
    """Deleting a tampered version and registering again heals the store."""
    made = submit()
    made.register()
    with mlflow_store() as client:
        client.delete_model_version(NAME, "1")
        assert find_version(client, NAME, made.artefact.digest) is None

    assert (made.register().version, True) == (2, True)


def test_refused_before_anything_is_written(store: Path, submit: Maker) -> None:
    """Odd names, tags of the registry's own and a verdict on another model are refused; the store stays empty."""
    made = submit()
    given: dict[str, Any] = {"evidence_files": made.evidence_files, "verdict": made.verdict}

    with pytest.raises(InputError, match=r"registered name: found '\.\./up'"):
        register(made.artefact, "../up", MODEL, tags={}, **given)
    with pytest.raises(InputError, match=f"the verdict on {MODEL}"):
        register(made.artefact, NAME, "other", tags={}, **given)
    for tag in ("verdict", "proof/other", "figures/other", "mlflow_files"):
        with pytest.raises(InputError, match=f"tags: found {tag}"):
            register(made.artefact, NAME, MODEL, tags={tag: "x"}, **given)
    assert not (store / "mlartifacts").exists()


@pytest.mark.usefixtures("store")
def test_artefact_changed_after_it_was_read(submit: Maker) -> None:
    """Bytes are checked again as they are copied; no version appears."""
    made = submit()
    (made.artefact.folder / "card.md").write_text("# Another\n", encoding="utf-8")

    with pytest.raises(IntegrityError, match=r"card\.md: expected [0-9a-f]{64}; found [0-9a-f]{64}"):
        made.register()
    assert aliases() == {}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "inputs", [[], None, 1, ["covariates"], [{"name": "covariates"}], [{"name": "x", "shape": [4]}]]
)
def test_contract_must_describe_the_onnx(submit: Maker, inputs: object) -> None:
    """Inputs of contract and ONNX file must have the same names, and a shape."""
    made = submit()
    lying = replace(made.artefact, contract={**made.artefact.contract, "inputs": inputs})

    with pytest.raises(
        InputError, match=r"contract\.json: found inputs .*; expected name and shape of \['covariates'\]"
    ):
        replace(made, artefact=lying).register()


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("model.onnx", b"no model", "bytes that are not ONNX"), ("MLmodel", b"x", "a name that MLflow uses")],
)
def test_folder_that_mlflow_cannot_hold(submit: Maker, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """A model.onnx that is none, or a file named like one of MLflow's, is bad input."""
    folder = submit().artefact.folder
    (folder / name).write_bytes(content)
    write_manifest(folder)
    artefact = read_artefact(folder)
    made = Submission(artefact, *make_judged(tmp_path / "judged", artefact))

    with pytest.raises(InputError, match=message):
        made.register()


@pytest.mark.usefixtures("store")
def test_reading_twice_in_one_store(submit: Maker) -> None:
    """Two artefacts under one name are two versions."""
    assert (submit().register().version, submit(shift=1.0).register().version) == (1, 2)
    assert aliases() == {"candidate": 2, "challenger": 2}
