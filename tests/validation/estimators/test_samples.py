"""What estimators demand of their arrays, and horizons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import (
    ascending_horizons,
    ascending_thresholds,
    censor_at_horizon,
    group_index,
    missing_values,
    require_between,
    require_classes,
    status_at_horizon,
    survival_sample,
)


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
    with pytest.raises(UndefinedEstimate, match=r"lies beyond follow-up|is no time after the origin"):
        status_at_horizon([10, 50], [1, 0], horizon)


def test_sample_without_events_where_none_is_needed() -> None:
    """A flat survival curve needs no event."""
    time, event = survival_sample([1, 2], [0, 0], events_needed=False)

    assert (time.tolist(), event.tolist()) == ([1, 2], [False, False])


@pytest.mark.parametrize("absent", [None, np.nan, pd.NA, pd.NaT])
def test_missing_labels(absent: Any) -> None:
    """A missing label is no group: neither in a column nor in a list of words, where numpy makes NaN the word nan."""
    for values in (["a", absent, "b"], np.array(["a", absent, "b"], dtype=object), pd.Series(["a", absent, "b"])):
        assert missing_values(values).tolist() == [False, True, False]
        with pytest.raises(UndefinedEstimate, match="centre is missing for 1 of 3"):
            group_index("centre", values, 3)
    with pytest.raises(UndefinedEstimate, match="centre is missing for 1 of 3"):
        group_index("centre", pd.Series([1, pd.NA, 2], dtype="Int64"), 3)


def test_labels() -> None:
    """Labels in ascending order, and each patient's."""
    labels, index = group_index("centre", pd.Series(["b", "a", "b"], dtype="string"), 3)

    assert (labels, index.tolist()) == (["a", "b"], [1, 0, 1])


@pytest.mark.parametrize("values", [[], [0.0, 0.5], [0.5, 1.0], [0.5, 0.5], [0.3, np.nan], [[0.3, 0.5]]])
def test_thresholds_ascend_between_0_and_1(values: Any) -> None:
    """Anything else is refused, and one threshold is enough."""
    with pytest.raises(UndefinedEstimate, match="the cuts do not ascend strictly between 0 and 1"):
        ascending_thresholds(values, "cuts")
    assert ascending_thresholds([0.4]).tolist() == [0.4]


def test_horizons_ascend() -> None:
    """From above 0, strictly."""
    assert ascending_horizons([1, 3]).tolist() == [1, 3]
    for values in ([0, 1], [3, 1], [1, 1]):
        with pytest.raises(UndefinedEstimate, match="not positive and strictly ascending"):
            ascending_horizons(values)


def test_settings_outside_their_range() -> None:
    """A bound is outside; NaN too. Too few of a class are counted."""
    for value in (0.0, 1.0, np.nan):
        with pytest.raises(UndefinedEstimate, match=r"the level .* does not lie between 0 and 1"):
            require_between("level", value, 0, 1)
    with pytest.raises(UndefinedEstimate, match="3 cases and 1 controls at 5: at least 2 of each") as caught:
        require_classes(3, 1, least=2, where=" at 5")
    assert caught.value.too_few
