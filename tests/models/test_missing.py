"""What replaces a missing covariate."""

from __future__ import annotations

import numpy as np
import pytest

from models.missing import known_means


def test_known_means_leave_missing_values_out() -> None:
    """The mean of 1 and 4 is 2.5, whatever is missing between them."""
    assert known_means(["a"], np.array([[1.0], [np.nan], [4.0]])).tolist() == [2.5]


@pytest.mark.parametrize("column", [[2.0, 2.0, np.nan], [np.nan, np.nan, np.nan]])
def test_a_covariate_that_does_not_vary_is_refused(column: list[float]) -> None:
    """A constant covariate, or one that nobody has, is named."""
    with pytest.raises(ValueError, match=r"covariate cea does not vary among the [02] patients who have it"):
        known_means(["age", "cea"], np.column_stack([[1.0, 2.0, 3.0], column]))
