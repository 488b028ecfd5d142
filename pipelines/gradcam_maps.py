"""Explanations by Grad-CAM, of models that read volumes: where a network found what moved its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from models.runtime import OnnxModel
from models.spec import TensorSpec, load_dotted
from pipelines.explanations import Made, PatientMap, Subject, require_any
from pipelines.patients import PreparedPatient, prepared_patients, stack_inputs
from pipelines.progress import LineProgress
from validation.cohort import Cohort
from validation.digests import file_sha256
from validation.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from models.gradcam import ActivationMap, ScoreMap
    from models.system import System
    from pipelines.pictures import MapPicture

SAME = 1e-3  # difference, absolute or relative, that rounding makes at most and other weights exceed
WINDOWED = "share of the window"  # unit of an input that runs from 0 to 1
METHOD = (
    "Grad-CAM (Selvaraju, ICCV 2017): channels of the layer weighted by the mean gradient of the score, summed, "
    "negative values set to 0, interpolated to the input, divided by the largest value. It shows where the network "
    "found what moved its score; it is no evidence, and no gate looks at it."
)


@dataclass(frozen=True, eq=False)
class Explained:
    """One map of one patient.

    Attributes:
        patient_id: As in the patient table.
        declared: What the model declares of the map.
        image: (channels, rows, columns), the input explained.
        value: Of the output that goes with the score.
        found: The map, or why there is none.
    """

    patient_id: str
    declared: ScoreMap
    image: NDArray[np.float32]
    value: float
    found: ActivationMap


@dataclass(frozen=True, eq=False)
class GradCam:
    """Grad-CAM of one trained model.

    Attributes:
        subject: The model.
        declared: Its maps.
    """

    subject: Subject
    declared: tuple[ScoreMap, ...]

    @classmethod
    def of(cls, subject: Subject) -> Self:
        """Return what the model declares in `models/maps`; imports torch."""
        if subject.spec.maps_path is None:
            raise ValueError(f"{subject.spec.name} declares no map by Grad-CAM")
        return cls(subject, load_dotted(subject.spec.maps_path)(subject.folder))

    @property
    def outputs(self) -> Sequence[str]:
        """Outputs that are explained, each once."""
        return list(dict.fromkeys(one.output for one in self.declared))

    def facts(self) -> dict[str, Any]:
        """Return method and digest of the weights."""
        return {"method": METHOD, "weights_sha256": file_sha256(self.subject.folder / "weights.pt")}

    def maps(self, cohort: Cohort) -> Made:
        """Return every map of the patients that could be processed, and the reasons of the others.

        Raises:
            InputError: None could be processed, or the ONNX file computes something else from the same inputs.
        """
        progress = LineProgress(f"reading {cohort.meta.name}")
        prepared = list(prepared_patients(cohort, self.subject.spec, progress))
        failed = {patient.patient_id: str(patient.reason) for patient in prepared if patient.inputs is None}
        kept = [patient for patient in prepared if patient.inputs is not None]
        found = _explained(self.subject, self.declared, kept, failed) if kept else []
        maps = [_patient_map(self.subject, one) for one in found]
        require_any(maps, failed, cohort)
        return maps, failed


def _explained(
    subject: Subject, declared: Sequence[ScoreMap], kept: list[PreparedPatient], failed: dict[str, str]
) -> list[Explained]:
    """Return every map; patients without a finite output are added to the failed ones."""
    from models.gradcam import explained

    system: System = load_dotted(subject.spec.system_path)
    inputs, signature = stack_inputs(kept), system.signature(subject.folder)
    outputs = _outputs(subject, declared, signature, inputs)
    progress = LineProgress(f"explaining {subject.model}")
    maps = []
    for row, patient in enumerate(kept):
        if all(np.isfinite(values[row]) for values in outputs.values()):
            for one in declared:
                image, value = inputs[one.input][row], float(outputs[one.output][row])
                maps.append(Explained(patient.patient_id, one, image, value, explained(signature, one, image)))
        else:
            failed[patient.patient_id] = "model output not finite"
        progress(row + 1, len(kept))
    return maps


def _outputs(
    subject: Subject, declared: Sequence[ScoreMap], signature: nn.Module, inputs: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Return the outputs explained, (N,) each; of torch, if those of the ONNX file, where there is one, are the same.

    Raises:
        InputError: They differ: the file holds other weights, and what would be explained is not what ships.
    """
    import torch

    with torch.inference_mode():
        results = signature(*(torch.from_numpy(inputs[tensor.name]) for tensor in subject.spec.inputs))
    every = {tensor.name: result.numpy() for tensor, result in zip(subject.spec.outputs, results, strict=True)}
    outputs: dict[str, NDArray[np.float32]] = {one.output: every[one.output] for one in declared}
    if subject.shipped is None:
        return outputs
    path = subject.shipped.folder / "model.onnx"
    shipped = OnnxModel(path).run(inputs)
    for name, values in outputs.items():
        if not np.allclose(values, shipped[name], rtol=SAME, atol=SAME, equal_nan=True):
            found = f"{name} of {shipped[name].tolist()}"
            expected = f"{values.tolist()}, as the weights in {subject.folder} give it for the same images"
            raise InputError(str(path), found, expected, f"Run dvc repro export@{subject.model}.")
    return outputs


def _patient_map(subject: Subject, one: Explained) -> PatientMap:
    """Return a map with its picture and what maps.json says of it."""
    from pipelines.pictures import draw_map

    declared, reason = one.declared, one.found.reason
    says = {
        "explains": declared.explains,
        "input": declared.input,
        "layer": f"{declared.network}.{declared.layer}",
        "output": declared.output,
        "value": one.value,
        "reason": reason,
    }
    lacks = None if reason is None else f"no map {declared.name} of {one.patient_id}: {reason}"
    draw = partial(draw_map, _picture(subject, one))
    return PatientMap(one.patient_id, declared.name, one.found.values, lacks, says, draw)


def _picture(subject: Subject, one: Explained) -> MapPicture:
    """Return what the picture of a map shows: of several channels, of those that are not all 0, the middle one."""
    from pipelines.pictures import MapPicture

    tensor = next(tensor for tensor in subject.spec.inputs if tensor.name == one.declared.input)
    filled = [channel for channel in range(len(one.image)) if one.image[channel].any()]
    middle = filled[len(filled) // 2] if filled else 0
    of_several = f", slice {filled.index(middle) + 1} of {len(filled)}; the map is of all" if len(filled) > 1 else ""
    declared = one.declared
    return MapPicture(
        title=f"{one.patient_id}   {declared.name}   {declared.output} = {one.value:.3g}",
        explains=declared.explains,
        note=f"{subject.origin}, layer {declared.network}.{declared.layer}",
        crop=one.image[middle],
        grey=_grey(tensor, one.image[middle]),
        crop_title=f"{declared.input}{of_several}",
        values=one.found.values,
        reason=one.found.reason,
    )


def _grey(tensor: TensorSpec, crop: NDArray[np.float32]) -> tuple[float, float]:
    """Return what is drawn black and white: the window, or the range of all but the outermost hundredths."""
    if tensor.unit == WINDOWED:
        return 0.0, 1.0
    low, high = np.percentile(crop, (1, 99))
    return float(low), float(high)
