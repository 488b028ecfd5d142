"""How much of the achievable discrimination a model reaches, where the truth is known: on synthetic cohorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.layout import (
    artifact_folder,
    cohort_folder,
    evidence_file,
    oracle_table,
    predictions_table,
    protocol_file,
)
from pipelines.params import load_params
from registry.artefact import read_artefact
from validation.cohort import load_cohort, load_outcomes
from validation.errors import InputError
from validation.evaluate import evaluate_cohort
from validation.evidence import read_evidence
from validation.protocol import load_protocol


@dataclass(frozen=True)
class Truth:
    """What the best possible prediction behind an estimate is.

    Attributes:
        quantity: The estimate in words.
        column: Column of the oracle's table that ranks patients by it.
    """

    quantity: str
    column: str


TRUTHS: dict[str, dict[str, Truth]] = {  # by architecture and estimate of its protocol
    "mri_distant_metastasis": {
        "c_nomogram": Truth("Harrell C", "linear_predictor"),
        "auc36_nomogram": Truth("AUC at 36 months", "linear_predictor"),
    },
    "ct_stroma_survival": {
        "c_os": Truth("Harrell C, integrated model", "linear_predictor_untreated"),  # nobody knows who will be treated
        "c_mdls": Truth("Harrell C, image alone", "image_risk"),
        "auc_tsr": Truth("AUC, tumour-stroma ratio", "probability_tsr_high"),
    },
    "ct_chemo_response": {"auc_dl": Truth("AUC, image alone", "probability_good_response")},
    "histology_spatial_survival": {
        "c_sof": Truth("Harrell C, slide alone", "sof_score"),
        "c_sof_crs": Truth("Harrell C, slide and clinical", "linear_predictor_untreated"),
    },
}


@dataclass(frozen=True)
class AgainstOracle:
    """A model's estimate beside that of the truth, on the same patients.

    Attributes:
        cohort: Where both were estimated.
        quantity: What is compared.
        model: The model's estimate, as in its evidence.
        oracle: The same estimate of the truth.
        share: Share of the oracle's distance above 0.5 that the model reaches.
    """

    cohort: str
    quantity: str
    model: Mapping[str, Any]
    oracle: Mapping[str, Any]
    share: float


def against_oracle(model: str, cohort: str) -> tuple[AgainstOracle, ...]:
    """Compare a model's discrimination with the oracle's on a synthetic cohort, same estimators, same patients.

    The truth takes the place of the prediction; patients whom the model could not process are left out on both sides.
    An estimate that the cohort cannot define (its endpoint was never recorded, too few events) is left out.

    Args:
        model: Entry of params.yaml.
        cohort: A synthetic cohort on which it was evaluated.

    Raises:
        InputError: No evidence, predictions or oracle, or they are of other patients.
    """
    architecture = load_params().model(model).architecture
    truths = TRUTHS[architecture]
    measured = {entry["id"]: entry for entry in read_evidence(evidence_file(model, cohort))["estimates"]}
    best = _oracle_estimates(model, cohort, architecture, truths)
    return tuple(
        AgainstOracle(cohort, truth.quantity, measured[name], best[name], _share(measured[name], best[name]))
        for name, truth in truths.items()
        if measured[name]["value"] is not None and best[name]["value"] is not None
    )


def _share(model: Mapping[str, Any], oracle: Mapping[str, Any]) -> float:
    return float((model["value"] - 0.5) / (oracle["value"] - 0.5))


def _oracle_estimates(
    model: str, cohort: str, architecture: str, truths: Mapping[str, Truth]
) -> dict[str, Mapping[str, Any]]:
    """Evaluate the truth by the protocol's own estimates."""
    folder, artefact = load_cohort(cohort_folder(cohort)), read_artefact(artifact_folder(model))
    protocol = load_protocol(protocol_file(architecture))
    asked = tuple(spec for spec in protocol.analysis.estimates if spec.id in truths)
    truth = read_table(oracle_table(cohort)).set_index("patient_id")
    predictions = read_table(predictions_table(model, cohort)).set_index("patient_id")
    for spec in asked:
        known = predictions[spec.prediction].notna()
        predictions[spec.prediction] = truth[truths[spec.id].column].reindex(predictions.index).where(known)
    evidence = evaluate_cohort(
        replace(protocol, analysis=replace(protocol.analysis, estimates=asked, subgroups=())),
        artefact.contract,
        folder,
        predictions=predictions.reset_index(),
        outcomes=load_outcomes(folder),
        digests=dict.fromkeys(("artifact", "predictions", "outcomes", "patients"), "none: the oracle is no model"),
    )
    return {entry["id"]: entry for entry in evidence["estimates"]}


def read_table(path: Path) -> pd.DataFrame:
    """Return a parquet table.

    Raises:
        InputError: There is none.
    """
    if not path.is_file():
        raise InputError(str(path), "no such file", "a table by patient", "Run dvc repro.")
    return pd.read_parquet(path)


def oracle_text(comparison: Sequence[AgainstOracle]) -> str:
    """Return model and oracle side by side as a plain table, with intervals and the share that was reached."""
    wide, cohorts = max(len(row.quantity) for row in comparison), max(len(row.cohort) for row in comparison)
    lines = [f"{'':{wide}}  {'':{cohorts}}{'model':>24}{'oracle':>24}{'share above 0.5':>18}      n  events"]
    lines += [
        f"{row.quantity:{wide}}  {row.cohort:{cohorts}}{with_interval(row.model):>24}{with_interval(row.oracle):>24}"
        f"{row.share:>18.0%}{row.oracle['n']:>7}{row.oracle['events']:>8}"
        for row in comparison
    ]
    return "\n".join(lines)


def with_interval(estimate: Mapping[str, Any]) -> str:
    """Return an estimate as "0.771 [0.731, 0.806]"."""
    return f"{estimate['value']:.3f} [{estimate['lower']:.3f}, {estimate['upper']:.3f}]"
