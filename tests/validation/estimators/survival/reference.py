"""Reference values of survival.R."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from tests.reference import FOLDER


@cache
def survival_reference() -> dict[str, Any]:
    """Reference values for survival and cut-offs beyond refs.json, with 15 significant digits."""
    values: dict[str, Any] = json.loads((FOLDER / "survival.json").read_text(encoding="utf-8"))
    return values
