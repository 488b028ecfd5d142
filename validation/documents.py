"""YAML and JSON documents, read strictly: no duplicate keys; JSON written whole and alike wherever it is written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from validation.digests import bytes_sha256
from validation.errors import InputError

_INLINE = re.compile(r"\[\s+((?:-?[0-9.eE+-]+|null)(?:,\s+(?:-?[0-9.eE+-]+|null))*)\s+\]")


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice; PyYAML would keep the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.value in seen:
                problem = f"key {key_node.value!r} given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(str(key_node.value))
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        InputError: The file is missing, is not UTF-8 or YAML, gives a key twice or holds something else than a mapping.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except OSError as error:
        raise InputError(
            str(path), f"a file that cannot be read ({error.strerror})", "a YAML file", "Add it."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(str(path), "bytes that are not UTF-8", "UTF-8 text", "Save the file as UTF-8.") from error
    except yaml.YAMLError as error:
        found = "text that is not YAML: " + " ".join(str(error).split())
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = str(path) if mark is None else f"{path} line {mark.line + 1}"
        raise InputError(where, found, "a YAML mapping", "Correct the line named.") from error
    if not isinstance(document, dict):
        found = "nothing" if document is None else f"a {type(document).__name__}"
        raise InputError(f"{path} line 1", found, "a YAML mapping", "Write `key: value` lines.")
    return document


def require_keys(document: Mapping[str, Any], keys: Mapping[str, type], where: str) -> None:
    """Refuse a mapping whose keys are not exactly `keys`, or whose values are not of the types given.

    Args:
        document: The mapping.
        keys: Expected keys and the type of each value.
        where: File, and key in it, for the message.

    Raises:
        InputError: A key is missing or unknown, or a value has another type.
    """
    if missing := sorted(set(keys) - set(document)):
        raise InputError(where, f"no {', '.join(missing)}", f"the keys {', '.join(keys)}", "Add what is missing.")
    if unknown := sorted(str(key) for key in set(document) - set(keys)):
        found = f"unknown key(s) {', '.join(unknown)}"
        raise InputError(where, found, f"the keys {', '.join(keys)}", "Remove or respell them.")
    for key, kind in keys.items():
        value = document[key]
        if not isinstance(value, kind) or (isinstance(value, str) and not value.strip()):
            raise InputError(f"{where} key {key}", repr(value), f"a {kind.__name__}, not empty", "Correct the value.")


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a document as canonical text: keys sorted, two spaces, shortest float that reads back the same.

    A list of numbers takes one line.

    Raises:
        ValueError: The document holds NaN or an infinity.
    """
    text = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (_INLINE.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n").encode()


def document_sha256(document: Mapping[str, Any]) -> str:
    """Return the sha256 of the file that `write_json` makes of the document."""
    return bytes_sha256(encode(document))


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document; the file appears whole or not at all, and equal documents give equal bytes.

    Raises:
        InputError: It cannot be written there: a full disk, no permission, no folder.
        ValueError: The document holds NaN or an infinity.
    """
    content = encode(document)
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        expected, remedy = "a place that can be written to", "Make room there, or allow it."
        raise InputError(str(path), str(error.strerror), expected, remedy) from error


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
