"""What estimators demand of their arrays, and horizons."""

from __future__ import annotations

import numpy as np
import pytest

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import censor_at_horizon, status_at_horizon, survival_sample


def test_status_at_horizon() -> None:
    """Before: event is case, censoring unknown. At: event is case, censoring known. After: known, no case."""
    known, case = status_at_horizon([10, 10, 36, 36, 50, 50], [1, 0, 1, 0, 1, 0], 36)

    assert known.tolist() == [True, False, True, True, True, True]
    assert case.tolist() == [True, False, True, False, False, False]


def test_censor_at_horizon() -> None:
    """Follow-up ends at the horizon, events there still count, later ones do not."""
    time, event = censor_at_horizon([10, 36, 50], [1, 1, 1], 36)

    assert time.tolist() == [10, 36, 36]
    assert event.tolist() == [True, True, False]


def test_censor_at_horizon_without_event_before() -> None:
    """A horizon before the first event leaves nothing to estimate, and more patients might help."""
    with pytest.raises(UndefinedEstimate, match="no event among 2 patients") as caught:
        censor_at_horizon([10, 20], [1, 1], 5)
    assert caught.value.too_few


@pytest.mark.parametrize("horizon", [51.0, 0.0, -3.0, np.nan])
def test_horizon_outside_follow_up(horizon: float) -> None:
    """A horizon must be positive and within follow-up."""
    with pytest.raises(UndefinedEstimate, match="lies beyond follow-up"):
        status_at_horizon([10, 50], [1, 0], horizon)


def test_sample_without_events_where_none_is_needed() -> None:
    """A flat survival curve needs no event."""
    time, event = survival_sample([1, 2], [0, 0], events_needed=False)

    assert (time.tolist(), event.tolist()) == ([1, 2], [False, False])
