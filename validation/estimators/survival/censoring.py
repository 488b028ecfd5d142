"""The distribution of censoring, estimated in the cohort that is being judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from validation.estimators.samples import Bools, Floats


@dataclass(frozen=True, eq=False)
class CensoringCurve:
    """Probability G of still being followed up: right-continuous steps at the distinct censoring times.

    Attributes:
        time: Distinct censoring times, ascending, shape (k,).
        followed: G from each of these times on, shape (k,).
    """

    time: Floats
    followed: Floats

    def at(self, times: ArrayLike) -> Floats:
        """Return G(t) for each time."""
        return self._after(np.atleast_1d(np.searchsorted(self.time, times, side="right")))

    def before(self, times: ArrayLike) -> Floats:
        """Return G(t-), the probability of being followed up until just before each time."""
        return self._after(np.atleast_1d(np.searchsorted(self.time, times, side="left")))

    def _after(self, steps: NDArray[np.intp]) -> Floats:
        return np.append(1.0, self.followed)[steps]


def censoring_curve(time: Floats, event: Bools, weights: Floats | None = None) -> CensoringCurve:
    """Estimate G by the reverse Kaplan-Meier method; events at a time leave the risk set before its censorings.

    Equals R's prodlim::prodlim(reverse=TRUE), the G of timeROC, pec and riskRegression; survfit(Surv(time, 1 - status))
    keeps tied events at risk and is not the same.

    Args:
        time: Shape (n,), checked by `survival_sample`.
        event: Shape (n,).
        weights: Shape (n,), how often each patient counts; once if None.
    """
    weight = np.ones(time.size) if weights is None else weights
    present = weight > 0
    distinct, index = np.unique(time[present], return_inverse=True)
    censored = np.bincount(index, weights=weight[present] * ~event[present])
    leaving = np.bincount(index, weights=weight[present])
    at_risk = np.cumsum(leaving[::-1])[::-1] - (leaving - censored)
    some = censored > 0
    followed: Floats = np.cumprod(1 - censored[some] / at_risk[some], dtype=np.float64)
    return CensoringCurve(distinct[some], followed)
