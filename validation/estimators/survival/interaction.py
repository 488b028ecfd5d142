"""Does the effect of a treatment depend on a signature?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.samples import Bools, group_index, indicator, prediction_vector, survival_sample
from validation.estimators.survival.cox import CoxFit, fit_cox
from validation.estimators.survival.cox_summary import (
    ChiSquareTest,
    CoxSummary,
    chi_square_test,
    cox_summary,
    hazard_ratio,
)


@dataclass(frozen=True, eq=False)
class Interaction:
    """A Cox model of treatment, signature and their product.

    Attributes:
        fit: The model; coefficients in the order treatment, signature, product.
        summary: The same as hazard ratios named "treatment", "signature" and "treatment:signature".
        wald: Test of no interaction, from the product's coefficient.
        likelihood_ratio: Test of no interaction, against the model without the product.
        treatment: Hazard ratio of the treatment at each value of the signature that was asked for.
    """

    fit: CoxFit
    summary: CoxSummary
    wald: ChiSquareTest
    likelihood_ratio: ChiSquareTest
    treatment: tuple[Estimate, ...]


def treatment_interaction(
    time: ArrayLike,
    event: ArrayLike,
    treatment: ArrayLike,
    signature: ArrayLike,
    *,
    at: Sequence[float],
    level: float = 0.95,
) -> Interaction:
    """Estimate how the effect of a treatment changes with a signature; equals R's coxph(... ~ treatment * signature).

    Evidence that a signature predicts benefit is the test of interaction, not a small P value in one group and a large
    one in the other. The effect is causal only where treatment was assigned at random.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        treatment: Shape (n,), 1 for treated patients, 0 for the others.
        signature: Shape (n,), a group (0 and 1) or a continuous value.
        at: Values of the signature at which to give the hazard ratio of the treatment: (0, 1) for groups.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `fit_cox`; a value in `at` outside those observed.
    """
    times, events = survival_sample(time, event)
    treated = indicator("treatment", treatment, times.size).astype(np.float64)
    values = prediction_vector(signature, times.size)
    for value in at:
        if not values.min() <= value <= values.max():
            raise UndefinedEstimate(
                f"the signature lies between {values.min():g} and {values.max():g}: no effect of treatment at {value:g}"
            )
    without = fit_cox(times, events, np.column_stack([treated, values]))
    fit = fit_cox(times, events, np.column_stack([treated, values, treated * values]))
    wald = float(fit.coefficients[2] ** 2 / fit.covariance[2, 2])
    return Interaction(
        fit=fit,
        summary=cox_summary(fit, ("treatment", "signature", "treatment:signature"), level=level),
        wald=chi_square_test(wald, 1),
        likelihood_ratio=chi_square_test(2 * (fit.log_likelihood - without.log_likelihood), 1),
        treatment=tuple(hazard_ratio(fit, (1, 0, value), level=level, group=f"signature {value:g}") for value in at),
    )


def interaction_by_group(time: ArrayLike, event: ArrayLike, treatment: ArrayLike, group: ArrayLike) -> ChiSquareTest:
    """Test whether a treatment's hazard ratio is the same in two groups or more, by likelihood ratio.

    Equals R's anova of coxph(... ~ treatment + factor(group)) and coxph(... ~ treatment * factor(group)); of two
    groups, the likelihood-ratio test of `treatment_interaction`. Where nobody treated, or untreated, of a group has an
    event, a coefficient diverges but the likelihood converges: to that of all others, as their hazard goes to 0.

    Args:
        time: Shape (n,), follow-up.
        event: Shape (n,).
        treatment: Shape (n,), 1 for treated patients, or those of interest, 0 for the others.
        group: Shape (n,), labels.

    Raises:
        UndefinedEstimate: As `fit_cox` and `group_index`; one group; a group in which all are treated, or none.
    """
    times, events = survival_sample(time, event)
    treated = indicator("treatment", treatment, times.size).astype(np.float64)
    labels, index = group_index("group", group, times.size)
    if len(labels) < 2:
        raise UndefinedEstimate("all patients belong to one group: no effect to compare")
    member = (index[:, None] == np.arange(1, len(labels))).astype(np.float64)
    without = fit_cox(times, events, np.column_stack([treated, member]))
    silent = in_cell_without_event(events, treated, index)
    if silent.any() and np.unique(2 * index + treated).size == 2 * len(labels):
        cells = np.unique((2 * index + treated)[~silent], return_inverse=True)[1]
        others = (cells[:, None] == np.arange(1, cells.max() + 1)).astype(np.float64)
        log_likelihood = fit_cox(times[~silent], events[~silent], others).log_likelihood
    else:
        full = np.column_stack([treated, member, treated[:, None] * member])
        log_likelihood = fit_cox(times, events, full).log_likelihood
    return chi_square_test(2 * (log_likelihood - without.log_likelihood), len(labels) - 1)


def in_cell_without_event(event: ArrayLike, treatment: ArrayLike, group: ArrayLike) -> Bools:
    """Return whether nobody of a patient's treatment and group has an event, shape (n,).

    Args:
        event: Shape (n,).
        treatment: Shape (n,), 0 or 1.
        group: Shape (n,), number of each patient's group, from 0.
    """
    cell = 2 * np.asarray(group, dtype=np.intp) + np.asarray(treatment, dtype=np.intp)
    return np.asarray(np.bincount(cell, weights=np.asarray(event, dtype=np.float64))[cell] == 0)
