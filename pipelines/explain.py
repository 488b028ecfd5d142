"""The command `hallmark explain`: Grad-CAM of a trained model on some patients. Not on the road: nothing reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import MODELS
from models.runtime import OnnxModel
from models.spec import ModelSpec, TensorSpec, load_dotted
from pipelines.layout import artifact_folder, cohort_folder, predictions_table, training_folder
from pipelines.names import one_of, require_cohort_folder
from pipelines.params import load_params
from pipelines.patients import PreparedPatient, prepared_patients, stack_inputs
from pipelines.progress import LineProgress
from pipelines.writing import refusals_as_input_errors, whole_folder
from registry.artefact import Artefact, read_artefact
from validation.cohort import Cohort, load_cohort
from validation.digests import file_sha256
from validation.documents import read_json, write_json
from validation.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from models.gradcam import ActivationMap, ScoreMap
    from models.system import System

FIRST = 4  # patients, where there are no predictions to choose by
SAME = 1e-3  # difference, absolute or relative, that rounding makes at most and other weights exceed
WINDOWED = "share of the window"  # unit of an input that runs from 0 to 1
DOCUMENT, ARRAYS = "maps.json", "maps.npz"
METHOD = (
    "Grad-CAM (Selvaraju, ICCV 2017): channels of the layer weighted by the mean gradient of the score, summed, "
    "negative values set to 0, interpolated to the input, divided by the largest value. It shows where the network "
    "found what moved its score; it is no evidence, and no gate looks at it."
)


@dataclass(frozen=True)
class Choice:
    """Whom to explain.

    Attributes:
        patients: Ids, each once.
        how: How they were chosen.
    """

    patients: tuple[str, ...]
    how: str


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

    @property
    def stem(self) -> str:
        """Name of the picture without its ending, and of the array in maps.npz."""
        return f"{self.patient_id}_{self.declared.name}"


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained model and a cohort.

    Attributes:
        model: Entry of params.yaml.
        spec: Its architecture.
        folder: What training wrote.
        shipped: Its artefact, digests checked; None if it was not exported.
        cohort: The patients.
    """

    model: str
    spec: ModelSpec
    folder: Path
    shipped: Artefact | None
    cohort: Cohort


def explain(model: str, cohort_name: str, asked: Sequence[str], output: Path) -> tuple[list[Explained], dict[str, str]]:
    """Write pictures, arrays and a document of every map of some patients, all of them or none.

    Args:
        model: Entry of `models` in params.yaml.
        cohort_name: Folder in data/cohorts.
        asked: Ids of patients; without any, `chosen_patients` chooses.
        output: Folder to write; an earlier explanation there is replaced.

    Returns:
        The maps, and the reasons of the patients that could not be processed.

    Raises:
        InputError: Unknown model, cohort or patient; no training; other weights than those that ship; no patient could
            be processed; the folder holds something else.
        IntegrityError: The artefact's bytes are not those of its manifest.
    """
    require_replaceable(output)
    subject = _subject(model, cohort_name, asked)
    if subject.spec.maps_path is None:
        expected = one_of(model, (spec.name for spec in MODELS.values() if spec.maps_path is not None))
        raise InputError(model, "a model that reads slides", expected, "Its tile maps show what it read.")
    declared: tuple[ScoreMap, ...] = load_dotted(subject.spec.maps_path)(subject.folder)
    choice = chosen_patients(subject, declared, asked)
    of_choice = subject.cohort.patients[subject.cohort.patients["patient_id"].isin(choice.patients)]
    cohort = replace(subject.cohort, patients=of_choice)
    prepared = list(prepared_patients(cohort, subject.spec, LineProgress(f"reading {cohort_name}")))
    maps, failed = _explained(subject, declared, prepared)
    with whole_folder(output) as folder:
        _write(subject, choice, maps, failed, folder)
    return maps, failed


def _subject(model: str, cohort_name: str, asked: Sequence[str]) -> Subject:
    spec = MODELS[load_params().model(model).architecture]
    folder = training_folder(model)
    for name in ("training.json", "weights.pt"):
        if not (folder / name).is_file():
            remedy = f"Run dvc repro train@{model}, or dvc pull train@{model}."
            raise InputError(str(folder / name), "no such file", "a finished training", remedy)
    require_cohort_folder(cohort_folder(cohort_name))
    cohort = load_cohort(cohort_folder(cohort_name))
    images = [f"{name}_path" for image in spec.images for name in (image.name, image.mask) if name]
    if missing := [column for column in (*images, *spec.covariates) if column not in cohort.patients.columns]:
        found, expected = f"no column {missing[0]}", f"the images and covariates of {spec.name}"
        where = str(cohort.folder / cohort.meta.tables["patients"])
        raise InputError(where, found, expected, "Name a cohort that the model is for.")
    known = list(map(str, cohort.patients["patient_id"]))
    if unknown := [patient for patient in asked if patient not in known]:
        found = f"no patient {unknown[0]}"
        where = str(cohort.folder / cohort.meta.tables["patients"])
        raise InputError(where, found, f"one of its {len(known)} patients, as {known[0]}", "Correct --patient.")
    exported = artifact_folder(model)
    shipped = read_artefact(exported) if exported.is_dir() and any(exported.iterdir()) else None
    return Subject(model, spec, folder, shipped, cohort)


def require_replaceable(output: Path) -> None:
    """Refuse, before any work, a folder that could not be written or holds something else than an earlier explanation.

    Raises:
        InputError: It is no folder and cannot become one, or another file is in it.
    """
    with refusals_as_input_errors(output):
        above = next(folder for folder in output.absolute().parents if folder.exists())
        inside = sorted(path.name for path in output.iterdir()) if output.is_dir() else []
        others = [name for name in inside if name not in (DOCUMENT, ARRAYS) and not name.endswith(".png")]
        if not above.is_dir() or not os.access(above, os.W_OK):
            found = f"{above}, which is no folder that can be written to"
        elif output.exists() and not output.is_dir():
            found = "a file"
        elif others:
            found = f"a folder that holds {others[0]}"
        elif inside and DOCUMENT not in inside:
            found = "a folder of other pictures"
        else:
            return
    expected = "a new folder, an empty one, or one that this command wrote"
    raise InputError(f"--output {output}", found, expected, "Name another folder.")


def chosen_patients(subject: Subject, declared: Sequence[ScoreMap], asked: Sequence[str]) -> Choice:
    """Choose whom to explain.

    Those asked for; else, of each output explained, the patient with the highest and the one with the lowest value in
    predictions/<model>/<cohort>.parquet; else, without that table, the first four of the patient table.

    Raises:
        InputError: The predictions are of other patients or of another artefact.
    """
    if asked:
        return Choice(tuple(dict.fromkeys(asked)), "asked for")
    path = predictions_table(subject.model, subject.cohort.meta.name)
    table = _predictions(subject, path, declared) if path.is_file() else None
    if table is None or table.empty:
        first = map(str, subject.cohort.patients["patient_id"].head(FIRST))
        return Choice(tuple(first), f"the first {FIRST} of the patient table")
    outputs = list(dict.fromkeys(one.output for one in declared))
    ends = [patient for output in outputs for patient in (table[output].idxmax(), table[output].idxmin())]
    how = f"highest and lowest {', '.join(outputs)} of {path.as_posix()}"
    return Choice(tuple(map(str, dict.fromkeys(ends))), how)


def _predictions(subject: Subject, path: Path, declared: Sequence[ScoreMap]) -> pd.DataFrame:
    """Return the predictions of the patients that could be processed, by patient."""
    import pyarrow.parquet as pq

    remedy = f"Run dvc repro predict@{subject.model}-{subject.cohort.meta.name}, or name patients by --patient."
    try:
        read = pq.read_table(path)
    except (OSError, ValueError) as error:
        raise InputError(str(path), str(error).splitlines()[0], "a table of predictions", remedy) from error
    origin = {key.decode(): value.decode() for key, value in (read.schema.metadata or {}).items()}
    expected = {"hallmark.patients_sha256": _patients_sha256(subject.cohort)}
    if subject.shipped is not None:
        expected["hallmark.artifact_digest"] = subject.shipped.digest
    for key, digest in expected.items():
        if origin.get(key) != digest:
            raise InputError(str(path), f"{key} {origin.get(key)}", f"{digest}, that of today", remedy)
    table: pd.DataFrame = read.to_pandas().set_index("patient_id")
    if missing := [one.output for one in declared if one.output not in table.columns]:
        raise InputError(str(path), f"no column {missing[0]}", "every output that is explained", remedy)
    return table[table["status"] == "ok"]


def _patients_sha256(cohort: Cohort) -> str:
    return file_sha256(cohort.folder / cohort.meta.tables["patients"])


def _explained(
    subject: Subject, declared: Sequence[ScoreMap], prepared: Sequence[PreparedPatient]
) -> tuple[list[Explained], dict[str, str]]:
    """Return every map of the patients that could be processed, and the reasons of the others.

    Raises:
        InputError: None could be processed, or the ONNX file computes something else from the same inputs.
    """
    failed = {patient.patient_id: str(patient.reason) for patient in prepared if patient.inputs is None}
    kept = [patient for patient in prepared if patient.inputs is not None]
    maps = _maps(subject, declared, kept, failed) if kept else []
    if not maps:
        found = "; ".join(f"{patient}: {reason}" for patient, reason in failed.items())
        expected, remedy = "at least one patient that can be processed", "Name other patients by --patient."
        raise InputError(str(subject.cohort.folder), found, expected, remedy)
    return maps, failed


def _maps(
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


def _write(subject: Subject, choice: Choice, maps: Sequence[Explained], failed: dict[str, str], folder: Path) -> None:
    """Write pictures, arrays and document."""
    from models.atomic import write_arrays
    from pipelines.pictures import draw_map

    development = read_json(subject.folder / "development.json") or {}
    progress = LineProgress("drawing")
    for done, one in enumerate(maps, start=1):
        draw_map(_picture(subject, one), folder / f"{one.stem}.png")
        progress(done, len(maps))
    write_arrays(folder / ARRAYS, {one.stem: one.found.values for one in maps if one.found.values is not None})
    document = {
        "model": subject.model,
        "architecture": subject.spec.name,
        "method": METHOD,
        "weights_sha256": file_sha256(subject.folder / "weights.pt"),
        "artifact_digest": None if subject.shipped is None else subject.shipped.digest,
        "development_cohort": development.get("cohort"),
        "cohort": subject.cohort.meta.name,
        "synthetic": subject.cohort.meta.synthetic,
        "patients_sha256": _patients_sha256(subject.cohort),
        "chosen": choice.how,
        "maps": [_entry(one) for one in maps],
        "failed": [{"patient_id": patient, "reason": reason} for patient, reason in failed.items()],
    }
    write_json(folder / DOCUMENT, document)


def _entry(one: Explained) -> dict[str, Any]:
    """Return what maps.json says of a map."""
    declared = one.declared
    return {
        "patient_id": one.patient_id,
        "map": declared.name,
        "explains": declared.explains,
        "input": declared.input,
        "layer": f"{declared.network}.{declared.layer}",
        "output": declared.output,
        "value": one.value,
        "picture": f"{one.stem}.png",
        "array": one.stem if one.found.values is not None else None,
        "reason": one.found.reason,
    }


def _picture(subject: Subject, one: Explained) -> Any:
    """Return what the picture of a map shows: of several channels, of those that are not all 0, the middle one."""
    from pipelines.pictures import MapPicture

    tensor = next(tensor for tensor in subject.spec.inputs if tensor.name == one.declared.input)
    filled = [channel for channel in range(len(one.image)) if one.image[channel].any()]
    middle = filled[len(filled) // 2] if filled else 0
    of_several = f", slice {filled.index(middle) + 1} of {len(filled)}; the map is of all" if len(filled) > 1 else ""
    meta, declared = subject.cohort.meta, one.declared
    return MapPicture(
        title=f"{one.patient_id}   {declared.name}   {declared.output} = {one.value:.3g}",
        explains=declared.explains,
        note=f"{'SYNTHETIC cohort' if meta.synthetic else 'Cohort'} {meta.name}, model {subject.model}, "
        f"layer {declared.network}.{declared.layer}",
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


def summary(maps: Sequence[Explained], failed: dict[str, str], output: Path) -> Iterator[str]:
    """Yield what is printed: where, how many, and every patient or map that is missing with the reason."""
    drawn = sum(one.found.values is not None for one in maps)
    yield f"{output}: {drawn} maps of {len({one.patient_id for one in maps})} patients"
    for one in maps:
        if one.found.reason is not None:
            yield f"no map {one.declared.name} of {one.patient_id}: {one.found.reason}"
    for patient, reason in failed.items():
        yield f"no map of {patient}: {reason}"
