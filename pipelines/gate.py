"""DVC stage `gate`: the verdict on a model. Always exits 0; `hallmark gate` gives the exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.books import read_books
from pipelines.layout import (
    artifact_folder,
    cohort_report,
    evidence_file,
    independence_file,
    parity_file,
    predictions_table,
    protocol_file,
    verdict_file,
)
from pipelines.params import Params, load_params
from pipelines.stage import run_stage
from registry.artefact import Artefact, read_artefact
from validation.documents import read_json, write_json
from validation.errors import InputError
from validation.protocol import Protocol, load_protocol
from validation.verdict import Verdict, judge


def declared_cohorts(params: Params, protocol: Protocol, model: str) -> tuple[str, ...]:
    """Return the external cohorts that the protocol declares; params.yaml must run the model on exactly these.

    Raises:
        InputError: params.yaml names a cohort that the protocol does not. (One that the protocol names and params.yaml
            does not has no evidence, and fails the gate.)
    """
    extra = sorted(set(params.validation_cohorts(model)) - {*protocol.analysis.external, *protocol.analysis.internal})
    if extra:
        where, expected = "params.yaml validations", "cohorts declared in the protocol"
        raise InputError(where, ", ".join(extra), expected, "Add them to analysis.cohorts, before looking.")
    return protocol.analysis.external


def evidence_paths(params: Params, protocol: Protocol, model: str) -> dict[str, Mapping[str, Path]]:
    """Return where the documents of a model's verdict lie, by kind and cohort; they need not exist.

    A cohort that the protocol declares and params.yaml does not run has no place: what may lie there is left over.
    """
    external = declared_cohorts(params, protocol, model)
    checked = (*external, params.model(model).development)
    run = [cohort for cohort in external if cohort in params.validation_cohorts(model)]
    return {
        "evidence": {cohort: evidence_file(model, cohort) for cohort in run},
        "cohort_checks": {cohort: cohort_report(cohort) for cohort in checked},
        "independence": {cohort: independence_file(model, cohort) for cohort in run},
    }


def derive_verdict(params: Params, model: str, evidence: Mapping[str, Any] | None = None) -> Verdict:
    """Judge a model by its protocol, from the documents on disk.

    Args:
        params: params.yaml.
        model: Its entry.
        evidence: Evidence by cohort in place of what is on disk, to ask "what if"; nothing is written.

    Raises:
        InputError: A document or the artefact is malformed, or protocol and params.yaml disagree.
    """
    architecture = params.model(model).architecture
    protocol = load_protocol(protocol_file(architecture))
    if protocol.model != architecture:
        where = f"{protocol_file(architecture)} key model"
        raise InputError(where, protocol.model, architecture, "A protocol is named after the architecture it judges.")
    paths = evidence_paths(params, protocol, model)
    documents: dict[str, Mapping[str, Any]] = {
        kind: {cohort: read_json(path) for cohort, path in by_cohort.items()} for kind, by_cohort in paths.items()
    }
    books = read_books(protocol)
    if evidence is not None:
        documents["evidence"] = evidence
        books = books.as_if_opened(evidence)
    artefact = read_artefact(artifact_folder(model))
    tables = {cohort: predictions_table(model, cohort) for cohort in paths["evidence"]}
    return judge(
        protocol,
        model=model,
        artifact_digest=artefact.digest,
        development=_development(artefact),
        outputs=compared(artefact),
        parity=read_json(parity_file(model)),
        custody=books.custody(architecture, protocol.analysis.external, documents["evidence"], tables),
        lock_problem=books.problem,
        **documents,
    )


def _development(artefact: Artefact) -> Mapping[str, Any]:
    """What the contract says of the cohort the model was trained on; a contract without it fails the gates."""
    stated = artefact.contract.get("development")
    return stated if isinstance(stated, Mapping) else {}


def compared(artefact: Artefact) -> tuple[str, ...]:
    """Names that parity must be recorded of: outputs that the contract states, and every ONNX file but model.onnx.

    A contract without outputs fails the gate on parity.
    """
    stated = artefact.contract.get("outputs")
    entries = stated if isinstance(stated, list) else []
    outputs = tuple(str(output["name"]) for output in entries if isinstance(output, Mapping) and "name" in output)
    return outputs + tuple(sorted(name for name in artefact.files if name.endswith(".onnx") and name != "model.onnx"))


def gate(model: str) -> None:
    """Write the verdict on a model."""
    write_json(verdict_file(model), derive_verdict(load_params(), model).to_dict())


if __name__ == "__main__":
    run_stage(gate, sys.argv[1:])
