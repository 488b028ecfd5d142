"""The command line: every command says what it reads, writes and exits with, and stays light."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from pipelines.cli import app

HEAVY = ("torch", "monai", "mlflow", "great_expectations", "onnxruntime", "pandas", "SimpleITK", "matplotlib")
COMMANDS = sorted(
    f"{name} {part}".strip()
    for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
    for part in getattr(command, "commands", [""])
)


def hallmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run([sys.executable, "-m", "pipelines", *arguments], capture_output=True, text=True, check=False)


def modules_after(statement: str) -> set[str]:
    """Return the modules loaded by a statement in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_is_read_written_and_returned(command: str) -> None:
    """Each command's help names inputs, outputs and exit codes."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *command.split(), "--help"], capture_output=True, text=True, check=True
    )
    text = " ".join(done.stdout.split())

    assert "Reads" in text
    assert "writes" in text
    assert "Exits with 0" in text


def test_help_loads_nothing_heavy() -> None:
    """The command line itself imports none of the heavy libraries."""
    assert modules_after("import pipelines.cli").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "modules",
    [
        "pipelines.predict, models.runtime, models.mri_distant_metastasis.inputs",
        "pipelines.evaluate, pipelines.gate, pipelines.check, pipelines.independence",
        "pipelines.release, pipelines.status",
        "pipelines.protocol_commands",
    ],
)
def test_predicting_and_judging_import_neither_torch_nor_monai(modules: str) -> None:
    """What runs at other hospitals and in continuous integration needs no deep-learning framework."""
    assert modules_after(f"import {modules}").isdisjoint({"torch", "monai", "mlflow", "matplotlib"})


def test_misuse_exits_with_2() -> None:
    """An unknown command or option is bad use."""
    for arguments in (["nonsense"], ["gate"], ["gate", "m", "--nonsense"]):
        done = subprocess.run(
            [sys.executable, "-m", "pipelines", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, arguments
        assert "Traceback" not in done.stderr


def test_outside_a_repository_the_error_says_where_to_run(tmp_path: Path) -> None:
    """Without params.yaml: exit 2 and what to do."""
    command = [sys.executable, "-m", "pipelines", "gate", "mri_distant_metastasis"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "Run the command in the repository root" in done.stderr
