"""An artefact of which MLflow serves more than `model.onnx`: by a loader of this project, from the certified files.

Such a version has MLflow's flavour `python_function`. Its loader is a module that MLflow imports by name when it loads
the version: no code is pickled or copied, so whoever loads it needs this project installed. The installation is no line
of requirements.txt, where pip would take any package of that name from the public index; MLmodel says it in words.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from registry.artefact import MANIFEST, Artefact, check_files, read_manifest
from validation.digests import file_sha256
from validation.documents import read_json
from validation.errors import InputError

if TYPE_CHECKING:
    from mlflow.models import Model
    from mlflow.types import Schema

PROJECT = "hallmark"
RESTORE = "Do not use this folder; fetch the registered version again."


@dataclass(frozen=True)
class Column:
    """A column of the table that goes into a served model or comes out of it.

    Attributes:
        name: Name.
        kind: MLflow's type; "any" for text, a number or nothing.
        required: Whether the table must have it.
    """

    name: str
    kind: Literal["string", "double", "any"]
    required: bool = True


@dataclass(frozen=True)
class Serving:
    """How a version is served.

    Attributes:
        loader: Module with `_load_pyfunc(folder)`, which returns an object whose `predict` takes and returns a table.
        inputs: Columns that go in.
        outputs: Columns that come out.
        packages: Distributions that the loader needs besides this project.
    """

    loader: str
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    packages: tuple[str, ...]


def write_served(serving: Serving, folder: Path, model: Model) -> None:
    """Write MLflow's description of a served artefact into a folder to create; the artefact's files come beside it."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature

    model.metadata = {
        "needs": f"{PROJECT} {version(PROJECT)} installed from its repository, at the commit of the tag git_commit; "
        "not from a package index"
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*An input example was not provided", UserWarning)  # it would be a slide
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module=serving.loader,
            mlflow_model=model,
            signature=ModelSignature(inputs=_schema(serving.inputs), outputs=_schema(serving.outputs)),
            pip_requirements=[f"{package}=={version(package)}" for package in serving.packages],
        )


def read_served(folder: Path) -> Artefact:
    """Read the artefact in the folder of a version, recomputing its digests; MLflow's files and evidence lie beside.

    That the version itself is the one registered, only `registry.loading` can say.

    Raises:
        InputError: The manifest or the contract is missing or malformed.
        IntegrityError: A file is missing or changed; names the file and both digests.
    """
    files = read_manifest(folder / MANIFEST)
    check_files(folder, [name for name in files if (folder / name).is_file()], files, RESTORE)
    contract = read_json(folder / "contract.json")
    if contract is None:
        raise InputError(str(folder), "no contract.json", "the files of an artefact", RESTORE)
    return Artefact(folder, file_sha256(folder / MANIFEST), files, contract)


def _schema(columns: Sequence[Column]) -> Schema:
    from mlflow.types import ColSpec, DataType, Schema, schema

    anything: Any = schema.AnyType  # MLflow gives its constructor no types
    kinds = {"string": DataType.string, "double": DataType.double, "any": anything()}
    return Schema([ColSpec(kinds[column.kind], column.name, column.required) for column in columns])
