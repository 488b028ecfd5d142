"""Groups of patients as a protocol names them: labels, order, and who is in none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.descriptive.specimens_survival import patients, specimen
from validation.errors import InputError


def small() -> dict[str, list[object]]:
    """Four patients, the last of whom nothing is known."""
    return {
        "pt_stage": ["pT1", "pT1", "pT4", None],
        "pn_stage": ["pN0", "pN2", None, None],
        "age_years": [50.0, 60.0, 70.0, np.nan],
        "lp_a": [0.1, 0.2, 0.3, np.nan],
        "tsr_high": [0.0, 1.0, np.nan, np.nan],
    }


@pytest.mark.parametrize(
    ("text", "labels", "index"),
    [
        ("pn_stage", ("pN0", "pN1", "pN2"), [0, 2, -1, -1]),
        ("pn_stage=pN1|pN2", ("pn_stage pN0", "pn_stage pN1|pN2"), [0, 1, -1, -1]),
        ("age_years>=60", ("age_years < 60", "age_years >= 60"), [0, 1, 1, -1]),
        ("age_years>60", ("age_years <= 60", "age_years > 60"), [0, 0, 1, -1]),
        ("age_years>=60|70", ("age_years < 60", "60 <= age_years < 70", "age_years >= 70"), [0, 1, 2, -1]),
        ("age_years > 50|60", ("age_years <= 50", "50 < age_years <= 60", "age_years > 60"), [0, 1, 2, -1]),
        ("lp_a>=-1|0.2|5", ("lp_a < -1", "-1 <= lp_a < 0.2", "0.2 <= lp_a < 5", "lp_a >= 5"), [1, 2, 2, -1]),
        ("lp_a", ("low", "high"), [0, 1, 1, -1]),
        ("tsr_high", ("no", "yes"), [0, 1, -1, -1]),
        (
            "pt_stage=pT1 & pn_stage=pN0",
            ("not (pt_stage pT1 & pn_stage pN0)", "pt_stage pT1 & pn_stage pN0"),
            [1, 0, 0, -1],
        ),
    ],
)
def test_groups(text: str, labels: tuple[str, ...], index: list[int]) -> None:
    """The last of two groups is of interest; of parts joined by & one that fails decides, one unknown does not."""
    groups = specimen(patients(4).assign(**small())).groups(text)

    assert groups.labels == labels
    assert groups.index.tolist() == index


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pn_stage", "pn_stage, 3 groups; expected two groups, as pn_stage=level makes"),
        ("pn_stage & sex", "pn_stage, 3 groups"),
        ("age_years", "groups by age_years; expected age_years>=number"),
        ("lp_b", "no cut-off of lp_b"),
        ("lp_b>=0|1", r"lp_b>=0\|1, 3 groups"),
        ("lp_b>=1|0", r"found lp_b>=1\|0; expected limits that rise"),
        ("lp_b>1|1", "expected limits that rise"),
        ("lp_b>=1|", r"no column lp_b>=1\|"),
        ("colour", "no column colour"),
        ("age_years>=6.0.1", "no column age_years>=6.0.1"),
        ("pn_stage=pN7", "pn_stage=pN7"),
    ],
)
def test_refuses(text: str, found: str) -> None:
    """What makes no two groups is one error that says what was found."""
    with pytest.raises(InputError, match=found):
        specimen().two_groups(text)


def test_names() -> None:
    """Predictions and columns of the patients are known by name, outcomes are not."""
    cohort = specimen()

    assert [cohort.has(name) for name in ("lp_a", "age_years", "os_event", "tsr_high", "colour")] == [True] * 2 + [
        False
    ] * 3
    assert (cohort.is_number("lp_a"), cohort.is_number("sex")) == (True, False)


def test_outcomes_other_than_zero_and_one_are_refused() -> None:
    """A case of 2 is no control, an event that is not known is no censoring; a case may be unknown."""
    strange = specimen(patients().assign(tsr_high=2.0, os_event=0.5))
    unknown = specimen(patients().assign(tsr_high=np.nan, os_event=np.nan))

    with pytest.raises(InputError, match="column tsr_high: found other values; expected 0, 1, or nothing"):
        strange.cases("tsr_high")
    for cohort in (strange, unknown):
        with pytest.raises(InputError, match="column os_event: found other values; expected 0 and 1"):
            cohort.follow_up("os")
    assert np.isnan(unknown.cases("tsr_high")).all()
