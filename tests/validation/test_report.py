"""The verdict for people."""

from __future__ import annotations

from pathlib import Path

from tests.validation.specimens import COHORT, estimate, judged, protocol, undefined
from validation.report import as_markdown, as_text, rows


def test_failures_first(tmp_path: Path) -> None:
    """FAIL before INCONCLUSIVE before PASS."""
    verdict = judged(protocol(tmp_path), "evidence", COHORT, "estimates", 0, value=estimate("c", 0.70, 0.60, 0.79))
    verdict_failed = judged(protocol(tmp_path), "parity", value=None)

    assert [row.state for row in rows(verdict)][:2] == ["INCONCLUSIVE", "PASS"]
    assert [row.state for row in rows(verdict_failed)][:2] == ["FAIL", "PASS"]


def test_row(tmp_path: Path) -> None:
    """A row shows cohort, value with interval, limit, n, events, and what would settle it."""
    verdict = judged(protocol(tmp_path), "evidence", COHORT, "estimates", 0, value=estimate("c", 0.70, 0.64, 0.75))
    row = rows(verdict)[0]

    assert (row.state, row.gate, row.cohort) == ("INCONCLUSIVE", "concordance", COHORT)
    assert (row.value, row.limit, row.n, row.events) == ("0.700 [0.640, 0.750]", "> 0.65", "500", "150")
    assert row.note.endswith("about 213 events, 710 patients in all would settle it if the value stays")


def test_undefined_row(tmp_path: Path) -> None:
    """An undefined estimate shows no number but its reason."""
    entry = undefined("c", "no event among 500 patients", True, 0)
    row = rows(judged(protocol(tmp_path), "evidence", COHORT, "estimates", 0, value=entry))[0]

    assert (row.value, row.events) == ("–", "0")
    assert "no event among 500 patients" in row.note
    assert row.note.endswith("about 50 events in all would settle it")


def test_value_on_the_limit(tmp_path: Path) -> None:
    """Where no number of patients would help the row says so."""
    verdict = judged(protocol(tmp_path), "evidence", COHORT, "estimates", 0, value=estimate("c", 0.65, 0.60, 0.70))

    assert rows(verdict)[0].note.endswith("more patients alone would hardly settle it")


def test_text(tmp_path: Path) -> None:
    """The first line is the verdict; every gate and cohort has a line; columns are aligned."""
    text = as_text(judged(protocol(tmp_path)))
    lines = text.splitlines()

    assert lines[0] == "mri_challenger: PASS (19 PASS) – synthetic data"
    assert len(lines) == 3 + 19
    column = lines[2].index("limit")
    assert {line[column - 1] for line in lines[2:]} == {" "}
    assert "descriptive" in text


def test_markdown(tmp_path: Path) -> None:
    """A Markdown table with one row per gate and cohort; pipes in reasons are escaped."""
    plan = protocol(tmp_path)
    entry = undefined("c", "a|b", False, 10)
    lines = as_markdown(judged(plan, "evidence", COHORT, "estimates", 0, value=entry)).splitlines()

    assert lines[0] == "**mri_challenger: FAIL (1 FAIL, 18 PASS) – synthetic data**"
    assert lines[2].startswith("| state | gate | cohort |")
    assert "a\\|b" in lines[4]
    assert len(lines) == 4 + 19
