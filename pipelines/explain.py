"""The command `hallmark explain`: maps of a trained model on some patients. Not on the road: nothing reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from models import MODELS
from models.spec import ModelSpec
from pipelines.explanations import Kind, Made, PatientMap, Subject
from pipelines.gradcam_maps import GradCam
from pipelines.layout import artifact_folder, cohort_folder, predictions_table, training_folder
from pipelines.names import require_cohort_folder
from pipelines.params import load_params
from pipelines.progress import LineProgress
from pipelines.slides import CLASSIFIER
from pipelines.tissue_maps import TissueMaps
from pipelines.writing import refusals_as_input_errors, whole_folder
from registry.artefact import read_artefact
from validation.cohort import Cohort, load_cohort
from validation.digests import file_sha256
from validation.documents import read_json, write_json
from validation.errors import InputError

FIRST = 4  # patients, where there are no predictions to choose by
DOCUMENT, ARRAYS = "maps.json", "maps.npz"


@dataclass(frozen=True)
class Choice:
    """Whom to explain.

    Attributes:
        patients: Ids, each once.
        how: How they were chosen.
    """

    patients: tuple[str, ...]
    how: str


def explain(model: str, cohort_name: str, asked: Sequence[str], output: Path) -> Made:
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
    kind: Kind = GradCam.of(subject) if subject.spec.tiles is None else TissueMaps.of(subject)
    choice = chosen_patients(subject, kind.outputs, asked)
    of_choice = subject.cohort.patients[subject.cohort.patients["patient_id"].isin(choice.patients)]
    maps, failed = kind.maps(replace(subject.cohort, patients=of_choice))
    with whole_folder(output) as folder:
        _write(subject, kind, choice, (maps, failed), folder)
    return maps, failed


def _subject(model: str, cohort_name: str, asked: Sequence[str]) -> Subject:
    spec = MODELS[load_params().model(model).architecture]
    folder, exported = training_folder(model), artifact_folder(model)
    is_exported = exported.is_dir() and any(exported.iterdir())
    for name in _needed(spec, is_exported):
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
    return Subject(model, spec, folder, read_artefact(exported) if is_exported else None, cohort)


def _needed(spec: ModelSpec, is_exported: bool) -> tuple[str, ...]:
    """Return the files of a training without which nothing can be drawn; what reads slides ships, all of it."""
    if spec.tiles is None:
        return "training.json", "weights.pt"
    return () if is_exported else ("training.json", CLASSIFIER)


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


def chosen_patients(subject: Subject, outputs: Sequence[str], asked: Sequence[str]) -> Choice:
    """Choose whom to explain.

    Those asked for; else, of each output, the patient with the highest and the one with the lowest value in
    predictions/<model>/<cohort>.parquet, of equal ones the first; else, without that table, the first four of the
    patient table.

    Raises:
        InputError: The predictions are of other patients or of another artefact.
    """
    if asked:
        return Choice(tuple(dict.fromkeys(asked)), "asked for")
    path = predictions_table(subject.model, subject.cohort.meta.name)
    table = _predictions(subject, path, outputs) if path.is_file() else None
    if table is None or table.empty:
        first = map(str, subject.cohort.patients["patient_id"].head(FIRST))
        return Choice(tuple(first), f"the first {FIRST} of the patient table")
    ends = [patient for output in outputs for patient in (table[output].idxmax(), table[output].idxmin())]
    how = f"highest and lowest {', '.join(outputs)} of {path.as_posix()}, of equal ones the first"
    return Choice(tuple(map(str, dict.fromkeys(ends))), how)


def _predictions(subject: Subject, path: Path, outputs: Sequence[str]) -> pd.DataFrame:
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
    if missing := [output for output in outputs if output not in table.columns]:
        raise InputError(str(path), f"no column {missing[0]}", "every output that is explained", remedy)
    return table[table["status"] == "ok"]


def _patients_sha256(cohort: Cohort) -> str:
    return file_sha256(cohort.folder / cohort.meta.tables["patients"])


def _write(subject: Subject, kind: Kind, choice: Choice, made: Made, folder: Path) -> None:
    """Write pictures, arrays and document."""
    from models.atomic import write_arrays

    maps, failed = made
    progress = LineProgress("drawing")
    for done, one in enumerate(maps, start=1):
        one.draw(folder / f"{one.stem}.png")
        progress(done, len(maps))
    write_arrays(folder / ARRAYS, {one.stem: one.values for one in maps if one.values is not None})
    development = read_json(subject.folder / "development.json") or {}
    document = {
        "model": subject.model,
        "architecture": subject.spec.name,
        **kind.facts(),
        "artifact_digest": None if subject.shipped is None else subject.shipped.digest,
        "development_cohort": development.get("cohort"),
        "cohort": subject.cohort.meta.name,
        "synthetic": subject.cohort.meta.synthetic,
        "patients_sha256": _patients_sha256(subject.cohort),
        "chosen": choice.how,
        "maps": [one.entry() for one in maps],
        "failed": [{"patient_id": patient, "reason": reason} for patient, reason in failed.items()],
    }
    write_json(folder / DOCUMENT, document)


def summary(maps: Sequence[PatientMap], failed: dict[str, str], output: Path) -> Iterator[str]:
    """Yield what is printed: where, how many, and every patient, map or score that is missing with the reason."""
    drawn = sum(one.values is not None for one in maps)
    yield f"{output}: {drawn} maps of {len({one.patient_id for one in maps})} patients"
    yield from (one.lacks for one in maps if one.lacks is not None)
    for patient, reason in failed.items():
        yield f"no map of {patient}: {reason}"
