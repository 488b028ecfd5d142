"""Evidence on disk: deterministic, whole, strict."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.validation.specimens import evidence, protocol, spoilt, undefined
from validation.digests import file_sha256
from validation.documents import document_sha256, encode, read_json, write_json
from validation.errors import InputError
from validation.evidence import check_evidence, read_evidence


def test_same_content_same_bytes(tmp_path: Path) -> None:
    """The order of keys does not matter; floats read back exactly; the file ends with a newline."""
    write_json(tmp_path / "a.json", {"b": 0.1 + 0.2, "a": [1, None]})
    write_json(tmp_path / "b.json", {"a": [1, None], "b": 0.1 + 0.2})

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.json").read_text().endswith("}\n")
    assert read_json(tmp_path / "a.json") == {"a": [1, None], "b": 0.30000000000000004}
    assert file_sha256(tmp_path / "a.json") == document_sha256({"a": [1, None], "b": 0.1 + 0.2})


def test_nothing_half_written(tmp_path: Path) -> None:
    """A document that cannot be written leaves the former file, and no other."""
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"a": math.nan})

    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_missing_file_is_none(tmp_path: Path) -> None:
    """No file is no document; evidence that is asked for must be there."""
    assert read_json(tmp_path / "none.json") is None
    with pytest.raises(InputError, match="no such file"):
        read_evidence(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": 1, "a": 2}', "key is given twice"),
        ('{"a": 1', "expected JSON"),
        ("[1]", "found a list"),
    ],
)
def test_refuses_what_is_no_sound_json(tmp_path: Path, text: str, reason: str) -> None:
    """NaN, a key given twice, a broken or another kind of document is bad input."""
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_json(tmp_path / "a.json")


def test_sound_evidence_is_read(tmp_path: Path) -> None:
    """Evidence is read as it was written."""
    document = evidence(protocol(tmp_path))
    write_json(tmp_path / "evidence.json", document)

    assert read_evidence(tmp_path / "evidence.json") == document
    assert json.loads(encode(document)) == document


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("schema",), 0, "key schema: found 0; expected 1"),
        (("digests",), {"artifact": "a"}, "no analysis, cohort_yaml, judge, opening, outcomes, patients, predictions"),
        (("notes",), "x", "unknown notes"),
        (("estimates", 0, "value"), True, "key value: found True"),
        (("estimates", 0, "lower"), None, "key lower: found None"),
        (("estimates", 0, "id"), "slope", "an id given twice"),
        (("estimates", 0), "text", "found a str; expected a mapping"),
        (("estimates", 0, "value"), None, "no reason, too_few"),
        (("patients", "failed"), [{"patient_id": "P1"}], "no reason"),
        (("patients", "failed"), [{"patient_id": "P1", "reason": "r"}], "500 predicted and 1 failed of 500"),
        (("patients", "failed"), {}, "expected a list"),
        (("patients", "predicted"), -1, "expected a count"),
    ],
)
def test_refuses_other_evidence(tmp_path: Path, path: tuple[str | int, ...], value: object, reason: str) -> None:
    """Every key must be there, nothing else, numbers finite, patients adding up."""
    with pytest.raises(InputError, match=reason):
        check_evidence(spoilt(evidence(protocol(tmp_path)), *path, value=value), "evidence.json")


@pytest.mark.parametrize(("name", "group"), [("c@sex=male", "sex=female"), ("c@sex=male", None), ("c@", "")])
def test_refuses_a_group_that_the_id_does_not_name(tmp_path: Path, name: str, group: str | None) -> None:
    """What is said of one part of a cohort must not be read as said of another."""
    sound = evidence(protocol(tmp_path))
    entry = {**sound["estimates"][0], "id": name, "group": group}
    with pytest.raises(InputError, match="expected the group that the id names"):
        check_evidence(spoilt(sound, "estimates", 0, value=entry), "evidence")


def test_takes_estimates_of_groups(tmp_path: Path) -> None:
    """Defined with its group, or undefined with a reason."""
    sound = evidence(protocol(tmp_path))
    part = {**sound["estimates"][0], "id": "c@sex=male", "group": "sex=male"}
    nobody = undefined("c@sex=female", "nobody", True, 0)

    check_evidence({**sound, "estimates": [*sound["estimates"], part, nobody]}, "evidence")
