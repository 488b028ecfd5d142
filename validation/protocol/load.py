"""Reading of a protocol: its blocks, and what must agree between them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.blocks import Block
from validation.digests import json_sha256
from validation.documents import read_yaml
from validation.errors import InputError
from validation.protocol.analysis import read_analysis
from validation.protocol.demands import read_gates
from validation.protocol.keys import MARGIN, MARGINS, MULTIPLICITY, REPEATED_USE, TOP
from validation.protocol.plan import Analysis, Margin, Margins, Multiplicity, Protocol, RepeatedUse
from validation.protocol.subgroups import REASON_LENGTH

LARGEST_MARGIN = 0.5  # of a concordance or an AUC: as far as chance lies from perfection
RULES = ("intersection_union",)
_OPEN = re.compile(r"\bTODO\b")


def _margin(file: Path, key: str, value: Any) -> Margin:
    block = Block(file, ("margins", key), value, MARGIN)
    margin = block.number("margin", 0, LARGEST_MARGIN)
    return Margin(margin, block.text("source", "where the margin comes from", REASON_LENGTH))


def _margins(top: Block, analysis: Analysis) -> Margins | None:
    if "margins" not in top.value:
        return None
    block = Block(top.file, ("margins",), top.value["margins"], MARGINS)
    name = block.take("estimate", str, "the id of an estimate")
    ranking = [spec.id for spec in analysis.estimates if spec.entry.measures == "discrimination"]
    if name not in ranking:
        expected = f"an estimate of discrimination: {', '.join(ranking) or 'there is none'}"
        raise block.error("estimate", f"{name}, which is none", expected)
    original, last = (_margin(top.file, key, block.value.get(key)) for key in ("original", "last_release"))
    return Margins(name, original, last)


def _multiplicity(top: Block) -> Multiplicity:
    block = Block(top.file, ("multiplicity",), top.value.get("multiplicity"), MULTIPLICITY)
    rule = block.take("rule", str, f"one of {', '.join(RULES)}")
    if rule not in RULES:
        raise block.error("rule", f"unknown rule {rule}", f"one of {', '.join(RULES)}")
    return Multiplicity(rule, block.text("reason", "why this rule is right", REASON_LENGTH))


def _repeated_use(top: Block, level: float) -> RepeatedUse:
    block = Block(top.file, ("repeated_use",), top.value.get("repeated_use"), REPEATED_USE)
    spent, budget = block.number("alpha_per_opening", 0, 1), block.number("alpha_budget", 0, 1)
    one_sided = (1 - level) / 2
    if not math.isclose(spent, one_sided, rel_tol=1e-9):
        expected = f"{one_sided:g}, half of what analysis.level {level:g} leaves: the one-sided error of a gate's limit"
        raise block.error("alpha_per_opening", f"{spent:g}", expected)
    if spent > budget:
        raise block.error("alpha_budget", f"{budget:g}", f"at least alpha_per_opening, {spent:g}")
    return RepeatedUse(spent, budget, block.text("reason", "why that much", REASON_LENGTH))


def _refuse_open_ends(path: Path) -> None:
    """Refuse a template in which something is still to be decided, in comments too."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if _OPEN.search(line):
            found = f"TODO in {' '.join(line.split())!r}"
            raise InputError(
                f"{path} line {number}", found, "what a person has decided", "Decide it and write it there."
            )


def load_protocol(path: Path) -> Protocol:
    """Read a protocol and refuse what is unknown, missing, given twice or contradictory.

    Args:
        path: validation/protocols/<architecture>.yaml.

    Raises:
        InputError: With file, line and key.
    """
    raw: Mapping[str, Any] = read_yaml(path)
    _refuse_open_ends(path)
    top = Block(path, (), raw, TOP)
    model, version = top.name("model"), top.whole("version", 1, "a whole number, at least 1")
    intended_use = top.text("intended_use", "what the model is for")
    analysis = read_analysis(path, raw.get("analysis"))
    gates = read_gates(top, analysis)
    return Protocol(
        file=path,
        model=model,
        version=version,
        intended_use=intended_use,
        analysis=analysis,
        gates=gates,
        gates_digest=json_sha256(raw["gates"]),
        margins=_margins(top, analysis),
        multiplicity=_multiplicity(top),
        repeated_use=_repeated_use(top, analysis.level),
        digest=json_sha256(raw),
    )
