"""params.yaml as frozen values; an unknown, missing or contradictory key is one clear error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from models import MODELS
from models.system import ParameterError, TrainingParams
from pipelines.layout import PARAMS, cohort_folder, protocol_file
from pipelines.names import one_of, require_cohort_folder
from pipelines.workers import Workers
from validation.documents import read_yaml
from validation.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
Entry = TypeVar("Entry")
Training = TypeVar("Training", bound=TrainingParams)


@dataclass(frozen=True)
class ModelEntry:
    """One trained model: folder in `models/`, name in the registry, development cohort."""

    architecture: str
    registered_name: str
    development: str


@dataclass(frozen=True)
class ValidationEntry:
    """One model on one external cohort. `development` and `architecture` repeat the model's entry for DVC's sake."""

    model: str
    architecture: str
    development: str
    cohort: str
    tables: str


@dataclass(frozen=True)
class Params:
    """Everything of params.yaml for the profile in force."""

    profile: str
    seed: int
    workers: Workers
    synthetic: tuple[str, ...]
    cohorts: tuple[str, ...]
    models: Mapping[str, ModelEntry]
    validations: Mapping[str, ValidationEntry]
    scales: Mapping[str, float]
    trainings: Mapping[str, Mapping[str, Any]]

    def synthetic_scale(self, cohort: str) -> float:
        """Size of a synthetic cohort as a multiple of the paper's n."""
        return _lookup(self.scales, cohort, f"profiles.{self.profile}.synthetic")

    def training(self, model: str) -> Mapping[str, Any]:
        """Training block of a model under the profile in force."""
        return _lookup(self.trainings, model, f"profiles.{self.profile}.training")

    def training_params(self, model: str, kind: type[Training]) -> Training:
        """Training block of a model as its network takes it.

        Raises:
            InputError: A key is unknown, missing or of another type, or a value out of range.
        """
        where = f"{PARAMS} profiles.{self.profile}.training.{model}"
        return _training(where, self.training(model), kind)

    def model(self, name: str) -> ModelEntry:
        """Entry of a model."""
        return _lookup(self.models, name, "models")

    def validation_cohorts(self, model: str) -> tuple[str, ...]:
        """Internal and external cohorts on which the model is run."""
        return tuple(v.cohort for v in self.validations.values() if v.model == model)


def _lookup(table: Mapping[str, Entry], key: str, where: str) -> Entry:
    if key not in table:
        raise InputError(f"{PARAMS} {where}", f"no entry {key!r}", one_of(key, table), "Correct the name or add it.")
    return table[key]


def _block(path: Path, where: str, raw: Any, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(raw, dict) or set(raw) != names:
        found = sorted(raw) if isinstance(raw, dict) else repr(raw)
        raise InputError(f"{path} {where}", str(found), f"exactly the keys {sorted(names)}", "Correct the block.")
    return raw


def _typed(where: str, value: Any, kind: type[Entry]) -> Entry:
    """Return a value of the type it must have; a boolean is no number, and no text is empty."""
    if not isinstance(value, kind) or isinstance(value, bool) or value == "":
        raise InputError(where, repr(value), f"a value of type {kind.__name__}, not empty", "Correct it.")
    return value


def _name(where: str, value: Any) -> str:
    """Return a name that can be a folder, a DVC stage and a registered model."""
    if not NAME.fullmatch(_typed(where, value, str)):
        expected = "letters, digits, _ and -, beginning with a letter or digit"
        raise InputError(where, repr(value), expected, "Choose another name.")
    return str(value)


def _names(where: str, value: Any) -> tuple[str, ...]:
    """Return a list of names, none twice."""
    names = tuple(_name(where, name) for name in _typed(where, value, list))
    if not names or len(set(names)) != len(names):
        raise InputError(where, repr(value), "at least one name, none twice", "Correct the list.")
    return names


def _entries(path: Path, where: str, raw: Any, kind: type[Any]) -> dict[str, Any]:
    if not isinstance(raw, dict) or not raw:
        raise InputError(f"{path} {where}", repr(raw), "a mapping of named entries", "Add at least one entry.")
    names = {f.name for f in fields(kind)}
    entries = {}
    for key, block in raw.items():
        here = f"{path} {where}.{_name(f'{path} {where}', key)}"
        values = _block(path, f"{where}.{key}", block, names)
        entries[key] = kind(**{name: _name(f"{here}.{name}", value) for name, value in values.items()})
    return entries


def _scale(path: Path, where: str, block: Any) -> float:
    value = _block(path, where, block, {"scale"})["scale"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InputError(f"{path} {where}.scale", repr(value), "a number above 0", "Correct it.")
    return float(value)


def _workers(path: Path, block: Any) -> Workers:
    values = _block(path, "parallel", block, {"backend", "scheduler"})
    try:
        return Workers(**values)
    except ValueError as error:
        expected = "loky and null, or dask and the address of its scheduler"
        raise InputError(f"{path} parallel", str(error), expected, "Correct the block.") from None


def _training(where: str, block: Mapping[str, Any], kind: type[Training]) -> Training:
    try:
        return kind.from_mapping(block)
    except ParameterError as error:
        raise InputError(f"{where}.{error.key}", error.found, error.expected, "Correct it.") from None


def _block_of_training(where: str, block: Any) -> Mapping[str, Any]:
    """Return a training block; what every network has is checked here, before anything heavy is loaded."""
    common = {part.name for part in fields(TrainingParams)}
    values: Mapping[str, Any] = _typed(where, block, dict)
    _training(where, {key: value for key, value in values.items() if key in common}, TrainingParams)
    return values


def _check_models(path: Path, params: Params) -> None:
    for key, entry in params.models.items():
        where = f"{path} models.{key}"
        if entry.architecture not in MODELS:
            found, known = f"architecture {entry.architecture}", one_of(entry.architecture, MODELS)
            raise InputError(where, found, known, "Correct the name.")
        _listed(f"{where}.development", entry.development, params.cohorts)


def _check_validations(path: Path, params: Params) -> None:
    for key, entry in params.validations.items():
        model = _lookup(params.models, entry.model, "models")
        expected = {
            "key": f"{entry.model}-{entry.cohort}",
            "architecture": model.architecture,
            "development": model.development,
        }
        found = {"key": key, "architecture": entry.architecture, "development": entry.development}
        if found != expected:
            raise InputError(
                f"{path} validations.{key}", str(found), str(expected), "It must repeat its model's entry."
            )
        if entry.tables not in ("csv", "parquet"):
            raise InputError(
                f"{path} validations.{key}.tables", entry.tables, "csv or parquet", "Name the file format."
            )
        _listed(f"{path} validations.{key}.cohort", entry.cohort, params.cohorts)


def _listed(where: str, cohort: str, cohorts: tuple[str, ...]) -> None:
    """Refuse a cohort that is not under `cohorts`."""
    if cohort not in cohorts:
        expected = f"a cohort listed under `cohorts`, {one_of(cohort, cohorts)}"
        raise InputError(where, f"cohort {cohort}", expected, "Correct the name, or add it there.")


def load_params(path: Path = PARAMS, profile: str | None = None) -> Params:
    """Read params.yaml and keep one profile.

    Args:
        path: The file.
        profile: Profile to keep; None for the one in force.

    Raises:
        InputError: The file is missing, is not YAML, or a key is unknown, missing, given twice, of another type, or
            contradicts another.
    """
    if not path.is_file():
        raise InputError(str(path), "no such file", "params.yaml", "Run the command in the repository root.")
    top = _block(
        path,
        "",
        read_yaml(path),
        {"profile", "seed", "parallel", "synthetic", "cohorts", "models", "validations", "profiles"},
    )
    chosen = _name(f"{path} profile", top["profile"] if profile is None else profile)
    block = _lookup(_typed(f"{path} profiles", top["profiles"], dict), chosen, "profiles")
    block = _block(path, f"profiles.{chosen}", block, {"synthetic", "training"})
    blocks = {kind: _typed(f"{path} profiles.{chosen}.{kind}", block[kind], dict) for kind in block}
    params = Params(
        profile=chosen,
        seed=_typed(f"{path} seed", top["seed"], int),
        workers=_workers(path, top["parallel"]),
        synthetic=_names(f"{path} synthetic", top["synthetic"]) if top["synthetic"] != [] else (),
        cohorts=_names(f"{path} cohorts", top["cohorts"]),
        models=_entries(path, "models", top["models"], ModelEntry),
        validations=_entries(path, "validations", top["validations"], ValidationEntry),
        scales={n: _scale(path, f"profiles.{chosen}.synthetic.{n}", b) for n, b in blocks["synthetic"].items()},
        trainings={
            n: _block_of_training(f"{path} profiles.{chosen}.training.{n}", b) for n, b in blocks["training"].items()
        },
    )
    _check_models(path, params)
    _check_validations(path, params)
    return params


def load_validation(model: str, cohort: str) -> ValidationEntry:
    """Read params.yaml and return one entry of `validations`, before any work on it.

    Raises:
        InputError: As `load_params` and `require_role`; no such model, it is not run on the cohort, or its protocol
            does not declare the cohort: nobody looks first and declares afterwards.
    """
    params = load_params()
    params.model(model)
    known = params.validation_cohorts(model)
    if cohort not in known:
        expected, remedy = one_of(cohort, known), f"Correct the name, or add {model}-{cohort}."
        raise InputError(f"{PARAMS} validations", f"no cohort {cohort!r} of {model}", expected, remedy)
    entry = params.validations[f"{model}-{cohort}"]
    require_role(entry.architecture, cohort)
    protocol = protocol_file(entry.architecture)
    if cohort not in (declared := _roles(protocol)):
        where, expected = f"{protocol} analysis.cohorts", f"{cohort} among {', '.join(declared) or 'its cohorts'}"
        remedy = "Declare it, as external or internal, before anything is seen of it."
        raise InputError(where, f"no cohort {cohort}", expected, remedy)
    return entry


def require_role(architecture: str, cohort: str) -> None:
    """Refuse a cohort to which cohort.yaml and the protocol give different roles.

    Raises:
        InputError: They differ, or one of them cannot be read.
    """
    from validation.cohort import META, read_meta

    folder, protocol = cohort_folder(cohort), protocol_file(architecture)
    require_cohort_folder(folder)
    found, declared = read_meta(folder).role, _roles(protocol).get(cohort)
    if declared not in (None, found):
        where, expected = f"{folder / META} key role", f"{declared}, which {protocol} says it is"
        raise InputError(where, found, expected, "Correct the one that is wrong.")


def _roles(protocol: Path) -> dict[str, str]:
    """Return the role of each cohort that a protocol names; what is malformed has none, and is for `load_protocol`."""
    analysis = read_yaml(protocol).get("analysis")
    cohorts = analysis.get("cohorts") if isinstance(analysis, dict) else None
    by_role = cohorts.items() if isinstance(cohorts, dict) else ()
    return {str(name): str(role) for role, names in by_role if isinstance(names, list) for name in names}
