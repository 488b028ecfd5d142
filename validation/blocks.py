"""Mappings of a YAML file that know where they stand: a value of its type, or an error with file, line and key."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml

from validation.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9_-]+")
Keys = tuple[str | int, ...]


class Block:
    """A mapping of the file that knows where it stands; every value is taken once, with its type."""

    def __init__(self, file: Path, path: Keys, value: Any, keys: frozenset[str]) -> None:
        self.file, self.path, self.named = file, path, ""
        if not isinstance(value, dict):
            raise self.error("", f"a {type(value).__name__}", "a mapping")
        self.value: dict[str, Any] = value
        if isinstance(name := value.get("id"), str):
            self.named = f" of {name}"
        for key in value:
            if key not in keys:
                raise self.error(
                    key, f"unknown key {key}", f"one of {', '.join(sorted(keys))}", "Remove or respell it."
                )

    def error(self, key: str | Keys, found: str, expected: str, remedy: str = "Correct the protocol.") -> InputError:
        """Return an error that names file, line and key (or path of keys), and the id of the mapping if it has one."""
        path = (*self.path, *((key,) if isinstance(key, str) else key)) if key != "" else self.path
        where = ".".join(str(part) for part in path) or "the file"
        return InputError(f"{self.file} line {_line(self.file, path)} key {where}{self.named}", found, expected, remedy)

    def take(self, key: str, kind: type | tuple[type, ...], expected: str, optional: bool = False) -> Any:
        """Return a value of the kind, or None if it is optional and absent."""
        value = self.value.get(key)
        if value is None and optional and key not in self.value:
            return None
        wrong_bool = isinstance(value, bool) and kind is not bool
        if wrong_bool or not isinstance(value, kind) or (isinstance(value, str) and not value.strip()):
            found = "nothing" if value is None else repr(value)
            raise self.error(key if key in self.value else "", f"{key}: {found}", f"{key}: {expected}")
        return value

    def text(self, key: str, expected: str, at_least: int = 1) -> str:
        """Return a text on one line, which has some characters at least where it must justify something."""
        value: str = " ".join(self.take(key, str, expected).split())
        if len(value) < at_least:
            raise self.error(key, repr(value), f"{expected}, in at least {at_least} characters")
        return value

    def name(self, key: str) -> str:
        """Return an identifier."""
        value: str = self.take(key, str, "a name")
        if not _NAME.fullmatch(value):
            raise self.error(key, repr(value), "letters, digits, _ and -")
        return value

    def names(self, key: str, expected: str, optional: bool) -> tuple[str, ...]:
        """Return a list of identifiers, each once; only an optional one may be empty or absent."""
        values = self.take(key, list, expected, optional=optional)
        if optional and not values:
            return ()
        if not values or not all(isinstance(name, str) and _NAME.fullmatch(name) for name in values):
            raise self.error(key, repr(values), f"{expected}: at least one name of letters, digits, _ and -")
        self.unique(key, values)
        return tuple(values)

    def typed(self, key: str, hint: Any) -> Any:
        """Return a value of a field's type: str, float, int, bool, a tuple of one of these, or any of them or None."""
        kinds = [kind for kind in get_args(hint) if kind is not type(None)] if type(None) in get_args(hint) else [hint]
        kind = kinds[0]
        if get_origin(kind) is not tuple:
            value = self.take(key, (int, float) if kind is float else kind, f"a {kind.__name__}")
            return self._finite(key, value) if kind is float else value
        of = get_args(kind)[0]
        values = self.take(key, list, f"a list of {of.__name__}")
        allowed = (int, float) if of is float else of
        right = [isinstance(value, allowed) and isinstance(value, bool) == (of is bool) for value in values]
        if not values or not all(right):
            raise self.error(key, repr(values), f"at least one {of.__name__}, and nothing else")
        return tuple(self._finite(key, value) for value in values) if of is float else tuple(values)

    def _finite(self, key: str, value: float) -> float:
        if not math.isfinite(value):
            raise self.error(key, repr(value), "a finite number")
        return float(value)

    def unique(self, key: str, names: Sequence[str]) -> None:
        """Refuse a name given twice in a list, whose entries are the names or bear them."""
        for position, name in enumerate(names):
            if name in names[:position]:
                raise self.error((key, position), f"{name} given twice", "every name once")

    def whole(self, key: str, low: int, expected: str) -> int:
        """Return a whole number that is not below a bound."""
        value: int = self.take(key, int, expected)
        if value < low:
            raise self.error(key, repr(value), expected)
        return value

    def number(self, key: str, low: float, high: float) -> float:
        """Return a finite number strictly between two bounds."""
        value = self.take(key, (int, float), "a number")
        if not (math.isfinite(value) and low < value < high):
            raise self.error(key, repr(value), f"a number between {low:g} and {high:g}, both excluded")
        return float(value)


def _line(file: Path, path: Keys) -> int:
    """Line of the deepest part of a key path that exists in the file."""
    node = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
    line = node.start_mark.line if node else 0
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node.value[part], node.value[part])
        else:
            found = None
        if found is None:
            break
        line, node = found[0].start_mark.line, found[1]
    return int(line) + 1
