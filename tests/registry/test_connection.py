"""Reaching the store: addresses, silence, and one clear message for every way it can be out of reach."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from registry.connection import experiment_id, mlflow_store, sqlite_file, store_exists, store_uri, without_password
from validation.errors import InputError


def test_default_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MLFLOW_TRACKING_URI the store is mlflow.db in the working folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)

    assert f"sqlite:///{tmp_path}/mlflow.db" == store_uri()
    assert not store_exists()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "postgresql://host/db", "sqlite:///a.db?timeout=5"])
def test_other_addresses_are_left_alone(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """An address that is not a plain sqlite file goes to MLflow as it is."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    assert (uri, None, True) == (store_uri(), sqlite_file(uri), store_exists())


def test_artifacts_lie_beside_the_database(store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wherever a command is run from, files go to mlartifacts beside the sqlite file."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with mlflow_store() as client:
        made = experiment_id(client, "model")

        assert made == experiment_id(client, "model")
        assert f"file://{store}/mlartifacts" == client.get_experiment(made).artifact_location


def outdated(path: Path) -> None:
    """Make the schema of a store one that this MLflow does not know."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("update alembic_version set version_num = 'abcdef'")
        database.commit()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:///{folder}/corrupt.db", "file is not a database"),
        ("sqlite:///{folder}/outdated.db", "out-of-date database schema"),
        ("http://127.0.0.1:9", "API request to http://127.0.0.1:9"),
        ("bogus://x", "unsupported URI"),
        ("postgresql://user@127.0.0.1:9/x", "No module named 'psycopg|refused"),
    ],
)
def test_out_of_reach(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, message: str
) -> None:
    """A store that is broken, outdated, unreachable or unknown is one line of bad input."""
    (tmp_path / "corrupt.db").write_bytes(b"no database" * 1000)
    outdated(Path(shutil.copyfile(empty_store, tmp_path / "outdated.db")))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(folder=tmp_path))

    with (
        pytest.raises(InputError, match=f"MLflow store .*{message}.*Check MLFLOW_TRACKING_URI"),
        mlflow_store() as client,
    ):
        client.search_registered_models()


def test_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """No message names user or password of the store, neither ours nor one quoted from MLflow or its database."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "bogus://anna:s3cret@host/db")

    with pytest.raises(InputError, match=r"MLflow store bogus://\*\*\*@host/db") as refused, mlflow_store():
        pass
    assert not any(word in str(refused.value) for word in ("anna", "s3cret"))
    quoted = without_password("cannot reach 'http://anna:s3@cret@host:5000/api' from sqlite:///a.db")
    assert quoted == "cannot reach 'http://***@host:5000/api' from sqlite:///a.db"


def test_creating_a_store_is_silent(creation: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """A new database appears without a word and alone; importing the registry imports no MLflow, using it no torch."""
    folder, done = creation

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in folder.iterdir()] == ["mlflow.db"]
