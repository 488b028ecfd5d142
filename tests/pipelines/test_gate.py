"""Which documents a verdict is computed from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.gate import compared, evidence_paths
from pipelines.params import ModelEntry, Params, ValidationEntry
from pipelines.workers import LOCAL
from registry.artefact import Artefact
from tests.validation.specimens import COHORT, DEVELOPMENT, MODEL, SECOND, protocol
from validation.errors import InputError


def params(*cohorts: str) -> Params:
    """Parameters that run the model on these external cohorts."""
    runs = {f"{MODEL}-{c}": ValidationEntry(MODEL, "a", DEVELOPMENT, c, "csv") for c in cohorts}
    models = {MODEL: ModelEntry("a", "registered", DEVELOPMENT)}
    return Params("smoke", 1, LOCAL, (), cohorts, models, runs, {}, {})


def test_documents_of_a_cohort_that_is_not_run_are_left_over(tmp_path: Path) -> None:
    """Evidence on a cohort that params.yaml no longer runs counts as missing, and so fails the gate."""
    paths = evidence_paths(params(COHORT), protocol(tmp_path), MODEL)

    assert set(paths["evidence"]) == set(paths["independence"]) == {COHORT}
    assert set(paths["cohort_checks"]) == {COHORT, SECOND, DEVELOPMENT}


def test_undeclared_cohort_is_refused(tmp_path: Path) -> None:
    """A cohort that params.yaml runs and the protocol does not declare is bad input."""
    with pytest.raises(InputError, match=r"found mri_new; expected cohorts declared in the protocol"):
        evidence_paths(params(COHORT, "mri_new"), protocol(tmp_path), MODEL)


def test_parity_is_asked_of_every_network_that_ships() -> None:
    """Each output that the contract states, and each ONNX file beside model.onnx, by its name."""
    files = dict.fromkeys(["card.md", "contract.json", "model.onnx", "tiles.onnx"], "0" * 64)
    artefact = Artefact(Path("artifacts/m"), "1" * 64, files, {"outputs": [{"name": "lp"}, {"name": "risk"}]})

    assert compared(artefact) == ("lp", "risk", "tiles.onnx")
    assert compared(replace(artefact, contract={})) == ("tiles.onnx",)
