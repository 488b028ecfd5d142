"""Figures in README.md and docs/slides.md are evidence: `python -m pipelines.readme` writes them, a test compares."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.demo import CHALLENGER, MODEL, SOUND
from pipelines.layout import description_file, oracle_file, paper_sized_file, protocol_file, verdict_file
from pipelines.oracle import with_interval
from pipelines.planted import SLIDES
from pipelines.stage import run_stage
from validation.documents import read_json
from validation.errors import InputError
from validation.protocol import load_protocol
from validation.report import as_text
from validation.verdict import Verdict

PAGES: dict[Path, tuple[str, ...]] = {  # generated parts by page
    Path("README.md"): ("verdict", "oracle", "paper-sized", "refusal"),
    Path("docs/slides.md"): ("tiles", "features", "throughput"),
}
THROUGHPUT = Path("benchmarks/slide_throughput.json")
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


def _tiles(document: dict[str, Any]) -> str:
    """Return accuracy, AUC of each tissue and confusion matrix of the tile classifier."""
    found = next(analysis for analysis in document["analyses"] if analysis["kind"] == "tile_classification")
    lines = ["| on other slides | value | slides |", "|---|---|---|"]
    for row in found["rows"]:
        value = row["reason"] if row.get("value") is None else with_interval(row)
        lines.append(f"| {row['quantity']}, {row['subject']} | {value} | {row['n']} |")
    matrix = {series["name"]: series["y"] for series in found["figures"][0]["series"]}
    lines += ["", f"| named \\ read | {' | '.join(matrix)} |", "|---" * (len(matrix) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(map(str, counts))} |" for name, counts in matrix.items()]
    return "\n".join(lines)


def _features(rows: list[dict[str, Any]]) -> str:
    lines = ["| feature | correlation with the planted one | slides |", "|---|---|---|"]
    for row in rows:
        found = row["correlation"]
        cells = [row["reason"], "–"] if found is None else [with_interval(found), str(found["n"])]
        lines.append(f"| {' | '.join([row['feature'], *cells])} |")
    return "\n".join(lines)


def _throughput(document: dict[str, Any]) -> str:
    lines = ["| tiles per second, full width | bare ONNX Runtime | slide to map | ratio |", "|---|---|---|---|"]
    lines += [
        f"| turn {number} | {turn['bare']:.1f} | {turn['pipeline']:.1f} | {turn['ratio']:.2f} |"
        for number, turn in enumerate(document["turns"], start=1)
    ]
    lines += ["", "| side of the slide, pixels | tiles | seconds | largest memory, MiB |", "|---|---|---|---|"]
    lines += [
        f"| {row['side_px']} | {row['tiles']} | {row['seconds']:.0f} | {row['peak_mib']:.0f} |"
        for row in document["memory"]
    ]
    return "\n".join(lines)


def blocks() -> dict[str, str]:
    """Return the generated parts of the pages by name, from the evidence on disk."""
    oracle = {model: _document(oracle_file(model)) for model in SOUND}
    cohort = load_protocol(protocol_file(SLIDES)).analysis.external[0]
    return {
        "verdict": _verdict(_document(verdict_file(MODEL))),
        "oracle": _oracle([row for document in oracle.values() for row in document["rows"]]),
        "paper-sized": _verdict(_document(paper_sized_file(MODEL))),
        "refusal": _verdict(_document(verdict_file(CHALLENGER))),
        "tiles": _tiles(_document(description_file(SLIDES, cohort))),
        "features": _features(oracle[SLIDES]["features"]),
        "throughput": _throughput(_document(THROUGHPUT)),
    }


def filled(page: Path, parts: Mapping[str, str]) -> str:
    """Return a page with every generated part replaced.

    Raises:
        InputError: A part is missing from the text, or unknown.
    """
    text = page.read_text(encoding="utf-8")
    found, expected = [match["name"] for match in BLOCK.finditer(text)], PAGES[page]
    if sorted(found) != sorted(expected):
        raise InputError(str(page), f"parts {sorted(found)}", f"parts {sorted(expected)}", "Restore the markers.")
    return BLOCK.sub(lambda m: f"<!-- {m['name']}:begin -->\n{parts[m['name']]}\n<!-- {m['name']}:end -->", text)


def readme() -> None:
    """Write the figures of the evidence into the pages."""
    parts = blocks()
    for page in PAGES:
        page.write_text(filled(page, parts), encoding="utf-8")


if __name__ == "__main__":
    run_stage(readme, sys.argv[1:])
