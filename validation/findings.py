"""One thing wrong with a cohort: where it is, what was found, what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from validation.errors import InputError

CORRECT_THE_CELL = "Correct the cell at the source and export the table again."
FAILURES_SHOWN = 20


@dataclass(frozen=True)
class Finding:
    """One thing wrong with a cohort.

    Attributes:
        file: File, relative to the cohort folder.
        row: Line of a csv table (the header is line 1) or row of a parquet table (counted from 1); None where no row is
            to blame.
        patient_id: Patient in that row, where known.
        column: Column of the table, or columns where a rule spans several.
        found: What is there.
        expected: What should be there.
        remedy: What to do about it.
    """

    file: str
    row: int | None
    patient_id: str | None
    column: str | None
    found: str
    expected: str
    remedy: str = CORRECT_THE_CELL

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, without the remedy."""
        return {
            "file": self.file,
            "row": self.row,
            "patient_id": self.patient_id,
            "column": self.column,
            "found": self.found,
            "expected": self.expected,
        }

    @property
    def where(self) -> str:
        """Place in words: `patients.csv row 7 (P0007) column ct_stage`."""
        parts = [self.file]
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.patient_id:
            parts.append(f"({self.patient_id})")
        if self.column:
            parts.append(f"column {self.column}")
        return " ".join(parts)


def as_error(findings: list[Finding], cohort: str) -> InputError:
    """Turn the findings about a cohort into the one error a person sees: the first, and how many more there are."""
    first, more = findings[0], len(findings) - 1
    also = f" {more} more finding(s): `hallmark check` lists them all." if more else ""
    return InputError(f"{cohort}/{first.where}", first.found, first.expected, first.remedy + also)


@dataclass(frozen=True)
class Check:
    """One check of a cohort and what came of it.

    Attributes:
        id: Name, stable between runs: `patients.age_years.range`.
        what: What it demands, in words.
        evaluated: Number of rows, cells or images it was made on.
        findings: What is wrong.
    """

    id: str
    what: str
    evaluated: int
    findings: tuple[Finding, ...]

    @property
    def success(self) -> bool:
        """Whether it was made on something and found nothing wrong."""
        return self.evaluated > 0 and not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values with the first 20 failures; a check made on nothing has that as its failure."""
        nothing = Finding(self.id.partition(".")[0], None, None, None, "nothing to evaluate", self.what)
        findings = self.findings or (() if self.success else (nothing,))
        return {
            "id": self.id,
            "what": self.what,
            "success": self.success,
            "evaluated": self.evaluated,
            "failures": [finding.to_dict() for finding in findings[:FAILURES_SHOWN]],
            "failures_total": len(findings),
        }
