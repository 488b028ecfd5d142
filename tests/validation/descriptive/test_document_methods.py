"""Descriptive analyses on disk: every method once, every row with its method, one line per row, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.validation.descriptive.specimens_survival import document, specimen
from validation.descriptive.characteristics import TableOneByGroup
from validation.descriptive.document import check_description, encode_description, read_description
from validation.descriptive.kaplan_meier import KaplanMeierByGroup
from validation.descriptive.subgroups import Subgroups
from validation.documents import encode
from validation.errors import InputError

ANALYSES = (
    KaplanMeierByGroup(id="km", endpoint="os", by="sex", horizons_months=(12.0, 500.0)),
    Subgroups(id="c", estimator="harrell_c", prediction="lp_a", endpoint="os", by=("sex", "pn_stage")),
    TableOneByGroup(id="table", by="lp_a", columns=("age_years", "pn_stage")),
)


def full() -> list[dict[str, Any]]:
    """The analyses as they are made."""
    made: list[dict[str, Any]] = json.loads(encode({"made": [a.to_dict(specimen()) for a in ANALYSES]}))["made"]
    return made


def written() -> dict[str, Any]:
    """The document as it is written."""
    read: dict[str, Any] = json.loads(encode_description(document(full(), 240)))
    return read


def test_what_is_read_is_what_was_made(tmp_path: Path) -> None:
    """Every row has its method, level, scale and nulls again."""
    path = tmp_path / "cohort.json"
    path.write_bytes(encode_description(document(full(), 240)))

    assert read_description(path)["analyses"] == full()


def test_every_method_is_written_once() -> None:
    """Rows of one method name one key, across analyses; a test has no level."""
    found = written()
    texts = [method["method"] for method in found["methods"].values()]
    survival = [
        row["method"]
        for row in found["analyses"][0]["rows"]
        if row["quantity"] == "survival" and "n" in row and "value" in row
    ]

    assert len(set(texts)) == len(texts)
    assert len(set(survival)) == 1
    assert found["methods"][survival[0]] == {
        "method": "Kaplan-Meier survival, Greenwood variance, log-log interval",
        "level": 0.95,
        "scale": "log_log",
    }


def test_a_row_takes_one_line() -> None:
    """Rows are lines of the file, and hold nothing that is null; a text with braces and brackets is left alone."""
    analyses = full()
    analyses[0]["rows"][0]["method"] = 'braces {a} and }b{ and [c] and "d"'
    text = encode_description(document(analyses, 240)).decode()
    lines = [line for line in text.splitlines() if '"quantity"' in line]

    assert len(lines) == sum(len(analysis["rows"]) for analysis in analyses)
    assert all(None not in json.loads(line.strip().rstrip(",")).values() for line in lines)
    assert json.loads(text) == json.loads(json.dumps(document(analyses, 240)))
    assert text.encode() == encode_description(json.loads(text))


def first(found: dict[str, Any]) -> dict[str, Any]:
    """The first row, an estimate."""
    row: dict[str, Any] = found["analyses"][0]["rows"][0]
    return row


def of_test(found: dict[str, Any]) -> str:
    """The key of a method that is a test's."""
    return next(key for key, method in found["methods"].items() if "level" not in method)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda d: first(d).update(method="m99"), r"key method: found 'm99'; expected a key of `methods`"),
        (lambda d: first(d).pop("method"), "found no method"),
        (lambda d: first(d).update(level=0.5), "unknown level"),
        (lambda d: first(d).pop("lower"), "found no lower"),
        (lambda d: first(d).update(method=of_test(d)), "with method m[0-9]+: found no level, scale"),
        (lambda d: d["analyses"][2]["table"]["rows"][0]["test"].update(method="m1"), "found unknown level, scale"),
        (lambda d: first(d).update(method=["m1"]), r"found \['m1'\]"),
        (lambda d: first(d).update(quantity=["survival"]), r"found \['survival'\]; expected a known quantity"),
        (lambda d: first(d).pop("value"), "key value: found None; expected a finite number"),
        (lambda d: first(d).pop("events"), "key events: found None; expected a count"),
        (lambda d: first(d).update(reason="none"), "found unknown|found no too_few"),
        (lambda d: d["methods"].update(m99={"method": "no row's"}), "m99, which no row names"),
        (lambda d: d["methods"].update(m99=dict(d["methods"]["m1"])), "one given twice"),
        (lambda d: d["methods"]["m1"].update(method=""), "key method: found ''; expected a text"),
        (lambda d: d["methods"]["m1"].pop("scale"), "found no scale"),
        (lambda d: d["analyses"][2]["table"]["rows"][0]["test"].update(method="m99"), "found 'm99'"),
        (lambda d: d["analyses"][0]["rows"].append(7), "key quantity: found 7; expected a known quantity"),
        (lambda d: d["analyses"][0]["figures"][0]["series"].append(7), "found a int; expected a mapping"),
    ],
)
def test_what_has_no_method_is_refused(spoil: Callable[[dict[str, Any]], None], reason: str) -> None:
    """A row whose method is missing, a method that no row names, a number without the rest of its estimate."""
    found = written()
    check_description(found, "sound")
    spoil(found)
    with pytest.raises(InputError, match=reason):
        check_description(found, "spoilt")
