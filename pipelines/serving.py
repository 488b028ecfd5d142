"""A registered model that reads slides, as MLflow serves it: a table of slides in, a table of predictions out.

    model = mlflow.pyfunc.load_model("models:/histology_spatial_survival@champion")
    model.predict(pd.DataFrame({"slide_path": ["slide.svs"], "pn_stage": ["pN1"], ...}))

Slides are read, measured and predicted by the code of the DVC stage `predict`. MLflow finds this module by its name:
who loads such a model needs this project installed from its repository (`pip install .`), at the commit that the tag
`git_commit` of the version names; neither torch nor MONAI is imported. A service must run where the slides lie, and
opens any path that it is given: let only those ask who may read these files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from models import MODELS
from models.runtime import OnnxModel
from models.spec import ModelSpec, PreprocessingError
from pipelines.patients import PreparedPatient
from pipelines.predict import predicted_rows
from pipelines.slides import CLASSIFIER, MPP_GIVEN, Reader
from registry.artefact import Artefact
from registry.serving import Column, Serving, read_served
from validation.digests import file_sha256
from validation.errors import InputError

PACKAGES = (
    "numpy",
    "onnxruntime",
    "openslide-bin",
    "openslide-python",
    "pandas",
    "pillow",
    "PyYAML",
    "scipy",
    "tifffile",
)
CORRECT = "Correct the table."


def serving_of(spec: ModelSpec) -> Serving | None:
    """Return how MLflow serves a model that reads slides; None for one whose ONNX file says all of it.

    In go the columns of the patient table that the model needs: `<image>_path`, the covariates (an empty cell is a
    missing one), and `mpp_given` where a file does not say its resolution. Out come `status` (ok or failed), `reason`,
    `missing_covariates` and the prediction columns.
    """
    if spec.tiles is None:
        return None
    paths = (Column(f"{image.name}_path", "string") for image in spec.images)
    covariates = (Column(name, "any") for name in spec.covariates)
    told = (Column("status", "string"), Column("reason", "string", required=False))
    numbers = (Column(name, "double", required=False) for name in ("missing_covariates", *spec.prediction_columns()))
    return Serving(
        loader=__name__,
        inputs=(*paths, Column(MPP_GIVEN, "any", required=False), *covariates),
        outputs=(*told, *numbers),
        packages=PACKAGES,
    )


class SlideModel:
    """A model that reads slides, loaded from an artefact whose digests have been checked."""

    def __init__(self, artefact: Artefact) -> None:
        """Load the risk graph; the tile classifier is loaded with the first slide.

        Raises:
            InputError: The artefact is of a model that reads no slides, or of one that is unknown here.
        """
        architecture = artefact.contract.get("architecture")
        spec = MODELS.get(str(architecture))
        if spec is None or spec.tiles is None or CLASSIFIER not in artefact.files:
            where, found = str(artefact.folder / "contract.json"), f"architecture {architecture!r}"
            raise InputError(where, found, "a model that reads slides", "Install the version that registered it.")
        self._spec, self._tiles = spec, spec.tiles
        self._folder = artefact.folder.resolve()
        self._classifier_sha256 = artefact.files[CLASSIFIER]
        self._network = OnnxModel(self._folder / "model.onnx")

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """Predict the patients of a table; one whose slide cannot be read does not stop the others.

        Args:
            table: One row per patient, columns as in `serving_of`; relative paths begin at the working folder.

        Returns:
            One row per row, in the same order and with the same index: status, reason (None if ok), missing_covariates
            and the prediction columns; NaN where the patient could not be processed.
        """
        with TemporaryDirectory(prefix="hallmark-") as scratch:
            reader = Reader(self._tiles, self._folder / CLASSIFIER, self._classifier_sha256, Path(scratch))
            records = enumerate(table.to_dict("records"))
            stream = (self._prepared(str(number), row, reader) for number, row in records)
            rows = predicted_rows(self._spec, self._network, stream)
        numbers = ["missing_covariates", *self._spec.prediction_columns()]
        made = pd.DataFrame(rows, columns=["status", "reason", *numbers], index=table.index)
        return made.astype(dict.fromkeys(numbers, np.float64))

    def _prepared(self, number: str, row: Mapping[Any, Any], reader: Reader) -> PreparedPatient:
        """Read the slides of one row."""
        try:
            cells = {name: _cell(row, name) for name in self._spec.covariates}
            mpp_given = _resolution(row)
            maps = {}
            for image in self._spec.images:
                path = _path(row, f"{image.name}_path")
                try:
                    maps[image.name] = reader.read(path, _sha256(path), mpp_given)
                except PreprocessingError as error:
                    raise PreprocessingError(f"{path}: {error}") from error
            return PreparedPatient(number, self._spec.prepare(maps, cells), None)
        except (InputError, PreprocessingError) as error:
            return PreparedPatient(number, None, str(error))


def _load_pyfunc(folder: str) -> SlideModel:
    """Load from the folder of a version; MLflow calls this.

    Raises:
        InputError: The folder holds no artefact, or that of a model that reads no slides.
        IntegrityError: A file of the artefact is missing or changed.
    """
    return SlideModel(read_served(Path(folder)))


def _cell(row: Mapping[Any, Any], column: str) -> Any:
    """Return a cell, None if it is empty: anything but text and numbers would count as missing further on."""
    value = row[column]
    if value is None or value is pd.NA:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float, np.number)):
        raise InputError(column, f"{type(value).__name__} {value!r}", "text, a number or nothing", CORRECT)
    return value


def _path(row: Mapping[Any, Any], column: str) -> Path:
    value = _cell(row, column)
    if not isinstance(value, str) or not value:
        raise InputError(column, f"{value!r}", "the path of a slide", CORRECT)
    return Path(value)


def _resolution(row: Mapping[Any, Any]) -> float | None:
    """Return the resolution given for a slide, None where the file is to say it."""
    value = _cell(row, MPP_GIVEN) if MPP_GIVEN in row else None
    if isinstance(value, str):
        raise InputError(MPP_GIVEN, f"{value!r}", "um per pixel, or nothing", CORRECT)
    return None if value is None or np.isnan(value) else float(value)


def _sha256(path: Path) -> str:
    """Return the digest of a slide, by which its map is known."""
    try:
        return file_sha256(path)
    except OSError as error:
        found = f"nothing that can be read ({error.strerror})"
        raise InputError(str(path), found, "a whole-slide image", "Correct the path.") from error
