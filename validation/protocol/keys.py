"""Every key of a protocol, by the block it stands in; docs/protocol.md explains each of them."""

from __future__ import annotations

from validation.gates.base import SIDES

TOP = frozenset(("model", "version", "intended_use", "analysis", "gates", "margins", "multiplicity", "repeated_use"))
ANALYSIS = frozenset(
    (
        "endpoint",
        "other_endpoints",
        "binary_endpoints",
        "horizons_months",
        "follow_up_months",
        "level",
        "analysis_set",
        "seed",
        "cohorts",
        "estimates",
        "subgroups",
        "descriptive",
    )
)
COHORTS = frozenset(("external", "internal"))
ESTIMATE = frozenset(("id", "estimator", "prediction", "horizon_months", "endpoint"))
SUBGROUP = frozenset(("id", "by", "role", "estimates", "minimum_events", "reason"))
ON_ESTIMATES = frozenset(("estimate", "minimum_events"))
GATE = frozenset(("id", "kind", "blocking", "hazard", "source", "cohort", "confidence", *SIDES)) | ON_ESTIMATES
MARGINS = frozenset(("estimate", "original", "last_release"))
MARGIN = frozenset(("margin", "source"))
MULTIPLICITY = frozenset(("rule", "reason"))
REPEATED_USE = frozenset(("alpha_per_opening", "alpha_budget", "reason"))

KEYS: dict[str, frozenset[str]] = {
    "The file": TOP,
    "analysis": ANALYSIS,
    "analysis.cohorts": COHORTS,
    "analysis.estimates": ESTIMATE,
    "analysis.subgroups": SUBGROUP,
    "gates": GATE,
    "margins": MARGINS,
    "margins.original and margins.last_release": MARGIN,
    "multiplicity": MULTIPLICITY,
    "repeated_use": REPEATED_USE,
}
