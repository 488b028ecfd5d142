"""Every kind of descriptive analysis is documented, and declared by a protocol that ships."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.validation.descriptive.specimens_survival import described, rows_of, specimen
from validation.descriptive import KINDS
from validation.descriptive.classification import Classification
from validation.protocol import load_protocol

ROOT = Path(__file__).parents[3]
PROTOCOLS = sorted((ROOT / "validation/protocols").glob("*.yaml"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_documented(kind: str) -> None:
    """Each has its section, and each of its keys is named there."""
    text = (ROOT / "docs/descriptive.md").read_text(encoding="utf-8")

    assert f"\n## {kind}\n" in text
    section = text.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    for key in {field.name for field in fields(KINDS[kind])} - {"id"}:
        assert f"`{key}`" in section, key


def test_every_kind_is_declared() -> None:
    """A kind that no protocol declares is dead code."""
    declared = {analysis.kind for path in PROTOCOLS for analysis in load_protocol(path).analysis.descriptive}

    assert declared == set(KINDS)


def test_the_documented_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It runs on the committed evidence, and prints what the document says."""
    monkeypatch.chdir(ROOT)
    text = (ROOT / "docs/descriptive.md").read_text(encoding="utf-8")
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", text, flags=re.DOTALL)
    exec(code, {})

    assert capsys.readouterr().out == printed


def test_documented_events_of_classification() -> None:
    """Of a binary endpoint numerator and denominator of each share; of Youden's index the cases."""
    cohort = specimen(cutoffs={"prob_a": 0.5})
    result = described(Classification(id="c", endpoint="tsr_high", prediction="prob_a"), cohort)
    table = cohort.table.dropna(subset="tsr_high")
    case, positive = table.tsr_high == 1, table.prob_a >= 0.5
    counted = {
        "accuracy": (case | True, case == positive),
        "sensitivity": (case, positive),
        "specificity": (~case, ~positive),
        "ppv": (positive, case),
        "npv": (~positive, ~case),
        "youden": (case | True, case),
    }
    for quantity, (whole, part) in counted.items():
        (found,) = rows_of(result, quantity)
        assert (found["n"], found["events"]) == (whole.sum(), (whole & part).sum()), quantity
