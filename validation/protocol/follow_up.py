"""Whether a cohort was followed up for as long as its protocol's estimates look ahead."""

from __future__ import annotations

from collections.abc import Mapping

from validation.blocks import Block
from validation.documents import read_yaml
from validation.protocol.keys import TOP
from validation.protocol.plan import Protocol


def check_follow_up(protocol: Protocol, longest_by_endpoint: Mapping[str, float], cohort: str) -> None:
    """Refuse an estimate with a horizon beyond the longest follow-up of a cohort: it could never be defined there.

    A descriptive analysis may look further ahead than one of several cohorts: it then says that it is undefined.

    Args:
        protocol: The plan.
        longest_by_endpoint: Longest follow-up in months by endpoint with time; one that the cohort never recorded is
            not there.
        cohort: Its name, for the message.

    Raises:
        InputError: With file, line and key of the estimate.
    """
    for position, estimate in enumerate(protocol.analysis.estimates):
        longest, horizon = longest_by_endpoint.get(estimate.endpoint), estimate.horizon_months
        if longest is not None and horizon is not None and horizon > longest:
            top = Block(protocol.file, (), read_yaml(protocol.file), TOP)
            found = f"the horizon {horizon:g} of {estimate.id} ({estimate.endpoint})"
            expected = f"none beyond {longest:g} months, the longest follow-up of {cohort}"
            raise top.error(("analysis", "estimates", position, "horizon_months"), found, expected)
