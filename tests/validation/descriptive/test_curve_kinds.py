"""What holds for every analysis of curves: unknown names, endpoints never recorded, empty cohorts, order of rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.validation.descriptive.specimens_curves import cohort, described, frame
from validation.descriptive.associations import Associations
from validation.descriptive.base import Descriptive
from validation.descriptive.calibration import CalibrationCurves
from validation.descriptive.classification import Classification
from validation.descriptive.correlations import Correlations
from validation.descriptive.decision_curve import DecisionCurves
from validation.descriptive.distribution import Distribution
from validation.descriptive.over_time import PerformanceOverTime
from validation.descriptive.roc import RocCurves
from validation.descriptive.score_by_group import ScoreByGroup
from validation.documents import encode
from validation.errors import InputError

OF_EARLY: list[Descriptive] = [
    RocCurves(id="a", endpoint="early", predictions=("prob",)),
    Classification(id="a", endpoint="early", prediction="prob"),
    ScoreByGroup(id="a", prediction="prob", by="early"),
    CalibrationCurves(id="a", endpoint="early", predictions=("prob",), replicates=100),
    DecisionCurves(id="a", endpoint="early", predictions=("prob",), thresholds=(0.1, 0.5)),
    Distribution(id="a", prediction="prob", by="early"),
]
OF_DMFS: list[Descriptive] = [
    RocCurves(id="a", endpoint="dmfs", predictions=("lp",), horizon_months=36.0),
    Classification(id="a", endpoint="dmfs", prediction="lp", horizon_months=36.0),
    CalibrationCurves(id="a", endpoint="dmfs", predictions=("risk_36m",), horizons_months=(36.0,), replicates=100),
    DecisionCurves(
        id="a", endpoint="dmfs", predictions=("risk_36m",), thresholds=(0.1, 0.5), horizon_months=36.0, impact=True
    ),
    PerformanceOverTime(
        id="a",
        endpoint="dmfs",
        predictions=("lp",),
        horizons_months=(24.0, 36.0),
        risks=("risk",),
        risk_horizons_months=(12.0, 36.0),
    ),
]
OF_NONE: list[Descriptive] = [
    Associations(id="a", prediction="prob", columns=("age_years", "ypn_stage", "early")),
    Correlations(id="a", predictions=("prob", "age_years", "lp")),
    Distribution(id="a", prediction="prob"),
]
ALL = [*OF_EARLY, *OF_DMFS, *OF_NONE]


def name(analysis: Descriptive) -> str:
    """Name of a test case."""
    return f"{analysis.kind}-{getattr(analysis, 'endpoint', '')}"


@pytest.mark.parametrize("analysis", OF_EARLY, ids=name)
def test_binary_endpoint_never_recorded(analysis: Descriptive) -> None:
    """The analysis is there, without rows or figures, with the reason."""
    result = described(analysis, cohort(recorded=("dmfs",)))

    assert (result["reason"], result["rows"], result["figures"]) == ("the cohort has no endpoint early", [], [])


@pytest.mark.parametrize("analysis", OF_DMFS, ids=name)
def test_endpoint_with_time_never_recorded(analysis: Descriptive) -> None:
    """The analysis is there, without rows or figures, with the reason."""
    result = described(analysis, cohort(recorded=("early",)))

    assert (result["reason"], result["rows"], result["figures"]) == ("the cohort has no endpoint dmfs", [], [])


@pytest.mark.parametrize("analysis", ALL, ids=name)
def test_unknown_prediction(analysis: Descriptive) -> None:
    """One error that names what is missing."""
    if hasattr(analysis, "predictions"):
        changed = replace(analysis, predictions=("prob_new", *analysis.predictions[1:]))
    else:
        changed = replace(analysis, prediction="prob_new")
    with pytest.raises(InputError, match="prob_new"):
        changed.describe(cohort(cutoffs={"prob_new": 0.5}))


@pytest.mark.parametrize("analysis", [a for a in ALL if hasattr(a, "endpoint")], ids=name)
def test_unknown_endpoint(analysis: Descriptive) -> None:
    """An endpoint that no protocol declares is an error, not a cohort without it."""
    with pytest.raises(InputError, match="no endpoint relapse"):
        replace(analysis, endpoint="relapse").describe(cohort())


@pytest.mark.parametrize("analysis", ALL, ids=name)
def test_nobody_predicted(analysis: Descriptive) -> None:
    """Whatever is left says why it is undefined; nothing fails."""
    result = described(analysis, cohort(frame().iloc[:0]))

    assert result["reason"] is not None or all("reason" in r for r in result["rows"])


@pytest.mark.parametrize("analysis", ALL, ids=name)
def test_one_class(analysis: Descriptive) -> None:
    """A cohort without case or event still gives a sound document."""
    described(analysis, cohort(frame().assign(early=0.0, dmfs_event=0)))
    described(analysis, cohort(frame().assign(early=1.0)))


@pytest.mark.parametrize("analysis", ALL, ids=name)
def test_two_computations_are_one(analysis: Descriptive) -> None:
    """No clock and no unseeded draw: the bytes are the same."""
    assert encode(analysis.to_dict(cohort())) == encode(analysis.to_dict(cohort()))


@pytest.mark.parametrize("analysis", ALL, ids=name)
def test_every_defined_row_says_what_it_rests_on(analysis: Descriptive) -> None:
    """Patients, method and, of an estimate, its interval."""
    for row in described(analysis)["rows"]:
        assert row["n"] > 0
        assert row["method"]
        assert ("p_value" in row and "statistic" in row) or row["lower"] <= row["value"] <= row["upper"]


@pytest.mark.parametrize("analysis", ALL, ids=name)
def test_lines_are_thin(analysis: Descriptive) -> None:
    """No line has more than 51 points."""
    for figure in described(analysis)["figures"]:
        assert all(len(series["x"]) <= 51 for series in figure["series"])
