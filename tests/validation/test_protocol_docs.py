"""docs/protocol.md explains exactly the keys that the reader takes, and its example is a sound protocol."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from validation.protocol import load_protocol
from validation.protocol.keys import KEYS

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0]: part for part in TEXT.split("\n## ")[1:]}


@pytest.mark.parametrize("block", KEYS)
def test_every_key_is_explained(block: str) -> None:
    """The first column of each table is the keys of its block, each with a meaning and a reason."""
    rows = [line.strip("|").split(" | ") for line in SECTIONS[block].splitlines() if line.startswith("| `")]
    explained = [key for row in rows for key in re.findall(r"`([a-z_]+)`", row[0])]

    assert sorted(explained) == sorted(KEYS[block])
    assert all(len(row) == 3 and all(len(cell.strip()) > 3 for cell in row) for row in rows)


def test_no_section_is_about_a_block_that_is_not_there() -> None:
    """Beside the blocks there is the example alone."""
    assert set(SECTIONS) == {*KEYS, "Example"}


def test_the_example_is_sound(tmp_path: Path) -> None:
    """It loads, and shows every block."""
    (example,) = re.findall(r"```yaml\n(.*?)```", SECTIONS["Example"], flags=re.DOTALL)
    path = tmp_path / "example.yaml"
    path.write_text(example, encoding="utf-8")
    plan = load_protocol(path)

    assert plan.margins is not None
    assert plan.analysis.subgroups
    assert plan.analysis.descriptive
    assert {gate.cohort for gate in plan.gates} == {None, "pooled"}
