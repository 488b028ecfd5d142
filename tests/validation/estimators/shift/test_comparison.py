"""Rows of the comparison of cohorts: missing values are counted, never imputed or treated as numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.reference import FOLDER, from_r, gbsg, rotterdam
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.shift.comparison import compare_categorical, compare_numeric

SHIFT: dict[str, Any] = json.loads((FOLDER / "shift.json").read_text(encoding="utf-8"))


def test_equals_r() -> None:
    """Standardised differences (external less development) and chi-square of age, grade and size in the cohorts."""
    first, second = rotterdam(), gbsg()
    age = compare_numeric("age", first.age, second.age)[1]
    grade = compare_categorical("grade", first.grade3, second.grade3)[1]
    size = compare_categorical("size", first.size2 + 2 * first.size3, second.size2 + 2 * second.size3)[1]

    assert age.difference.value == pytest.approx(SHIFT["smd_age"], abs=1e-13)
    assert (age.difference.n, age.difference.events) == (3668, 686)
    assert [grade.difference, size.difference] == pytest.approx([SHIFT["smd_grade3"], SHIFT["smd_size"]], abs=1e-13)
    expected = from_r()["drift"]["chisq_grade3"]
    assert (grade.test.statistic, grade.test.p_value) == pytest.approx((expected["stat"], expected["p"]), rel=1e-10)
    expected = SHIFT["chisq_size"]
    assert (size.test.statistic, size.test.p_value) == pytest.approx((expected["stat"], expected["p"]), rel=1e-10)
    assert size.test.degrees_of_freedom == (expected["df"],)


def test_numeric() -> None:
    """Age with some values removed: one row of missing values, one of those present."""
    age = gbsg().age.to_numpy(dtype=float)
    missing, shift = compare_numeric("age", rotterdam().age, np.concatenate((age, [math.nan] * 14)))

    assert (missing.variable, missing.n, missing.missing) == ("age", (2982, 700), (0, 14))
    assert missing.share == (0.0, 0.02)
    assert shift.n == (2982, 686)
    assert shift.mean == pytest.approx((rotterdam().age.mean(), age.mean()))
    assert shift.standard_deviation == pytest.approx((rotterdam().age.std(), age.std(ddof=1)))
    assert shift.stability.value == pytest.approx(from_r()["drift"]["psi_age_dec"], abs=1e-13)
    assert shift.test.statistic == pytest.approx(from_r()["drift"]["ks_age"]["D"], abs=1e-14)
    assert shift.difference.value < 0


@pytest.mark.parametrize("absent", [None, math.nan, pd.NA])
def test_categorical(absent: Any) -> None:
    """Missing levels are not a level."""
    samples = ["1", "2", "2", absent], ["2", absent, absent, "3", "1"]
    missing, shift = compare_categorical("grade", *(np.array(x, dtype=object) for x in samples))

    assert missing.missing == (1, 2)
    assert missing.share == (0.25, 0.4)
    assert shift.levels == ("1", "2", "3")
    assert shift.shares == ((1 / 3, 1 / 3), (2 / 3, 1 / 3), (0.0, 1 / 3))
    assert shift.n == (3, 3)
    assert shift.test.degrees_of_freedom == (2,)


def test_missing_numbers() -> None:
    """Pandas' own mark of a missing number is one too."""
    missing, shift = compare_numeric("nodes", pd.Series([1, 2, 3] * 4, dtype="Int64"), pd.Series([4, 5, pd.NA, 6]))

    assert missing.missing == (0, 1)
    assert shift.mean == (2.0, 5.0)


def test_numbers_as_levels() -> None:
    """Whole numbers with gaps (floats, because of the gaps) are levels too."""
    shift = compare_categorical("grade", [1.0, 2.0, math.nan], [1.0, 2.0, 2.0])[1]

    assert shift.levels == ("1.0", "2.0")


def test_refusals() -> None:
    """A cohort without any value, or no cohort at all."""
    with pytest.raises(UndefinedEstimate, match="external has 0 values"):
        compare_numeric("age", [1.0, 2.0], [math.nan])
    with pytest.raises(UndefinedEstimate, match="age: an empty cohort"):
        compare_numeric("age", [1.0, 2.0], [])
    with pytest.raises(UndefinedEstimate, match="an empty cohort"):
        compare_categorical("sex", ["f", "m"], np.array([None]))
    with pytest.raises(UndefinedEstimate, match="not finite"):
        compare_numeric("age", [1.0, math.inf], [1.0, 2.0])
    with pytest.raises(UndefinedEstimate, match="do not vary within any group"):
        compare_numeric("age", [1.0, 1.0], [2.0, 2.0])
    with pytest.raises(UndefinedEstimate, match="no category in common"):
        compare_categorical("sex", ["f", "f"], ["m", "m"])
