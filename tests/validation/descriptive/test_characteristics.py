"""Table 1: declared kinds, rows that add up, and what is unknown counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.validation.descriptive.specimens_survival import described, document, patients, specimen
from validation.descriptive.characteristics import TableOneByGroup
from validation.descriptive.document import check_description
from validation.errors import InputError
from validation.estimators.groups.location import mann_whitney, welch_t
from validation.estimators.groups.table_one import independence

COLUMNS = ("age_years", "cea_ng_ml", "cea_ng_ml>=5", "pn_stage", "sex", "tsr_high", "lp_b")
BY_SCORE = TableOneByGroup(id="t", by="lp_a", columns=COLUMNS, skewed=("cea_ng_ml",))


def table(analysis: TableOneByGroup = BY_SCORE, **changes: Any) -> dict[str, Any]:
    """The table, its rows by name."""
    result = described(analysis, specimen(**changes))["table"]
    return {**result, "rows": {row["name"]: row for row in result["rows"]}}


def test_equals_the_estimators() -> None:
    """Numbers by Welch's test or, declared skewed, Mann-Whitney; categories by chi-square; missing cells aside."""
    data, rows = patients(), table()["rows"]
    high = data.lp_a >= 0.2
    cea = data.cea_ng_ml.notna()
    counts = np.array([[(data.pn_stage[g] == s).sum() for g in (~high, high)] for s in ("pN0", "pN1", "pN2")])

    assert rows["age_years"]["test"]["p_value"] == pytest.approx(welch_t(data.age_years, high).p_value)
    assert rows["cea_ng_ml"]["test"]["p_value"] == pytest.approx(mann_whitney(data.cea_ng_ml[cea], high[cea]).p_value)
    assert rows["pn_stage"]["test"]["p_value"] == pytest.approx(independence(counts).p_value)
    assert [group["values"] for group in rows["pn_stage"]["groups"]] == counts.T.tolist()
    assert (rows["pn_stage"]["overall"]["missing"], rows["cea_ng_ml"]["overall"]["missing"]) == (7, 10)
    assert rows["age_years"]["overall"]["values"][0] == pytest.approx(data.age_years.mean())


def test_kinds_and_order() -> None:
    """Schema numbers are continuous unless skewed, the rest categorical in the order of schema or split."""
    found = table()

    assert {name: row["kind"] for name, row in found["rows"].items()} == {
        "age_years": "continuous",
        "cea_ng_ml": "skewed",
        "cea_ng_ml>=5": "categorical",
        "pn_stage": "categorical",
        "sex": "categorical",
        "tsr_high": "categorical",
        "lp_b": "continuous",
    }
    assert found["groups"] == ["lp_a low", "lp_a high"]
    assert found["rows"]["sex"]["categories"] == ["male", "female"]
    assert found["rows"]["cea_ng_ml>=5"]["categories"] == ["cea_ng_ml < 5", "cea_ng_ml >= 5"]


def test_unknown_group_is_left_out_and_counted() -> None:
    """Twelve patients have no response: they are in no column of the table."""
    found = table(TableOneByGroup(id="t", by="tsr_high", columns=("age_years",)))

    assert (sum(found["sizes"]), found["left_out"]) == (228, 12)
    assert found["rows"]["age_years"]["overall"]["n"] == 228


def test_row_of_which_nothing_is_known() -> None:
    """A column that is empty in this cohort, or an endpoint it never recorded, is a row without test."""
    empty = patients().assign(differentiation=None)
    analysis = TableOneByGroup(id="t", by="lp_a", columns=("differentiation", "tsr_high", "sex"))
    rows = table(analysis, table=empty, meta={"endpoints": {"os": specimen().meta.endpoints["os"]}})["rows"]

    for name in ("differentiation", "tsr_high"):
        assert rows[name]["undefined"] == f"{name} has no value in any patient"
        assert (rows[name]["test"], rows[name]["overall"]) == (None, {"n": 0, "missing": 240, "values": []})
    assert rows["sex"]["test"] is not None


def test_fewer_than_two_groups() -> None:
    """One group compares nothing; an endpoint that was never recorded makes none."""
    men = specimen(patients()[lambda d: d.sex == "male"])
    by_sex = TableOneByGroup(id="t", by="sex", columns=("age_years",))
    by_tsr = TableOneByGroup(id="t", by="tsr_high", columns=("age_years",))

    assert described(by_sex, men)["reason"] == f"{men.n} patients, all male: two groups of sex or more are compared"
    without = specimen(meta={"endpoints": {"os": specimen().meta.endpoints["os"]}})
    assert described(by_tsr, without)["reason"] == "the cohort has no endpoint tsr_high"


def test_group_without_patients_has_no_column() -> None:
    """Nobody of the middle category: two columns remain, and the rows add up."""
    found = table(
        TableOneByGroup(id="t", by="pn_stage", columns=("sex",)), table=patients()[lambda d: d.pn_stage != "pN1"]
    )

    assert found["groups"] == ["pn_stage pN0", "pn_stage pN2"]


def test_bad_input() -> None:
    """Unknown columns, a skewed category, a column given twice."""
    with pytest.raises(InputError, match="no column colour"):
        TableOneByGroup(id="t", by="lp_a", columns=("colour",)).describe(specimen())
    with pytest.raises(InputError, match="key skewed: found sex; expected columns of numbers"):
        TableOneByGroup(id="t", by="lp_a", columns=("sex",), skewed=("sex",)).describe(specimen())
    with pytest.raises(InputError, match="key skewed: found age_years"):
        TableOneByGroup(id="t", by="lp_a", columns=("sex",), skewed=("age_years",))
    with pytest.raises(InputError, match="a column given twice"):
        TableOneByGroup(id="t", by="lp_a", columns=("sex", "sex"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda t: t["sizes"].__setitem__(0, 1), "left out; expected 240 patients"),
        (lambda t: t.__setitem__("left_out", 5), "5 left out; expected 240 patients"),
        (lambda t: t["rows"][3]["groups"][0]["values"].__setitem__(0, 9.0), "categorical values"),
        (lambda t: t["rows"][3]["overall"].__setitem__("missing", 0), "expected 240 patients in all"),
        (lambda t: t["rows"][4]["overall"].__setitem__("values", [122.0, 118.0]), "do not add up over the groups"),
        (lambda t: t["rows"][0]["overall"]["values"].__setitem__(1, -1.0), "continuous values"),
        (lambda t: t["rows"][1]["overall"]["values"].__setitem__(0, 99.0), "skewed values"),
        (lambda t: t["rows"][0]["test"].__setitem__("p_value", 1.2), "expected a number from 0 to 1"),
        (lambda t: t["rows"][0].__setitem__("test", None), "neither or both of test and reason"),
        (lambda t: t["rows"][0]["groups"].pop(), "1 groups; expected 2"),
        (lambda t: t["rows"][0].__setitem__("kind", "auto"), "auto values"),
    ],
)
def test_impossible_tables_are_refused(spoil: Any, reason: str) -> None:
    """A table whose groups, categories or tests cannot be is refused, wherever the error is."""
    result = described(BY_SCORE, specimen())
    spoil(result["table"])
    with pytest.raises(InputError, match=reason):
        check_description(document([result], 240), "description")
