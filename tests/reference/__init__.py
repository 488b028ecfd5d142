"""Reference values from R and the cohorts they were computed on; see README.md."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

FOLDER = Path(__file__).parent


@cache
def from_r() -> dict[str, Any]:
    """Reference values, as refs.R wrote them with 15 significant digits."""
    values: dict[str, Any] = json.loads((FOLDER / "refs.json").read_text(encoding="utf-8"))
    return values


@cache
def gbsg() -> pd.DataFrame:
    """External cohort, 686 patients, 299 events, times in years, with linear predictors and risks of a Cox model."""
    return pd.read_csv(FOLDER / "gbsg_pred.csv")


@cache
def rotterdam() -> pd.DataFrame:
    """Development cohort of that Cox model, 2982 patients, 1713 events, times in years."""
    return pd.read_csv(FOLDER / "rotterdam_rfs.csv")
