"""Whether a protocol fits what it will meet: the predictions of its model, the follow-up of a cohort."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from validation.blocks import Block
from validation.documents import read_yaml
from validation.errors import InputError
from validation.protocol.keys import TOP
from validation.protocol.plan import Protocol


def check_predictions(protocol: Protocol, columns: Collection[str], endpoint: str) -> None:
    """Refuse an estimate of what the model does not put out, and another endpoint than the one it was trained for.

    Args:
        protocol: The plan.
        columns: Columns of the model's predictions.
        endpoint: Its endpoint.

    Raises:
        InputError: With file, line and key.
    """
    if protocol.analysis.endpoint != endpoint:
        raise _error(protocol, ("analysis", "endpoint"), protocol.analysis.endpoint, f"{endpoint}, of {protocol.model}")
    for position, estimate in enumerate(protocol.analysis.estimates):
        if estimate.prediction not in columns:
            found = f"{estimate.prediction}, which {protocol.model} does not put out"
            place = ("analysis", "estimates", position, "prediction")
            raise _error(protocol, place, found, f"one of {', '.join(columns)}")


def check_endpoints(protocol: Protocol, binary_by_endpoint: Mapping[str, bool], cohort: str) -> None:
    """Refuse an estimate whose endpoint has a time in the protocol and none in a cohort, or the reverse.

    Args:
        protocol: The plan.
        binary_by_endpoint: Whether an endpoint of the cohort is binary; one that it never recorded is not there.
        cohort: Its name, for the message.

    Raises:
        InputError: With file, line and key of the estimate.
    """
    kinds = {False: "an endpoint with time", True: "a binary endpoint"}
    for position, estimate in enumerate(protocol.analysis.estimates):
        binary = binary_by_endpoint.get(estimate.endpoint, estimate.binary)
        if binary != estimate.binary:
            found, expected = f"{estimate.endpoint}, {kinds[estimate.binary]}", f"{kinds[binary]}, as {cohort} says"
            raise _error(protocol, ("analysis", "estimates", position, "endpoint"), found, expected)


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
            found = f"the horizon {horizon:g} of {estimate.id} ({estimate.endpoint})"
            expected = f"none beyond {longest:g} months, the longest follow-up of {cohort}"
            raise _error(protocol, ("analysis", "estimates", position, "horizon_months"), found, expected)


def _error(protocol: Protocol, path: tuple[str | int, ...], found: str, expected: str) -> InputError:
    return Block(protocol.file, (), read_yaml(protocol.file), TOP).error(path, found, expected)
