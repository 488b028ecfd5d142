"""Area under the ROC curve with DeLong's variance."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.intervals import interval
from validation.estimators.samples import Floats, finite_vector, indicator, prediction_vector, status_at_horizon


def _mid_ranks(values: Floats) -> Floats:
    """Ranks from 1, the mean rank where values are equal."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[index])


def auc_delong(
    case: ArrayLike, prediction: ArrayLike, *, level: float = 0.95, scale: Literal["logit", "identity"] = "logit"
) -> Estimate:
    """Estimate the probability that a case is predicted higher than a control; equal predictions count one half.

    Value and standard error equal R's pROC::roc and pROC::var; `scale="identity"` gives pROC's interval. The variance
    is that of the placement values (DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837), computed from mid-ranks
    in O(n log n) (Sun and Xu, IEEE Signal Process Lett 2014;21:1389).

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        prediction: Shape (n,), higher means more likely a case; any monotone scale.
        level: Two-sided confidence level.
        scale: Where the interval is symmetric.

    Raises:
        UndefinedEstimate: Non-finite or mismatched arrays, fewer than two cases or two controls, constant prediction,
            or perfect separation (no variance, hence no interval).
    """
    cases = indicator("case", case)
    values = prediction_vector(prediction, cases.size)
    n_cases, n_controls = int(cases.sum()), int((~cases).sum())
    if min(n_cases, n_controls) < 2:
        raise UndefinedEstimate(
            f"{n_cases} cases and {n_controls} controls: at least 2 of each are needed", too_few=True
        )
    ranks = _mid_ranks(values)
    below_case = (ranks[cases] - _mid_ranks(values[cases])) / n_controls
    above_control = 1 - (ranks[~cases] - _mid_ranks(values[~cases])) / n_cases
    auc = float(below_case.mean())
    variance = float(below_case.var(ddof=1)) / n_cases + float(above_control.var(ddof=1)) / n_controls
    lower, upper = interval(auc, float(np.sqrt(variance)), scale, level)
    method = f"area under the ROC curve, DeLong variance, {scale} interval (DeLong 1988)"
    return Estimate(auc, lower, upper, level, cases.size, n_cases, method, scale)


def auc_at_horizon(
    time: ArrayLike, event: ArrayLike, prediction: ArrayLike, horizon_months: float, *, level: float = 0.95
) -> Estimate:
    """Estimate the AUC for the event by a horizon among patients whose status there is known.

    Patients lost before the horizon are left out; their number is part of the method. The estimate is biased where
    loss depends on risk; the cumulative/dynamic AUC with censoring weights is not.

    Args:
        time: Shape (n,), months.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        horizon_months: For instance 36.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `auc_delong` and `status_at_horizon`.
    """
    known, case = status_at_horizon(time, event, horizon_months)
    values = finite_vector("prediction", prediction, known.size)
    estimate = auc_delong(case[known], values[known], level=level)
    lost = int(np.count_nonzero(~known))
    method = f"{estimate.method}; {lost} patients lost before {horizon_months:g} months left out"
    return replace(estimate, method=method, horizon_months=horizon_months)
