"""A prediction in groups of patients: the rank test, and who is left out of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from validation.cohort_table import CohortTable
from validation.descriptive.base import Row, p_value_row
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.groups.location import kruskal_wallis, mann_whitney
from validation.estimators.samples import Bools, Floats
from validation.outcomes import left_out


def note_of_unknown(unknown: Mapping[str, Bools]) -> str:
    """Return who is left out, for the method; a patient counts under the first name that applies.

    Args:
        unknown: Shape (n,) by name, of whom it is not known.
    """
    counted: Bools = np.zeros(next(iter(unknown.values())).size, dtype=np.bool_)
    note = ""
    for name, missing in unknown.items():
        note += left_out(int(np.count_nonzero(missing & ~counted)), name)
        counted |= missing
    return note


def rank_test(values: Floats, labels: list[str]) -> GroupTest:
    """Return the Mann-Whitney test of two groups, the Kruskal-Wallis test of more.

    Args:
        values: Shape (n,).
        labels: Group of each patient.

    Raises:
        UndefinedEstimate: As these tests; a single group.
    """
    return (mann_whitney if len(set(labels)) == 2 else kruskal_wallis)(values, labels)


def rank_test_row(prediction: str, values: Floats, by: str, cohort: CohortTable) -> Row:
    """Return the rank test of a prediction between groups, of the patients of whom both are known.

    Args:
        prediction: Its name.
        values: Shape (n,), of every patient of the cohort.
        by: Groups; see `CohortTable`. An endpoint that the cohort never recorded leaves the test undefined.
        cohort: The cohort.

    Raises:
        InputError: As `CohortTable.groups`.
    """
    subject = f"{prediction} by {by}"
    missing = np.isnan(values)
    try:
        groups = cohort.groups(by)
    except UndefinedEstimate as undefined:
        reason = undefined

        def unrecorded() -> GroupTest:
            raise reason

        return p_value_row("rank_test", subject, unrecorded, n=cohort.n)
    known = groups.known & ~missing
    return p_value_row(
        "rank_test",
        subject,
        lambda: rank_test(values[known], groups.names(known)),
        n=int(known.sum()),
        note=note_of_unknown({by: ~groups.known, prediction: missing}),
    )
