"""Tests of hazard, follow-up and death."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.synthetic.survival import FOLLOW_UP_NORMALS, Hazard, outcomes, survival

HAZARD = Hazard(cumulative_36m=0.5, shape=1.0, log_ratios={"x": 1.0})


def test_linear_predictor_and_risk_by_hand() -> None:
    """With x = ln 2 the cumulative hazard of 0.5 doubles to 1, so the risk at 36 months is 1 - 1/e."""
    linear_predictor = HAZARD.linear_predictor(pd.DataFrame({"x": [np.log(2)]}))
    np.testing.assert_allclose(HAZARD.risk(linear_predictor, 36), 1 - np.exp(-1))


def test_event_times_invert_the_survival_function() -> None:
    """The time at which survival equals u has risk 1 - u."""
    zero, uniform = np.zeros(3), np.array([0.2, 0.5, 0.9])
    months = HAZARD.event_months(zero, uniform)
    np.testing.assert_allclose([HAZARD.risk(zero[:1], m)[0] for m in months], 1 - uniform)


def _normals(**columns: float) -> pd.DataFrame:
    return pd.DataFrame([{name: columns.get(name, 0.0) for name in FOLLOW_UP_NORMALS}])


def test_metastasis_is_observed_before_the_registry_closes() -> None:
    """An event at 10 months is seen; death follows at the median of 20 months."""
    row = outcomes(np.array([10.0]), np.array([48.0]), _normals(), "dmfs").iloc[0]
    assert row.to_dict() == {"dmfs_event": 1, "dmfs_time_months": 10.0, "os_event": 1, "os_time_months": 30.0}


def test_the_registry_closes() -> None:
    """An event after closing is censored at closing, for both endpoints."""
    row = outcomes(np.array([80.0]), np.array([48.0]), _normals(), "dmfs").iloc[0]
    assert row.to_dict() == {"dmfs_event": 0, "dmfs_time_months": 48.0, "os_event": 0, "os_time_months": 48.0}


def test_other_death_censors_the_first_endpoint_and_is_a_death() -> None:
    """Who dies of another cause at 18.5 months is censored for DMFS and dead for OS."""
    normals = _normals(exit=-3.0, exit_is_death=-3.0)
    row = outcomes(np.array([30.0]), np.array([48.0]), normals, "dmfs").iloc[0]
    assert row.to_dict() == {"dmfs_event": 0, "dmfs_time_months": 18.5, "os_event": 1, "os_time_months": 18.5}


def test_who_is_lost_is_censored_for_both() -> None:
    """A patient lost at 18.5 months has neither event."""
    normals = _normals(exit=-3.0, exit_is_death=3.0)
    row = outcomes(np.array([30.0]), np.array([48.0]), normals, "dmfs").iloc[0]
    assert row.to_dict() == {"dmfs_event": 0, "dmfs_time_months": 18.5, "os_event": 0, "os_time_months": 18.5}


def test_progression_precedes_death() -> None:
    """Death at 40 months; progression halfway between a quarter and nine tenths of that, at 23 months."""
    row = survival(np.array([40.0]), np.array([60.0]), _normals(), lost=0.0, progression=True).iloc[0]
    assert row.to_dict() == {"dfs_event": 1, "dfs_time_months": 23.0, "os_event": 1, "os_time_months": 40.0}


def test_progression_is_seen_although_death_is_not() -> None:
    """The registry closes at 30 months, between progression at 23 and death at 40."""
    row = survival(np.array([40.0]), np.array([30.0]), _normals(), lost=0.0, progression=True).iloc[0]
    assert row.to_dict() == {"dfs_event": 1, "dfs_time_months": 23.0, "os_event": 0, "os_time_months": 30.0}


def test_death_without_progression_is_an_event_of_both() -> None:
    """Who dies without progression has both events at death."""
    row = survival(np.array([40.0]), np.array([60.0]), _normals(progresses=-3.0), lost=0.0, progression=True).iloc[0]
    assert row.to_dict() == {"dfs_event": 1, "dfs_time_months": 40.0, "os_event": 1, "os_time_months": 40.0}


def test_the_lost_and_the_never_seen_are_censored() -> None:
    """Lost at 30.5 months, halfway between 1 and 60; never seen: one day. Without progression there is no DFS."""
    months = np.array([40.0]), np.array([60.0])
    lost = survival(*months, _normals(exit=-3.0), lost=0.1).iloc[0]
    never = survival(*months, _normals(exit=-3.0), lost=0.1, never_seen=0.1).iloc[0]
    assert lost.to_dict() == {"os_event": 0, "os_time_months": 30.5}
    assert never.to_dict() == {"os_event": 0, "os_time_months": 0.03}
