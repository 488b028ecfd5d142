"""Evidence on disk: small, deterministic JSON, written whole, read strictly."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from validation.digests import bytes_sha256
from validation.errors import InputError
from validation.estimators.estimate import Scale

SCHEMA = 1
_REMEDY = "Evaluate the model again; evidence is never edited."
_ABOUT = frozenset(("schema", "model", "architecture", "cohort", "role", "synthetic", "endpoint"))
_KEYS = _ABOUT | frozenset(("patients", "estimates", "curves", "digests"))
_PATIENT_KEYS = frozenset(("declared", "predicted", "failed", "with_missing_covariates"))
_DIGEST_KEYS = frozenset(("artifact", "predictions", "outcomes", "patients", "analysis"))
_ENTRY_KEYS = frozenset(("id", "estimator", "prediction", "endpoint", "value", "n", "events"))
_DEFINED_KEYS = _ENTRY_KEYS | frozenset(
    ("lower", "upper", "level", "method", "scale", "horizon", "group", "standard_error", "p_value")
)
_UNDEFINED_KEYS = _ENTRY_KEYS | frozenset(("reason", "too_few", "horizon"))


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a document as canonical text: keys sorted, two spaces, shortest float that reads back the same.

    Raises:
        ValueError: The document holds NaN or an infinity.
    """
    return (json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def document_sha256(document: Mapping[str, Any]) -> str:
    """Return the sha256 of the file that `write_json` makes of the document."""
    return bytes_sha256(encode(document))


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document; the file appears whole or not at all, and equal documents give equal bytes.

    Raises:
        ValueError: The document holds NaN or an infinity.
    """
    content = encode(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key is given twice")
    return document


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON document; None if there is no such file.

    Raises:
        InputError: Not UTF-8, not JSON, a key given twice, NaN or infinity, or not an object.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(str(path), str(error), "JSON with finite numbers", "Write the file again.") from error
    if not isinstance(document, dict):
        raise InputError(str(path), f"a {type(document).__name__}", "a JSON object", "Write the file again.")
    return document


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
        raise InputError(where, f"a {type(mapping).__name__}", "a mapping", _REMEDY)
    missing, unknown = sorted(keys - set(mapping)), sorted(str(key) for key in set(mapping) - keys)
    if missing or unknown:
        found = "; ".join(
            f"{what} {', '.join(names)}" for what, names in (("no", missing), ("unknown", unknown)) if names
        )
        raise InputError(where, found, f"exactly {', '.join(sorted(keys))}", _REMEDY)


def _list(mapping: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = mapping[key]
    if not isinstance(value, list):
        raise InputError(f"{where} key {key}", f"a {type(value).__name__}", "a list", _REMEDY)
    return value


def _require_numbers(mapping: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in keys:
        number = mapping[key]
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise InputError(f"{where} key {key}", repr(number), "a finite number", _REMEDY)


def _require_counts(mapping: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in keys:
        number = mapping[key]
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise InputError(f"{where} key {key}", repr(number), "a count", _REMEDY)


def _require_text(mapping: Mapping[str, Any], key: str, where: str) -> None:
    if not isinstance(mapping[key], str) or not mapping[key]:
        raise InputError(f"{where} key {key}", repr(mapping[key]), "a text", _REMEDY)


def _check_entry(entry: Any, where: str) -> None:
    undefined = isinstance(entry, Mapping) and entry.get("value") is None
    require_exactly(entry, _UNDEFINED_KEYS if undefined else _DEFINED_KEYS, where)
    _require_text(entry, "id", where)
    _require_counts(entry, ("n", "events"), where)
    if undefined:
        return
    _require_numbers(entry, ("value", "lower", "upper", "level"), where)
    _require_numbers(entry, tuple(key for key in ("standard_error", "p_value") if entry[key] is not None), where)
    if entry["scale"] not in get_args(Scale):
        raise InputError(f"{where} key scale", repr(entry["scale"]), " or ".join(get_args(Scale)), _REMEDY)


def _check_patients(patients: Any, where: str) -> None:
    require_exactly(patients, _PATIENT_KEYS, where)
    _require_counts(patients, ("declared", "predicted", "with_missing_covariates"), where)
    failed = _list(patients, "failed", where)
    for failure in failed:
        require_exactly(failure, frozenset(("patient_id", "reason")), f"{where} failed")
        _require_text(failure, "patient_id", f"{where} failed")
    distinct = len({failure["patient_id"] for failure in failed})
    if distinct != len(failed) or patients["predicted"] + distinct != patients["declared"]:
        found = f"{patients['predicted']} predicted and {len(failed)} failed of {patients['declared']}"
        raise InputError(where, found, "every declared patient once", _REMEDY)


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
        raise InputError(f"{where} key schema", repr(document.get("schema")), str(SCHEMA), _REMEDY)
    require_exactly(document, _KEYS, where)
    require_exactly(document["digests"], _DIGEST_KEYS, f"{where} digests")
    _check_patients(document["patients"], f"{where} patients")
    estimates = _list(document, "estimates", where)
    for number, entry in enumerate(estimates):
        _check_entry(entry, f"{where} estimates[{number}]")
    ids = [entry["id"] for entry in estimates]
    if len(set(ids)) != len(ids):
        raise InputError(f"{where} estimates", "an id given twice", "every id once", _REMEDY)
