"""ROC and precision-recall curves, point by point: what a figure needs beside the area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.samples import Bools, Floats, indicator, prediction_vector, require_classes
from validation.estimators.survival.weighted_cohort import weighted_cohort


@dataclass(frozen=True, eq=False)
class RocCurve:
    """The ROC curve; straight lines between its points enclose the AUC.

    Attributes:
        threshold: Shape (k + 1,), descending: infinity, where nobody is positive, then each distinct prediction.
        sensitivity: Share of cases at or above the threshold, ascending from 0 to 1.
        specificity: Share of controls below the threshold, descending from 1 to 0.
    """

    threshold: Floats
    sensitivity: Floats
    specificity: Floats


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurve:
    """The precision-recall curve; steps that hold each precision since the recall before enclose `average_precision`.

    Attributes:
        threshold: Shape (k,), descending: each distinct prediction.
        precision: Share of cases among those at or above the threshold.
        recall: Share of cases at or above the threshold, ascending to 1.
    """

    threshold: Floats
    precision: Floats
    recall: Floats


def _cumulative(values: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return distinct values, descending, and the weight of the patients at or above each."""
    distinct, position = np.unique(values, return_inverse=True)
    return distinct[::-1], np.cumsum(np.bincount(position, weights=weight)[::-1])


def _roc(values: Floats, case_weight: Floats, control_weight: Floats) -> RocCurve:
    threshold, cases = _cumulative(values, case_weight)
    controls = _cumulative(values, control_weight)[1]
    return RocCurve(
        threshold=np.append(np.inf, threshold),
        sensitivity=np.append(0.0, cases / cases[-1]),
        specificity=1 - np.append(0.0, controls / controls[-1]),
    )


def _sample(case: ArrayLike, prediction: ArrayLike) -> tuple[Bools, Floats]:
    cases = indicator("case", case)
    values = prediction_vector(prediction, cases.size)
    require_classes(int(cases.sum()), int((~cases).sum()))
    return cases, values


def roc_curve(case: ArrayLike, prediction: ArrayLike) -> RocCurve:
    """Return the ROC curve of a binary outcome, a point per distinct prediction; its area is that of `auc`.

    Points equal R's pROC::roc and scikit-learn's roc_curve(drop_intermediate=False).

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        prediction: Shape (n,), higher means more likely a case; any monotone scale.

    Raises:
        UndefinedEstimate: As `indicator` and `prediction_vector`; cases only or controls only.
    """
    cases, values = _sample(case, prediction)
    return _roc(values, cases.astype(np.float64), (~cases).astype(np.float64))


def roc_curve_at_horizon(time: ArrayLike, event: ArrayLike, prediction: ArrayLike, horizon: float) -> RocCurve:
    """Return the cumulative/dynamic ROC curve at a horizon, with censoring weights; its area is that of `auc_t`.

    Cases, with the event by the horizon, weigh 1/G(time-), controls, event-free there, alike (Blanche, Dartigues and
    Jacqmin-Gadda, Stat Med 2013;32:5381); every point is that of `classification_at_horizon`.

    Args:
        time: Shape (n,), follow-up, in the unit of `horizon`.
        event: Shape (n,).
        prediction: Shape (n,), higher means more likely the event by the horizon.
        horizon: An event there counts.

    Raises:
        UndefinedEstimate: As `survival_sample` and `prediction_vector`; horizon beyond follow-up; no case or control.
    """
    cohort = weighted_cohort(time, event)
    values = prediction_vector(prediction, cohort.time.size)
    status = cohort.status(horizon, of_each=1)
    return _roc(values, status.weight * status.case, status.weight * status.control)


def precision_recall_curve(case: ArrayLike, prediction: ArrayLike) -> PrecisionRecallCurve:
    """Return the precision-recall curve of a binary outcome, a point per distinct prediction.

    Points are those of scikit-learn's precision_recall_curve, without its last one (recall 0), which no data support.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        prediction: Shape (n,), higher means more likely a case; any monotone scale.

    Raises:
        UndefinedEstimate: As `roc_curve`.
    """
    cases, values = _sample(case, prediction)
    threshold, found = _cumulative(values, cases.astype(np.float64))
    positive = _cumulative(values, np.ones(cases.size))[1]
    return PrecisionRecallCurve(threshold, found / positive, found / found[-1])
