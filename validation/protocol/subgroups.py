"""Reading of the list `analysis.subgroups`."""

from __future__ import annotations

from typing import Any

from validation.blocks import Block
from validation.protocol.keys import SUBGROUP
from validation.protocol.plan import SubgroupSpec

REASON_LENGTH = 20
"""Characters below which a text justifies nothing."""


def read_subgroups(analysis: Block, estimates: tuple[str, ...]) -> tuple[SubgroupSpec, ...]:
    """Read the subgroups of an analysis with these estimates.

    Raises:
        InputError: With file, line and key.
    """
    entries = analysis.take("subgroups", list, "a list of subgroups, empty if none is looked at")
    subgroups = tuple(_subgroup(analysis, position, entry, estimates) for position, entry in enumerate(entries))
    analysis.unique("subgroups", [subgroup.id for subgroup in subgroups])
    seen: dict[tuple[str, str], str] = {}
    for position, subgroup in enumerate(subgroups):
        for pair in ((estimate, text) for estimate in subgroup.estimates for text in subgroup.by):
            if pair in seen:
                found = f"{pair[0]} by {pair[1]}, which {seen[pair]} asks for too"
                raise analysis.error(("subgroups", position), found, "every estimate by every grouping once")
            seen[pair] = subgroup.id
    return subgroups


def _subgroup(analysis: Block, position: int, value: Any, estimates: tuple[str, ...]) -> SubgroupSpec:
    block = Block(analysis.file, (*analysis.path, "subgroups", position), value, SUBGROUP)
    role = block.take("role", str, "claim or descriptive")
    if role not in ("claim", "descriptive"):
        raise block.error("role", f"unknown role {role}", "claim or descriptive")
    asked = block.names("estimates", "a list of estimates", optional=False)
    for name in asked:
        if name not in estimates:
            raise block.error("estimates", f"no estimate {name} in the analysis", f"some of {', '.join(estimates)}")
    by: tuple[str, ...] = block.typed("by", tuple[str, ...])
    block.unique("by", by)
    minimum = None
    if role == "claim" or "minimum_events" in block.value:
        minimum = block.whole("minimum_events", 1, "a number of events, at least 1, without which nothing is claimed")
    return SubgroupSpec(
        id=block.name("id"),
        by=by,
        role="claim" if role == "claim" else "descriptive",
        estimates=asked,
        minimum_events=minimum,
        reason=block.text("reason", "why these groups are looked at", REASON_LENGTH),
    )
