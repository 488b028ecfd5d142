"""Running the ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.runtime import OnnxModel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A model of two inputs, a (N, 2) and b (N, 2), with outputs a + b and the sum over its columns."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in ("a", "b", "plus")]
    total = helper.make_tensor_value_info("total", TensorProto.FLOAT, ["batch"])
    nodes = [
        helper.make_node("Add", ["a", "b"], ["plus"]),
        helper.make_node("ReduceSum", ["plus", "axes"], ["total"], keepdims=0),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(nodes, "specimen", ends[:2], [ends[2], total], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"hallmark.model": "specimen"})
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def pair(n: int) -> dict[str, NDArray[np.float64]]:
    """Inputs of n patients."""
    return {"a": np.arange(2.0 * n).reshape(n, 2), "b": np.ones((n, 2))}


@pytest.mark.parametrize("n", [1, 4, 5, 9])
def test_batches_are_put_together_in_order(path: Path, n: int) -> None:
    """Whatever the number of patients, each gets the row that belongs to it."""
    outputs = OnnxModel(path, batch_size=4).run(pair(n))

    np.testing.assert_array_equal(outputs["plus"], pair(n)["a"] + 1)
    np.testing.assert_array_equal(outputs["total"], (pair(n)["a"] + 1).sum(axis=1))
    assert outputs["plus"].dtype == np.float32


def test_file_and_bytes_are_the_same_model(path: Path) -> None:
    """Bytes whose digest has been checked can be run without reading the file again."""
    np.testing.assert_array_equal(
        OnnxModel(path.read_bytes()).run(pair(2))["plus"], OnnxModel(path).run(pair(2))["plus"]
    )


def test_says_what_it_takes(path: Path) -> None:
    """Inputs, outputs and metadata are readable."""
    network = OnnxModel(path)

    assert network.input_shapes == {"a": (2,), "b": (2,)}
    assert network.output_names == ("plus", "total")
    assert network.metadata == {"hallmark.model": "specimen"}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"a": np.ones((2, 2))}, r"inputs \['a'\], expected \['a', 'b'\]"),
        ({"a": np.ones((2, 2)), "b": np.ones((2, 3))}, r"input b: shape \(2, 3\), expected \(patients, 2\)"),
        ({"a": np.ones((2, 2)), "b": np.ones((3, 2))}, "expected the same number, at least one"),
        ({"a": np.ones((0, 2)), "b": np.ones((0, 2))}, "expected the same number, at least one"),
    ],
)
def test_refuses_inputs_that_do_not_fit(path: Path, inputs: dict[str, NDArray[np.float64]], message: str) -> None:
    """A missing input, another shape, unequal or no patients: an error that says what was expected."""
    with pytest.raises(ValueError, match=message):
        OnnxModel(path).run(inputs)
