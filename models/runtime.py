"""Runs the ONNX file that ships, for judging and serving alike. Imports neither torch nor MONAI."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES: Mapping[str, type[np.generic]] = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


class OnnxModel:
    """An ONNX file loaded into ONNX Runtime on the CPU; the first axis of all inputs and outputs is the patient."""

    def __init__(self, source: Path | bytes, threads: int = 1, batch_size: int = 32) -> None:
        """Load.

        Args:
            source: The file, or its bytes where these have just been checked.
            threads: Threads; results are reproducible per number of threads.
            batch_size: Patients computed at once; a patient's outputs do not depend on the others.
        """
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        content = source if isinstance(source, bytes) else source.read_bytes()
        self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._batch_size = batch_size
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.input_shapes: dict[str, tuple[int, ...]] = {i.name: tuple(i.shape[1:]) for i in self._session.get_inputs()}
        self._types = {i.name: TYPES[i.type] for i in self._session.get_inputs()}
        self.output_names: tuple[str, ...] = tuple(o.name for o in self._session.get_outputs())

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Compute the outputs of some patients.

        Args:
            inputs: One array per input, (N, ...), N >= 1; numbers are converted to float32, pixels (an input of type
                uint8) must be uint8: shares of white taken for grey levels would be black.

        Returns:
            One array per output, (N, ...).

        Raises:
            ValueError: An input is missing or unknown, has another shape than the model, or another number of patients,
                or pixels are not uint8.
        """
        n = self._patients(inputs)
        batches = []
        for start in range(0, n, self._batch_size):
            feed = {
                name: np.ascontiguousarray(array[start : start + self._batch_size], dtype=self._types[name])
                for name, array in inputs.items()
            }
            batches.append(self._session.run(list(self.output_names), feed))
        return {name: np.concatenate(parts) for name, *parts in zip(self.output_names, *batches, strict=True)}

    def _patients(self, inputs: Mapping[str, NDArray[Any]]) -> int:
        """Return the number of patients, if the inputs are what the model takes."""
        if set(inputs) != set(self.input_shapes):
            raise ValueError(f"inputs {sorted(inputs)}, expected {sorted(self.input_shapes)}")
        for name, shape in self.input_shapes.items():
            if inputs[name].shape[1:] != shape:
                raise ValueError(
                    f"input {name}: shape {inputs[name].shape}, expected (patients, {', '.join(map(str, shape))})"
                )
            if self._types[name] is np.uint8 and inputs[name].dtype != np.uint8:
                raise ValueError(f"input {name}: {inputs[name].dtype}, expected uint8 pixels")
        counts = {name: len(array) for name, array in inputs.items()}
        if len(set(counts.values())) != 1 or 0 in counts.values():
            raise ValueError(f"inputs of {counts} patients, expected the same number, at least one")
        return next(iter(counts.values()))
