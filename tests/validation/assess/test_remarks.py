"""Doubts about a table: survival given for risk, reversed signs, patients entered twice."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import gbsg
from validation.assess.assessment import assess
from validation.assess.questions import Plan
from validation.assess.remarks import remarks
from validation.assess.table import BinaryColumns, Grouping, PredictionTable, SurvivalColumns

SURVIVAL = SurvivalColumns("time", "status", "lpA", {3: "pA3", 5: "pA5"})


def doubts(columns: SurvivalColumns | BinaryColumns, numbers: dict[str, np.ndarray], **grouping: str) -> list[str]:
    """Assess a table and return what is doubted."""
    n = len(next(iter(numbers.values())))
    table = PredictionTable("t.csv", "", n, numbers, dict.fromkeys(grouping.values(), np.arange(n).astype(str)))
    plan = Plan(columns, Grouping(**grouping), tuple(getattr(columns, "risks", ())))  # type: ignore[arg-type]
    return remarks(table, plan, assess(table, plan))


def numbers(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """The gbsg cohort with changed columns."""
    data = gbsg()
    return {name: data[name].to_numpy(dtype=float) for name in ("time", "status", "lpA", "pA3", "pA5")} | changes


def test_a_sound_table_raises_no_doubt() -> None:
    """The gbsg cohort has none."""
    assert doubts(SURVIVAL, numbers()) == []


def test_survival_given_for_risk() -> None:
    """Survival falls with time and ranks patients the other way round than the linear predictor."""
    data = gbsg()
    found = doubts(SURVIVAL, numbers(pA3=1 - data.pA3.to_numpy(), pA5=1 - data.pA5.to_numpy()))

    assert found[0].startswith("pA5 is below pA3 for 686 of 686 rows, but risk cannot fall with time")
    assert "lpA and pA3 rank patients oppositely" in found[1]


def test_reversed_sign() -> None:
    """A concordance wholly below one half is questioned, once."""
    found = doubts(SurvivalColumns("time", "status", "lpA"), numbers(lpA=-gbsg().lpA.to_numpy()))

    assert len(found) == 1
    assert found[0].startswith("harrell_c lies below 0.5")


def test_reversed_probability() -> None:
    """The same for a binary outcome, by the name of its column."""
    known = gbsg()[gbsg().known3 == 1]
    table = {"y": known.y3.to_numpy(dtype=float), "p": 1 - known.pA3.to_numpy()}
    (found,) = doubts(BinaryColumns("y", "p"), table)

    assert "higher values of p go with fewer" in found


@pytest.mark.parametrize("clustered", [False, True])
def test_patients_entered_twice(clustered: bool) -> None:
    """Rows that repeat each other are doubted, unless they are known to be clustered."""
    twice = {name: np.tile(values, 2) for name, values in numbers().items()}
    found = doubts(SURVIVAL, twice, **({"cluster": "patient"} if clustered else {}))

    assert [text.partition(" rows")[0] for text in found] == ([] if clustered else ["686 of 1372"])


def test_few_distinct_predictions_are_no_repetition() -> None:
    """Whole days and a score of five values repeat by themselves."""
    rng = np.random.default_rng(1)
    table = {"y": rng.integers(0, 2, 300) * 1.0, "p": rng.integers(1, 6, 300) / 6}

    assert doubts(BinaryColumns("y", "p"), table) == []
