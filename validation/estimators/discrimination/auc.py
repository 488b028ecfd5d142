"""Area under the ROC curve: DeLong's variance, bootstrap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.bootstrap import Resampling, percentile_limits, resampling
from validation.estimators.discrimination.pairs import dense_ranks
from validation.estimators.discrimination.replicates import pair_visits, replicated_credit, share, visits
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.intervals import SCALE_OF, Interval
from validation.estimators.samples import Floats, finite_vector, indicator, prediction_vector, status_at_horizon


def _mid_ranks(values: Floats) -> Floats:
    """Ranks from 1, the mean rank where values are equal."""
    ranks = dense_ranks(values) - 1
    counts = np.bincount(ranks)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[ranks])


def auc_influence(case: ArrayLike, prediction: ArrayLike) -> Influence:
    """Return the AUC with the share of each patient in its error; two of them give DeLong's paired test.

    Value and standard error equal R's pROC::roc and pROC::var, the difference of two pROC::roc.test(paired = TRUE). The
    variance is that of the placement values (DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837), computed from
    mid-ranks in O(n log n) (Sun and Xu, IEEE Signal Process Lett 2014;21:1389).

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        prediction: Shape (n,), higher means more likely a case; any monotone scale.

    Raises:
        UndefinedEstimate: Non-finite or mismatched arrays, fewer than two cases or two controls, constant prediction.
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
    contributions = np.empty(cases.size)
    contributions[cases] = (below_case - auc) / np.sqrt(n_cases * (n_cases - 1))
    contributions[~cases] = (above_control - auc) / np.sqrt(n_controls * (n_controls - 1))
    method = "area under the ROC curve, DeLong variance (DeLong 1988)"
    return Influence(auc, contributions, cases.size, n_cases, method)


def auc(case: ArrayLike, prediction: ArrayLike, *, level: float = 0.95, interval: Interval = "logit") -> Estimate:
    """Estimate the probability that a case is predicted higher than a control; equal predictions count one half.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        prediction: Shape (n,), higher means more likely a case; any monotone scale.
        level: Two-sided confidence level.
        interval: `wald` is pROC's.

    Raises:
        UndefinedEstimate: As `auc_influence`; perfect separation (no variance, hence no interval).
    """
    return auc_influence(case, prediction).estimate(scale=SCALE_OF[interval], level=level)


def auc_at_horizon_influence(time: ArrayLike, event: ArrayLike, prediction: ArrayLike, horizon: float) -> Influence:
    """Return the AUC for the event by a horizon among patients whose status there is known.

    Patients lost before the horizon are left out; their number is part of the method. The estimate is biased where
    loss depends on risk; the cumulative/dynamic AUC with censoring weights (`auc_t`) is not.

    Args:
        time: Shape (n,), in the unit of `horizon`.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        horizon: For instance 36 months.

    Raises:
        UndefinedEstimate: As `auc_influence` and `status_at_horizon`.
    """
    known, case = status_at_horizon(time, event, horizon)
    values = finite_vector("prediction", prediction, known.size)
    influence = auc_influence(case[known], values[known])
    contributions = np.zeros(known.size)
    contributions[known] = influence.contributions
    lost = int(np.count_nonzero(~known))
    method = f"{influence.method}, {lost} patients lost before {horizon:g} left out"
    return replace(influence, contributions=contributions, method=method, horizon=horizon)


def auc_at_horizon(
    time: ArrayLike,
    event: ArrayLike,
    prediction: ArrayLike,
    horizon: float,
    *,
    level: float = 0.95,
    interval: Interval = "logit",
) -> Estimate:
    """Estimate the AUC for the event by a horizon among patients whose status there is known.

    Args:
        time: Shape (n,), in the unit of `horizon`.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        horizon: For instance 36 months.
        level: Two-sided confidence level.
        interval: `wald` is pROC's.

    Raises:
        UndefinedEstimate: As `auc_at_horizon_influence`; perfect separation.
    """
    influence = auc_at_horizon_influence(time, event, prediction, horizon)
    return influence.estimate(scale=SCALE_OF[interval], level=level)


def auc_replicates(case: ArrayLike, prediction: ArrayLike, plan: Resampling, *, threads: int = 1) -> Floats:
    """Return the AUC of every bootstrap sample, shape (replicates,); NaN where a sample holds one class only.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        prediction: Shape (n,), higher means more likely a case.
        plan: The bootstrap.
        threads: Samples are worked on side by side; the result does not depend on it.

    Raises:
        UndefinedEstimate: As `auc_influence`.
    """
    cases = indicator("case", case)
    ranks = dense_ranks(prediction_vector(prediction, cases.size))
    number = (~cases).astype(np.int32)
    listed = [visits(number, cases, ranks), pair_visits(number, cases)]
    credit, pairs = replicated_credit(listed, plan, threads=threads).T
    return share(credit, pairs)


def auc_bootstrap(
    case: ArrayLike,
    prediction: ArrayLike,
    *,
    replicates: int,
    seed: int,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate the AUC with the percentile interval of a bootstrap of patients, or of clusters of rows.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        prediction: Shape (n,), higher means more likely a case.
        replicates: Bootstrap samples, for instance 2000.
        seed: Not negative.
        cluster: Shape (n,), the patient of each row, where patients have several rows.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `auc_influence`, `resampling` and `percentile_limits`.
    """
    influence = auc_influence(case, prediction)
    plan = resampling(influence.n, replicates, seed, cluster)
    lower, upper = percentile_limits(influence.value, auc_replicates(case, prediction, plan), level)
    method = f"area under the ROC curve, percentile interval, {plan.describe()}"
    return Estimate(influence.value, lower, upper, level, influence.n, influence.events, method)
