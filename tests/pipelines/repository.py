"""A copy of the repository's tracked sources in a temporary folder, with its own git and DVC, and ways to run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.layout import PARAMS, protocol_file

ROOT = Path(__file__).parents[2]
SOURCES = (
    "pyproject.toml",
    "constraints.txt",
    "params.yaml",
    "dvc.yaml",
    ".dvcignore",
    ".gitignore",
    ".dvc/config",
    ".dvc/.gitignore",
)
ROOMS = ("models", "validation", "registry", "pipelines")
RUNNING = re.compile(r"Running stage '([^']+)'")


@dataclass(frozen=True)
class Repository:
    """A working copy under test."""

    folder: Path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy, with the copy's own packages; return its output, both streams in one."""
        done = subprocess.run(
            [sys.executable, "-m", *command] if command[0] != "git" else list(command),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command} exited with {done.returncode}:\n{done.stdout}"
        return done

    def environment(self) -> dict[str, str]:
        """Return the environment of the commands: the copy's packages first, a registry of its own, quiet threads."""
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder),
            "OMP_WAIT_POLICY": "passive",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def hallmark(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line; the exit code is for the caller to judge."""
        return self.run("pipelines", *arguments, check=False)

    def repro(self, *targets: str) -> list[str]:
        """Run `dvc repro`; return the names of the DVC stages that ran."""
        return RUNNING.findall(self.run("dvc", "repro", *targets).stdout)

    def repro_all(self, *architectures: str) -> list[str]:
        """Make the cohorts, lock the protocols and run the rest, as a study does; return what ran."""
        cohorts = self.repro(*(f"check@{cohort}" for cohort in self.read("params.yaml")["cohorts"]))
        for architecture in architectures:
            self.run("pipelines", "protocol", "lock", architecture)
        return cohorts + self.repro()

    def edit(self, path: str, **changes: Any) -> None:
        """Set top-level keys of a YAML file."""
        document = self.read(path)
        document.update(changes)
        (self.folder / path).write_text(yaml.safe_dump(document, sort_keys=False))

    def read(self, path: str) -> Any:
        """Read a YAML (or JSON) file."""
        return yaml.safe_load((self.folder / path).read_text())


def copy_repository(folder: Path) -> Repository:
    """Copy the sources, without data or results, and make a git and DVC repository of them."""
    for name in SOURCES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "*.lock.json"))
    repository = Repository(folder)
    for command in (("init", "-q"), ("config", "user.email", "test@example.org"), ("config", "user.name", "Test")):
        repository.run("git", *command)
    return repository


def copy_plan(folder: Path, architecture: str) -> None:
    """Copy params.yaml and a protocol, for a test that runs DVC stages as functions."""
    for path in (PARAMS, protocol_file(architecture)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)


def only(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the named entries of a mapping."""
    return {name: document[name] for name in names}
