"""From a cohort folder to network inputs: the one pre-processing path of training, judging and serving."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models import MODELS
from models.spec import ModelSpec, PreprocessingError
from pipelines.slides import NamedTiles, Reader, checked_sha256, named_tiles, resolution_given
from pipelines.workers import LOCAL, Workers
from validation.cohort import Cohort
from validation.digests import bytes_sha256, path_sha256
from validation.errors import InputError
from validation.schema import load_schema

if TYPE_CHECKING:
    from pathlib import Path

    from validation.images import Volume

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PreparedPatient:
    """One patient, ready for the network, or the reason why not.

    Attributes:
        patient_id: As in the patient table.
        inputs: One array per ONNX input, without batch axis; None if the patient could not be processed.
        reason: Why not; of a processed patient, what is wrong with the annotations of the slide. None if nothing is.
        named_tiles: What the classifier says of the tiles that a pathologist has named on the patient's slide; None
            where nobody has, or slide or annotations could not be read.
    """

    patient_id: str
    inputs: dict[str, NDArray[np.float32]] | None
    reason: str | None
    named_tiles: NamedTiles | None = None


def _read(cohort: Cohort, row: Mapping[str, Any], name: str, mask: bool = False) -> Volume:
    """Read an image or mask, and make sure that it is the one the patient table names; a file is read once for both."""
    from validation.images import as_mask, read_mask, read_volume, volume_from_bytes

    path = cohort.folder / str(row[f"{name}_path"])
    content = _content(path)
    if content is None:
        volume = read_mask(path) if mask else read_volume(path)
        found = path_sha256(path)
    else:
        volume = volume_from_bytes(content, path)
        volume = as_mask(volume, str(path)) if mask else volume
        found = bytes_sha256(content)
    if found != row[f"{name}_sha256"]:
        expected = f"{row[f'{name}_sha256']} as in the patient table"
        raise InputError(str(path), f"sha256 {found}", expected, "Deliver the image again, or correct the table.")
    return volume


def _content(path: Path) -> bytes | None:
    """Return the bytes of a file; None for a folder, and for what cannot be read: the reader says why."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _check_grids(cohort: Cohort, row: Mapping[str, Any], spec: ModelSpec, volumes: Mapping[str, Volume]) -> None:
    """Refuse an image off the grid of its mask; images that share a mask are so held to one grid."""
    from validation.images import same_grid

    tolerance_mm = load_schema(cohort.meta.schema).grid_tolerance_mm
    for image in spec.images:
        if image.mask and (found := same_grid(volumes[image.name], volumes[image.mask], tolerance_mm)):
            where = str(cohort.folder / str(row[f"{image.name}_path"]))
            raise InputError(where, found, f"the grid of {image.mask}", "Deliver image and mask on one grid.")


def _volumes(cohort: Cohort, row: Mapping[str, Any], spec: ModelSpec) -> dict[str, Volume]:
    """Read the volumes and masks of one patient, each once."""
    volumes: dict[str, Volume] = {}
    for image in spec.images:
        volumes[image.name] = _read(cohort, row, image.name)
        if image.mask and image.mask not in volumes:
            volumes[image.mask] = _read(cohort, row, image.mask, mask=True)
    _check_grids(cohort, row, spec, volumes)
    return volumes


def _tile_maps(cohort: Cohort, row: Mapping[str, Any], spec: ModelSpec, reader: Reader) -> dict[str, Any]:
    """Read the slides of one patient."""
    maps = {}
    for image in spec.images:
        path = cohort.folder / str(row[f"{image.name}_path"])
        sha256 = checked_sha256(path, str(row[f"{image.name}_sha256"]))
        try:
            maps[image.name] = reader.read(path, sha256, resolution_given(row))
        except PreprocessingError as error:
            raise PreprocessingError(f"{path}: {error}") from error
    return maps


def _prepare(architecture: str, cohort: Cohort, reader: Reader | None, row: dict[str, Any]) -> PreparedPatient:
    spec = MODELS[architecture]
    images: Mapping[str, Any] | None = None
    inputs, named = None, None
    reasons: list[str] = []
    try:
        images = _volumes(cohort, row, spec) if reader is None else _tile_maps(cohort, row, spec, reader)
        inputs = spec.prepare(images, row)
    except (InputError, PreprocessingError) as error:
        reasons.append(str(error))
    if reader is not None and images is not None:
        try:  # on their own: no prediction rests on annotations
            named = named_tiles(cohort, row, spec.images[0].name, reader.tiles, images[spec.images[0].name])
        except InputError as error:
            reasons.append(str(error))
    reason = "; ".join(reasons).replace(f"{cohort.folder}{os.sep}", "") or None
    return PreparedPatient(str(row["patient_id"]), inputs, reason, named)


def prepared_patients(
    cohort: Cohort,
    spec: ModelSpec,
    progress: Progress | None = None,
    *,
    networks: Path | None = None,
    workers: Workers = LOCAL,
) -> Iterator[PreparedPatient]:
    """Yield every patient of the cohort in table order; the workers read ahead, memory stays bounded.

    A patient whose images cannot be read or processed is yielded with the reason, never dropped; annotations that
    cannot be read cost no patient the inputs, and are a reason beside them. A slide that was read
    before with the same classifier is not read again, so that an interrupted call goes on where it was.

    Args:
        cohort: The patients.
        spec: Of the model.
        progress: Told how many are done.
        networks: Training or artefact folder with the tile classifier; of a model that reads slides only.
        workers: Who reads.

    Raises:
        ValueError: A model that reads slides, and no folder.
    """
    from joblib import delayed

    cohort = replace(cohort, folder=cohort.folder.resolve())  # worker processes keep the folder they started in
    rows = cohort.patients.to_dict("records")
    reader = None
    if spec.tiles is not None:
        if networks is None:
            raise ValueError(f"{spec.name} reads slides: name the folder of its tile classifier")
        reader = Reader.of(spec.tiles, networks)
    batch = 8 if reader is None else 1  # a slide takes seconds, a volume milliseconds
    stream = workers.parallel(batch)(delayed(_prepare)(spec.name, cohort, reader, row) for row in rows)
    for done, patient in enumerate(stream, start=1):
        if progress:
            progress(done, len(rows))
        yield patient


def stack_inputs(patients: list[PreparedPatient]) -> dict[str, NDArray[np.float32]]:
    """Stack processed patients along a new first axis, one array per ONNX input."""
    names = patients[0].inputs or {}
    return {name: np.stack([p.inputs[name] for p in patients if p.inputs is not None]) for name in names}
