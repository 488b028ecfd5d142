"""Average precision: area under the precision-recall curve, as steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate
from validation.estimators.influence import Influence, as_standard_deviation
from validation.estimators.intervals import SCALE_OF, Interval
from validation.estimators.samples import indicator, prediction_vector, require_classes, risk_vector


def average_precision_influence(case: ArrayLike, probability: ArrayLike) -> Influence:
    """Estimate the mean, over cases, of the precision among all who are predicted as high as the case or higher.

    Equals scikit-learn's average_precision_score. The value depends on the prevalence, which counts as random here: an
    uninformative prediction has the prevalence as its average precision. With few cases it is too high on average, as
    each case counts towards its own precision, and the interval does not correct for that. The contributions are the
    derivatives of the value with respect to the patients' weights (infinitesimal jackknife). O(n log n).

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted.

    Raises:
        UndefinedEstimate: As `indicator`, `risk_vector` and `prediction_vector`; fewer than two cases or controls.
    """
    cases = indicator("case", case)
    values = prediction_vector(risk_vector(probability, cases.size, "probability"), cases.size)
    n_cases = int(cases.sum())
    require_classes(n_cases, cases.size - n_cases, least=2)
    distinct, position = np.unique(values, return_inverse=True)
    cases_at = np.bincount(position, weights=cases, minlength=distinct.size)
    positive = np.cumsum(np.bincount(position)[::-1])[::-1]  # predicted as high or higher
    precision = np.cumsum(cases_at[::-1])[::-1] / positive
    value = float(np.sum(cases_at * precision)) / n_cases
    gain = np.cumsum(cases_at / positive)[position]  # what a case adds to the precision of cases below it
    loss = np.cumsum(cases_at * precision / positive)[position]  # what anybody takes from it
    contributions = (cases * (precision[position] - value + gain) - loss) / n_cases
    method = "average precision (step rule), infinitesimal-jackknife variance (scikit-learn; Boyd 2013)"
    return Influence(value, as_standard_deviation(contributions), cases.size, n_cases, method)


def average_precision(
    case: ArrayLike, probability: ArrayLike, *, level: float = 0.95, interval: Interval = "logit"
) -> Estimate:
    """Return `average_precision_influence` with its interval, logit as Boyd, Eng and Page (ECML PKDD 2013) recommend.

    Raises:
        UndefinedEstimate: As `average_precision_influence`; all cases predicted above all controls.
    """
    return average_precision_influence(case, probability).estimate(scale=SCALE_OF[interval], level=level)
