"""The descriptive analyses that ship: every one can be made on a cohort of its system's schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models import MODELS
from models.histology_spatial_survival import TISSUES
from tests.validation.descriptive.specimens_survival import described
from validation.cohort import BinaryEndpoint, CohortMeta, Endpoint, Period
from validation.cohort_table import CohortTable
from validation.descriptive.tile_classification import TileClassification
from validation.errors import InputError
from validation.protocol import load_protocol
from validation.schema import Column, load_schema

ROOT = Path(__file__).parents[3]
SCHEMAS = {
    "ct_stroma_survival": ("colorectal_ct", "colorectal_ct_prognosis"),
    "ct_chemo_response": ("gastric_ct",),
    "mri_distant_metastasis": ("rectal_mri",),
    "histology_spatial_survival": ("liver_histology",),
}
CUTOFFS = {  # what each model's contract holds
    "ct_stroma_survival": {"lp_mdls": 0.0, "tsr_prob": 0.5},
    "ct_chemo_response": {"lp_os": 0.0, "dl_prob": 0.5, "clinical_prob": 0.5, "dlcs_prob": 0.5},
    "mri_distant_metastasis": {"lp_dlrs": 0.0, "lp_nomogram": 0.0},
    "histology_spatial_survival": {"lp_sof": 0.0, "crs": 2.5},
}
MIDDLE = {
    "cea_ng_ml": 5.0,
    "tumour_diameter_cm": 5.0,
    "bmi_kg_m2": 24.0,
    "metastases": 1.0,
    "largest_diameter_cm": 5.0,
}
ABSENT = {  # what a made-up cohort of a schema cannot define
    "colorectal_ct_prognosis": "the cohort has no endpoint tsr_high",
}
CASES = [(model, schema) for model, schemas in SCHEMAS.items() for schema in schemas]


def cells(column: Column, n: int, rng: np.random.Generator) -> Any:
    """Values of a column, one in twenty missing where it may be."""
    if column.name == "centre":
        return rng.choice(["A", "B"], size=n)
    if column.type == "text":
        return [f"{column.name} {i % 3}" for i in range(n)]
    if column.type == "date":
        return pd.Timestamp("2015-01-01")
    missing = rng.random(n) < (0.05 if column.missing_share_max else 0)
    if column.categories:
        return np.where(missing, None, rng.choice([str(c) for c in column.categories], size=n))
    middle = MIDDLE.get(column.name, 60.0)
    return np.where(missing, np.nan, np.round(middle * np.exp(0.2 * rng.normal(size=n)), 2))


def predictions(model: str, risk: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Every output of a model: noisy versions of the risk, as probabilities and rising risks where they are ones."""
    columns: dict[str, np.ndarray] = {}
    for output in MODELS[model].outputs:
        noisy = risk + rng.normal(size=risk.size)
        if output.name.startswith("risk"):
            for label in output.labels:
                months = float(label.removesuffix("m"))
                columns[f"{output.name}_{label}"] = 1 - np.exp(-np.exp(0.5 * noisy) * months / 90)
        elif output.labels:  # shares
            for label in output.labels:
                columns[f"{output.name}_{label}"] = 1 / (1 + np.exp(-noisy - rng.normal(size=risk.size)))
        elif output.name == "crs":
            columns[output.name] = np.clip(np.round(2 + noisy), 0, 5)
        elif output.name == "grade":
            columns[output.name] = np.clip(np.round(1 + noisy), 0, 2)
        else:
            columns[output.name] = 1 / (1 + np.exp(-noisy)) if output.name.endswith("prob") else noisy
    return columns


def named_tiles(patients: Any, rng: np.random.Generator, slides: int = 40) -> pd.DataFrame:
    """Two tiles of every tissue on the first slides, most of them read rightly."""
    tissue = np.tile(np.arange(len(TISSUES)), 2)
    read = [
        rng.dirichlet(np.ones(len(TISSUES)), size=tissue.size) + 0.5 * np.eye(len(TISSUES))[tissue]
        for _ in range(slides)
    ]
    rest = [None] * (len(patients) - slides)
    return pd.DataFrame(
        {
            "patient_id": patients,
            "tile_tissue": pd.Series([tissue.tolist() for _ in range(slides)] + rest, dtype=object),
            "tile_probability": pd.Series([(rows / 1.5).ravel().tolist() for rows in read] + rest, dtype=object),
        }
    )


def cohort(model: str, schema: str, n: int = 500) -> CohortTable:
    """A made-up cohort of a system."""
    rng = np.random.default_rng(11)
    spec, tables = MODELS[model], load_schema(schema)
    risk = rng.normal(size=n)
    data: dict[str, Any] = {column.name: cells(column, n, rng) for column in tables.patients.columns}
    data["patient_id"] = [f"P{i:03d}" for i in range(n)]
    outputs = predictions(model, risk, rng)
    endpoints: dict[str, Endpoint | BinaryEndpoint] = {}
    outcomes: dict[str, Any] = {}
    for name in (spec.endpoint, *spec.other_endpoints):
        time, censored = rng.exponential(50 * np.exp(-0.7 * risk)) + 0.1, rng.uniform(20, 110, size=n)
        outcomes[f"{name}_time_months"] = np.round(np.minimum(time, censored), 2)
        outcomes[f"{name}_event"] = (time <= censored).astype(int)
        endpoints[name] = Endpoint(f"{name}_event", f"{name}_time_months", "months", "surgery", name)
    for name in spec.labels:
        if name in {column.name for column in tables.outcomes.columns}:
            outcomes[name] = np.where(rng.random(n) < 0.05, np.nan, risk + rng.normal(size=n) > 0.5)
            endpoints[name] = BinaryEndpoint(name, name)
    meta = CohortMeta(
        "made_up", schema, tables.modality, "external", ("A", "B"), Period("2014-01", "2016-12"), endpoints, "", "", "",
        "", True, {},
    )  # fmt: skip
    return CohortTable(
        meta=meta,
        columns={column.name: column for column in tables.patients.columns},
        table=pd.DataFrame({**data, **outputs, **outcomes}),
        predictions=tuple(outputs),
        endpoints=(spec.endpoint, *spec.other_endpoints, *spec.labels),
        cutoffs=CUTOFFS[model],
        level=0.95,
        tiles=named_tiles(data["patient_id"], rng) if spec.tiles else None,
    )


@pytest.mark.parametrize(("model", "schema"), CASES, ids=[schema for _, schema in CASES])
def test_every_analysis_can_be_made(model: str, schema: str) -> None:
    """No column, group, cut-off or estimator is misnamed; what is undefined lacks its endpoint or tiles."""
    made_up = cohort(model, schema)
    for analysis in load_protocol(ROOT / f"validation/protocols/{model}.yaml").analysis.descriptive:
        result = described(analysis, made_up)

        assert result["reason"] in {None, ABSENT.get(schema)}, analysis.id
        for row in result["rows"]:
            undefined = row.get("reason")
            assert undefined is None or row["n"] < 60 or "no endpoint tsr_high" in undefined, (analysis.id, row)
            assert not undefined or "shape" not in undefined, (analysis.id, row)


def test_tissues_of_the_protocol_are_those_of_the_classifier() -> None:
    """Both name the outputs of one network: another order would call stroma tumour. All of them get their figures."""
    plan = load_protocol(ROOT / "validation/protocols/histology_spatial_survival.yaml")
    (tiles,) = (analysis for analysis in plan.analysis.descriptive if isinstance(analysis, TileClassification))
    rows = described(tiles, cohort("histology_spatial_survival", "liver_histology"))["rows"]

    assert tiles.tissues == TISSUES
    assert [row["subject"] for row in rows] == ["all tissues", *TISSUES]
    assert all(row["n"] == row["events"] == 40 and row["value"] > 0.8 for row in rows)


@pytest.mark.parametrize("model", SCHEMAS)
def test_a_cut_off_that_the_contract_lacks_is_bad_input(model: str) -> None:
    """Groups by a prediction rest on the contract's cut-off alone: without it there is an error, never another one."""
    without = replace(cohort(model, SCHEMAS[model][0], n=60), cutoffs={})
    analyses = load_protocol(ROOT / f"validation/protocols/{model}.yaml").analysis.descriptive
    chosen = next(a for a in analyses if a.kind == "kaplan_meier" and getattr(a, "by", "").startswith("lp_"))
    with pytest.raises(InputError, match=r"contract.json key cutoffs: found no cut-off of lp_"):
        chosen.describe(without)
