"""Models side by side and their paired differences: those of the shared estimators, of the right columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference import from_r, gbsg
from tests.validation.descriptive.specimens_survival import (
    described,
    document,
    figures_of,
    patients,
    row_of,
    rows_of,
    specimen,
)
from validation.descriptive.document import check_description
from validation.descriptive.model_comparison import ModelComparison
from validation.errors import InputError
from validation.estimators.discrimination.auc import auc
from validation.estimators.discrimination.concordance import concordance_influence, harrell_c
from validation.estimators.influence import paired_difference
from validation.estimators.overall.brier_survival import brier_t_influence, integrated_brier
from validation.estimators.reclassification.improvement import idi_at_horizon, nri

TIMED: dict[str, Any] = {
    "endpoint": "os",
    "predictions": ("lp_a", "lp_b"),
    "risks": ("risk_a", "risk_b"),
    "estimators": ("harrell_c", "auc_t", "brier_t", "ipa_t", "ibs", "iauc", "nri", "idi", "calibration_slope"),
    "horizons_months": (12.0, 36.0),
}
BINARY: dict[str, Any] = {
    "endpoint": "tsr_high",
    "predictions": ("prob_a", "prob_b"),
    "estimators": ("auc", "average_precision", "brier", "nri", "idi"),
}


def compared(given: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The analysis of the specimen cohort."""
    return described(ModelComparison(id="m", **{**given, **changes}), specimen())


def test_timed_endpoint_equals_the_estimators() -> None:
    """Rank measures of the predictions, errors of the risks at each horizon, integrals over all of them."""
    data, result = patients(), compared(TIMED)
    follow_up = data.os_time_months, data.os_event
    c_a = harrell_c(*follow_up, data.lp_a)
    difference = paired_difference(*(concordance_influence(*follow_up, data[m]) for m in ("lp_a", "lp_b")))
    error = paired_difference(*(brier_t_influence(*follow_up, data[f"risk_{m}_36m"], 36.0) for m in "ab"))
    ibs = integrated_brier(*follow_up, data[["risk_b_12m", "risk_b_36m"]], (12.0, 36.0))
    idi = idi_at_horizon(*follow_up, data.risk_b_12m, data.risk_a_12m, horizon=12.0)

    assert figures_of(row_of(result, "harrell_c", subject="lp_a")) == (c_a.value, c_a.lower, c_a.upper)
    for quantity, horizon, expected in (
        ("harrell_c_difference", None, difference),
        ("brier_t_difference", 36.0, error),
        ("idi", 12.0, idi),
    ):
        row = row_of(result, quantity, subject="lp_a - lp_b", horizon=horizon)
        assert (*figures_of(row), row["p_value"]) == (expected.value, expected.lower, expected.upper, expected.p_value)
    assert figures_of(row_of(result, "ibs", subject="lp_b")) == (ibs.value, ibs.lower, ibs.upper)
    assert row_of(result, "ibs_difference")["method"].endswith("; of risk_a and risk_b")
    assert len(rows_of(result, "calibration_slope")) == 2
    assert not rows_of(result, "nri", subject="lp_a")


def test_binary_endpoint_is_delong() -> None:
    """Two AUCs of gbsg differ as pROC's paired test says."""
    known, expected = gbsg().dropna(subset=["y3"]), from_r()["bin"]
    table = patients(len(known)).assign(
        tsr_high=known.y3.to_numpy(float), prob_a=known.pA3.to_numpy(), prob_b=known.pB3.to_numpy()
    )
    result = described(ModelComparison(id="m", **BINARY), specimen(table))
    row = row_of(result, "auc_difference")

    assert row["value"] == pytest.approx(expected["aucA"] - expected["aucB"], abs=1e-12)
    assert row["p_value"] == pytest.approx(expected["delong"]["p"], rel=1e-9)
    assert row_of(result, "auc", subject="prob_b")["value"] == pytest.approx(expected["aucB"], abs=1e-12)


def test_binary_endpoint_leaves_out_unknown_cases() -> None:
    """All rows rest on the same patients; how many are left out is part of the method."""
    data, result = patients().dropna(subset=["tsr_high"]), compared(BINARY)
    expected = nri(data.tsr_high, data.prob_b, data.prob_a)

    assert {row["n"] for row in result["rows"]} == {228}
    assert all(row["method"].endswith("; 12 patients of unknown tsr_high left out") for row in result["rows"])
    assert row_of(result, "nri")["value"] == pytest.approx(expected.value)
    assert row_of(result, "auc", subject="prob_a")["value"] == auc(data.tsr_high, data.prob_a).value


def test_pairs() -> None:
    """Every pair in order without a reference, each against it with one, none for a single model."""
    three = {**TIMED, "predictions": ("lp_a", "lp_b", "age_years"), "risks": None, "estimators": ("harrell_c",)}

    def pairs(**changes: Any) -> list[str]:
        return [row["subject"] for row in rows_of(compared(three, **changes), "harrell_c_difference")]

    assert pairs() == ["lp_a - lp_b", "lp_a - age_years", "lp_b - age_years"]
    assert pairs(reference="lp_b") == ["lp_a - lp_b", "age_years - lp_b"]
    assert pairs(predictions=("lp_a",)) == []


def test_swapped_models_change_the_sign_only() -> None:
    """The difference the other way round has the other sign and the same P value."""
    one, other = compared(TIMED), compared({**TIMED, "predictions": ("lp_b", "lp_a"), "risks": ("risk_b", "risk_a")})
    for quantity in ("harrell_c_difference", "ibs_difference", "iauc_difference"):
        first, second = row_of(one, quantity), row_of(other, quantity)
        assert first["value"] == pytest.approx(-second["value"])
        assert first["p_value"] == pytest.approx(second["p_value"])


def test_undefined() -> None:
    """Equal models, a horizon beyond follow-up, no event, one class, no endpoint: all give the reason."""
    same = described(ModelComparison(id="m", **TIMED), specimen(patients().assign(lp_b=lambda d: d.lp_a)))
    late = described(
        ModelComparison(id="m", **{**TIMED, "estimators": ("auc_t",), "horizons_months": (12.0, 500.0)}), specimen()
    )
    alive = described(ModelComparison(id="m", **TIMED), specimen(patients().assign(os_event=0)))
    controls = described(ModelComparison(id="m", **BINARY), specimen(patients().assign(tsr_high=0.0)))
    lacking = specimen(meta={"endpoints": {"os": specimen().meta.endpoints["os"]}})

    assert "no interval" in row_of(same, "harrell_c_difference")["reason"]
    assert [row.get("reason") for row in rows_of(late, "auc_t", subject="lp_a")] == [
        None,
        f"the horizon 500 lies beyond follow-up, which ends at {patients().os_time_months.max():g}",
    ]
    assert all(row["reason"] for row in alive["rows"])
    assert all(row["reason"] and row["events"] == 0 for row in controls["rows"])
    assert described(ModelComparison(id="m", **BINARY), lacking)["reason"] == "the cohort has no endpoint tsr_high"


def test_prediction_that_is_not_a_number() -> None:
    """A prediction missing for one patient undoes what rests on it; no patient is dropped in silence."""
    table = patients()
    table.loc[3, "lp_b"] = np.nan
    result = described(ModelComparison(id="m", **{**TIMED, "estimators": ("harrell_c",)}), specimen(table))

    assert row_of(result, "harrell_c", subject="lp_a")["value"] is not None
    assert row_of(result, "harrell_c_difference")["reason"] == "prediction is not finite for 1 of 240 patients"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"reference": "lp_c"}, "key reference: found lp_c"),
        ({"risks": ("risk_a",)}, "1 names for 2 predictions"),
        ({"risks": None}, "found nothing, and brier_t takes risks"),
        ({"risks": ("risk_a", "risk_c")}, "no column risk_c_12m"),
        ({"predictions": ("lp_a", "lp_a")}, "a name given twice"),
        ({"horizons_months": (36.0, 12.0)}, "expected positive and ascending"),
        ({"horizons_months": ()}, "found 0 for auc_t of os; expected at least 1"),
        ({"estimators": ("ibs",), "horizons_months": (12.0,)}, "found 1 for ibs of os; expected at least 2"),
        ({"estimators": ("ici",)}, "found ici of os"),
        ({"endpoint": "tsr_high"}, "found harrell_c of tsr_high"),
        ({"endpoint": "pfs"}, "no endpoint pfs"),
    ],
)
def test_bad_input(changes: dict[str, Any], found: str) -> None:
    """Names, horizons and estimators that cannot be are one error each."""
    with pytest.raises(InputError, match=found):
        ModelComparison(id="m", **{**TIMED, **changes}).describe(specimen())


def test_impossible_differences_are_refused() -> None:
    """A difference of two C beyond 1, and an AUC above 1, cannot be."""
    for quantity in ("harrell_c_difference", "harrell_c"):
        result = compared(TIMED, estimators=("harrell_c",))
        rows_of(result, quantity)[0].update(value=1.2, upper=1.3)
        with pytest.raises(InputError, match=r"1\.2, which is impossible"):
            check_description(document([result], 240), "description")
