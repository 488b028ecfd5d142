"""Assessment: predictions and outcomes of one cohort become evidence, and nobody is dropped in silence."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.reference import from_r, gbsg
from tests.validation.specimens import DECLARED, IMAGES, RULES, SAID
from validation.cohort import BinaryEndpoint, Cohort, CohortMeta, Endpoint, Period
from validation.descriptive.document import whole
from validation.documents import encode
from validation.errors import InputError
from validation.evaluate import describe_cohort, evaluate_cohort
from validation.evidence import GIVEN_DIGESTS, check_evidence
from validation.protocol import Protocol, load_protocol

PLAN = f"""
model: mri_distant_metastasis
version: 1
intended_use: Test.
analysis:
  endpoint: rfs
{DECLARED}  cohorts: {{external: [gbsg]}}
  estimates:
    - {{id: c, estimator: harrell_c, prediction: lp}}
    - {{id: auc, estimator: auc, prediction: lp, horizon_months: 36}}
    - {{id: slope, estimator: calibration_slope, prediction: lp}}
    - {{id: oe, estimator: oe_ratio, prediction: risk_36m, horizon_months: 36}}
    - {{id: km, estimator: kaplan_meier_by_cutoff, prediction: lp, horizon_months: 36}}
gates:
  - {{id: c, kind: discrimination, estimate: c, above: 0.6, minimum_events: 50, blocking: true, {SAID}}}
{IMAGES}{RULES}"""
CONTRACT = {
    "model": "mri_challenger",
    "architecture": "mri_distant_metastasis",
    "endpoint": "rfs",
    "cutoffs": {"lp": 1.1},
}
DIGESTS = dict.fromkeys(GIVEN_DIGESTS, "0" * 64)


@pytest.fixture
def plan(tmp_path: Path) -> Protocol:
    """One estimate of every kind."""
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN, encoding="utf-8")
    return load_protocol(path)


def cohort(unit: str = "months") -> Cohort:
    """The header of gbsg and its patients; its files are never opened."""
    endpoint = Endpoint("rfs_event", "rfs_time_months", unit, "surgery", "recurrence or death")
    meta = CohortMeta(
        name="gbsg",
        schema="rectal_mri",
        modality="MR",
        role="external",
        centres=("A",),
        period=Period("1984-07", "1989-12"),
        endpoints={"rfs": endpoint},
        eligibility="",
        ethics="",
        licence="",
        provenance="",
        synthetic=False,
        tables={},
    )
    return Cohort(Path(), meta, pd.DataFrame({"patient_id": gbsg().pid.astype(str)}))


def predictions() -> pd.DataFrame:
    """Predictions of all patients; the first ten lack a covariate."""
    data = gbsg()
    missing = pd.array([2] * 10 + [0] * (len(data) - 10), dtype="Int64")
    table = {"patient_id": data.pid.astype(str), "status": "ok", "reason": None, "missing_covariates": missing}
    return pd.DataFrame({**table, "lp": data.lpA, "risk_36m": data.pA3})


def outcomes() -> pd.DataFrame:
    """Outcomes of all patients, in another order."""
    data = gbsg().iloc[::-1]
    table = {"patient_id": data.pid.astype(str), "rfs_event": data.status, "rfs_time_months": data.time * 12}
    return pd.DataFrame(table).reset_index(drop=True)


def with_failures(count: int) -> pd.DataFrame:
    """Predictions in which the first patients failed."""
    table = predictions()
    table.loc[: count - 1, ["lp", "risk_36m"]] = np.nan
    table.loc[: count - 1, "status"] = "failed"
    table.loc[: count - 1, "reason"] = "mask is empty"
    return table


def assessed(plan: Protocol, **changes: Any) -> dict[str, Any]:
    """Evidence on gbsg, with some inputs replaced."""
    given = {"contract": CONTRACT, "cohort": cohort(), "predictions": predictions(), "outcomes": outcomes(), **changes}
    return evaluate_cohort(plan, digests=DIGESTS, **given)


def test_estimates_equal_r(plan: Protocol) -> None:
    """Tables in different order are joined by patient, and the numbers are R's."""
    evidence = assessed(plan)
    values = {entry["id"]: entry["value"] for entry in evidence["estimates"]}

    assert values["c"] == pytest.approx(from_r()["C"]["harrell_A"]["C"], abs=1e-12)
    assert values["auc"] == pytest.approx(from_r()["bin"]["aucA"], abs=1e-12)
    assert values["slope"] == pytest.approx(from_r()["surv_cal"]["slope_cox"]["est"], abs=1e-9)
    assert values["oe"] == pytest.approx(from_r()["surv_cal"]["time"][1]["OE"], abs=1e-12)


@pytest.mark.parametrize(
    ("unit", "name", "values", "found", "expected"),
    [
        (
            "log hazard ratio",
            "risk_36m",
            None,
            'risk_36m, by the contract "as named", unit log hazard',
            "a risk or prob",
        ),
        ("1", "lp", 0.2, 'lp, by the contract "as named", unit 1', "a linear predictor"),
    ],
)
def test_an_estimator_takes_the_prediction_it_is_of(
    plan: Protocol, unit: str, name: str, values: float | None, found: str, expected: str
) -> None:
    """A slope per unit of risk, or an O/E ratio of log hazards, would be a number that a gate looks at."""
    outputs = [{"name": name, "labels": [], "unit": unit, "meaning": "as named"}]
    table = predictions() if values is None else predictions().assign(**{name: values})

    with pytest.raises(InputError, match=f"found {found}.*; expected {expected}"):
        assessed(plan, contract={**CONTRACT, "outputs": outputs}, predictions=table)


def test_evidence(plan: Protocol) -> None:
    """Every key of the schema, in the words of contract, cohort and protocol."""
    evidence = assessed(plan)
    check_evidence(evidence, "evidence")

    about = ("model", "architecture", "cohort", "role", "synthetic", "endpoint")
    assert [evidence[key] for key in about] == [
        "mri_challenger",
        "mri_distant_metastasis",
        "gbsg",
        "external",
        False,
        "rfs",
    ]
    assert evidence["patients"] == {"declared": 686, "predicted": 686, "failed": [], "with_missing_covariates": 10}
    assert evidence["digests"] == {**DIGESTS, "analysis": plan.analysis.estimates_digest}
    assert evidence["curves"]["km"]["cutoff"] == 1.1


def test_row_order_does_not_matter(plan: Protocol) -> None:
    """Evidence is byte-identical for shuffled tables."""
    shuffled = {"predictions": predictions().sample(frac=1, random_state=1), "outcomes": outcomes().sample(frac=1)}

    assert encode(assessed(plan)) == encode(assessed(plan, **shuffled))


def test_failed_patients_are_listed(plan: Protocol) -> None:
    """Patients without prediction are counted with their reason; the estimates rest on the others."""
    evidence = assessed(plan, predictions=with_failures(6))
    failed = evidence["patients"]["failed"]

    assert (evidence["patients"]["declared"], evidence["patients"]["predicted"], len(failed)) == (686, 680, 6)
    assert {failure["reason"] for failure in failed} == {"mask is empty"}
    assert sorted(f["patient_id"] for f in failed) == [f["patient_id"] for f in failed]
    assert evidence["patients"]["with_missing_covariates"] == 4
    assert {entry["n"] for entry in evidence["estimates"] if entry["id"] != "auc"} == {680}


def test_undefined_estimates_say_why(plan: Protocol) -> None:
    """One NaN that is not a declared failure undoes the estimates on that prediction, no others."""
    table = predictions()
    table.loc[3, "lp"] = np.nan
    entries = {entry["id"]: entry for entry in assessed(plan, predictions=table)["estimates"]}

    assert entries["c"]["value"] is None
    assert entries["c"]["reason"] == "prediction is not finite for 1 of 686 patients"
    assert (entries["c"]["n"], entries["c"]["events"], entries["c"]["too_few"]) == (686, 299, False)
    assert entries["auc"]["events"] == 224
    assert entries["oe"]["value"] is not None


def test_nobody_predicted(plan: Protocol) -> None:
    """If all patients failed there is evidence of that, and of nothing else."""
    evidence = assessed(plan, predictions=with_failures(686))

    assert evidence["patients"]["predicted"] == 0
    assert {entry["value"] for entry in evidence["estimates"]} == {None}
    assert evidence["curves"]["km"] == {"reason": "time has 0 values, at least 2 are needed"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: {"predictions": predictions().iloc[1:]}, "predictions on gbsg: found 1 missing, first 132"),
        (lambda: {"outcomes": outcomes().iloc[2:]}, "outcomes of gbsg: found 2 missing"),
        (lambda: {"predictions": predictions().assign(patient_id="1")}, "patient 1 twice"),
        (
            lambda: {"outcomes": pd.concat([outcomes(), outcomes().head(1).assign(patient_id="new")])},
            "1 unknown, first new",
        ),
        (lambda: {"predictions": predictions().assign(status="skipped")}, "status skipped and reason"),
        (lambda: {"predictions": predictions().assign(status="failed")}, "expected ok, or failed with a reason"),
        (lambda: {"predictions": predictions().drop(columns="lp")}, "prediction lp; expected a predicted column"),
        (lambda: {"contract": {**CONTRACT, "architecture": "ct"}}, "key architecture: found 'ct'"),
        (lambda: {"contract": {**CONTRACT, "endpoint": "os"}}, "key endpoint: found 'os'"),
        (lambda: {"contract": {"model": "mri_challenger"}}, "expected model and cutoffs"),
        (
            lambda: {"outcomes": outcomes().assign(rfs_event=2)},
            "column rfs_event: found other values; expected 0 and 1",
        ),
        (lambda: {"contract": {**CONTRACT, "cutoffs": {}}}, "no cut-off of lp; expected the cut-off that km needs"),
        (lambda: {"cohort": cohort(unit="days")}, "found rfs in days; expected rfs in months"),
    ],
)
def test_refuses(plan: Protocol, change: Any, reason: str) -> None:
    """Tables that do not hold exactly the cohort, and contracts that do not fit the plan, are bad input."""
    with pytest.raises(InputError, match=reason):
        assessed(plan, **change())


def test_cohort_that_never_recorded_the_endpoint(tmp_path: Path) -> None:
    """Its estimates are there without value, with the reason; more patients would not help."""
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("endpoint: rfs", "endpoint: dmfs"), encoding="utf-8")
    evidence = assessed(load_protocol(path), contract={**CONTRACT, "endpoint": "dmfs"})

    assert {(e["value"], e["too_few"], e["reason"]) for e in evidence["estimates"]} == {
        (None, False, "the cohort has no endpoint dmfs")
    }


def test_refuses_a_prediction_named_as_a_covariate(plan: Protocol) -> None:
    """Which of the two an analysis means would be a guess."""
    given = cohort()
    named_alike = replace(given, patients=given.patients.assign(lp=0.0))

    with pytest.raises(InputError, match="a prediction named lp, as a covariate is"):
        assessed(plan, cohort=named_alike)


def with_response(folder: Path, endpoints: dict[str, Any]) -> dict[str, Any]:
    """Evidence by a plan that also asks for the AUC of a binary endpoint, on a cohort with these endpoints."""
    path = folder / "plan.yaml"
    asked = "- {id: auc3, estimator: auc, prediction: risk_36m, endpoint: early}\n    - {id: km,"
    text = PLAN.replace("endpoint: rfs", "endpoint: rfs\n  binary_endpoints: [early]").replace("- {id: km,", asked)
    path.write_text(text, encoding="utf-8")
    data = gbsg().set_index(gbsg().pid.astype(str))
    known = outcomes()
    known["early"] = data.loc[known["patient_id"], "y3"].to_numpy(dtype=float)
    given = cohort()
    meta = replace(given.meta, endpoints={**given.meta.endpoints, **endpoints})
    return assessed(load_protocol(path), cohort=replace(given, meta=meta), outcomes=known)


def test_binary_endpoint_equals_r(tmp_path: Path) -> None:
    """Among patients whose case is known the AUC is pROC's; the others are counted in the method."""
    evidence = with_response(tmp_path, {"early": BinaryEndpoint("early", "event within three years")})
    entry = next(e for e in evidence["estimates"] if e["id"] == "auc3")

    assert entry["value"] == pytest.approx(from_r()["bin"]["aucA"], abs=1e-12)
    assert (entry["n"], entry["events"], entry["endpoint"], entry["horizon"]) == (555, 224, "early", None)
    assert entry["method"].endswith("131 patients of unknown early left out")
    check_evidence(evidence, "evidence")


def test_cohort_that_never_recorded_the_binary_endpoint(tmp_path: Path) -> None:
    """The estimate is there without value; more patients would not help, and the others are untouched."""
    evidence = with_response(tmp_path, {})
    entry = next(e for e in evidence["estimates"] if e["id"] == "auc3")

    assert (entry["value"], entry["too_few"], entry["n"]) == (None, False, 686)
    assert entry["reason"] == "the cohort has no endpoint early"
    assert evidence["estimates"][0]["value"] == pytest.approx(from_r()["C"]["harrell_A"]["C"], abs=1e-12)


def test_endpoint_with_time_where_the_protocol_has_a_binary_one(plan: Protocol) -> None:
    """Its events are no cases: follow-up would be ignored."""
    binary = replace(plan.analysis.estimates[0], estimator="auc", binary=True)
    asked = replace(plan, analysis=replace(plan.analysis, estimates=(binary,)))

    with pytest.raises(
        InputError, match="found rfs, an endpoint with time; expected a binary endpoint, as the protocol"
    ):
        assessed(asked)


def test_binary_endpoint_where_the_protocol_has_one_with_time(plan: Protocol) -> None:
    """There is no follow-up to look at."""
    given = cohort()
    given = replace(given, meta=replace(given.meta, endpoints={"rfs": BinaryEndpoint("rfs_event", "event")}))

    with pytest.raises(
        InputError, match="found rfs, a binary endpoint; expected an endpoint with time, as the protocol"
    ):
        assessed(plan, cohort=given)


def test_an_analysis_that_cannot_be_is_found_before_any_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contract tells a linear predictor from a risk; the message names protocol, analysis and key."""
    path = tmp_path / "plan.yaml"
    analyses = (
        "  descriptive:\n"
        "    - {id: first, kind: distribution, prediction: lp}\n"
        "    - {id: worth, kind: decision_curve, endpoint: rfs, horizon_months: 36, predictions: [lp],"
        " thresholds: [0.1, 0.5]}\n"
    )
    path.write_text(PLAN.replace("gates:", analyses + "gates:"), encoding="utf-8")
    outputs = [
        {"name": "lp", "labels": [], "unit": "log hazard ratio", "meaning": "log relative hazard"},
        {"name": "risk", "labels": ["36m"], "unit": "1", "meaning": "risk of an event"},
    ]
    monkeypatch.setattr("validation.descriptive.distribution.Distribution.describe", lambda *_: pytest.fail("made"))
    tables = {"cohort": cohort(), "predictions": predictions(), "outcomes": outcomes()}
    expected = (
        rf"^{re.escape(str(path))} descriptive analysis worth key predictions \(protocol of gbsg\): found lp, "
        'by the contract "log relative hazard", unit log hazard ratio; .* outputs risk_36m'
    )

    with pytest.raises(InputError, match=expected):
        describe_cohort(load_protocol(path), {**CONTRACT, "outputs": outputs}, digests=DIGESTS, **tables)


def tile_rows(folder: Path, table: pd.DataFrame) -> dict[str, Any]:
    """The row of accuracy, by a plan that asks for it, and what the document says of failures."""
    path = folder / "plan.yaml"
    asked = "  descriptive:\n    - {id: tiles, kind: tile_classification, tissues: [STR, TUM]}\n"
    path.write_text(PLAN.replace("gates:", asked + "gates:"), encoding="utf-8")
    tables = {"cohort": cohort(), "predictions": table, "outcomes": outcomes()}
    document = whole(describe_cohort(load_protocol(path), CONTRACT, digests=DIGESTS, **tables))
    found: dict[str, Any] = document["analyses"][0]["rows"][0]
    return found


@pytest.mark.parametrize("count", [6, 680])
def test_named_tiles_of_failed_slides_count(tmp_path: Path, count: int) -> None:
    """Slides on which the classifier missed the tumour have no prediction; its accuracy holds them all the same."""
    right, wrong = [0.9, 0.1, 0.1, 0.9], [0.9, 0.1, 0.9, 0.1]
    rest = [None] * (len(predictions()) - 40)
    table = with_failures(count).assign(
        tile_tissue=pd.Series([[0, 1]] * 40 + rest, dtype=object),
        tile_probability=pd.Series([wrong] * 6 + [right] * 34 + rest, dtype=object),
    )
    row = tile_rows(tmp_path, table)

    assert (row["quantity"], row["n"], row["value"]) == ("accuracy", 40, pytest.approx(74 / 80))
    assert row["method"].endswith(f"; 80 tiles; {min(count, 40)} slides without prediction")
    assert tile_rows(tmp_path, table.sample(frac=1, random_state=1)) == row


SUBGROUPS = """  subgroups:
    - id: patients
      by: [sex, age_years>=60]
      role: descriptive
      estimates: [c, oe]
      minimum_events: 20
      reason: Asked for of every model.
    - {id: early, by: [early], role: descriptive, estimates: [c], reason: An endpoint that may be unknown.}
"""


def with_patients(sex: np.ndarray[Any, Any], age_years: float = 50.0) -> Cohort:
    """The cohort with these covariates."""
    given = cohort()
    return replace(given, patients=given.patients.assign(sex=sex, age_years=age_years))


def in_subgroups(folder: Path, given: Cohort, by: str = "[sex, age_years>=60]") -> dict[str, dict[str, Any]]:
    """Estimates by id, of a plan that also asks for them in parts of the cohort."""
    path = folder / "plan.yaml"
    text = PLAN.replace("  subgroups: []\n", SUBGROUPS).replace("[sex, age_years>=60]", by)
    path.write_text(text.replace("endpoint: rfs", "endpoint: rfs\n  binary_endpoints: [early]"), encoding="utf-8")
    return {entry["id"]: entry for entry in assessed(load_protocol(path), cohort=given)["estimates"]}


def test_estimates_in_subgroups_are_those_of_the_patients_alone(tmp_path: Path, plan: Protocol) -> None:
    """In every group each estimate is what a cohort of nobody else would give; who has no group is counted."""
    sex = np.where(np.arange(len(gbsg())) % 3 == 0, "male", "female").astype(object)
    sex[:7] = None
    whole = in_subgroups(tmp_path, with_patients(sex))
    for label in ("female", "male"):
        kept = sex == label
        alone = assessed(
            plan,
            cohort=replace(cohort(), patients=cohort().patients[kept]),
            predictions=predictions()[kept],
            outcomes=outcomes()[kept[::-1]],
        )
        for name, place in (("c", 0), ("oe", 3)):
            entry, expected = dict(whole[f"{name}@sex={label}"]), alone["estimates"][place]
            assert entry.pop("group") == f"sex={label}"
            assert entry.pop("method") == f"{expected['method']}; 7 patients of unknown sex left out"
            assert entry == {**{k: v for k, v in expected.items() if k not in ("group", "method")}, "id": entry["id"]}


def test_subgroups_that_define_nothing_say_why(tmp_path: Path) -> None:
    """Nobody in a group, too few events in it, and an endpoint that the cohort never recorded."""
    sex = np.full(len(gbsg()), "female", dtype=object)
    sex[:10] = "male"
    whole = in_subgroups(tmp_path, with_patients(sex))
    reasons = {name: (entry["reason"], entry["too_few"]) for name, entry in whole.items() if entry["value"] is None}

    assert reasons["c@age_years >= 60"] == ("no patient with age_years >= 60", True)
    assert reasons["c@early"] == ("the cohort has no endpoint early", False)
    events = whole["c@sex=male"]["events"]
    assert 0 < events < 20
    assert reasons["c@sex=male"] == (f"{events} events, fewer than the 20 asked for in a group", True)
    assert whole["c@sex=female"]["value"] is not None


def test_refuses_a_grouping_that_cannot_be(tmp_path: Path) -> None:
    """A column that the schema does not have, before anything is computed."""
    expected = r"plan\.yaml subgroup patients key by \(protocol of gbsg\): found no column colour"
    with pytest.raises(InputError, match=expected):
        in_subgroups(tmp_path, with_patients(np.full(len(gbsg()), "male", dtype=object)), by="[colour]")
