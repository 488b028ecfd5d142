"""Evidence on disk: exactly of its schema, every figure possible."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from validation.documents import read_json
from validation.errors import InputError
from validation.estimators.catalogue.bounds import BOUNDS
from validation.estimators.catalogue.entry import ANY
from validation.estimators.estimate import Scale

SCHEMA = 1
OF_GROUP = "@"
"""Between the id of an estimate and the part of the cohort that it is about."""
REMEDY = "Evaluate the model again; evidence is never edited."
ABOUT = frozenset(("schema", "model", "architecture", "cohort", "role", "synthetic", "endpoint"))
_KEYS = ABOUT | frozenset(("patients", "estimates", "curves", "digests"))
_PATIENT_KEYS = frozenset(("declared", "predicted", "failed", "with_missing_covariates"))
GIVEN_DIGESTS = ("artifact", "predictions", "cohort_yaml", "patients", "outcomes", "judge", "opening")
_DIGEST_KEYS = frozenset((*GIVEN_DIGESTS, "analysis"))
_ENTRY_KEYS = frozenset(("id", "estimator", "prediction", "endpoint", "value", "n", "events"))
_DEFINED_KEYS = _ENTRY_KEYS | frozenset(
    ("lower", "upper", "level", "method", "scale", "horizon", "group", "standard_error", "p_value")
)
_UNDEFINED_KEYS = _ENTRY_KEYS | frozenset(("reason", "too_few", "horizon"))


def read_evidence(path: Path) -> dict[str, Any]:
    """Read and check the evidence of one model on one cohort.

    Raises:
        InputError: No such file; as `read_json` and `check_evidence`.
    """
    document = read_json(path)
    if document is None:
        raise InputError(str(path), "no such file", "evidence", "Evaluate the model on the cohort.")
    check_evidence(document, str(path))
    return document


def require_exactly(mapping: Any, keys: frozenset[str], where: str) -> None:
    """Refuse anything but a mapping with exactly these keys.

    Raises:
        InputError: Another type, a missing or an unknown key.
    """
    if not isinstance(mapping, Mapping):
        raise InputError(where, f"a {type(mapping).__name__}", "a mapping", REMEDY)
    missing, unknown = sorted(keys - set(mapping)), sorted(str(key) for key in set(mapping) - keys)
    if missing or unknown:
        found = "; ".join(
            f"{what} {', '.join(names)}" for what, names in (("no", missing), ("unknown", unknown)) if names
        )
        raise InputError(where, found, f"exactly {', '.join(sorted(keys))}", REMEDY)


def list_of(mapping: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """Return a value that must be a list."""
    value = mapping[key]
    if not isinstance(value, list):
        raise InputError(f"{where} key {key}", f"a {type(value).__name__}", "a list", REMEDY)
    return value


def require_numbers(mapping: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    """Refuse values that are no finite numbers."""
    for key in keys:
        number = mapping[key]
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise InputError(f"{where} key {key}", repr(number), "a finite number", REMEDY)


def require_counts(mapping: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    """Refuse values that are no counts."""
    for key in keys:
        number = mapping[key]
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise InputError(f"{where} key {key}", repr(number), "a count", REMEDY)


def require_text(mapping: Mapping[str, Any], key: str, where: str) -> None:
    """Refuse a value that is no text."""
    if not isinstance(mapping[key], str) or not mapping[key]:
        raise InputError(f"{where} key {key}", repr(mapping[key]), "a text", REMEDY)


def require_interval(entry: Mapping[str, Any], bounds: tuple[float, float], where: str) -> None:
    """Refuse an estimate that cannot be: not finite, outside its own interval, or outside the range of its quantity.

    Raises:
        InputError: Names the key, what was found and what is possible.
    """
    require_numbers(entry, ("value", "lower", "upper", "level"), where)
    require_numbers(entry, tuple(key for key in ("standard_error", "p_value") if entry[key] is not None), where)
    if (entry["standard_error"] or 0) < 0:
        raise InputError(f"{where} key standard_error", str(entry["standard_error"]), "0 or more", REMEDY)
    if entry["scale"] not in get_args(Scale):
        raise InputError(f"{where} key scale", repr(entry["scale"]), " or ".join(get_args(Scale)), REMEDY)
    if not entry["lower"] <= entry["value"] <= entry["upper"]:
        found = f"{entry['value']} outside its interval, {entry['lower']} to {entry['upper']}"
        raise InputError(f"{where} key value", found, "a value inside its interval", REMEDY)
    if not bounds[0] <= entry["value"] <= bounds[1]:
        expected = f"{bounds[0]:g} to {bounds[1]:g}"
        raise InputError(f"{where} key value", f"{entry['value']}, which is impossible", expected, REMEDY)
    if not (0 < entry["level"] < 1 and 0 <= (entry["p_value"] or 0) <= 1):
        found = f"level {entry['level']}, P value {entry['p_value']}"
        raise InputError(where, found, "a level between 0 and 1, a P value from 0 to 1", REMEDY)


def _check_entry(entry: Any, where: str, predicted: int) -> None:
    undefined = isinstance(entry, Mapping) and entry.get("value") is None
    require_exactly(entry, _UNDEFINED_KEYS if undefined else _DEFINED_KEYS, where)
    require_text(entry, "id", where)
    require_counts(entry, ("n", "events"), where)
    if not entry["events"] <= entry["n"] <= predicted:
        found = f"{entry['events']} events among {entry['n']} of {predicted} predicted patients"
        raise InputError(where, found, "parts no larger than the whole", REMEDY)
    _, of_group, group = entry["id"].partition(OF_GROUP)
    if of_group and (not group or (not undefined and entry["group"] != group)):
        found = f"{entry['id']} with group {entry.get('group')!r}"
        raise InputError(f"{where} key group", found, "the group that the id names", REMEDY)
    if not undefined:
        require_interval(entry, BOUNDS.get(entry["estimator"], ANY), where)


def _check_patients(patients: Any, where: str) -> None:
    require_exactly(patients, _PATIENT_KEYS, where)
    require_counts(patients, ("declared", "predicted", "with_missing_covariates"), where)
    failed = list_of(patients, "failed", where)
    for failure in failed:
        require_exactly(failure, frozenset(("patient_id", "reason")), f"{where} failed")
        require_text(failure, "patient_id", f"{where} failed")
    distinct = len({failure["patient_id"] for failure in failed})
    if distinct != len(failed) or patients["predicted"] + distinct != patients["declared"]:
        found = f"{patients['predicted']} predicted and {len(failed)} failed of {patients['declared']}"
        raise InputError(where, found, "every declared patient once", REMEDY)


def check_about(document: Mapping[str, Any], where: str) -> None:
    """Refuse a document whose schema, digests or patients are not what every document on a cohort has.

    Raises:
        InputError: Another schema version, a missing or unknown digest, or patients that do not add up.
    """
    if document["schema"] != SCHEMA:
        raise InputError(f"{where} key schema", repr(document["schema"]), str(SCHEMA), REMEDY)
    require_exactly(document["digests"], _DIGEST_KEYS, f"{where} digests")
    _check_patients(document["patients"], f"{where} patients")


def check_evidence(document: Mapping[str, Any], where: str) -> None:
    """Refuse evidence that is not exactly of the present schema.

    Args:
        document: The evidence.
        where: Its file, for the message.

    Raises:
        InputError: Another schema version, a missing or unknown key, a number that is not finite, an estimate given
            twice, or patients that do not add up.
    """
    if document.get("schema") != SCHEMA:
        raise InputError(f"{where} key schema", repr(document.get("schema")), str(SCHEMA), REMEDY)
    require_exactly(document, _KEYS, where)
    check_about(document, where)
    estimates = list_of(document, "estimates", where)
    for number, entry in enumerate(estimates):
        _check_entry(entry, f"{where} estimates[{number}]", document["patients"]["predicted"])
    ids = [entry["id"] for entry in estimates]
    if len(set(ids)) != len(ids):
        raise InputError(f"{where} estimates", "an id given twice", "every id once", REMEDY)
