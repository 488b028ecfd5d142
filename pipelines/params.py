"""params.yaml as frozen values; an unknown, missing or contradictory key is one clear error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from models import MODELS
from pipelines.layout import PARAMS
from validation.documents import read_yaml
from validation.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
Entry = TypeVar("Entry")


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

    def model(self, name: str) -> ModelEntry:
        """Entry of a model."""
        return _lookup(self.models, name, "models")

    def validation_cohorts(self, model: str) -> tuple[str, ...]:
        """Internal and external cohorts on which the model is run."""
        return tuple(v.cohort for v in self.validations.values() if v.model == model)


def _lookup(table: Mapping[str, Entry], key: str, where: str) -> Entry:
    if key not in table:
        known = ", ".join(sorted(table)) or "nothing"
        raise InputError(f"{PARAMS} {where}", f"no entry {key!r}", f"one of: {known}", "Correct the name or add it.")
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


def _check_models(path: Path, params: Params) -> None:
    for key, entry in params.models.items():
        where = f"{path} models.{key}"
        if entry.architecture not in MODELS:
            found, known = f"architecture {entry.architecture}", f"one of: {', '.join(sorted(MODELS))}"
            raise InputError(where, found, known, "Correct the name.")
        if entry.development not in params.cohorts:
            found = f"development {entry.development}"
            raise InputError(where, found, "a cohort listed under `cohorts`", "Add it there.")


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
        if entry.cohort not in params.cohorts:
            raise InputError(
                f"{path} validations.{key}", f"cohort {entry.cohort}", "a cohort listed under `cohorts`", "Add it."
            )


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
        path, "", read_yaml(path), {"profile", "seed", "synthetic", "cohorts", "models", "validations", "profiles"}
    )
    chosen = _name(f"{path} profile", top["profile"] if profile is None else profile)
    block = _lookup(_typed(f"{path} profiles", top["profiles"], dict), chosen, "profiles")
    block = _block(path, f"profiles.{chosen}", block, {"synthetic", "training"})
    blocks = {kind: _typed(f"{path} profiles.{chosen}.{kind}", block[kind], dict) for kind in block}
    params = Params(
        profile=chosen,
        seed=_typed(f"{path} seed", top["seed"], int),
        synthetic=_names(f"{path} synthetic", top["synthetic"]) if top["synthetic"] != [] else (),
        cohorts=_names(f"{path} cohorts", top["cohorts"]),
        models=_entries(path, "models", top["models"], ModelEntry),
        validations=_entries(path, "validations", top["validations"], ValidationEntry),
        scales={n: _scale(path, f"profiles.{chosen}.synthetic.{n}", b) for n, b in blocks["synthetic"].items()},
        trainings={n: _typed(f"{path} profiles.{chosen}.training.{n}", b, dict) for n, b in blocks["training"].items()},
    )
    _check_models(path, params)
    _check_validations(path, params)
    return params
