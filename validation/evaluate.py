"""Evaluation of a cohort by its protocol: predictions and outcomes in, evidence out; no images, models or limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from validation.cohort import binary_endpoint, endpoint_in_months
from validation.errors import InputError
from validation.estimators.catalogue.entry import BinarySample, Settings, SurvivalSample
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools, Floats
from validation.evidence import SCHEMA, check_evidence
from validation.protocol import EstimateSpec, Protocol

if TYPE_CHECKING:
    from validation.cohort import Cohort


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


def _predicted(predictions: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Predicted patients with their outcomes, in the order of their ids; the order of the tables never matters."""
    table = predictions[predictions["status"] == "ok"].merge(outcomes, on="patient_id", validate="1:1")
    return table.sort_values("patient_id")


def _follow_up(name: str, cohort: Cohort, table: pd.DataFrame) -> tuple[Floats, Bools]:
    """Months and event indicator of an endpoint with time."""
    endpoint = endpoint_in_months(cohort, name)
    if not table[endpoint.event].isin((0, 1)).all():
        where = f"outcomes of {cohort.meta.name} column {endpoint.event}"
        raise InputError(where, "other values", "0 and 1", "Correct it.")
    return table[endpoint.time].to_numpy(dtype=np.float64), table[endpoint.event].to_numpy(dtype=np.float64) == 1


def _cases(name: str, cohort: Cohort, table: pd.DataFrame) -> Floats:
    """Case indicator of a binary endpoint, NaN where it is not known.

    Raises:
        UndefinedEstimate: The cohort never recorded it.
    """
    endpoint = binary_endpoint(cohort, name)
    if endpoint is None:
        raise UndefinedEstimate(f"the cohort has no endpoint {name}")
    return table[endpoint.case].to_numpy(dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Question:
    """An estimate to make: the sample, or why there is none; and what an undefined estimate would have rested on."""

    spec: EstimateSpec
    sample: SurvivalSample | BinarySample | UndefinedEstimate
    n: int
    events: int
    unknown: int = 0


def _question(
    spec: EstimateSpec, level: float, cutoffs: Mapping[str, float], cohort: Cohort, table: pd.DataFrame
) -> _Question:
    prediction = table[spec.prediction].to_numpy(dtype=np.float64)
    settings = Settings(level, spec.horizon_months, cutoff=cutoffs.get(spec.prediction))
    if not spec.binary:
        time, event = _follow_up(spec.endpoint, cohort, table)
        last = np.inf if spec.horizon_months is None else spec.horizon_months
        events = int(np.count_nonzero(event & (time <= last)))
        return _Question(spec, SurvivalSample(time, event, prediction, settings), len(table), events)
    try:
        cases = _cases(spec.endpoint, cohort, table)
    except UndefinedEstimate as undefined:
        return _Question(spec, undefined, len(table), 0)
    known = np.isfinite(cases)
    sample = BinarySample(cases[known] == 1, prediction[known], settings)
    n, events = int(np.count_nonzero(known)), int(np.count_nonzero(sample.event))
    return _Question(spec, sample, n, events, len(table) - n)


def _measure(question: _Question) -> dict[str, Any]:
    spec = question.spec
    named = {"id": spec.id, "estimator": spec.estimator, "prediction": spec.prediction, "endpoint": spec.endpoint}
    try:
        if isinstance(question.sample, UndefinedEstimate):
            raise question.sample
        measured = spec.entry.estimate(question.sample).to_dict()
    except UndefinedEstimate as undefined:
        measured = {
            "value": None,
            "reason": str(undefined),
            "too_few": undefined.too_few,
            "n": question.n,
            "events": question.events,
            "horizon": spec.horizon_months,
        }
    else:
        if question.unknown:
            measured["method"] += f"; {question.unknown} patients of unknown {spec.endpoint} left out"
    return {**named, **measured}


def _curves(questions: list[_Question]) -> dict[str, Any]:
    curves: dict[str, Any] = {}
    for question in questions:
        curve = question.spec.entry.curve
        if curve is not None and not isinstance(question.sample, UndefinedEstimate):
            try:
                curves[question.spec.id] = curve(question.sample)
            except UndefinedEstimate as undefined:
                curves[question.spec.id] = {"reason": str(undefined)}
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
        if "cutoff" in spec.entry.needs and not isinstance(cutoffs.get(spec.prediction), float | int):
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
    table, analysis = _predicted(predictions, outcomes), protocol.analysis
    questions = [_question(s, analysis.level, contract["cutoffs"], cohort, table) for s in analysis.estimates]
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
            "predicted": len(table),
            "failed": failed,
            "with_missing_covariates": int((table["missing_covariates"] > 0).sum()),
        },
        "estimates": [_measure(question) for question in questions],
        "curves": _curves(questions),
        "digests": {**digests, "analysis": analysis.estimates_digest},
    }
    check_evidence(evidence, f"evidence on {cohort.meta.name}")
    return evidence
