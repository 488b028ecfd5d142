"""Small real artefacts, evidence files and verdicts in the form of the contracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from registry.artefact import Artefact, read_artefact, write_manifest
from validation.digests import file_sha256
from validation.evidence import write_json

NAME = "mri_distant_metastasis"
COHORT = "mri_external"
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
        "model": NAME,
        "inputs": [{"name": "covariates", **tensor}],
        "outputs": [{"name": "lp_nomogram", **tensor}],
    }
    write_json(folder / "contract.json", contract)
    (folder / "card.md").write_text("# A specimen\n", encoding="utf-8")
    write_manifest(folder)
    return read_artefact(folder)


def make_judged(
    folder: Path, artefact: Artefact, state: str = "PASS", model: str = NAME, cohort: str = COHORT
) -> tuple[dict[str, Any], list[Path]]:
    """Write evidence on an artefact; returns the verdict and the evidence files."""
    lower, upper = INTERVALS[state]
    value = (lower + upper) / 2
    sha = "0" * 64
    files = {
        "evidence": folder / model / "cohorts" / f"{cohort}.json",
        "cohorts": folder / "cohorts" / f"{cohort}.json",
        "parity": folder / model / "parity.json",
    }
    estimate = {"id": "c_nomogram", "estimator": "harrell_c", "prediction": "lp_nomogram", "value": value}
    interval = {"lower": lower, "upper": upper, "level": 0.95, "n": 400, "events": 90, "method": "Harrell C"}
    undefined = {
        "id": "c_dlrs",
        "estimator": "harrell_c",
        "prediction": "lp_dlrs",
        "value": None,
        "n": 400,
        "events": 90,
    }
    write_json(
        files["evidence"],
        {
            "schema": 1,
            "model": model,
            "architecture": NAME,
            "cohort": cohort,
            "role": "external",
            "synthetic": True,
            "endpoint": "dmfs",
            "patients": {"declared": 400, "predicted": 400, "failed": [], "with_missing_covariates": 0},
            "estimates": [
                {**estimate, **interval, "scale": "logit", "horizon_months": None, "group": None},
                {**undefined, "reason": "no cut-off", "too_few": False, "horizon_months": None},
            ],
            "curves": {},
            "digests": {
                "artifact": artefact.digest,
                "predictions": sha,
                "outcomes": sha,
                "patients": sha,
                "analysis": sha,
            },
        },
    )
    write_json(files["cohorts"], {"cohort": cohort, "success": True, "checks": []})
    write_json(
        files["parity"], {"model": model, "artifact": artefact.digest, "max_abs_difference": {"lp_nomogram": 1e-6}}
    )
    return _verdict(artefact, files, state, model, cohort), list(files.values())


def _verdict(artefact: Artefact, files: dict[str, Path], state: str, model: str, cohort: str) -> dict[str, Any]:
    """Judge the specimen: one gate on its C-index, one on its parity, one descriptive."""
    lower, upper = INTERVALS[state]
    nothing = {"lower": None, "upper": None, "level": None, "n": None, "events": None, "reason": None, "needed": None}
    words = {"method": "", "source": "", "hazard": ""}
    interval = {"value": (lower + upper) / 2, "lower": lower, "upper": upper, "level": 0.95, "n": 400, "events": 90}
    needed = {"events": 310, "patients": 1400} if state == "INCONCLUSIVE" else None
    discrimination = {"id": "discrimination_survival", "kind": "discrimination", "cohort": cohort, "state": state}
    parity = {"id": "onnx_parity", "kind": "onnx_parity", "cohort": None, "state": "PASS", "value": 1e-6}
    shown = {"id": "heterogeneity", "kind": "descriptive", "cohort": cohort, "state": "NOT_APPLICABLE", "value": None}
    return {
        "schema": 1,
        "model": model,
        "verdict": state,
        "synthetic": True,
        "gates": [
            {
                **discrimination,
                **interval,
                **words,
                "blocking": True,
                "limit": {"above": 0.65},
                "reason": None,
                "needed": needed,
            },
            {**parity, **nothing, **words, "blocking": True, "limit": {"at_most": 1e-4}},
            {**shown, **nothing, **words, "blocking": False, "limit": None},
        ],
        "digests": {
            "artifact": artefact.digest,
            "protocol_gates": "1" * 64,
            "analysis": "2" * 64,
            "evidence": {cohort: file_sha256(files["evidence"])},
            "cohorts": {cohort: file_sha256(files["cohorts"])},
            "parity": file_sha256(files["parity"]),
        },
    }
