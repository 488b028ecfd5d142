"""Made-up rectal and colorectal patients with follow-up, a binary endpoint and two models; and checked descriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from validation.cohort import BinaryEndpoint, CohortMeta, Endpoint, Period
from validation.cohort_table import CohortTable
from validation.descriptive.base import Descriptive
from validation.descriptive.document import check_description, compact, whole
from validation.documents import encode
from validation.evidence import GIVEN_DIGESTS
from validation.schema import load_schema

CUTOFFS = {"lp_a": 0.2}
OS = Endpoint("os_event", "os_time_months", "months", "surgery", "death")
DFS = Endpoint("dfs_event", "dfs_time_months", "months", "surgery", "progression or death")
TSR = BinaryEndpoint("tsr_high", "stroma above 50 %")


def patients(n: int = 240, seed: int = 3) -> pd.DataFrame:
    """Covariates, predictions of two models and outcomes; some covariates and responses are missing."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    time = rng.exponential(40 * np.exp(-0.8 * risk)) + 0.1
    censored = rng.uniform(5, 90, size=n)
    os_time = np.round(np.minimum(time, censored), 2)
    event = (time <= censored).astype(int)
    lp_a, lp_b = risk + rng.normal(scale=0.5, size=n), risk + rng.normal(scale=2, size=n)
    table = pd.DataFrame(
        {
            "patient_id": [f"P{i:04d}" for i in range(n)],
            "centre": rng.choice(["I", "II"], size=n),
            "scanner": rng.choice(["CT 1", "CT 2", "CT 3"], size=n),
            "sex": rng.choice(["male", "female"], size=n),
            "age_years": np.round(rng.normal(62, 9, size=n), 1),
            "cea_ng_ml": np.round(rng.lognormal(1.2, 0.9, size=n), 2),
            "pn_stage": rng.choice(["pN0", "pN1", "pN2"], size=n, p=[0.5, 0.3, 0.2]),
            "pt_stage": rng.choice(["pT1", "pT2", "pT3", "pT4"], size=n),
            "tnm_stage": rng.choice(["II", "III"], size=n),
            "tumour_location": rng.choice(["right_colon", "left_colon"], size=n),
            "differentiation": rng.choice(["high", "middle", "low"], size=n),
            "lymphovascular_invasion": rng.choice(["yes", "no"], size=n),
            "perineural_invasion": rng.choice(["yes", "no"], size=n),
            "adjuvant_chemotherapy": rng.choice(["yes", "no"], size=n),
            "lp_a": lp_a,
            "lp_b": lp_b,
            **{f"risk_{m}_{h}m": _risk(lp, h) for m, lp in (("a", lp_a), ("b", lp_b)) for h in (12, 36)},
            "os_event": event,
            "os_time_months": os_time,
            "dfs_event": event,
            "dfs_time_months": np.round(os_time * 0.9, 2),
            "tsr_high": (risk + rng.normal(size=n) > 0).astype(float),
        }
    )
    table["prob_a"], table["prob_b"] = 1 / (1 + np.exp(-lp_a)), 1 / (1 + np.exp(-lp_b))
    table.loc[3:9, "pn_stage"] = None
    table.loc[5:14, "cea_ng_ml"] = np.nan
    table.loc[10:29, "adjuvant_chemotherapy"] = None
    table.loc[0:11, "tsr_high"] = np.nan
    return table


def _risk(predictor: np.ndarray, horizon: float) -> np.ndarray:
    return np.asarray(1 - np.exp(-np.exp(predictor) * horizon / 60))


def specimen(table: pd.DataFrame | None = None, **changes: Any) -> CohortTable:
    """A cohort of these patients; keywords replace what it says of itself, `meta` a mapping of its header."""
    data = patients() if table is None else table
    meta = CohortMeta(
        name="ct_specimen",
        schema="colorectal_ct",
        modality="CT",
        role="external",
        centres=("I", "II"),
        period=Period("2014-01", "2016-12"),
        endpoints={"os": OS, "dfs": DFS, "tsr_high": TSR},
        eligibility="",
        ethics="",
        licence="",
        provenance="",
        synthetic=True,
        tables={},
    )
    cohort = CohortTable(
        meta=replace(meta, **changes.pop("meta", {})),
        columns={column.name: column for column in load_schema("colorectal_ct").patients.columns},
        table=data,
        predictions=tuple(name for name in data if name.startswith(("lp_", "risk_", "prob_"))),
        endpoints=("os", "dfs", "tsr_high"),
        cutoffs=CUTOFFS,
        level=0.95,
    )
    return replace(cohort, **changes)


def described(analysis: Descriptive, cohort: CohortTable) -> dict[str, Any]:
    """The analysis written, read again, and accepted by the check of the whole document."""
    read: dict[str, Any] = json.loads(encode(document([analysis.to_dict(cohort)], cohort.n)))
    check_description(read, "description")
    result: dict[str, Any] = whole(read)["analyses"][0]
    return result


def document(analyses: list[dict[str, Any]], n: int) -> dict[str, Any]:
    """Descriptive analyses of a cohort of n patients, as they are written."""
    return compact(
        {
            "schema": 1,
            "model": "ct_specimen_model",
            "architecture": "ct_stroma_survival",
            "cohort": "ct_specimen",
            "role": "external",
            "synthetic": True,
            "patients": {"declared": n, "predicted": n, "failed": [], "with_missing_covariates": 0},
            "analyses": analyses,
            "digests": dict.fromkeys((*GIVEN_DIGESTS, "analysis"), "0" * 64),
        }
    )


def rows_of(result: Mapping[str, Any], quantity: str, **chosen: Any) -> list[dict[str, Any]]:
    """Rows of one quantity, those whose other keys are as given."""
    return [
        row
        for row in result["rows"]
        if row["quantity"] == quantity and all(row[key] == value for key, value in chosen.items())
    ]


def row_of(result: Mapping[str, Any], quantity: str, **chosen: Any) -> dict[str, Any]:
    """The only such row."""
    (row,) = rows_of(result, quantity, **chosen)
    return row


def lines_of(forest: Mapping[str, Any]) -> dict[str, Any]:
    """The only series of a forest plot."""
    (series,) = forest["series"]
    found: dict[str, Any] = series
    return found


def figures_of(row: Mapping[str, Any]) -> tuple[float, float, float]:
    """Value and interval of a row."""
    return row["value"], row["lower"], row["upper"]
