"""What a row of a descriptive analysis may be about, and the range outside which its value is impossible."""

from __future__ import annotations

from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.bounds import BOUNDS as OF_ESTIMATORS
from validation.estimators.catalogue.entry import ANY, POSITIVE, SIGNED_UNIT, UNIT
from validation.estimators.catalogue.survival import SURVIVAL

_OWN = {
    "survival": UNIT,
    "hazard_ratio": POSITIVE,
    "adjusted_hazard_ratio": POSITIVE,
    "odds_ratio": POSITIVE,
    "ratio_of_hazard_ratios": POSITIVE,
    "difference": SIGNED_UNIT,
    "correlation": SIGNED_UNIT,
    "median": ANY,
}
_PAIRED = {name for table in (BINARY, SURVIVAL) for name, entry in table.items() if entry.influence is not None}
_DIFFERENCES = {
    f"{name}_difference": (low - high, high - low) for name, (low, high) in OF_ESTIMATORS.items() if name in _PAIRED
}
BOUNDS: dict[str, tuple[float, float]] = {**OF_ESTIMATORS, **_DIFFERENCES, **_OWN}
TESTS = frozenset(
    (
        "log_rank",
        "rank_test",
        "independence_test",
        "interaction_test",
        "calibration_test",
        "heterogeneity_test",
        "likelihood_ratio_test",
        "proportional_hazards_test",
    )
)
