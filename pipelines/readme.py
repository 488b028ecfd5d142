"""The figures in README.md come from the evidence: `python -m pipelines.readme` writes them, a test compares them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from pipelines.demo import CHALLENGER, MODEL, SOUND
from pipelines.layout import oracle_file, paper_sized_file, verdict_file
from pipelines.oracle import with_interval
from pipelines.stage import run_stage
from validation.documents import read_json
from validation.errors import InputError
from validation.report import as_text
from validation.verdict import Verdict

README = Path("README.md")
BLOCK = re.compile(r"<!-- (?P<name>[a-z-]+):begin -->\n.*?<!-- (?P=name):end -->", re.DOTALL)


def _document(path: Path) -> dict[str, Any]:
    document = read_json(path)
    if document is None:
        raise InputError(str(path), "no such file", "the evidence of the demonstration", "Run make demo.")
    return document


def _verdict(document: dict[str, Any]) -> str:
    return f"```text\n{as_text(Verdict.from_dict(document))}```"


def _oracle(rows: list[dict[str, Any]]) -> str:
    lines = ["| external, synthetic | cohort | model | oracle | share of the distance above 0.5 | n | events |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        figures = with_interval(row["model"]), with_interval(row["oracle"]), f"{row['share']:.0%}"
        cells = [row["quantity"], row["cohort"], *figures]
        lines.append(f"| {' | '.join([*cells, str(row['oracle']['n']), str(row['oracle']['events'])])} |")
    return "\n".join(lines)


def blocks() -> dict[str, str]:
    """Return the generated parts of README.md by name, from the evidence on disk."""
    oracle = [row for model in SOUND for row in _document(oracle_file(model))["rows"]]
    return {
        "verdict": _verdict(_document(verdict_file(MODEL))),
        "oracle": _oracle(oracle),
        "paper-sized": _verdict(_document(paper_sized_file(MODEL))),
        "refusal": _verdict(_document(verdict_file(CHALLENGER))),
    }


def filled(text: str) -> str:
    """Return the README with every generated part replaced.

    Raises:
        InputError: A part is missing from the text, or unknown.
    """
    parts = blocks()
    found = [match["name"] for match in BLOCK.finditer(text)]
    if sorted(found) != sorted(parts):
        raise InputError(str(README), f"parts {sorted(found)}", f"parts {sorted(parts)}", "Restore the markers.")
    return BLOCK.sub(lambda m: f"<!-- {m['name']}:begin -->\n{parts[m['name']]}\n<!-- {m['name']}:end -->", text)


def readme() -> None:
    """Write the figures of the evidence into README.md."""
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    run_stage(readme, sys.argv[1:])
