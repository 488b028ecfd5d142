"""Evaluation of a cohort by its protocol: predictions and outcomes in, evidence out; no images, models or limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from validation.cohort_table import TILE_PROBABILITY, TILE_TISSUE, CohortTable
from validation.descriptive.document import check_description, compact
from validation.descriptive.parts import nobody_in, of_unknown, part_name
from validation.errors import InputError
from validation.estimators.catalogue.entry import BinarySample, Settings, SurvivalSample
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools
from validation.evidence import OF_GROUP, SCHEMA, check_evidence
from validation.outcomes import outcome_of
from validation.protocol import EstimateSpec, Protocol, SubgroupSpec
from validation.schema import load_schema

if TYPE_CHECKING:
    from validation.cohort import Cohort

NO_PREDICTIONS = (
    "patient_id",
    "centre",
    "scanner",
    "status",
    "reason",
    "missing_covariates",
    TILE_TISSUE,
    TILE_PROBABILITY,
)


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


def _predicted(patients: pd.DataFrame, predictions: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Predicted patients with all that is known of them, by their ids; the order of the tables never matters."""
    predicted = predictions[predictions["status"] == "ok"]
    left = {*patients, TILE_TISSUE, TILE_PROBABILITY}
    own = [column for column in predicted if column == "patient_id" or column not in left]
    table = patients.merge(predicted[own], on="patient_id", validate="1:1")
    return table.merge(outcomes, on="patient_id", validate="1:1").sort_values("patient_id")


def _tiles(predictions: pd.DataFrame) -> pd.DataFrame | None:
    """Named tiles of all patients: a slide that failed because its tissue was misread counts against the classifier."""
    if TILE_TISSUE not in predictions:
        return None
    return predictions[["patient_id", TILE_TISSUE, TILE_PROBABILITY]].sort_values("patient_id")


@dataclass(frozen=True, eq=False)
class _Question:
    """An estimate to make: the sample, or why there is none; what an undefined one would have rested on; who is out.

    `group` names the part of the cohort, "sex=female"; None for the whole.
    """

    spec: EstimateSpec
    sample: SurvivalSample | BinarySample | UndefinedEstimate
    n: int
    events: int
    note: str = ""
    group: str | None = None


def _question(spec: EstimateSpec, whole: CohortTable, chosen: Bools | None = None) -> _Question:
    """Ask for an estimate on a cohort, or on the patients of a mask, shape (n,)."""
    cohort = whole if chosen is None else whole.part(chosen)
    try:
        outcome = outcome_of(cohort, spec.endpoint)
    except UndefinedEstimate as undefined:
        return _Question(spec, undefined, cohort.n, 0)
    if (outcome.time is None) != spec.binary:
        where, kinds = f"{cohort.meta.name}/cohort.yaml key endpoints", ("an endpoint with time", "a binary endpoint")
        found = f"{spec.endpoint}, {kinds[outcome.time is None]}"
        raise InputError(where, found, f"{kinds[spec.binary]}, as the protocol says", "Correct either.")
    settings = Settings(cohort.level, spec.horizon_months, cutoff=cohort.cutoffs.get(spec.prediction))
    prediction = whole.as_estimators_take_it(spec.prediction, spec.entry.of)  # of a part, values might look like a risk
    sample = outcome.sample(prediction if chosen is None else prediction[chosen], settings)
    return _Question(spec, sample, *outcome.counts(spec.horizon_months), outcome.note)


def _subgroup_questions(subgroup: SubgroupSpec, specs: Sequence[EstimateSpec], cohort: CohortTable) -> list[_Question]:
    """Ask for estimates in every group of every grouping of a subgroup."""
    questions = []
    for text in subgroup.by:
        try:
            groups = cohort.groups(text)
        except UndefinedEstimate as undefined:
            questions += [_Question(spec, undefined, 0, 0, group=text) for spec in specs]
            continue
        note = of_unknown(groups, text)
        for label in groups.labels:
            for spec in specs:
                question = _question(spec, cohort, groups.members(label))
                sample = _too_small(question, label, subgroup.minimum_events or 0) or question.sample
                named = part_name(text, label, "=")
                questions.append(replace(question, sample=sample, group=named, note=question.note + note))
    return questions


def _too_small(question: _Question, label: str, minimum: int) -> UndefinedEstimate | None:
    """Return why a group has no estimate; None if it may have one."""
    if isinstance(question.sample, UndefinedEstimate):
        return None
    if not question.n:
        return nobody_in(label)
    if question.events < minimum:
        return UndefinedEstimate(
            f"{question.events} events, fewer than the {minimum} asked for in a group", too_few=True
        )
    return None


def _questions(protocol: Protocol, cohort: CohortTable) -> list[_Question]:
    """Ask for every estimate of the protocol on the cohort, then for those in its subgroups."""
    analysis = protocol.analysis
    specs = {spec.id: spec for spec in analysis.estimates}
    questions = [_question(spec, cohort) for spec in analysis.estimates]
    for subgroup in analysis.subgroups:
        questions += _subgroup_questions(subgroup, [specs[name] for name in subgroup.estimates], cohort)
    return questions


def check_groupings(protocol: Protocol, cohort: CohortTable) -> None:
    """Refuse a grouping of a subgroup of which the cohort knows nothing, before anything is computed.

    Raises:
        InputError: Names protocol, subgroup and what is wrong with the grouping.
    """
    for subgroup in protocol.analysis.subgroups:
        for text in subgroup.by:
            try:
                cohort.groups(text)
            except UndefinedEstimate:
                continue  # its estimates will say so
            except InputError as error:
                where = f"{protocol.file} subgroup {subgroup.id} key by ({error.where})"
                raise InputError(where, error.found, error.expected, error.remedy) from error


def _measure(question: _Question) -> dict[str, Any]:
    spec = question.spec
    name = spec.id if question.group is None else f"{spec.id}{OF_GROUP}{question.group}"
    named = {"id": name, "estimator": spec.estimator, "prediction": spec.prediction, "endpoint": spec.endpoint}
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
        measured["method"] += question.note
        measured["group"] = question.group or measured["group"]
    return {**named, **measured}


def _curves(questions: list[_Question]) -> dict[str, Any]:
    curves: dict[str, Any] = {}
    for question in questions:
        curve = question.spec.entry.curve
        if curve is not None and question.group is None and not isinstance(question.sample, UndefinedEstimate):
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


def outputs_by_column(contract: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what a contract states of each output, by its columns in a table of predictions."""
    return {
        column: output
        for output in contract.get("outputs", ())
        for column in ([f"{output['name']}_{label}" for label in output["labels"]] or [output["name"]])
    }


def evaluate_cohort(
    protocol: Protocol,
    contract: Mapping[str, Any],
    cohort: Cohort,
    *,
    predictions: pd.DataFrame,
    outcomes: pd.DataFrame,
    digests: Mapping[str, str | None],
) -> dict[str, Any]:
    """Estimate what the protocol declares on one cohort.

    Patients without prediction are counted and listed with their reason; estimates rest on the others. An estimate that
    the data cannot define is there all the same, its value null, with the reason. Estimates in a subgroup follow those
    on the whole cohort, as "c@sex=female".

    Args:
        protocol: The plan.
        contract: The model's contract.json; its cut-offs were fixed on the development cohort.
        cohort: The cohort, for its patients and its endpoint.
        predictions: One row per patient: patient_id, status, reason, missing_covariates and the predictions.
        outcomes: One row per patient: patient_id and the columns of the endpoint, times in months.
        digests: sha256 by name, see `validation.evidence.GIVEN_DIGESTS`; `opening` is the id of an entry in the ledger,
            None where outcomes lie open.

    Returns:
        The evidence, plain JSON values; see `validation.evidence`.

    Raises:
        InputError: A table does not hold exactly the cohort's patients, the endpoint or a prediction is missing, or the
            contract belongs to another architecture.
    """
    table, about = _examined(protocol, contract, cohort, predictions, outcomes)
    check_groupings(protocol, table)
    questions = _questions(protocol, table)
    evidence = {
        **about,
        "endpoint": protocol.analysis.endpoint,
        "estimates": [_measure(question) for question in questions],
        "curves": _curves(questions),
        "digests": {**digests, "analysis": protocol.analysis.estimates_digest},
    }
    check_evidence(evidence, f"evidence on {cohort.meta.name}")
    return evidence


def describe_cohort(
    protocol: Protocol,
    contract: Mapping[str, Any],
    cohort: Cohort,
    *,
    predictions: pd.DataFrame,
    outcomes: pd.DataFrame,
    digests: Mapping[str, str | None],
) -> dict[str, Any]:
    """Analyse one cohort as the protocol declares under `descriptive`: what is shown and no gate looks at.

    Arguments and errors as of `evaluate_cohort`. An analysis that the cohort cannot define is there all the same, with
    the reason.

    Returns:
        The analyses, plain JSON values; see `validation.descriptive.document`.
    """
    table, about = _examined(protocol, contract, cohort, predictions, outcomes)
    for analysis in protocol.analysis.descriptive:
        analysis.check(table, protocol.file)
    document = compact(
        {
            **about,
            "analyses": [analysis.to_dict(table) for analysis in protocol.analysis.descriptive],
            "digests": {**digests, "analysis": protocol.analysis.descriptive_digest},
        }
    )
    check_description(document, f"descriptive analyses of {cohort.meta.name}")
    return document


def check_evaluable(protocol: Protocol, contract: Mapping[str, Any], cohort: Cohort, predictions: pd.DataFrame) -> None:
    """Refuse plan, model, predictions and cohort that do not fit each other, before an outcome is opened for them.

    Args:
        protocol: The plan.
        contract: The model's contract.json.
        cohort: The cohort.
        predictions: One row per patient; see `evaluate_cohort`.

    Raises:
        InputError: As `evaluate_cohort` and `describe_cohort`, but of the outcomes.
    """
    _check_inputs(protocol, contract, cohort, predictions)
    outcomes = {column.name: pd.Series(dtype="float64") for column in load_schema(cohort.meta.schema).outcomes.columns}
    nobody = predictions.head(0)
    ids = {"patient_id": nobody["patient_id"]}
    parts = cohort.patients.head(0), nobody, pd.DataFrame({**outcomes, **ids})
    table = _cohort_table(protocol, contract, cohort, predictions, _predicted(*parts))
    check_groupings(protocol, table)
    for analysis in protocol.analysis.descriptive:
        analysis.check(table, protocol.file)


def _check_inputs(
    protocol: Protocol, contract: Mapping[str, Any], cohort: Cohort, predictions: pd.DataFrame
) -> list[dict[str, str]]:
    """Check patients, predictions and contract; return who has no prediction, and why."""
    where = f"predictions on {cohort.meta.name}"
    _check_patients(predictions["patient_id"], set(cohort.patients["patient_id"]), where)
    _check_contract(protocol, contract, set(predictions.columns))
    failed = _failed(predictions, where)
    if both := sorted(set(_named(predictions)) & set(cohort.patients)):
        raise InputError(where, f"a prediction named {both[0]}, as a covariate is", "names of its own", "Rename it.")
    return failed


def _named(predictions: pd.DataFrame) -> tuple[str, ...]:
    return tuple(column for column in predictions.columns if column not in NO_PREDICTIONS)


def _cohort_table(
    protocol: Protocol,
    contract: Mapping[str, Any],
    cohort: Cohort,
    predictions: pd.DataFrame,
    table: pd.DataFrame,
) -> CohortTable:
    return CohortTable(
        meta=cohort.meta,
        columns={column.name: column for column in load_schema(cohort.meta.schema).patients.columns},
        table=table,
        predictions=_named(predictions),
        endpoints=protocol.analysis.endpoints,
        cutoffs=contract["cutoffs"],
        level=protocol.analysis.level,
        outputs=outputs_by_column(contract),
        tiles=_tiles(predictions),
    )


def _examined(
    protocol: Protocol,
    contract: Mapping[str, Any],
    cohort: Cohort,
    predictions: pd.DataFrame,
    outcomes: pd.DataFrame,
) -> tuple[CohortTable, dict[str, Any]]:
    """Check tables and contract; return the predicted patients, and what every document says of model and cohort."""
    failed = _check_inputs(protocol, contract, cohort, predictions)
    declared = set(cohort.patients["patient_id"])
    _check_patients(outcomes["patient_id"], declared, f"outcomes of {cohort.meta.name}")
    predicted = _predicted(cohort.patients, predictions, outcomes)
    table = _cohort_table(protocol, contract, cohort, predictions, predicted)
    about = {
        "schema": SCHEMA,
        "model": contract["model"],
        "architecture": protocol.model,
        "cohort": cohort.meta.name,
        "role": cohort.meta.role,
        "synthetic": cohort.meta.synthetic,
        "patients": {
            "declared": len(declared),
            "predicted": table.n,
            "failed": failed,
            "with_missing_covariates": int((table.table["missing_covariates"] > 0).sum()),
        },
    }
    return table, about
