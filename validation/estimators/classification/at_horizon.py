"""Sensitivity, specificity and predictive values for the event by a horizon, in the presence of censoring."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.intervals import SCALE_OF, Interval
from validation.estimators.samples import finite_vector
from validation.estimators.survival.weighted_cohort import weighted_cohort

Measure = Literal["sensitivity", "specificity", "ppv", "npv"]


def classification_at_horizon_influence(
    measure: Measure, time: ArrayLike, event: ArrayLike, prediction: ArrayLike, *, threshold: float, horizon: float
) -> Influence:
    """Estimate one measure at a threshold by inverse-probability-of-censoring weights, with influence contributions.

    Cases have the event by the horizon, controls are event-free there; values and standard errors are those of R's
    timeROC::SeSpPPVNPV(weighting="marginal", iid=TRUE), except that a prediction equal to the threshold is positive
    (there negative), and that patients with equal times count alike whatever their order, as in `auc_t` and `brier_t`
    (there the standard error depends on the order of rows: it differs by up to 1.2e-5 on the gbsg data).

    Args:
        measure: "sensitivity", "specificity", "ppv" or "npv".
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event; linear predictor or risk.
        threshold: A prediction at or above it is positive; fixed on other patients.
        horizon: In the unit of `time`.

    Raises:
        UndefinedEstimate: As `survival_sample`; horizon beyond follow-up; no case or no control there; a prediction
            that is not finite; nobody positive (ppv) or negative (npv) among those known at the horizon.
    """
    cohort = weighted_cohort(time, event)
    status = cohort.status(horizon, of_each=1)
    positive = finite_vector("prediction", prediction, cohort.time.size) >= threshold
    if not np.isfinite(threshold):
        raise UndefinedEstimate(f"the threshold {threshold} is not finite")
    values, among, whom = {
        "sensitivity": (positive, status.case, "case"),
        "specificity": (~positive, status.control, "control"),
        "ppv": (status.case, positive, "positive patient"),
        "npv": (status.control, ~positive, "negative patient"),
    }[measure]
    value, contributions = cohort.mean_among(values.astype(np.float64), among, status, whom)
    method = (
        f"{measure.upper() if measure in ('ppv', 'npv') else measure} at threshold {threshold:g}, censoring weights, "
        f"{status.lost} lost before the horizon (Blanche 2013)"
    )
    n_cases = int(np.count_nonzero(status.case))
    return Influence(value, contributions, cohort.time.size, n_cases, method, horizon)


def classification_at_horizon(
    measure: Measure,
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    *,
    threshold: float,
    horizon: float,
    interval: Interval = "logit",
    level: float = 0.95,
) -> Estimate:
    """Estimate one measure at a threshold, as `classification_at_horizon_influence`, with its interval.

    Args:
        measure: "sensitivity", "specificity", "ppv" or "npv".
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        threshold: A prediction at or above it is positive.
        horizon: In the unit of `time`.
        interval: "logit", or "wald" as in R.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `classification_at_horizon_influence`; a value of 0 or 1 has no interval.
    """
    influence = classification_at_horizon_influence(
        measure, time, event, prediction, threshold=threshold, horizon=horizon
    )
    return influence.estimate(scale=SCALE_OF[interval], level=level)
