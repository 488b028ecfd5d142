"""Cox regression: each term alone, all together in their complete cases, and proportional hazards."""

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
from validation.descriptive.cox_regression import CoxRegression
from validation.errors import InputError
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.cox_summary import cox_summary, hazard_ratio
from validation.estimators.survival.proportional_hazards import proportional_hazards

TERMS = ("lp_a", "age_years>=60", "pn_stage", "cea_ng_ml")
COX = CoxRegression(id="cox", endpoint="os", terms=TERMS)


def test_multivariable_equals_the_estimators() -> None:
    """Hazard ratios, likelihood ratio test and proportional hazards of one model in the complete cases."""
    data, result = patients().dropna(subset=["pn_stage", "cea_ng_ml"]), described(COX, specimen())
    columns = {
        "lp_a": data.lp_a.to_numpy(),
        "age_years>=60": (data.age_years >= 60).to_numpy(dtype=float),
        "pn_stage": np.column_stack([data.pn_stage == stage for stage in ("pN1", "pN2")]).astype(float),
        "cea_ng_ml": data.cea_ng_ml.to_numpy(),
    }
    fit = fit_cox(data.os_time_months, data.os_event, np.column_stack(list(columns.values())))
    summary = cox_summary(fit, list("abcde"))
    zph = proportional_hazards(data.os_time_months, data.os_event, columns)
    rows = rows_of(result, "adjusted_hazard_ratio")

    assert [row["value"] for row in rows] == pytest.approx([e.value for e in summary.hazard_ratios.values()])
    assert [row["p_value"] for row in rows] == pytest.approx([e.p_value for e in summary.hazard_ratios.values()])
    assert {(row["n"], row["events"]) for row in rows} == {(len(data), int(data.os_event.sum()))}
    test = row_of(result, "likelihood_ratio_test", subject="all terms")
    assert test["statistic"] == pytest.approx(summary.likelihood_ratio.chi_square)
    assert f"AIC {summary.aic:.6g}" in test["method"]
    assert [row["p_value"] for row in rows_of(result, "proportional_hazards_test")] == pytest.approx(
        [*(zph.terms[name].p_value for name in TERMS), zph.overall.p_value]
    )
    assert rows[2]["group"] == "pN1 against pN0"
    assert rows[0]["method"].endswith(f"; {240 - len(data)} patients of unknown value of a term left out")


def test_univariable_uses_everybody_of_whom_the_term_is_known() -> None:
    """Each term has its own n; a number's hazard ratio is per unit."""
    data, result = patients(), described(COX, specimen())
    known = data.dropna(subset=["cea_ng_ml"])
    expected = hazard_ratio(fit_cox(known.os_time_months, known.os_event, known[["cea_ng_ml"]].to_numpy()), (1,))
    row = row_of(result, "hazard_ratio", subject="cea_ng_ml")

    assert figures_of(row) == (expected.value, expected.lower, expected.upper)
    assert (row["n"], row["method"].split("; ", 1)[1]) == (
        230,
        "per unit; 10 patients of unknown cea_ng_ml left out",
    )
    assert row_of(result, "hazard_ratio", subject="lp_a")["n"] == 240
    assert row_of(result, "likelihood_ratio_test", subject="pn_stage")["degrees_of_freedom"] == [2.0]


def test_standardised_numbers() -> None:
    """Per standard deviation: the hazard ratio to the power of it, the same P value; groups stay as they are."""
    plain = described(COX, specimen())
    scaled = described(CoxRegression(id="cox", endpoint="os", terms=TERMS, standardise=True), specimen())
    deviation = patients().lp_a.std()
    one, other = (row_of(r, "adjusted_hazard_ratio", subject="lp_a") for r in (plain, scaled))

    assert other["value"] == pytest.approx(one["value"] ** deviation)
    assert other["p_value"] == pytest.approx(one["p_value"])
    assert f"per standard deviation of this cohort, {deviation:.6g}" in other["method"]
    for group in ("pN1 against pN0", "pN2 against pN0"):
        pair = [row_of(r, "adjusted_hazard_ratio", group=group)["value"] for r in (plain, scaled)]
        assert pair[0] == pytest.approx(pair[1])


def test_equals_r() -> None:
    """The interaction-free model of hormone and score on gbsg has the coefficients that R's coxph gives."""
    data, expected = gbsg(), from_r()["interaction"]["lpA_x_hormon"]
    table = patients(len(data)).assign(
        os_time_months=data.time, os_event=data.status, lp_a=data.lpA, age_years=data.age
    )
    table["sex"] = np.where(data.hormon == 1, "female", "male")
    product = (data.lpA * data.hormon).to_numpy()
    result = described(
        CoxRegression(id="cox", endpoint="os", terms=("sex", "lp_a", "lp_b")), specimen(table.assign(lp_b=product))
    )
    values = [np.log(row["value"]) for row in rows_of(result, "adjusted_hazard_ratio")]

    assert values == pytest.approx(list(expected["coef"].values()), abs=1e-8)


def test_terms_that_say_nothing_new_are_left_out() -> None:
    """A group without patients, a constant column and one equal to another have no hazard ratio; the rest has."""
    table = patients().assign(differentiation="low", perineural_invasion=lambda d: d.lymphovascular_invasion)
    terms = ("lp_a", "lymphovascular_invasion=yes", "perineural_invasion=yes", "differentiation")
    result = described(CoxRegression(id="cox", endpoint="os", terms=terms), specimen(table))
    reasons = {(r["subject"], r["group"]): r.get("reason") for r in rows_of(result, "adjusted_hazard_ratio")}
    together = row_of(result, "adjusted_hazard_ratio", subject="lp_a")

    assert [reason for reason in reasons.values() if reason] == [
        "collinear with the terms before it",
        "no patient in one of the two groups, middle against high",
        "no patient in one of the two groups, low against high",
    ]
    assert "; without perineural_invasion yes against perineural_invasion no" in together["method"]
    two = described(CoxRegression(id="cox", endpoint="os", terms=terms[:2]), specimen(table))
    assert together["value"] == row_of(two, "adjusted_hazard_ratio", subject="lp_a")["value"]
    assert row_of(result, "proportional_hazards_test", subject="differentiation")["reason"].endswith("not in the model")


def test_groups_are_compared_with_the_first_that_has_patients() -> None:
    """Nobody is pN0: pN2 is compared with pN1, and pN0 has a row that says why it has no figure."""
    table = patients()[lambda d: d.pn_stage != "pN0"]
    rows = rows_of(
        described(CoxRegression(id="c", endpoint="os", terms=("pn_stage",)), specimen(table)), "hazard_ratio"
    )

    assert [(row["group"], row["value"] is None) for row in rows] == [
        ("pN0 against pN1", True),
        ("pN2 against pN1", False),
    ]


def test_undefined() -> None:
    """No event, no patient of whom all is known, a binary endpoint never recorded: every row is there and says why."""
    alive = described(COX, specimen(patients().assign(os_event=0)))
    unknown = described(COX, specimen(patients().assign(pn_stage=None)))
    lacking = specimen(meta={"endpoints": {"os": specimen().meta.endpoints["os"]}})

    assert {row["reason"] for row in alive["rows"]} >= {"no event among 240 patients"}
    assert all("reason" in row for row in alive["rows"])
    assert {row["reason"] for row in rows_of(unknown, "adjusted_hazard_ratio")} == {
        "no patient of whom all terms are known"
    }
    assert row_of(unknown, "hazard_ratio", subject="lp_a")["value"] is not None
    tsr = described(CoxRegression(id="c", endpoint="os", terms=("tsr_high",)), lacking)
    assert row_of(tsr, "hazard_ratio")["reason"] == "no patient of whom all terms are known"
    dfs = described(CoxRegression(id="c", endpoint="dfs", terms=("sex",)), lacking)
    assert dfs["reason"] == "the cohort has no endpoint dfs"


def test_bad_input() -> None:
    """Unknown columns and levels, and a term given twice."""
    for term, found in (
        ("colour", "no column colour"),
        ("pn_stage=pN7", "pn_stage=pN7"),
        ("sex>=2", "no column of numbers"),
    ):
        with pytest.raises(InputError, match=found):
            CoxRegression(id="c", endpoint="os", terms=(term,)).describe(specimen())
    with pytest.raises(InputError, match="a term given twice"):
        CoxRegression(id="c", endpoint="os", terms=("sex", "sex"))


def test_figure_shows_every_defined_ratio() -> None:
    """One line per hazard ratio, alone and together, from the top."""
    result = described(COX, specimen())
    alone, together = (lines_of(figure) for figure in result["figures"])
    shown = [result["rows"][place] for place in together["row"]]

    assert {row["quantity"] for row in shown} == {"adjusted_hazard_ratio"}
    assert [(row["subject"], row["group"]) for row in shown] == [
        ("lp_a", None),
        ("age_years>=60", "age_years >= 60 against age_years < 60"),
        ("pn_stage", "pN1 against pN0"),
        ("pn_stage", "pN2 against pN0"),
        ("cea_ng_ml", None),
    ]
    assert together["x"] == pytest.approx([row["value"] for row in shown], rel=1e-3)
    assert alone["y"] == [1, 2, 3, 4, 5]
