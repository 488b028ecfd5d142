"""The suite of an outcomes table: run before it is sealed, when it is opened, and where it lies open."""

from __future__ import annotations

from collections.abc import Sequence

from validation.cells import TypedTable
from validation.cohort import id_findings
from validation.findings import Check
from validation.schema import CohortSchema, TableSchema
from validation.tables import check_table


def check_outcomes(outcomes: TypedTable, schema: CohortSchema, patients: Sequence[str]) -> list[Check]:
    """Check an outcomes table: columns, cells, ids, and its Great Expectations suite.

    Args:
        outcomes: The table.
        schema: Schema of the cohort.
        patients: Ids of the patients table.
    """
    ids = tuple(patients)
    return [
        *check_reading(outcomes, schema.outcomes),
        Check("outcomes.ids", "exactly the ids of the patients table", len(ids), tuple(id_findings(outcomes, ids))),
        *check_table(outcomes, schema.outcomes, {"patients": len(ids)}),
    ]


def check_reading(table: TypedTable, schema: TableSchema) -> list[Check]:
    """Check that a table has its columns, and every cell is written as its column demands."""
    cells = len(table.text.rows) * len(table.columns)
    return [
        Check(f"{schema.name}.columns", "every column of the schema", len(schema.columns), table.missing),
        Check(f"{schema.name}.cells", "every cell written as its column demands", cells, table.unreadable),
    ]
