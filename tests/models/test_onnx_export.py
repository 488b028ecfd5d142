"""Parity notices what differs; export itself is tested on every model in test_contract.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.onnx_export import export_onnx, parity
from models.spec import ModelSpec, TensorSpec

SPEC = ModelSpec(
    name="specimen",
    title="",
    modality="",
    endpoint="",
    horizons_months=(),
    images=(),
    covariates=(),
    inputs=(TensorSpec("x", (3,), ""),),
    outputs=(TensorSpec("double", (3,), ""), TensorSpec("root", (3,), "")),
    prepare_path="",
    system_path="",
    maps_path="",
)


class Scaled(nn.Module):
    """x to (factor x, square root of x)."""

    def __init__(self, factor: float) -> None:
        """Take the factor."""
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute."""
        return self.factor * x, x.sqrt()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported module with factor 2."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(Scaled(2.0), SPEC, {"a": "1"}, path)
    return path


def test_parity_of_the_same_module(path: Path) -> None:
    """No difference."""
    x = np.array([[1.0, 4.0, 2.0]], dtype=np.float32)

    assert parity(Scaled(2.0), path, {"x": x}) == {"double": 0.0, "root": 0.0}


def test_parity_of_another_module_is_the_largest_difference(path: Path) -> None:
    """2.5 x against 2 x differs by 2 at x = 4."""
    x = np.array([[1.0, 4.0, 2.0]], dtype=np.float32)

    assert parity(Scaled(2.5), path, {"x": x}) == {"double": 2.0, "root": 0.0}


@pytest.mark.parametrize(("factor", "last", "output"), [(float("nan"), 2.0, "double"), (2.0, -1.0, "root")])
def test_what_is_not_finite_has_no_difference(path: Path, factor: float, last: float, output: str) -> None:
    """A NaN, on one side or on both, never passes for a small difference."""
    x = np.array([[1.0, 4.0, last]], dtype=np.float32)

    assert parity(Scaled(factor), path, {"x": x})[output] is None
