"""Findings, checks and the one error made of them."""

from __future__ import annotations

from validation.findings import FAILURES_SHOWN, Check, Finding, as_error

FINDING = Finding("patients.csv", 7, "P0007", "ct_stage", "'T3'", "one of cT3, cT4")


def test_error_names_place_and_number_of_findings() -> None:
    """The one error says where the first finding is, what is expected, and how many more there are."""
    message = str(as_error([FINDING, FINDING], "mri_a"))

    assert message.startswith("mri_a/patients.csv row 7 (P0007) column ct_stage: found 'T3'; expected one of cT3, cT4.")
    assert "1 more finding(s)" in message


def test_check_made_on_nothing_fails_and_says_so() -> None:
    """A check that evaluated nothing is not a success and has that as its failure."""
    check = Check("patients.age_years.range", "a number", 0, ())

    assert not check.success
    assert check.to_dict()["failures"][0]["found"] == "nothing to evaluate"
    assert check.to_dict()["failures_total"] == 1


def test_long_lists_are_cut_and_counted() -> None:
    """The report shows the first failures and the number of all."""
    check = Check("x", "y", 50, (FINDING,) * 50).to_dict()

    assert len(check["failures"]) == FAILURES_SHOWN
    assert check["failures_total"] == 50
