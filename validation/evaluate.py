"""Evaluation of a cohort by its protocol: predictions and outcomes in, evidence out; no images, models or limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from validation.errors import InputError
from validation.estimators.catalogue.entry import Settings, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.estimate import UndefinedEstimate
from validation.evidence import SCHEMA, check_evidence
from validation.protocol import EstimateSpec, Protocol

if TYPE_CHECKING:
    from validation.cohort import Cohort


@dataclass(frozen=True, eq=False)
class _Predicted:
    """Predicted patients with their outcomes, in the order of their ids; the order of the tables never matters."""

    table: pd.DataFrame
    time_months: Any
    event: Any


def _check_patients(found: pd.Series, declared: set[str], where: str) -> None:
    remedy = "Predict the cohort again; patients are neither added nor dropped on the road."
    if found.duplicated().any():
        raise InputError(where, f"patient {found[found.duplicated()].iloc[0]} twice", "every patient once", remedy)
    missing, extra = sorted(declared - set(found)), sorted(set(found) - declared)
    if missing or extra:
        parts = [
            f"{len(ids)} {what}, first {ids[0]}" for ids, what in ((missing, "missing"), (extra, "unknown")) if ids
        ]
        raise InputError(where, "; ".join(parts), "exactly the patients of the cohort", remedy)


def _failed(predictions: pd.DataFrame, where: str) -> list[dict[str, str]]:
    status, reason = predictions["status"], predictions["reason"]
    wrong = ~status.isin(("ok", "failed")) | ((status == "failed") & reason.isna())
    if wrong.any():
        row = predictions[wrong].iloc[0]
        found = f"status {row['status']} and reason {row['reason']} for {row['patient_id']}"
        raise InputError(where, found, "ok, or failed with a reason", "Predict the cohort again.")
    failures = predictions[status == "failed"].sort_values("patient_id")
    return [
        {"patient_id": str(p), "reason": str(r)}
        for p, r in zip(failures["patient_id"], failures["reason"], strict=True)
    ]


def _predicted(protocol: Protocol, cohort: Cohort, predictions: pd.DataFrame, outcomes: pd.DataFrame) -> _Predicted:
    endpoint = cohort.meta.endpoints.get(protocol.analysis.endpoint)
    where = f"{cohort.meta.name}/cohort.yaml key endpoints"
    if endpoint is None or endpoint.unit != "months":
        found = f"{protocol.analysis.endpoint} in {endpoint.unit}" if endpoint else f"no {protocol.analysis.endpoint}"
        raise InputError(
            where, found, f"{protocol.analysis.endpoint} in months", "Add the endpoint the protocol names."
        )
    table = predictions[predictions["status"] == "ok"].merge(outcomes, on="patient_id", validate="1:1")
    table = table.sort_values("patient_id")
    if not table[endpoint.event].isin((0, 1)).all():
        raise InputError(
            f"outcomes of {cohort.meta.name} column {endpoint.event}", "other values", "0 and 1", "Correct it."
        )
    return _Predicted(
        table,
        table[endpoint.time].to_numpy(dtype=np.float64),
        table[endpoint.event].to_numpy(dtype=np.float64) == 1,
    )


def _events(spec: EstimateSpec, predicted: _Predicted) -> int:
    """Events that an undefined estimate would have had."""
    last = np.inf if spec.horizon_months is None else spec.horizon_months
    return int(np.count_nonzero(predicted.event & (predicted.time_months <= last)))


def _undefined(spec: EstimateSpec, predicted: _Predicted, undefined: UndefinedEstimate) -> dict[str, Any]:
    return {
        "value": None,
        "reason": str(undefined),
        "too_few": undefined.too_few,
        "n": len(predicted.table),
        "events": _events(spec, predicted),
        "horizon": spec.horizon_months,
    }


def _sample(spec: EstimateSpec, level: float, cutoffs: Mapping[str, float], predicted: _Predicted) -> SurvivalSample:
    return SurvivalSample(
        time=predicted.time_months,
        event=predicted.event,
        prediction=predicted.table[spec.prediction].to_numpy(dtype=np.float64),
        settings=Settings(level, spec.horizon_months, cutoff=cutoffs.get(spec.prediction)),
    )


def _measure(spec: EstimateSpec, sample: SurvivalSample, predicted: _Predicted) -> dict[str, Any]:
    try:
        measured = SURVIVAL[spec.estimator].estimate(sample).to_dict()
    except UndefinedEstimate as undefined:
        measured = _undefined(spec, predicted, undefined)
    return {"id": spec.id, "estimator": spec.estimator, "prediction": spec.prediction, **measured}


def _curves(samples: Mapping[EstimateSpec, SurvivalSample]) -> dict[str, Any]:
    curves: dict[str, Any] = {}
    for spec, sample in samples.items():
        curve = SURVIVAL[spec.estimator].curve
        if curve is not None:
            try:
                curves[spec.id] = curve(sample)
            except UndefinedEstimate as undefined:
                curves[spec.id] = {"reason": str(undefined)}
    return curves


def _check_contract(protocol: Protocol, contract: Mapping[str, Any], columns: set[str]) -> None:
    remedy = "Judge the model by the protocol of its architecture."
    cutoffs = contract.get("cutoffs")
    if not isinstance(contract.get("model"), str) or not isinstance(cutoffs, dict):
        raise InputError("contract.json", f"keys {sorted(contract)}", "model and cutoffs", "Export the model again.")
    for key, value in (("architecture", protocol.model), ("endpoint", protocol.analysis.endpoint)):
        if contract.get(key) != value:
            raise InputError(f"contract.json key {key}", repr(contract.get(key)), value, remedy)
    for spec in protocol.analysis.estimates:
        if spec.prediction not in columns:
            raise InputError(
                f"protocol estimate {spec.id}", f"prediction {spec.prediction}", "a predicted column", remedy
            )
        if "cutoff" in SURVIVAL[spec.estimator].needs and not isinstance(cutoffs.get(spec.prediction), float | int):
            found = f"no cut-off of {spec.prediction}"
            raise InputError("contract.json key cutoffs", found, f"the cut-off that {spec.id} needs", remedy)


def evaluate_cohort(
    protocol: Protocol,
    contract: Mapping[str, Any],
    cohort: Cohort,
    *,
    predictions: pd.DataFrame,
    outcomes: pd.DataFrame,
    digests: Mapping[str, str],
) -> dict[str, Any]:
    """Estimate what the protocol declares on one cohort.

    Patients without prediction are counted and listed with their reason; estimates rest on the others. An estimate that
    the data cannot define is there all the same, its value null, with the reason.

    Args:
        protocol: The plan.
        contract: The model's contract.json; its cut-offs were fixed on the development cohort.
        cohort: The cohort, for its patients and its endpoint.
        predictions: One row per patient: patient_id, status, reason, missing_covariates and the predictions.
        outcomes: One row per patient: patient_id and the columns of the endpoint, times in months.
        digests: sha256 by name: artifact, predictions, outcomes, patients.

    Returns:
        The evidence, plain JSON values; see `validation.evidence`.

    Raises:
        InputError: A table does not hold exactly the cohort's patients, the endpoint or a prediction is missing, or the
            contract belongs to another architecture.
    """
    declared = set(cohort.patients["patient_id"])
    _check_patients(predictions["patient_id"], declared, f"predictions on {cohort.meta.name}")
    _check_patients(outcomes["patient_id"], declared, f"outcomes of {cohort.meta.name}")
    _check_contract(protocol, contract, set(predictions.columns))
    failed = _failed(predictions, f"predictions on {cohort.meta.name}")
    predicted = _predicted(protocol, cohort, predictions, outcomes)
    analysis = protocol.analysis
    samples = {s: _sample(s, analysis.level, contract["cutoffs"], predicted) for s in analysis.estimates}
    evidence = {
        "schema": SCHEMA,
        "model": contract["model"],
        "architecture": protocol.model,
        "cohort": cohort.meta.name,
        "role": cohort.meta.role,
        "synthetic": cohort.meta.synthetic,
        "endpoint": analysis.endpoint,
        "patients": {
            "declared": len(declared),
            "predicted": len(predicted.table),
            "failed": failed,
            "with_missing_covariates": int((predicted.table["missing_covariates"] > 0).sum()),
        },
        "estimates": [_measure(spec, sample, predicted) for spec, sample in samples.items()],
        "curves": _curves(samples),
        "digests": {**digests, "analysis": analysis.estimates_digest},
    }
    check_evidence(evidence, f"evidence on {cohort.meta.name}")
    return evidence
