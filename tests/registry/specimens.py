"""Small real artefacts, and the judge's own verdicts on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from registry.artefact import Artefact, read_artefact, write_manifest
from tests.validation.specimens import (
    COHORT,
    DEVELOPMENT,
    MODEL,
    OUTPUTS,
    TRAINED_ON,
    check_report,
    comparison,
    documents,
    estimate,
    evidence,
    protocol,
    undefined,
)
from validation.documents import write_json
from validation.gates.base import Custody
from validation.verdict import judge

NAME = "mri_distant_metastasis"
INTERVALS = {"PASS": (0.71, 0.77), "INCONCLUSIVE": (0.60, 0.77), "FAIL": (0.52, 0.60)}


def make_artefact(folder: Path, shift: float = 0.0) -> Artefact:
    """Write a model that adds `shift` to four covariates, with its contract, card and manifest."""
    folder.mkdir(parents=True)
    covariates = helper.make_tensor_value_info("covariates", TensorProto.FLOAT, ["N", 4])
    lp = helper.make_tensor_value_info("lp_nomogram", TensorProto.FLOAT, ["N", 4])
    constant = helper.make_tensor("shift", TensorProto.FLOAT, [1], [shift])
    node = helper.make_node("Add", ["covariates", "shift"], ["lp_nomogram"])
    graph = helper.make_graph([node], "specimen", [covariates], [lp], [constant])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), folder / "model.onnx"
    )
    tensor = {"shape": [4], "unit": "1", "labels": [], "meaning": ""}
    contract = {
        "model": MODEL,
        "inputs": [{"name": "covariates", **tensor}],
        "outputs": [{"name": "lp_nomogram", **tensor}],
    }
    write_json(folder / "contract.json", contract)
    (folder / "card.md").write_text("# A specimen\n", encoding="utf-8")
    write_manifest(folder)
    return read_artefact(folder)


def make_judged(
    folder: Path, artefact: Artefact, state: str = "PASS", cohort: str = COHORT
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Write evidence on an artefact and judge it; returns the verdict, and the documents by slot.

    The C-index decides; a descriptive gate fails on an estimate that is undefined.
    """
    folder.mkdir(parents=True)
    plan = protocol(folder, ("[mri_external, mri_second]", f"[{cohort}]"))
    lower, upper = INTERVALS[state]
    concordance, slope = estimate("c", (lower + upper) / 2, lower, upper), estimate("slope", 1.0, 0.8, 1.2)
    content = {
        **evidence(plan, cohort),
        "estimates": [concordance, slope, undefined("oe", "no patient at risk", False, 10)],
    }
    content["digests"]["artifact"] = artefact.digest
    given: dict[str, Any] = {
        "evidence": {cohort: content},
        "cohort_checks": {name: check_report(name) for name in (cohort, DEVELOPMENT)},
        "independence": {cohort: comparison(cohort)},
        "parity": {**documents(plan)["parity"], "artifact": artefact.digest},
        "custody": {cohort: Custody(None, None, "2" * 64, "3" * 64)},
        "lock_problem": None,
    }
    about = {"model": MODEL, "artifact_digest": artefact.digest, "development": TRAINED_ON, "outputs": OUTPUTS}
    verdict = judge(plan, **about, **given)
    slots = {"parity": given["parity"]}
    for kind, of in (("evidence", "evidence"), ("cohorts", "cohort_checks"), ("independence", "independence")):
        slots |= {f"{kind}/{name}": document for name, document in given[of].items()}
    files = {slot: folder / f"{slot}.json" for slot in slots}
    for slot, document in slots.items():
        write_json(files[slot], document)
    return verdict.to_dict(), files
