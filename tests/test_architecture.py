"""The shape of the code: sizes, folders, names, and a README whose figures are those of the evidence."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import MODELS
from pipelines.readme import PAGES, blocks, filled
from validation.gates import GATES

ROOT = Path(__file__).parents[1]
ROOMS = ("models", "validation", "registry", "pipelines", "benchmarks")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_stay_small(path: Path) -> None:
    """No file above 400 lines, no function above 60, no file named for being a drawer."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.stem not in {"utils", "helpers", "common", "misc"}
    for function in functions(path):
        assert (function.end_lineno or 0) - function.lineno < 60, function.name


def test_every_test_says_what_must_hold() -> None:
    """Every test function has a docstring."""
    silent = [
        f"{path.relative_to(ROOT)}:{function.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert silent == []


def test_every_model_has_its_files() -> None:
    """One pattern: spec, inputs, network, signature, system, card, protocol, and what is shown of it."""
    for name in MODELS:
        for file in ("__init__.py", "inputs.py", "network.py", "signature.py", "system.py"):
            assert (ROOT / "models" / name / file).is_file(), f"{name}/{file}"
        for file in (f"models/cards/{name}.md", f"models/maps/{name}.py", f"validation/protocols/{name}.yaml"):
            assert (ROOT / file).is_file(), file


def test_every_gate_is_documented() -> None:
    """Each kind of gate has its section in docs/gates.md."""
    text = (ROOT / "docs/gates.md").read_text(encoding="utf-8")

    for kind in GATES:
        assert f"\n## {kind}\n" in text, kind


def test_pages_show_the_figures_of_the_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generated parts of README.md and docs are what `python -m pipelines.readme` would write."""
    monkeypatch.chdir(ROOT)
    parts = blocks()

    for page in PAGES:
        assert filled(page, parts) == page.read_text(encoding="utf-8")
