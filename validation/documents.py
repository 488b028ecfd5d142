"""YAML documents read strictly: no duplicate keys, no unknown keys, no missing keys."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from validation.errors import InputError


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
        raise InputError(str(path), found, "a YAML mapping", "Correct the line named.") from error
    if not isinstance(document, dict):
        raise InputError(str(path), f"a {type(document).__name__}", "a YAML mapping", "Write `key: value` lines.")
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
