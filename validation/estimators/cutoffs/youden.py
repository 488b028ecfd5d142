"""Cut-offs fixed on development data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Floats, finite_vector, indicator, prediction_vector, status_at_horizon


@dataclass(frozen=True)
class Cutoff:
    """A cut-off and what it does in the sample that chose it (optimistic there).

    Attributes:
        value: A prediction at or above it is high.
        sensitivity: Share of cases that are high.
        specificity: Share of controls that are low.
        n: Patients with known status.
        events: Cases among them.
    """

    value: float
    sensitivity: float
    specificity: float
    n: int
    events: int


def halfway(below: Floats, above: Floats) -> Floats:
    """Return cut-offs halfway between neighbouring predictions; `above` where floating point knows nothing between."""
    middle = below + (above - below) / 2
    return np.where(middle > below, middle, above)


def youden_cutoff(case: ArrayLike, prediction: ArrayLike) -> Cutoff:
    """Choose the cut-off that maximises sensitivity + specificity (Youden, Cancer 1950;3:32).

    As in R's pROC::coords(best.method="youden"), it lies halfway between two neighbouring predictions, so that rounding
    moves nobody across; of several best ones the lowest is taken.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        prediction: Shape (n,), higher means more likely a case.

    Raises:
        UndefinedEstimate: Non-finite or mismatched arrays, one class only, constant prediction.
    """
    cases = indicator("case", case)
    values = prediction_vector(prediction, cases.size)
    n_cases = int(cases.sum())
    if n_cases in (0, cases.size):
        raise UndefinedEstimate(f"{n_cases} cases among {cases.size} patients: one class only", too_few=True)
    distinct, index = np.unique(values, return_inverse=True)
    cases_at = np.bincount(index, weights=cases)
    controls_at = np.bincount(index, weights=~cases)
    sensitivity = 1 - np.cumsum(cases_at)[:-1] / n_cases
    specificity = np.cumsum(controls_at)[:-1] / (cases.size - n_cases)
    gain = sensitivity + specificity
    best = int(np.flatnonzero(gain >= gain.max() - 1e-12)[0])
    value = float(halfway(distinct[best : best + 1], distinct[best + 1 : best + 2])[0])
    return Cutoff(value, float(sensitivity[best]), float(specificity[best]), cases.size, n_cases)


def youden_cutoff_at_horizon(time: ArrayLike, event: ArrayLike, prediction: ArrayLike, horizon: float) -> Cutoff:
    """Choose the Youden cut-off for the event by a horizon, among patients whose status there is known.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        horizon: For instance 36.

    Raises:
        UndefinedEstimate: As `youden_cutoff` and `status_at_horizon`.
    """
    known, case = status_at_horizon(time, event, horizon)
    return youden_cutoff(case[known], finite_vector("prediction", prediction, known.size)[known])
