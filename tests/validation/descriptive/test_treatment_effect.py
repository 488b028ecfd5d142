"""Treatment by group: each group's own hazard ratio, the interaction model, and the caution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference import from_r, gbsg
from tests.validation.descriptive.specimens_survival import described, figures_of, patients, row_of, rows_of, specimen
from validation.descriptive.treatment_effect import TreatmentEffect
from validation.errors import InputError
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.cox_summary import hazard_ratio
from validation.estimators.survival.interaction import treatment_interaction
from validation.estimators.survival.log_rank import log_rank

GIVEN: dict[str, Any] = {"endpoint": "os", "treatment": "adjuvant_chemotherapy=yes", "modifier": "lp_a"}
EFFECT = TreatmentEffect(id="e", **GIVEN, within="tnm_stage=III", horizons_months=(12.0,))


def test_equals_the_estimators() -> None:
    """Log-rank test and hazard ratio of each group's patients, ratio and test of the interaction model."""
    result, data = described(EFFECT, specimen()), patients()
    third = data[data.tnm_stage == "III"]
    known = third.dropna(subset=["adjuvant_chemotherapy"])
    treated, high = (known.adjuvant_chemotherapy == "yes").to_numpy(float), (known.lp_a >= 0.2).to_numpy(float)
    model = treatment_interaction(known.os_time_months, known.os_event, treated, high, at=())
    expected = model.summary.hazard_ratios["treatment:signature"]
    ratio = row_of(result, "ratio_of_hazard_ratios")

    assert figures_of(ratio) == (expected.value, expected.lower, expected.upper)
    assert (ratio["group"], ratio["n"]) == ("lp_a high against lp_a low", len(known))
    assert row_of(result, "interaction_test")["p_value"] == pytest.approx(model.likelihood_ratio.p_value)
    part = known[high == 1]
    own = fit_cox(part.os_time_months, part.os_event, treated[high == 1][:, None])
    row = row_of(result, "hazard_ratio", group="lp_a high")
    assert row["value"] == pytest.approx(hazard_ratio(own, (1,)).value)
    test = log_rank(part.os_time_months, part.os_event, part.adjuvant_chemotherapy)
    assert row_of(result, "log_rank", group="lp_a high")["p_value"] == pytest.approx(test.p_value)
    assert f"; {len(third) - len(known)} patients of unknown" in row["method"]
    assert {row["group"] for row in rows_of(result, "survival")} == {
        f"lp_a {group}: adjuvant_chemotherapy {arm}" for group in ("low", "high") for arm in ("no", "yes")
    }


def test_equals_r() -> None:
    """Hormone therapy by progesterone receptor on gbsg: coxph."""
    data, expected = gbsg(), from_r()["interaction"]["pgr20_x_hormon"]
    table = patients(len(data)).assign(
        os_time_months=data.time,
        os_event=data.status,
        adjuvant_chemotherapy=np.where(data.hormon == 1, "yes", "no"),
        lp_a=np.where(data.pgr >= 20, 1.0, 0.0),
    )
    result = described(TreatmentEffect(id="e", **GIVEN), specimen(table))
    ratio = row_of(result, "ratio_of_hazard_ratios")

    assert np.log(ratio["value"]) == pytest.approx(list(expected["coef"].values())[2], abs=1e-9)
    assert ratio["p_value"] == pytest.approx(expected["wald_p"], abs=1e-9)
    assert row_of(result, "interaction_test")["p_value"] == pytest.approx(expected["LR_p"], abs=1e-9)


def test_every_comparison_says_that_treatment_was_not_random() -> None:
    """Tests and ratios carry the caution; so does what restricts the patients."""
    for row in described(EFFECT, specimen())["rows"]:
        if row["quantity"] != "survival":
            assert "treatment was not assigned at random, no causal effect" in row["method"]
        assert "only tnm_stage III" in row["method"]


def test_who_is_outside_the_part_for_want_of_a_stage_is_counted() -> None:
    """A patient of unknown stage is not in stage III; the method says how many there are."""
    table = patients()
    table.loc[:3, "tnm_stage"] = None
    for row in described(EFFECT, specimen(table))["rows"]:
        assert "; only tnm_stage III; 4 patients of unknown tnm_stage=III left out" in row["method"]


def test_arm_of_one_patient() -> None:
    """It has no survival of its own; nothing else is lost."""
    table = patients().assign(adjuvant_chemotherapy="no")
    table.loc[table.index[(table.tnm_stage == "III") & (table.lp_a < 0.2)][:1], "adjuvant_chemotherapy"] = "yes"
    table.loc[table.index[(table.tnm_stage == "III") & (table.lp_a >= 0.2)][:20], "adjuvant_chemotherapy"] = "yes"
    result = described(EFFECT, specimen(table))
    alone = row_of(result, "survival", group="lp_a low: adjuvant_chemotherapy yes")

    assert "at least 2 are needed" in alone["reason"]
    assert row_of(result, "hazard_ratio", group="lp_a high")["value"] is not None


def test_group_in_which_all_are_treated() -> None:
    """It has no hazard ratio, and nothing can be said of an interaction; the other group keeps its own."""
    table = patients()
    table.loc[table.lp_a < 0.2, "adjuvant_chemotherapy"] = "yes"
    result = described(TreatmentEffect(id="e", **GIVEN), specimen(table))

    assert row_of(result, "hazard_ratio", group="lp_a low")["reason"] == "no patient in one of the two groups"
    assert row_of(result, "hazard_ratio", group="lp_a high")["value"] is not None
    assert "collinear" in row_of(result, "ratio_of_hazard_ratios")["reason"]
    assert "collinear" in row_of(result, "interaction_test")["reason"]


def test_an_arm_without_event_leaves_the_test_of_interaction() -> None:
    """Nine untreated patients of low risk are alive: no hazard ratio, but whether the effect differs can be asked."""
    table = patients().assign(adjuvant_chemotherapy="yes")
    low, high = table.index[table.lp_a < 0.2], table.index[table.lp_a >= 0.2]
    table.loc[[*low[:9], *high[:40]], "adjuvant_chemotherapy"] = "no"
    table.loc[low[:9], "os_event"] = 0
    result = described(TreatmentEffect(id="e", **GIVEN), specimen(table))
    test = row_of(result, "interaction_test")

    assert "no finite maximum" in row_of(result, "ratio_of_hazard_ratios")["reason"]
    assert row_of(result, "hazard_ratio", group="lp_a low")["reason"]
    assert row_of(result, "hazard_ratio", group="lp_a high")["value"] is not None
    assert 0 < test["p_value"] < 1
    assert "; hazard of 9 patients of an arm without event taken as 0" in test["method"]


def test_nobody_left() -> None:
    """No patient in the part that is looked at, no event, no endpoint: reasons, no figures."""
    fourth = TreatmentEffect(id="e", **GIVEN, within="tnm_stage=IV")
    dfs = TreatmentEffect(id="e", **{**GIVEN, "endpoint": "dfs"})
    alive = described(EFFECT, specimen(patients().assign(os_event=0)))

    assert described(fourth, specimen())["reason"].startswith(
        "no patient of known treatment and group; only tnm_stage IV"
    )
    assert "no event among" in row_of(alive, "ratio_of_hazard_ratios")["reason"]
    meta = {"endpoints": {"os": specimen().meta.endpoints["os"]}}
    assert described(dfs, specimen(meta=meta))["reason"] == "the cohort has no endpoint dfs"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"treatment": "pn_stage"}, "pn_stage, 3 groups; expected two groups"),
        ({"modifier": "lp_b"}, "no cut-off of lp_b"),
        ({"within": "tnm_stage"}, "tnm_stage, 4 groups; expected two groups"),
        ({"within": "tnm_stage=V"}, "tnm_stage=V"),
    ],
)
def test_bad_input(changes: dict[str, str], found: str) -> None:
    """Anything but two groups, and unknown names, are one error each."""
    with pytest.raises(InputError, match=found):
        TreatmentEffect(id="e", **{**GIVEN, **changes}).describe(specimen())
