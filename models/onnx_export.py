"""From a torch module to one ONNX file that is the same, byte for byte, wherever and whenever it is exported."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import atomic
from models.runtime import OnnxModel
from models.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20


def export_onnx(signature: nn.Module, spec: ModelSpec, metadata: Mapping[str, str], path: Path) -> None:
    """Write the signature of a model as one ONNX file; its inputs are float32.

    Args:
        signature: Takes `spec.inputs` in order and returns `spec.outputs` in order, each with the batch axis first.
        spec: Names and shapes.
        metadata: Readable from the file as `OnnxModel.metadata`.
        path: The ONNX file, written whole or not at all.

    Raises:
        onnx.checker.ValidationError: The exported graph is not valid ONNX.
    """
    example = {tensor.name: torch.zeros(2, *tensor.shape) for tensor in spec.inputs}
    export_graph(signature, example, [tensor.name for tensor in spec.outputs], metadata, path)


def export_graph(
    module: nn.Module, example: Mapping[str, Tensor], outputs: Sequence[str], metadata: Mapping[str, str], path: Path
) -> None:
    """Write a module as one ONNX file with a dynamic batch axis.

    The exporter notes at every node where in the sources it comes from, with absolute paths: that is removed, and the
    metadata given here is what remains.

    Args:
        module: Takes the inputs in order and returns a tuple of the outputs in order, each with the batch axis first.
        example: A batch of two per input, of the shape and type that the file will take.
        outputs: Their names.
        metadata: Readable from the file as `OnnxModel.metadata`.
        path: The ONNX file, written whole or not at all.

    Raises:
        onnx.checker.ValidationError: The exported graph is not valid ONNX.
    """
    import onnx

    batch = torch.export.Dim("batch")
    with _quiet_exporter():
        program = torch.onnx.export(
            module.cpu().eval(),
            tuple(example.values()),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=list(example),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: batch} for _ in example),
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model: ModelProto = program.model_proto
    _strip(model)
    model.metadata_props.extend(onnx.StringStringEntryProto(key=k, value=v) for k, v in sorted(metadata.items()))
    onnx.checker.check_model(model, full_check=True)
    atomic.write_bytes(path, model.SerializeToString(deterministic=True))


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence the exporter's needless words: its own deprecated call, absent torchvision, one shared batch axis."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            warnings.filterwarnings("ignore", "# The axis name: batch will not be used, since it shares", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def _strip(model: ModelProto) -> None:
    """Remove what the exporter says about its sources: metadata and comments at every level."""
    graph = model.graph
    nodes = [*graph.node, *(node for function in model.functions for node in function.node)]
    values = [*graph.value_info, *graph.initializer, *graph.input, *graph.output]
    for part in (model, graph, *model.functions, *nodes, *values):
        del part.metadata_props[:]
        part.ClearField("doc_string")


def parity(signature: nn.Module, onnx_path: Path, inputs: Mapping[str, NDArray[Any]]) -> dict[str, float | None]:
    """Compare torch with ONNX Runtime on the same inputs, both on the CPU.

    Returns:
        Largest absolute difference of each output; None if shapes differ, or a value of either side is not finite.
    """
    network = OnnxModel(onnx_path)
    with torch.inference_mode():
        outputs = signature.cpu().eval()(*(torch.from_numpy(inputs[name]) for name in network.input_shapes))
    shipped = network.run(inputs)
    expected = {name: output.numpy() for name, output in zip(shipped, outputs, strict=True)}
    return {name: _difference(expected[name], shipped[name]) for name in shipped}


def _difference(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    return float(np.abs(a - b).max())
