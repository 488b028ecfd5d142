"""YAML read strictly, JSON written whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from validation.documents import read_yaml, require_keys, write_json
from validation.errors import InputError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", "yaml line 3: .*key 'a' given twice"),
        (b"a: {x: 1, x: 2}\n", "key 'x' given twice"),
        (b"a: [1\n", "text that is not YAML.*line 2"),
        (b"- a\n", "found a list"),
        (b"", "line 1: found nothing"),
        (b"a: \xe9\n", "not UTF-8"),
    ],
)
def test_bad_yaml_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """Repeated keys, broken YAML, other encodings and anything but a mapping are input errors that name the place."""
    (tmp_path / "a.yaml").write_bytes(content)

    with pytest.raises(InputError, match=message):
        read_yaml(tmp_path / "a.yaml")


def test_missing_file_is_an_input_error(tmp_path: Path) -> None:
    """A file that is not there is an input error that names it."""
    with pytest.raises(InputError, match=r"none\.yaml: found a file that cannot be read"):
        read_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"a": "x"}, "f: found no b; expected the keys a, b"),
        ({"a": "x", "b": [], "c": 1}, "unknown key.s. c"),
        ({"a": 3, "b": []}, "f key a: found 3; expected a str"),
        ({"a": " ", "b": []}, "expected a str, not empty"),
    ],
)
def test_other_keys_are_refused(document: dict[str, object], message: str) -> None:
    """Missing and unknown keys, other types and blank texts are refused."""
    with pytest.raises(InputError, match=message):
        require_keys(document, {"a": str, "b": list}, "f")


def test_a_place_that_cannot_be_written_to_is_one_error(tmp_path: Path) -> None:
    """Below a file there is no folder; nothing is left behind."""
    (tmp_path / "file").write_text("x", encoding="utf-8")

    with pytest.raises(InputError, match=r"file/a\.json: found .*; expected a place that can be written to"):
        write_json(tmp_path / "file" / "a.json", {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
