"""What a row of a descriptive analysis may be about, and the range outside which its value is impossible."""

from __future__ import annotations

from validation.estimators.catalogue.bounds import BOUNDS as OF_ESTIMATORS
from validation.estimators.catalogue.entry import ANY, POSITIVE, SIGNED_UNIT, UNIT

_OWN = {
    "survival": UNIT,
    "hazard_ratio": POSITIVE,
    "odds_ratio": POSITIVE,
    "ratio_of_hazard_ratios": POSITIVE,
    "difference": SIGNED_UNIT,
    "correlation": SIGNED_UNIT,
    "median": ANY,
    "lower_quartile": ANY,
    "upper_quartile": ANY,
    "null_brier_t": UNIT,
    "null_ibs": UNIT,
}
BOUNDS: dict[str, tuple[float, float]] = {**OF_ESTIMATORS, **_OWN}
TESTS = frozenset(("log_rank", "rank_test", "independence_test", "interaction_test", "calibration_test"))
