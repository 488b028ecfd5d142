"""The German breast cancer cohort dressed up as rectal MRI: follow-up, a binary endpoint, covariates, predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tests.reference import gbsg
from validation.cohort import BinaryEndpoint, CohortMeta, Endpoint, Period
from validation.cohort_table import CohortTable
from validation.descriptive.base import Descriptive
from validation.descriptive.document import check_description, compact, whole
from validation.documents import encode
from validation.evidence import GIVEN_DIGESTS
from validation.schema import load_schema

CUTOFFS = {"prob": 0.5, "lp": 1.1}
ENDPOINTS = {
    "dmfs": Endpoint("dmfs_event", "dmfs_time_months", "months", "surgery", "recurrence or death"),
    "early": BinaryEndpoint("early", "event within three years"),
}
FOLLOW_UP = 36.0


def frame() -> pd.DataFrame:
    """686 patients; the binary endpoint is unknown of 131, the node stage of 7, CEA of 5."""
    data = gbsg()
    ypn = np.array(["ypN0", "ypN1", "ypN2"], dtype=object)[data.grade.to_numpy() - 1]
    ypn[:7] = None
    cea = data.pgr.to_numpy(dtype=float)
    cea[:5] = np.nan
    return pd.DataFrame(
        {
            "patient_id": data.pid.astype(str),
            "centre": "A",
            "scanner": np.where(data.meno == 1, "one", "two"),
            "sex": np.where(data.hormon == 1, "male", "female"),
            "age_years": data.age.astype(float),
            "ypn_stage": ypn,
            "cea_ng_ml": cea,
            "lp": data.lpA,
            "lp_other": data.lpB,
            "prob": data.pA3,
            "prob_other": data.pB3,
            "risk_12m": data.pA1,
            "risk_36m": data.pA3,
            "risk_60m": data.pA5,
            "dmfs_event": data.status,
            "dmfs_time_months": data.time * 12,
            "early": np.where(data.known3 == 1, data.y3, np.nan),
        }
    )


def cohort(table: pd.DataFrame | None = None, **changes: Any) -> CohortTable:
    """The cohort as an analysis sees it; `endpoints` names those that it recorded."""
    recorded = changes.pop("recorded", tuple(ENDPOINTS))
    meta = CohortMeta(
        name="gbsg",
        schema="rectal_mri",
        modality="MR",
        role="external",
        centres=("A",),
        period=Period("1984-07", "1989-12"),
        endpoints={name: ENDPOINTS[name] for name in recorded},
        eligibility="",
        ethics="",
        licence="",
        provenance="",
        synthetic=False,
        tables={},
    )
    made = CohortTable(
        meta=meta,
        columns={column.name: column for column in load_schema("rectal_mri").patients.columns},
        table=frame() if table is None else table,
        predictions=("lp", "lp_other", "prob", "prob_other", "risk_12m", "risk_36m", "risk_60m"),
        endpoints=tuple(ENDPOINTS),
        cutoffs=CUTOFFS,
        level=0.95,
    )
    return replace(made, **changes)


def document(analyses: list[dict[str, Any]], n: int) -> dict[str, Any]:
    """Descriptive analyses of a cohort of n patients, as they are written, and sound around them."""
    digests = dict.fromkeys((*GIVEN_DIGESTS, "analysis"), "0" * 64)
    return compact(
        {
            "schema": 1,
            "model": "specimen",
            "architecture": "mri_distant_metastasis",
            "cohort": "gbsg",
            "role": "external",
            "synthetic": False,
            "patients": {"declared": n, "predicted": n, "failed": [], "with_missing_covariates": 0},
            "analyses": analyses,
            "digests": digests,
        }
    )


def described(analysis: Descriptive, table: CohortTable | None = None) -> dict[str, Any]:
    """An analysis of the cohort, written to JSON, read again and found sound."""
    table = cohort() if table is None else table
    read: dict[str, Any] = json.loads(encode(document([analysis.to_dict(table)], table.n)))
    check_description(read, "descriptive analyses")
    result: dict[str, Any] = whole(read)["analyses"][0]
    return result


def row(result: dict[str, Any], quantity: str, subject: str, **chosen: Any) -> dict[str, Any]:
    """The one row about a quantity and subject, or the first that has the further values."""
    rows = [r for r in result["rows"] if (r["quantity"], r["subject"]) == (quantity, subject)]
    found: dict[str, Any] = next(r for r in rows if all(r[key] == value for key, value in chosen.items()))
    return found


def line(result: dict[str, Any], figure: int, name: str) -> dict[str, Any]:
    """A line of a figure."""
    found: dict[str, Any] = next(s for s in result["figures"][figure]["series"] if s["name"] == name)
    return found
