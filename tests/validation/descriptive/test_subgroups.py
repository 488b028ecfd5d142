"""One estimate in every subgroup: that of its patients alone, and a test of equal values."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import from_r, gbsg
from tests.validation.descriptive.specimens_survival import (
    described,
    figures_of,
    lines_of,
    patients,
    row_of,
    rows_of,
    specimen,
)
from validation.descriptive.subgroups import Subgroups
from validation.errors import InputError
from validation.estimators.calibration.survival import observed_expected_ratio
from validation.estimators.centres.random_effects import cochran_q
from validation.estimators.discrimination.auc import auc
from validation.estimators.discrimination.concordance import harrell_c

BY = ("sex", "pn_stage", "scanner", "tsr_high")
C_OS = Subgroups(id="s", estimator="harrell_c", prediction="lp_a", endpoint="os", by=BY)


def test_timed_endpoint_equals_the_estimator() -> None:
    """Concordance in all patients and in each group; unknown groups are counted."""
    data, result = patients(), described(C_OS, specimen())
    male = data[data.sex == "male"]
    whole, part = (harrell_c(d.os_time_months, d.os_event, d.lp_a) for d in (data, male))

    assert figures_of(row_of(result, "harrell_c", group=None)) == (whole.value, whole.lower, whole.upper)
    row = row_of(result, "harrell_c", group="sex male")
    assert figures_of(row) == pytest.approx((part.value, part.lower, part.upper))
    assert (row["n"], row["events"]) == (len(male), int(male.os_event.sum()))
    assert row_of(result, "harrell_c", group="pn_stage pN1")["method"].endswith(
        "; 7 patients of unknown pn_stage left out"
    )
    points = lines_of(result["figures"][0])
    assert [result["rows"][place]["group"] for place in points["row"]][:3] == [None, "sex male", "sex female"]


def test_binary_endpoint_equals_the_estimator() -> None:
    """AUC among patients whose case is known; the others are counted."""
    data = patients().dropna(subset=["tsr_high"])
    asked = Subgroups(id="s", estimator="auc", prediction="prob_a", endpoint="tsr_high", by=("sex",))
    result = described(asked, specimen())
    female = data[data.sex == "female"]
    expected = auc(female.tsr_high, female.prob_a)
    row = row_of(result, "auc", group="sex female")

    assert figures_of(row) == pytest.approx((expected.value, expected.lower, expected.upper))
    assert (row["n"], row["events"]) == (len(female), int(female.tsr_high.sum()))
    assert "patients of unknown tsr_high left out" in row["method"]


def test_heterogeneity_of_two_aucs_is_unpaired_delong() -> None:
    """Its statistic is the square of pROC's, of the same two groups of gbsg."""
    known = gbsg().dropna(subset=["y3"])
    expected = from_r()["bin"]["subgroup_meno"]
    table = patients(len(known)).assign(
        tsr_high=known.y3.to_numpy(float),
        prob_a=known.pA3.to_numpy(),
        sex=known.meno.map({0: "male", 1: "female"}).to_numpy(),
    )
    asked = Subgroups(id="s", estimator="auc", prediction="prob_a", endpoint="tsr_high", by=("sex",))
    result = described(asked, specimen(table))

    assert [row["value"] for row in rows_of(result, "auc")[1:]] == pytest.approx(
        [expected["auc0"], expected["auc1"]], abs=1e-12
    )
    assert row_of(result, "heterogeneity_test")["statistic"] == pytest.approx(expected["D"] ** 2, abs=1e-12)


def test_heterogeneity_of_ratios_is_on_the_log_scale() -> None:
    """O/E ratios are compared as their logarithms, whose errors the log interval rests on."""
    asked = Subgroups(
        id="s", estimator="oe_ratio", prediction="risk_a_36m", endpoint="os", horizon_months=36.0, by=("sex",)
    )
    result = described(asked, specimen())
    data = patients()
    parts = [data[data.sex == sex] for sex in ("male", "female")]
    found = [observed_expected_ratio(d.os_time_months, d.os_event, d.risk_a_36m, 36.0) for d in parts]
    expected = cochran_q([np.log(e.value) for e in found], [float(e.standard_error or 0) / e.value for e in found])
    assert row_of(result, "heterogeneity_test")["p_value"] == pytest.approx(expected.p_value)
    assert row_of(result, "oe_ratio", group="sex male")["horizon"] == 36.0


def test_small_and_empty_groups_say_why() -> None:
    """Nobody, one patient, and no event: rows without value; the test goes on without them and names them."""
    table = patients().assign(pt_stage="pT3")
    table.loc[0, "pt_stage"] = "pT1"
    table.loc[1:20, "pt_stage"] = "pT2"
    table.loc[1:20, "os_event"] = 0
    asked = Subgroups(id="s", estimator="harrell_c", prediction="lp_a", endpoint="os", by=("pt_stage", "sex"))
    result = described(asked, specimen(table))
    reasons = {row["group"]: (row["n"], row.get("reason")) for row in rows_of(result, "harrell_c")}

    assert reasons["pt_stage pT1"] == (1, "time has 1 values, at least 2 are needed")
    assert reasons["pt_stage pT2"] == (20, "no event among 20 patients")
    assert reasons["pt_stage pT4"] == (0, "no patient with pt_stage pT4")
    assert reasons["pt_stage pT3"] == (219, None)
    test = row_of(result, "heterogeneity_test", group="pt_stage")
    assert test["reason"] == "1 subgroups with an estimate, two or more are compared"


def test_absent_endpoint_and_one_class() -> None:
    """The endpoint itself undefines everything; as a grouping it lacks its row; one class has no AUC."""
    meta = {"endpoints": {"os": specimen().meta.endpoints["os"]}}
    dfs = Subgroups(id="s", estimator="harrell_c", prediction="lp_a", endpoint="dfs", by=("sex",))
    asked = Subgroups(id="s", estimator="auc", prediction="prob_a", endpoint="tsr_high", by=("sex",))

    assert described(dfs, specimen(meta=meta))["reason"] == "the cohort has no endpoint dfs"
    row = row_of(described(C_OS, specimen(meta=meta)), "harrell_c", group="tsr_high")
    assert row["reason"] == "the cohort has no endpoint tsr_high"
    controls = described(asked, specimen(patients().assign(tsr_high=0.0)))
    assert row_of(controls, "auc", group=None)["reason"] == "0 cases and 240 controls: at least 2 of each are needed"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"estimator": "youden"}, "found youden of os; expected one of"),
        ({"estimator": "nri"}, "found nri of os"),
        ({"estimator": "auc"}, "horizon_months None; expected a horizon: required"),
        ({"endpoint": "tsr_high", "estimator": "auc", "horizon_months": 36.0}, "expected a horizon: none"),
        ({"by": ("colour",)}, "no column colour"),
        ({"prediction": "lp_z"}, "no column lp_z"),
        (
            {"estimator": "kaplan_meier_by_cutoff", "prediction": "lp_b", "horizon_months": 36.0},
            "no cut-off of lp_b",
        ),
    ],
)
def test_bad_input(changes: dict[str, object], found: str) -> None:
    """Estimators, columns and horizons that cannot be are one error each."""
    given = {"estimator": "harrell_c", "prediction": "lp_a", "endpoint": "os", "by": ("sex",), **changes}
    with pytest.raises(InputError, match=found):
        Subgroups(id="s", **given).describe(specimen())  # type: ignore[arg-type]
