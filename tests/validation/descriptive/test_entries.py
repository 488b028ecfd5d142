"""Entries of the protocol that cannot be: refused when it is read, or before anything of the cohort is computed."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from tests.validation.descriptive.specimens_survival import TSR, specimen
from tests.validation.specimens import protocol
from validation.descriptive import KINDS
from validation.descriptive.base import Descriptive
from validation.descriptive.calibration import CalibrationCurves
from validation.descriptive.classification import Classification
from validation.descriptive.decision_curve import DecisionCurves
from validation.descriptive.kaplan_meier import KaplanMeierByGroup
from validation.descriptive.model_comparison import ModelComparison
from validation.descriptive.over_time import PerformanceOverTime
from validation.descriptive.roc import RocCurves
from validation.descriptive.score_by_group import ScoreByGroup
from validation.descriptive.subgroups import Subgroups
from validation.errors import InputError

FILE = Path("plan.yaml")
LOG_HAZARD = {"unit": "log hazard ratio", "meaning": "log relative hazard of death"}
RISK = {"unit": "1", "meaning": "risk of death by each horizon"}
STATED = {"lp_a": LOG_HAZARD, "lp_b": LOG_HAZARD, "risk_a_12m": RISK, "risk_a_36m": RISK, "prob_a": RISK}
TIMED = "endpoint: dmfs, by: sex"


def declared(folder: Path, entry: str) -> None:
    """Read a protocol that declares one analysis, of id `asked`, in line 22, its horizons in line 18."""
    text = "endpoint: dmfs\n  other_endpoints: [os]\n  binary_endpoints: [response]"
    analysis = f"  descriptive:\n    - {{id: asked, {entry}}}\ngates:"
    protocol(folder, ("endpoint: dmfs", text), ("gates:", analysis))


@pytest.mark.parametrize(
    ("entry", "line", "key", "reason"),
    [
        (f"kind: kaplan_meier, {TIMED},\n       horizons_months: [12, -36]", 23, "horizons_months", "-36"),
        (f"kind: kaplan_meier, {TIMED},\n       horizons_months: [0]", 23, "horizons_months", "positive numbers"),
        (f"kind: kaplan_meier, {TIMED},\n       horizons_months: [.nan]", 23, "horizons_months", "a finite number"),
        (f"kind: kaplan_meier, {TIMED},\n       horizons_months: [12, 36, 12.0]", 23, "horizons_months", "once"),
        ("kind: roc, endpoint: dmfs, predictions: [lp],\n       horizon_months: -1", 23, "horizon_months", "positive"),
        (
            "kind: treatment_effect, endpoint: dmfs, treatment: t, modifier: m,\n       horizons_months: [12, 12]",
            23,
            "horizons_months",
            "every horizon once",
        ),
        (
            "kind: calibration_curve, endpoint: dmfs, predictions: [r, r],\n       horizons_months: [12, 12]",
            22,
            "predictions",
            "a prediction given twice",
        ),
        ("kind: treatment_effect, endpoint: dmfs, treatment: t, modifier: t", 22, "modifier", "t, the treatment"),
        ("kind: treatment_effect, endpoint: dmfs, treatment: t, modifier: m, within: t", 22, "within", "given twice"),
        ("kind: treatment_effect, endpoint: dmfs, treatment: t, modifier: m, within: m", 22, "within", "given twice"),
        ("kind: subgroup_hazard_ratios, endpoint: dmfs, by: lp, within: [sex, lp]", 22, "within", "lp, which `by`"),
        (
            "kind: kaplan_meier, endpoint: dmfs, by: sex, horizons_months: [36], within: [sex]",
            22,
            "within",
            "sex, which `by`",
        ),
        (
            "kind: kaplan_meier, endpoint: response, by: sex, horizons_months: [12]",
            22,
            "endpoint",
            "response, a binary endpoint; expected for kaplan_meier an endpoint with time: dmfs, os.",
        ),
        (
            "kind: cox_regression, endpoint: response, terms: [sex]",
            22,
            "endpoint",
            "response, a binary endpoint; expected for cox_regression an endpoint with time: dmfs, os.",
        ),
        ("kind: roc, endpoint: dmfs, predictions: [lp]", 22, "horizon_months", "dmfs, which has a time, without"),
        (
            "kind: decision_curve, endpoint: response, predictions: [p], thresholds: [0.1, 0.2], horizon_months: 12",
            22,
            "horizon_months",
            "response, which is binary, with a horizon",
        ),
        ("kind: calibration_curve, endpoint: os, predictions: [p]", 22, "horizons_months", "os, which has a time"),
        (
            "kind: subgroups, estimator: harrell_c, prediction: lp, endpoint: response, by: [sex]",
            22,
            "estimator",
            "harrell_c of response; expected one of",
        ),
        (
            "kind: subgroups, estimator: auc, prediction: lp, endpoint: os, by: [sex]",
            22,
            "horizon_months",
            "expected a horizon: required",
        ),
        (
            "kind: model_comparison, endpoint: response, predictions: [a, b], estimators: [auc_t]",
            22,
            "estimators",
            "auc_t of response; expected one of",
        ),
        (
            "kind: model_comparison, endpoint: os, predictions: [a, b], estimators: [ibs], risks: [a, b]",
            22,
            "horizons_months",
            "0 for ibs of os; expected at least 2",
        ),
        (
            "kind: model_comparison, endpoint: os, predictions: [a], estimators: [brier_t], horizons_months: [12]",
            22,
            "risks",
            "nothing, and brier_t takes risks",
        ),
        ("kind: roc, endpoint: pfs, predictions: [lp]", 22, "endpoint", "undeclared endpoint pfs"),
    ],
)
def test_refused_when_the_protocol_is_read(tmp_path: Path, entry: str, line: int, key: str, reason: str) -> None:
    """With file, line, key and the id of the analysis."""
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        declared(tmp_path, entry)

    assert f"protocol.yaml line {line} key analysis.descriptive.0.{key} of asked: found" in str(caught.value)


def test_horizons_of_two_predictions_may_be_equal(tmp_path: Path) -> None:
    """Two predictions are calibrated at the same horizon."""
    declared(tmp_path, "kind: calibration_curve, endpoint: dmfs, predictions: [a, b], horizons_months: [36, 36]")


KM = KaplanMeierByGroup(id="asked", endpoint="os", by="sex", horizons_months=(12.0,))
OVER_TIME = PerformanceOverTime(
    id="asked",
    endpoint="os",
    predictions=("lp_a",),
    horizons_months=(12.0, 36.0),
    risks=("risk_a",),
    risk_horizons_months=(12.0, 36.0),
)
COMPARED = ModelComparison(
    id="asked",
    endpoint="os",
    predictions=("lp_a", "lp_b"),
    risks=("risk_a", "risk_b"),
    estimators=("brier_t",),
    horizons_months=(12.0,),
)
OF_RESPONSE = replace(COMPARED, endpoint="tsr_high", estimators=("brier",), horizons_months=())


@pytest.mark.parametrize(
    ("analysis", "key", "reason"),
    [
        (replace(KM, by="colour"), "by", "no column colour"),
        (replace(KM, within=("centre", "pn_stage=pN7")), "within", "pn_stage=pN7"),
        (replace(KM, endpoint="pfs"), "endpoint", "no endpoint pfs"),
        (replace(KM, endpoint="tsr_high"), "endpoint", "expected for kaplan_meier an endpoint with time: os, dfs"),
        (ScoreByGroup(id="asked", prediction="sex", by="sex"), "prediction", "sex, no column of numbers"),
        (Classification(id="asked", endpoint="tsr_high", prediction="lp_b"), "prediction", "no cut-off of lp_b"),
        (RocCurves(id="asked", endpoint="os", predictions=("lp_a",)), "horizon_months", "has a time, without horizon"),
        (replace(OVER_TIME, risk_horizons_months=(12.0, 18.0)), "risks", "no column risk_a_18m"),
        (replace(COMPARED, risks=("risk_a", "risk_c")), "risks", "no column risk_c_12m"),
        (replace(OF_RESPONSE, estimators=("harrell_c",)), "estimators", "harrell_c of tsr_high"),
        (
            Subgroups(
                id="asked",
                estimator="kaplan_meier_by_cutoff",
                prediction="lp_b",
                endpoint="os",
                by=("sex",),
                horizon_months=12.0,
            ),
            "prediction",
            "no cut-off of lp_b",
        ),
    ],
)
def test_refused_before_anything_is_computed(analysis: Descriptive, key: str, reason: str) -> None:
    """What only a cohort or a contract can tell, with the protocol, the id of the analysis and the key."""
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        analysis.check(specimen(), FILE)

    assert str(caught.value).startswith(f"plan.yaml descriptive analysis asked key {key} (")


CURVE = CalibrationCurves(id="asked", endpoint="tsr_high", predictions=("prob_a", "lp_a"))
DECISIONS = DecisionCurves(id="asked", endpoint="tsr_high", predictions=("lp_a",), thresholds=(0.1, 0.5))
O_E = Subgroups(id="asked", estimator="oe_ratio", prediction="lp_a", endpoint="os", by=("sex",), horizon_months=12.0)


@pytest.mark.parametrize(
    ("analysis", "key"),
    [
        (CURVE, "predictions"),
        (replace(CURVE, endpoint="os", predictions=("lp_a",), horizons_months=(12.0,)), "predictions"),
        (DECISIONS, "predictions"),
        (replace(DECISIONS, endpoint="os", horizon_months=12.0), "predictions"),
        (OF_RESPONSE, "predictions"),
        (O_E, "prediction"),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_a_linear_predictor_is_no_risk(analysis: Descriptive, key: str, scale: float) -> None:
    """The contract says what it is, whatever its values are; the message says which outputs are risks."""
    cohort = specimen(outputs=STATED)
    cohort = replace(cohort, table=cohort.table.assign(lp_a=scale * cohort.table.lp_a))
    reason = (
        r'found lp_a, by the contract "log relative hazard of death", unit log hazard ratio.*'
        r"expected a risk or probability, as of the contract's outputs risk_a_12m, risk_a_36m, prob_a\."
    )
    with pytest.raises(InputError, match=reason) as caught:
        analysis.check(cohort, FILE)

    assert str(caught.value).startswith(f"plan.yaml descriptive analysis asked key {key} (")


@pytest.mark.parametrize("analysis", [OVER_TIME, COMPARED])
def test_risks_at_horizons_that_are_none(analysis: Descriptive) -> None:
    """A name of risks that stands for something else is refused by its column."""
    cohort = specimen(outputs={**STATED, "risk_a_12m": LOG_HAZARD})
    with pytest.raises(InputError, match=r"key risks \(.*found risk_a_12m, by the contract"):
        analysis.check(cohort, FILE)


def test_a_sum_of_probabilities_is_no_risk() -> None:
    """A value above 1 is none, although the contract gives it no unit."""
    table = specimen().table
    cohort = specimen(table.assign(prob_a=2 * table.prob_a), outputs=STATED)
    above = int((cohort.table.prob_a > 1).sum())
    with pytest.raises(InputError, match=f"unit 1; {above} of 240 values outside 0 to 1; .* risk_a_36m\\."):
        replace(CURVE, predictions=("prob_a",)).check(cohort, FILE)


def test_sound_entries() -> None:
    """What a cohort never recorded is no fault of the protocol's."""
    without = specimen(meta={"endpoints": {"tsr_high": TSR}}, outputs=STATED)
    for analysis in (
        KM,
        OVER_TIME,
        replace(COMPARED, risks=("risk_a", "risk_a")),
        replace(CURVE, predictions=("prob_a",)),
    ):
        analysis.check(specimen(outputs=STATED), FILE)
        analysis.check(without, FILE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_looked_up(kind: str) -> None:
    """A field of texts names what a cohort must know, or is checked by its kind."""
    texts: set[Any] = {str, str | None, tuple[str, ...], tuple[str, ...] | None}
    hints = get_type_hints(KINDS[kind])
    silent = {
        field.name for field in fields(KINDS[kind]) if hints[field.name] in texts and "look_up" not in field.metadata
    }

    assert silent <= {"id", "estimator", "estimators", "reference", "risks", "tissues"}
