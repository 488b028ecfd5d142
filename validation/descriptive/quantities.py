"""What a row of a descriptive analysis may be about, and the range outside which its value is impossible."""

from __future__ import annotations

import math

from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.bounds import BOUNDS as OF_ESTIMATORS
from validation.estimators.catalogue.entry import ANY, POSITIVE, SIGNED_UNIT, UNIT
from validation.estimators.catalogue.survival import SURVIVAL

_OWN = {
    "survival": UNIT,
    "hazard_ratio": POSITIVE,
    "adjusted_hazard_ratio": POSITIVE,
    "ratio_of_hazard_ratios": POSITIVE,
    "correlation": SIGNED_UNIT,
    "pearson_correlation": SIGNED_UNIT,
    "median_follow_up": POSITIVE,
    "median": ANY,
    "lower_quartile": ANY,
    "upper_quartile": ANY,
    "null_brier_t": UNIT,
    "null_ibs": UNIT,
}
_PAIRED = {name for table in (BINARY, SURVIVAL) for name, entry in table.items() if entry.influence is not None}
_DIFFERENCES = {
    f"{name}_difference": (low - high, high - low) for name, (low, high) in OF_ESTIMATORS.items() if name in _PAIRED
}
BOUNDS: dict[str, tuple[float, float]] = {**OF_ESTIMATORS, **_DIFFERENCES, **_OWN}
TESTS = frozenset(
    (
        "log_rank",
        "pairwise_log_rank",
        "pairwise_log_rank_holm",
        "rank_test",
        "interaction_test",
        "calibration_test",
        "heterogeneity_test",
        "likelihood_ratio_test",
        "proportional_hazards_test",
    )
)

LINES = "line from the top"
"""Vertical axis of a forest plot: its intervals are those of x."""

_AXES: dict[str, tuple[float, float]] = {
    "1 - specificity": UNIT,
    "sensitivity": UNIT,
    "recall": UNIT,
    "precision": UNIT,
    "predicted risk": UNIT,
    "observed risk": UNIT,
    "observed risk of groups": UNIT,
    "threshold": UNIT,
    "net benefit": (-math.inf, 1.0),
    "standardized net benefit": (-math.inf, 1.0),
    "of 1000 patients": (0.0, 1000.0),
    "share at high risk": UNIT,
    "AUC": UNIT,
    "Brier score": UNIT,
    "months": POSITIVE,
    "patients": POSITIVE,
    "density": POSITIVE,
    "tissue read": POSITIVE,
    "tiles": POSITIVE,
    "place in the list of predictions": POSITIVE,
    "correlation": SIGNED_UNIT,
    LINES: POSITIVE,
    **{name.replace("_", " "): bounds for name, bounds in OF_ESTIMATORS.items()},  # of a forest plot
}
_STARTS = {"share without event of ": UNIT, "hazard ratio, ": POSITIVE}  # labels that end in a name
_OF_COLUMNS = frozenset(("score_by_group", "distribution"))  # kinds that label axes by columns, whose values may be any


def axis_range(kind: str, label: str) -> tuple[float, float] | None:
    """Return the range outside which a point of an axis is impossible; None where no kind labels an axis so.

    Args:
        kind: Of the analysis.
        label: Of the axis.
    """
    if kind in _OF_COLUMNS and label not in ("density", "patients"):
        return ANY
    return _AXES.get(label) or next((_STARTS[start] for start in _STARTS if label.startswith(start)), None)
