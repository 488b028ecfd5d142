"""Hypothesis strategies for survival cohorts."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Cohort = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]


@st.composite
def cohorts(draw: st.DrawFn, ties: bool = True) -> Cohort:
    """Follow-up, event indicator and prediction of 8 to 40 patients with at least four events and four others.

    With `ties`, times and predictions fall on few values; without, all differ.
    """
    n = draw(st.integers(8, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    event = rng.permutation(np.arange(n) < draw(st.integers(4, n - 4)))
    if ties:
        time = rng.integers(1, 2 + n // 3, n) * 1.0
        prediction = rng.integers(0, 2 + n // 4, n) * 0.5
        prediction[:2] = [-1, 9]
    else:
        time = rng.permutation(n) + rng.uniform(0.5, 0.9, n)
        prediction = rng.permutation(n) + rng.uniform(-0.4, 0.4, n)
    return time, event, prediction
