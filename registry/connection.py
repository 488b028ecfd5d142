"""Reaching the MLflow store: where it is, quietly, and one clear message when it does not answer.

The store is `MLFLOW_TRACKING_URI`, by default `mlflow.db` in the working folder. Files of a sqlite store lie in
`mlartifacts` beside the database, whatever folder a command is run from. Clients are built with explicit addresses;
MLflow's global tracking address is neither read nor set.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from validation.errors import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_URI = "sqlite:///mlflow.db"
SQLITE = "sqlite:///"
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # MLflow's own 7 keep a person waiting for minutes
}
CHATTY = (
    "mlflow.store.db.utils",  # "Creating initial MLflow database tables..."
    "mlflow.store.model_registry.abstract_store",  # "Waiting up to 300 seconds for model version to finish creation"
)


def store_uri() -> str:
    """Return the address of the store, with the path of a sqlite file made absolute."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    file = sqlite_file(uri)
    return uri if file is None else SQLITE + str(file)


def without_password(text: str) -> str:
    """Return a text in which no address names its user and password: `postgresql://***@host/db`."""
    return re.sub(r"://[^\s'\"]*@", "://***@", text)


def shown_store() -> str:
    """Return the address of the store for messages, without user and password."""
    return without_password(store_uri())


def sqlite_file(uri: str) -> Path | None:
    """Return the absolute path of a sqlite file, None for any other store (or one with options in its address)."""
    return Path(uri.removeprefix(SQLITE)).absolute() if uri.startswith(SQLITE) and "?" not in uri else None


def store_exists() -> bool:
    """Whether there can be anything in the store; looking does not create a sqlite file."""
    file = sqlite_file(store_uri())
    return file is None or file.exists()


@contextmanager
def mlflow_store(*, create: bool = False) -> Iterator[MlflowClient]:
    """Give a client of the store; what MLflow and its database raise meanwhile becomes one clear message.

    Args:
        create: Make a local database if there is none yet.

    Raises:
        InputError: There is no such store, it is out of reach, broken, of another version, or refused the request.
    """
    if not create and not store_exists():
        raise InputError(f"MLflow store {shown_store()}", "no database", "a registry", "Run `hallmark register` first.")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield MlflowClient(store_uri(), os.environ.get("MLFLOW_REGISTRY_URI") or store_uri())
    except (MlflowException, SQLAlchemyError, ModuleNotFoundError) as error:
        raise InputError(
            f"MLflow store {shown_store()}",
            without_password(" ".join(str(error).split()))[:300],
            "a store that answers",
            "Check MLFLOW_TRACKING_URI and its server; a local mlflow.db can be rebuilt: move it away, register again.",
        ) from error


def experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of an experiment, creating it if need be."""
    if known := client.get_experiment_by_name(name):
        return str(known.experiment_id)
    file = sqlite_file(store_uri())
    location = None if file is None else (file.parent / "mlartifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=location))
