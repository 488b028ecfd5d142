"""What a careful reader would ask about a table before believing its estimates."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.stats import spearmanr

from validation.assess.assessment import Answer
from validation.assess.questions import Plan
from validation.assess.table import BinaryColumns, PredictionTable, SurvivalColumns

FALL = 1e-6  # rounding of written risks
REPEATED = 0.25  # of the rows; fewer may be patients who are alike in everything
DISTINCT = 0.75  # of the distinct rows; a prediction of few values repeats by itself
RANKING = ("harrell_c", "auc", "auc_t", "uno_c")


def _risks(table: PredictionTable, columns: SurvivalColumns) -> Iterator[str]:
    for (_, earlier), (_, later) in pairwise(columns.risks.items()):
        falling = int(np.count_nonzero(table.numbers[later] < table.numbers[earlier] - FALL))
        if falling:
            yield (
                f"{later} is below {earlier} for {falling} of {table.n} rows, but risk cannot fall with time: "
                "are these survival probabilities?"
            )
    for column in columns.risks.values():
        if columns.linear_predictor is None or np.ptp(table.numbers[column]) == 0:
            continue
        if float(spearmanr(table.numbers[columns.linear_predictor], table.numbers[column]).statistic) < 0:
            yield f"{columns.linear_predictor} and {column} rank patients oppositely: one of them has the wrong sign"


def _repeated(table: PredictionTable, prediction: str) -> Iterator[str]:
    distinct = len(np.unique(np.column_stack(list(table.numbers.values())), axis=0))
    repeated = table.n - distinct
    if repeated > REPEATED * table.n and np.unique(table.numbers[prediction]).size > DISTINCT * distinct:
        what = f"{repeated} of {table.n} rows repeat another in every column used"
        yield f"{what}: are patients entered twice? Name their column by --patient"


def remarks(table: PredictionTable, plan: Plan, answers: list[Answer]) -> list[str]:
    """Return one sentence per doubt: risks that fall with time, predictions that rank patients the wrong way round."""
    columns = plan.columns
    found = list(_risks(table, columns)) if isinstance(columns, SurvivalColumns) else []
    if plan.grouping.cluster is None:
        found += _repeated(table, list(table.numbers)[-1])
    second = columns.second()
    if isinstance(second, SurvivalColumns):
        found += _risks(table, second)
    prediction = columns.probability if isinstance(columns, BinaryColumns) else "the prediction"
    for answer in answers:
        if answer.group is None and answer.name in RANKING and answer.estimate and answer.estimate.upper < 0.5:
            found.append(
                f"{answer.name} lies below 0.5: higher values of {prediction} go with fewer or later events; "
                "is the sign wrong, or survival given for risk?"
            )
            break
    return found
