"""params.yaml as frozen values; an unknown, missing or contradictory key is one clear error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from pipelines.layout import PARAMS
from validation.errors import InputError

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

    def external_cohorts(self, model: str) -> tuple[str, ...]:
        """External cohorts on which the model is judged."""
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


def _entries(path: Path, where: str, raw: Any, kind: type[Any]) -> dict[str, Any]:
    if not isinstance(raw, dict) or not raw:
        raise InputError(f"{path} {where}", repr(raw), "a mapping of named entries", "Add at least one entry.")
    names = {f.name for f in fields(kind)}
    return {key: kind(**_block(path, f"{where}.{key}", block, names)) for key, block in raw.items()}


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


def load_params(path: Path = PARAMS) -> Params:
    """Read params.yaml and keep the profile in force.

    Raises:
        InputError: The file is missing, is not YAML, or a key is unknown, missing or contradicts another.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(str(path), "no such file", "params.yaml", "Run the command in the repository root.") from None
    except yaml.YAMLError as error:
        raise InputError(str(path), str(error), "YAML", "Correct the syntax.") from None
    top = _block(path, "", raw, {"profile", "seed", "synthetic", "cohorts", "models", "validations", "profiles"})
    profile = _lookup(top["profiles"], top["profile"], "profiles")
    profile = _block(path, f"profiles.{top['profile']}", profile, {"synthetic", "training"})
    params = Params(
        profile=top["profile"],
        seed=int(top["seed"]),
        synthetic=tuple(top["synthetic"]),
        cohorts=tuple(top["cohorts"]),
        models=_entries(path, "models", top["models"], ModelEntry),
        validations=_entries(path, "validations", top["validations"], ValidationEntry),
        scales={name: float(block["scale"]) for name, block in profile["synthetic"].items()},
        trainings=profile["training"],
    )
    _check_validations(path, params)
    return params
