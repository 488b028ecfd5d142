"""What the road must know of a model; the rest is the model's own. Imports neither torch nor MONAI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class PreprocessingError(ValueError):
    """Images or covariates of one patient cannot be turned into network inputs; says why. Recorded, never hidden."""


class VolumeLike(Protocol):
    """An image or mask on its grid; `validation.images.Volume` is one."""

    @property
    def array(self) -> NDArray[Any]:
        """Voxels, axes (slice, row, column)."""


@dataclass(frozen=True)
class ImageInput:
    """An image the patient table must name in `<name>_path`; `mask` names the region of interest drawn on it."""

    name: str
    meaning: str
    mask: str | None = None


@dataclass(frozen=True)
class TileReading:
    """What makes a tile map of a whole-slide image; `prepare` is given the map in place of the image.

    The classifier of tiles is a network of its own that is trained before the rest and ships beside `model.onnx`.

    Attributes:
        annotations: Columns `<annotations>_path` and `_sha256` name a pathologist's areas; patients who have them teach
            the classifier, and nothing else is learnt from them.
        tissues: Classes of the classifier in the order of its output.
        read_path: Dotted path "module:function" (imports neither torch nor MONAI) from an open slide, its digest, the
            classifier's file, its digest, that of the reader (what opened the slide and runs the classifier) and the
            folder of finished maps to the map.
        tiles_path: Dotted path "module:function" (imports neither torch nor MONAI) from an open slide and positions on
            its grid to the tiles there, as the classifier takes them.
    """

    annotations: str
    tissues: tuple[str, ...]
    read_path: str
    tiles_path: str


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of the ONNX file.

    Attributes:
        name: Name in the ONNX graph.
        shape: Per-patient shape, without the batch axis; () for a scalar per patient.
        meaning: What it holds, its direction and its missing-value rule.
        unit: Unit, or "1".
        labels: Meaning of each entry of the last axis, where it has one (horizons as "12m", covariate names).
    """

    name: str
    shape: tuple[int, ...]
    meaning: str
    unit: str = "1"
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelSpec:
    """A model as the road sees it.

    Attributes:
        name: Folder in `models/`.
        title: One line for people.
        modality: "MR", "CT" or "SM" (slide microscopy).
        endpoint: Endpoint of the outcome table that the model predicts first of all, for instance "dmfs".
        other_endpoints: Further endpoints with time that training needs.
        labels: Binary endpoints that training needs; a patient may lack one.
        tiles: How its slides become tile maps; None for volumes.
        excluded_share_max: Share of the development patients that may lack inputs; with more, those left are not the
            cohort.
        horizons_months: Horizons of the risks, months from the time origin.
        images: Images and masks needed.
        covariates: Columns of the patient table needed.
        inputs: ONNX inputs.
        outputs: ONNX outputs.
        prepare_path: Dotted path "module:function" of the pre-processing; that module imports neither torch nor MONAI.
        system_path: Dotted path "module:object" of the training system (imports torch); see `models.system.System`.
        maps_path: Dotted path "module:function" (imports torch) from a training folder to what Grad-CAM explains of the
            model trained into it, a tuple of `models.gradcam.ScoreMap`; None where the tile map is the explanation.
    """

    name: str
    title: str
    modality: str
    endpoint: str
    horizons_months: tuple[int, ...]
    images: tuple[ImageInput, ...]
    covariates: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    prepare_path: str
    system_path: str
    maps_path: str | None
    other_endpoints: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    tiles: TileReading | None = None
    excluded_share_max: float = 0.1

    def prepare(self, images: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
        """Pre-process one patient: volumes or tile maps and table row in, one array per ONNX input out (no batch axis).

        Raises:
            PreprocessingError: The patient cannot be processed, with the reason.
        """
        function: Callable[..., dict[str, NDArray[np.float32]]] = load_dotted(self.prepare_path)
        return function(images, row)

    def prediction_columns(self) -> tuple[str, ...]:
        """Names of the ONNX outputs flattened to table columns: `risk_nomogram` becomes `risk_nomogram_12m` ..."""
        return tuple(
            column for out in self.outputs for column in ([f"{out.name}_{label}" for label in out.labels] or [out.name])
        )


def load_dotted(path: str) -> Any:
    """Return the object named "module:attribute"; the module is imported only now."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)
