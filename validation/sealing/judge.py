"""The judge by digest, sources and numerical libraries: evidence made by others is of another judge."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path

from validation.digests import json_sha256, path_sha256

SOURCES = (  # in validation/, what `evaluate` depends on but for lock, seal and ledger, which shape no estimate
    "blocks.py",
    "cells.py",
    "cohort.py",
    "cohort_table.py",
    "descriptive",
    "digests.py",
    "documents.py",
    "errors.py",
    "estimators",
    "evaluate.py",
    "evidence.py",
    "findings.py",
    "outcome_checks.py",
    "outcomes.py",
    "paths.py",
    "protocol",
    "schema.py",
    "schemas",
    "tables.py",
)
LIBRARIES = ("numba", "numpy", "pandas", "scipy", "statsmodels")
_ROOM = Path(__file__).parents[1]


@cache
def judge_sha256() -> str:
    """Return the digest of the judge: its sources, and the versions of the libraries that compute with them."""
    return json_sha256(
        {
            "sources": {name: _sources_sha256(_ROOM / name) for name in SOURCES},
            "libraries": {name: version(name) for name in LIBRARIES},
        }
    )


def _sources_sha256(path: Path) -> str:
    if not path.is_dir():
        return path_sha256(path)
    files = sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return json_sha256({file.relative_to(path).as_posix(): path_sha256(file) for file in files})
