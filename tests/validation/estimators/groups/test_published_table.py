"""Which standard test reaches each printed P value of a published table of patient characteristics, from its counts.

Source: Liu et al., EBioMedicine 2021, doi 10.1016/j.ebiom.2021.103442, Table 1: rectal cancer, primary cohort (170)
against external cohort (65). Only age is a number; it is printed as 54.82 ± 10.85 and 55.23 ± 12.01 with the P value of
a Mann-Whitney test (0.602), which no mean and SD can reproduce. All other rows are counts, and the text names
chi-square or Fisher without saying where. Categories are in their clinical order; where one category is named, the
second is its complement.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from validation.estimators.groups.contingency import chi_square, fisher_exact
from validation.estimators.groups.location import mann_whitney
from validation.estimators.groups.table_one import independence

Table = NDArray[np.int64]

PRINTED: dict[str, tuple[str, list[list[int]]]] = {
    "sex, male": ("0.634", [[121, 44], [49, 21]]),
    "location high, mid, low": ("<0.001", [[4, 2], [100, 17], [66, 46]]),
    "cT3, cT4": ("<0.001", [[130, 29], [40, 36]]),
    "lymph node positive": ("<0.001", [[145, 37], [25, 28]]),
    "CEA elevated": ("0.612", [[40, 18], [130, 47]]),
    "laparotomy, laparoscopy": ("<0.001", [[79, 57], [91, 8]]),
    "ypT0 to ypT4": ("0.842", [[24, 7], [14, 3], [26, 11], [94, 39], [12, 5]]),
    "ypN0 to ypN2": ("0.021", [[113, 34], [35, 25], [22, 6]]),
    "adjuvant chemotherapy": ("0.060", [[160, 56], [10, 9]]),
    "adjuvant radiotherapy": ("0.298", [[6, 5], [164, 60]]),
    "distant metastasis": ("0.031", [[42, 26], [128, 39]]),
    "locoregional recurrence": ("0.502", [[7, 4], [163, 61]]),
}
"""Row: printed P value; counts per category (rows) in the primary and in the external cohort (columns)."""

EVERY_LARGE = {"Pearson", "likelihood ratio", "Fisher", "trend", "Mann-Whitney"}
EVERY = {*EVERY_LARGE, "Yates", "likelihood ratio, corrected"}
REACHED_BY: dict[str, set[str]] = {
    "sex, male": {"Fisher"},
    "location high, mid, low": EVERY_LARGE,
    "cT3, cT4": EVERY,
    "lymph node positive": EVERY,
    "CEA elevated": set(),
    "laparotomy, laparoscopy": EVERY,
    "ypT0 to ypT4": {"Fisher"},
    "ypN0 to ypN2": set(),
    "adjuvant chemotherapy": {"Fisher"},
    "adjuvant radiotherapy": set(),
    "distant metastasis": {"Yates"},
    "locoregional recurrence": {"Fisher"},
}


def likelihood_ratio(table: Table, correction: bool) -> float:
    """P value of the likelihood-ratio chi-square."""
    return float(stats.chi2_contingency(table, correction=correction, lambda_="log-likelihood").pvalue)


def patients(table: Table) -> tuple[Table, Table]:
    """Number of the category and of the cohort of every patient."""
    category, cohort = np.indices(table.shape)
    return np.repeat(category.ravel(), table.ravel()), np.repeat(cohort.ravel(), table.ravel())


def standard_tests(table: Table) -> dict[str, float]:
    """P values of all tests that statistics packages offer for such a row."""
    category, cohort = patients(table)
    mantel = (table.sum() - 1) * np.corrcoef(category, cohort)[0, 1] ** 2
    values = {
        "Pearson": chi_square(table, correction=False).p_value,
        "likelihood ratio": likelihood_ratio(table, False),
        "Fisher": fisher_exact(table).p_value,
        "trend": float(stats.chi2.sf(mantel, 1)),
        "Mann-Whitney": mann_whitney(category, cohort).p_value,
    }
    if table.shape == (2, 2):
        values["Yates"] = chi_square(table, correction=True).p_value
        values["likelihood ratio, corrected"] = likelihood_ratio(table, True)
    return values


def as_printed(p_value: float) -> str:
    """Three digits, as in the table."""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


@pytest.mark.parametrize("row", PRINTED)
def test_which_test_reaches_the_printed_value(row: str) -> None:
    """Exactly these tests give the printed value to all its digits; for three rows none does."""
    printed, counts = PRINTED[row]
    reached = {name for name, p in standard_tests(np.array(counts)).items() if as_printed(p) == printed}

    assert reached == REACHED_BY[row]
    assert np.sum(counts, axis=0).tolist() == [170, 65]


def test_rows_that_no_standard_test_reaches() -> None:
    """Elevated CEA, ypN and adjuvant radiotherapy; what comes nearest to their printed 0.612, 0.021 and 0.298."""
    assert {row for row, tests in REACHED_BY.items() if not tests} == {
        "CEA elevated",
        "ypN0 to ypN2",
        "adjuvant radiotherapy",
    }
    nearest = {}
    for row in ("CEA elevated", "ypN0 to ypN2", "adjuvant radiotherapy"):
        printed, counts = PRINTED[row]
        tests = standard_tests(np.array(counts))
        name = min(tests, key=lambda test: abs(tests[test] - float(printed)))
        nearest[row] = (name, as_printed(tests[name]))
    assert nearest == {
        "CEA elevated": ("Yates", "0.622"),
        "ypN0 to ypN2": ("likelihood ratio", "0.023"),
        "adjuvant radiotherapy": ("Yates", "0.314"),
    }


def test_our_rule_on_these_rows() -> None:
    """The rule of `table_one` gives the printed value in seven of twelve rows: the paper did not follow one rule."""
    found = {row: as_printed(independence(counts).p_value) for row, (_, counts) in PRINTED.items()}

    assert {row for row, (printed, _) in PRINTED.items() if found[row] == printed} == {
        "location high, mid, low",
        "cT3, cT4",
        "lymph node positive",
        "laparotomy, laparoscopy",
        "ypT0 to ypT4",
        "distant metastasis",
        "locoregional recurrence",
    }
