"""The pre-specified plan of one architecture: what is estimated on which cohort, and what is demanded of it."""

from __future__ import annotations

from validation.protocol.follow_up import check_follow_up
from validation.protocol.load import load_protocol
from validation.protocol.plan import Analysis, EstimateSpec, Protocol, SubgroupSpec

__all__ = ["Analysis", "EstimateSpec", "Protocol", "SubgroupSpec", "check_follow_up", "load_protocol"]
