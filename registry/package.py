"""What MLflow stores for a version: one folder with the artefact's files, MLflow's own, and the evidence.

The artefact's `model.onnx` is the model MLflow serves, unless a loader serves it together with the artefact's other
files (`registry.serving`): there is one copy of each file, the certified one. Evidence lies under
`proof/<slot>/<sha256>.json`, so that new evidence on the same artefact adds files and never overwrites one; the tag
`proof/<slot>` of the version holds the digest of the present one.
"""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.artefact import MANIFEST, Artefact, check_files
from registry.evidence import Judged
from registry.serving import Serving, write_served
from validation.digests import file_sha256
from validation.documents import write_json
from validation.errors import InputError

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema
    from onnx import ModelProto, ValueInfoProto

PROOF = "proof/"
"""Folder of the evidence, and start of the tags with its digests."""

VERDICT = f"{PROOF}verdict"
"""Tag with the digest of the verdict."""

MLFLOW_FILES = "mlflow_files"
"""Tag with the digests of the files that MLflow added, as JSON."""

RUNTIME = ("numpy", "onnx", "onnxruntime")
ONNX = ".onnx"


def write_model(
    artefact: Artefact, folder: Path, model_id: str, run_id: str, serving: Serving | None = None
) -> dict[str, str]:
    """Write the MLflow model: the artefact's files, byte for byte, and MLflow's description of them.

    Args:
        artefact: What ships.
        folder: Folder to create.
        model_id: MLflow's id of the logged model.
        run_id: MLflow run that logs it.
        serving: How it is served; None where `model.onnx` alone is the model.

    Returns:
        sha256 of the files MLflow added, by name.

    Raises:
        InputError: An ONNX file cannot be read, the contract does not describe model.onnx, there are others and nothing
            says how they are served, or a file has a name of MLflow's.
        IntegrityError: The artefact changed since it was read.
    """
    from mlflow.models import Model

    graphs = {name: _graph(artefact.folder / name) for name in artefact.files if name.endswith(ONNX)}
    described = signature(artefact, graphs["model.onnx"])
    model = Model(model_id=model_id, run_id=run_id)
    if serving is not None:
        write_served(serving, folder, model)
    elif len(graphs) > 1:
        found, expected = f"{', '.join(sorted(graphs))} and no loader", "one ONNX file, or how they are served together"
        raise InputError(str(artefact.folder), found, expected, "Register it with `hallmark register`.")
    else:
        _write_graph(graphs["model.onnx"], described, folder, model)
    own = {file.name: file_sha256(file) for file in folder.iterdir() if file.name != "model.onnx"}
    certified = {**artefact.files, MANIFEST: artefact.digest}
    if taken := sorted(set(own).intersection(certified)):
        raise InputError(str(artefact.folder / taken[0]), "a name that MLflow uses", "another name", "Rename the file.")
    for name in certified:
        shutil.copyfile(artefact.folder / name, folder / name)
    check_files(folder, certified, certified, "The artefact changed while it was read; register again.")
    return own


def _graph(path: Path) -> ModelProto:
    """Read an ONNX file."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return onnx.load(path)
    except DecodeError as error:
        raise InputError(str(path), "bytes that are not ONNX", "an ONNX file", "Export again.") from error


def _write_graph(graph: ModelProto, described: ModelSignature, folder: Path, model: Model) -> None:
    """Write one ONNX file as MLflow's own model of that kind."""
    import mlflow.onnx

    mlflow.onnx.save_model(
        graph,
        str(folder),
        mlflow_model=model,
        signature=described,
        save_as_external_data=False,
        onnx_execution_providers=["CPUExecutionProvider"],
        pip_requirements=[f"{package}=={version(package)}" for package in RUNTIME],
    )


def write_proof(judged: Judged, folder: Path) -> None:
    """Copy the evidence and the verdict into `folder`/proof, each file named by its digest.

    Raises:
        IntegrityError: An evidence file changed since it was read.
    """
    for slot, digest in judged.digests.items():
        target = folder / proof_path(slot, digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(judged.files[slot], target)
        check_files(
            target.parent,
            [target.name],
            {target.name: digest},
            "The evidence changed while it was read; register again.",
        )
    write_json(folder / proof_path("verdict", judged.verdict_sha256), judged.verdict.to_dict())


def proof_path(slot: str, digest: str) -> str:
    """Where a file of evidence lies in the folder of a version."""
    return f"{PROOF}{slot}/{digest}.json"


def signature(artefact: Artefact, model: ModelProto) -> ModelSignature:
    """Return MLflow's signature: names and shapes as the contract states them, types as in the ONNX file.

    Raises:
        InputError: The contract and the ONNX file do not name the same inputs and outputs.
    """
    from mlflow.models import ModelSignature

    return ModelSignature(
        inputs=_schema(artefact, "inputs", model.graph.input), outputs=_schema(artefact, "outputs", model.graph.output)
    )


def _schema(artefact: Artefact, side: str, values: Any) -> Schema:
    """Describe one side of the model; a leading batch axis of any size."""
    from mlflow.types import Schema, TensorSpec

    types = {value.name: _dtype(value) for value in values}
    stated = artefact.contract.get(side)
    try:
        shapes = {str(entry["name"]): (-1, *entry["shape"]) for entry in stated or ()}
    except (KeyError, TypeError):
        shapes = {}
    if list(shapes) != list(types):
        where = str(artefact.folder / "contract.json")
        raise InputError(
            where, f"{side} {stated}", f"name and shape of {list(types)}, as in model.onnx", "Export again."
        )
    return Schema([TensorSpec(types[name], shape, name) for name, shape in shapes.items()])


def _dtype(value: ValueInfoProto) -> Any:
    """Numpy type of an ONNX input or output."""
    from onnx.helper import tensor_dtype_to_np_dtype

    return tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
