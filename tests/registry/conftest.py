"""A real MLflow store per test: a copy of one empty sqlite database, so that its schema is built once."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from registry.artefact import Artefact
from registry.promotion import Promotion, promote
from registry.store import RegisteredVersion, register
from tests.registry.specimens import NAME, make_artefact, make_judged

DVC_POINTER = {"path": "artifacts/model", "md5": f"{'0' * 32}.dir"}
CREATE = """
import sys
import registry.loading, registry.promotion, registry.status, registry.tracking
assert "mlflow" not in sys.modules
from registry.connection import mlflow_store
with mlflow_store(create=True) as client:
    client.search_registered_models()
assert not {"torch", "monai"} & set(sys.modules)
"""


@pytest.fixture(scope="session")
def creation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder in which a process of its own created an empty store, and what that process said."""
    folder = tmp_path_factory.mktemp("mlflow")
    environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CREATE]
    root = Path(__file__).parents[2]
    return folder, subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def empty_store(creation: tuple[Path, object]) -> Path:
    """Path of an empty MLflow database."""
    return creation[0] / "mlflow.db"


@pytest.fixture(scope="session", autouse=True)
def unsynchronised() -> Iterator[None]:
    """Spare sqlite its waiting for the disk at every commit: no test cuts the power."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def do_not_wait(connection: Any, _record: object) -> None:
        with suppress(sqlite3.DatabaseError):  # a broken database is for MLflow to find
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", do_not_wait)
    yield
    event.remove(Engine, "connect", do_not_wait)


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a store of this test's own, empty; it is the working folder, and holds that for temporary files."""
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


@dataclass(frozen=True)
class Submission:
    """What a release step is given: an artefact, the verdict on it and, by slot, the documents it rests on."""

    artefact: Artefact
    verdict: dict[str, Any]
    files: dict[str, Path]

    @property
    def evidence_files(self) -> list[Path]:
        """All documents, in any order."""
        return list(self.files.values())

    def register(self, **tags: str) -> RegisteredVersion:
        """Register it."""
        return register(
            self.artefact,
            NAME,
            self.verdict["model"],
            evidence_files=self.evidence_files,
            verdict=self.verdict,
            tags=tags,
        )

    def promote(self) -> Promotion:
        """Promote it; records go to releases/ in the working folder."""
        return promote(NAME, self.artefact, self.verdict, evidence_files=self.evidence_files, dvc_pointer=DVC_POINTER)


class Maker:
    """Makes submissions in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, state: str = "PASS", shift: float = 0.0, cohort: str = "mri_external") -> Submission:
        """Make a submission; equal shifts give equal artefacts."""
        folder = self._folder / f"{state}-{shift}-{cohort}"
        artefact = make_artefact(folder / "artifact", shift)
        verdict, files = make_judged(folder / "evidence", artefact, state, cohort=cohort)
        return Submission(artefact, verdict, files)


@pytest.fixture
def submit(tmp_path: Path) -> Maker:
    """Make submissions: `submit("FAIL", shift=1.0)`."""
    return Maker(tmp_path / "submissions")


def stored_folder(store: Path) -> Path:
    """Folder in which a local store keeps the files of its only version."""
    (folder,) = (store / "mlartifacts/models").glob("*/artifacts")
    return folder
