"""Median follow-up: R's figures, by hand, and where there is none."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.validation.descriptive.specimens_curves import cohort, described, frame, row
from tests.validation.descriptive.specimens_survival import specimen
from tests.validation.estimators.survival.reference import survival_reference
from validation.descriptive.follow_up import MedianFollowUp

ANALYSIS = MedianFollowUp(id="f", endpoint="dmfs")


def small(time: list[float], event: list[int]) -> dict[str, object]:
    """The only row, of a cohort of these patients."""
    table = pd.DataFrame({"os_time_months": time, "os_event": event})
    (found,) = described(MedianFollowUp(id="f", endpoint="os"), specimen(table))["rows"]
    return dict(found)


def test_equals_r() -> None:
    """Median and limits of survfit(Surv(time, 1 - status), conf.type = "log-log"), years by 12; events are events."""
    found, expected = row(described(ANALYSIS), "median_follow_up", "dmfs"), survival_reference()["follow_up"]["gbsg"]
    in_years = [found[key] / 12 for key in ("value", "lower", "upper")]

    assert in_years == pytest.approx([expected[key][1] for key in ("quantile", "lower", "upper")], abs=1e-12)
    assert (found["n"], found["events"]) == (686, frame().dmfs_event.sum())
    assert "reverse Kaplan-Meier" in found["method"]


def test_by_hand() -> None:
    """Six of eight left: 7/8, 6/8 at 2 and 3 months, one died at 4, then 6/8 * 4/5 = 0.6 at 5 and 0.45 at 6."""
    found = small([2, 3, 4, 5, 6, 7, 8, 9], [0, 0, 1, 0, 0, 0, 0, 1])

    assert (found["value"], found["n"], found["events"]) == (6, 8, 2)


def test_never_reached() -> None:
    """The last half died: no median, and no figure in its place."""
    found = small([1, 2, 3, 4, 5, 6], [0, 0, 1, 1, 1, 1])

    assert found["value"] is None
    assert found["reason"] == "the curve falls to 0.667, not to 0.5"
    assert (found["too_few"], found["n"], found["events"]) == (True, 6, 4)


def test_upper_limit_never_reached() -> None:
    """A median whose interval has no end is no estimate; the reason tells what is known of it."""
    found = small([1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 0, 0, 0, 1, 1, 1])

    assert found["value"] is None
    assert str(found["reason"]).startswith("the interval has no upper limit within follow-up (value 4.5, lower 1")


def test_everybody_had_the_event() -> None:
    """Nobody's follow-up is known."""
    assert "all 3 patients had the event" in str(small([1, 2, 3], [1, 1, 1])["reason"])


def test_endpoint_never_recorded() -> None:
    """The analysis has the reason and nothing else."""
    result = described(ANALYSIS, cohort(recorded=("early",)))

    assert (result["reason"], result["rows"]) == ("the cohort has no endpoint dmfs", [])
