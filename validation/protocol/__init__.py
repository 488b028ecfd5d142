"""The pre-specified plan of one architecture: what is estimated on which cohort, and what is demanded of it."""

from __future__ import annotations

from validation.protocol.checks import check_endpoints, check_follow_up, check_predictions
from validation.protocol.load import load_protocol
from validation.protocol.plan import Analysis, EstimateSpec, Protocol, SubgroupSpec

__all__ = [
    "Analysis",
    "EstimateSpec",
    "Protocol",
    "SubgroupSpec",
    "check_endpoints",
    "check_follow_up",
    "check_predictions",
    "load_protocol",
]
