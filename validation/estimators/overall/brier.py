"""Brier score of a binary outcome, and the index of prediction accuracy: how much it beats the prevalence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import ROUNDING, Influence, as_standard_deviation
from validation.estimators.intervals import SCALE_OF, Interval
from validation.estimators.samples import Bools, Floats, indicator, require_classes, risk_vector


def _sample(case: ArrayLike, probability: ArrayLike) -> tuple[Bools, Floats]:
    cases = indicator("case", case)
    values = risk_vector(probability, cases.size, "probability")
    require_classes(int(cases.sum()), int((~cases).sum()))
    return cases, values


def _mean_square(cases: Bools, predicted: Floats | float, method: str) -> Influence:
    square = (predicted - cases) ** 2
    value = float(square.mean())
    contributions = as_standard_deviation((square - value) / cases.size)
    return Influence(value, contributions, cases.size, int(cases.sum()), method)


def brier_influence(case: ArrayLike, probability: ArrayLike) -> Influence:
    """Estimate the mean squared distance between probability and outcome; 0 is perfect.

    Equals scikit-learn's brier_score_loss and rms::val.prob; standard error as riskRegression::Score for a binary
    outcome: the standard deviation of the squares over sqrt(n).

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted.

    Raises:
        UndefinedEstimate: As `indicator` and `risk_vector`; cases only or controls only.
    """
    return _mean_square(*_sample(case, probability), "Brier score, influence-function variance (Brier 1950)")


def brier(case: ArrayLike, probability: ArrayLike, *, level: float = 0.95, interval: Interval = "logit") -> Estimate:
    """Return `brier_influence` with its interval; "wald" gives that of riskRegression.

    Raises:
        UndefinedEstimate: As `brier_influence`; every prediction equally far from the outcome (no variance).
    """
    return brier_influence(case, probability).estimate(scale=SCALE_OF[interval], level=level)


def ipa_influence(case: ArrayLike, probability: ArrayLike) -> Influence:
    """Estimate the index of prediction accuracy: 1 less the Brier score over that of predicting the prevalence.

    Also called scaled Brier score. 0 is as good as the prevalence of this cohort, 1 perfect, below 0 worse than the
    prevalence (Kattan and Gerds, Diagn Progn Res 2018;2:7). The variance counts the prevalence as estimated.

    Args:
        case: Shape (n,), 1 for cases, 0 for controls.
        probability: Shape (n,), predicted.

    Raises:
        UndefinedEstimate: As `brier_influence`.
    """
    cases, values = _sample(case, probability)
    model = _mean_square(cases, values, "index of prediction accuracy (Kattan 2018), influence-function variance")
    return relative_gain(model, _mean_square(cases, float(cases.mean()), ""))


def ipa(case: ArrayLike, probability: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return `ipa_influence` with its Wald interval.

    Raises:
        UndefinedEstimate: As `ipa_influence`.
    """
    return ipa_influence(case, probability).estimate(scale="identity", level=level)


def relative_gain(model: Influence, null: Influence) -> Influence:
    """Return 1 less the model's Brier score over the null model's, with the method and sample of `model`.

    Raises:
        UndefinedEstimate: The null model's Brier score is 0: everybody, or nobody, had the event.
    """
    if null.value <= ROUNDING:
        raise UndefinedEstimate("the Brier score of the null model is 0: nothing to compare with", too_few=True)
    ratio = model.value / null.value
    contributions = (ratio * null.contributions - model.contributions) / null.value
    return Influence(1 - ratio, np.asarray(contributions), model.n, model.events, model.method, model.horizon)
