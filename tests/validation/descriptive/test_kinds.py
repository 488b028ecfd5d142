"""Every kind of descriptive analysis is documented, and declared by a protocol that ships."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from validation.descriptive import KINDS
from validation.protocol import load_protocol

ROOT = Path(__file__).parents[3]
PROTOCOLS = sorted((ROOT / "validation/protocols").glob("*.yaml"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_documented(kind: str) -> None:
    """Each has its section, and each of its keys is named there."""
    text = (ROOT / "docs/descriptive.md").read_text(encoding="utf-8")

    assert f"\n## {kind}\n" in text
    section = text.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    for key in {field.name for field in fields(KINDS[kind])} - {"id"}:
        assert f"`{key}`" in section, key


def test_every_kind_is_declared() -> None:
    """A kind that no protocol declares is dead code."""
    declared = {analysis.kind for path in PROTOCOLS for analysis in load_protocol(path).analysis.descriptive}

    assert declared == set(KINDS)
