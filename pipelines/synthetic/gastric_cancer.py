"""Locally advanced gastric cancer before chemotherapy: latent biology, response, covariates, hazard (Hu 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from pipelines.synthetic.covariates import Array, blend, category, known, lognormal, lognormal_above
from pipelines.synthetic.definition import Described, Population
from pipelines.synthetic.survival import Hazard

LATENTS = ("z_response",)
CATEGORIES = ("sex", "tumour_location", "borrmann", "ct_stage", "cn_stage", "cm_stage", "differentiation", "histology")
MARKERS = ("cea", "ca125", "afp")
SKEWED = ("plateletcrit_percent", "glucose_mmol_l", "neutrophils_10e9_l")
SYMMETRIC = ("albumin_g_l", "lymphocytes_percent")
NORMALS = (
    *LATENTS,
    "response",
    "age",
    *CATEGORIES,
    *MARKERS,
    *SKEWED,
    *SYMMETRIC,
    "bmi",
    "tumour_diameter",
    "signet_ring_component",
    "enlarged_nodes",
    "wall_thickness",
)
HAZARD = Hazard(
    cumulative_36m=0.11,
    shape=1.1,
    log_ratios={
        "z_response": -0.90,
        "poorly_differentiated": 0.50,
        "cea_positive": 0.40,
        "diameter_above_5_cm": 0.40,
        "cn2_3": 0.40,
        "m1": 0.50,
        "whole_stomach": 0.40,
        "borrmann_iv": 0.50,
        "signet_ring_component": 0.30,
    },
)
RESPONSE_ON_LATENT = 0.73
GOOD_RESPONSE_SHARE = 162 / 664  # in development; elsewhere the published counts shift the latent mean
AGE_SD_YEARS, DIAMETER_LOG_SD = 10.0, 0.35
WALL_MM, WALL_SD_MM, WALL_ON_DIAMETER, WHOLE_ON_BORRMANN_IV = 15.0, 5.0, 0.5, 0.4
NODES = {"cN0": (0, 0), "cN1": (1, 2), "cN2": (3, 6), "cN3": (7, 15)}
BOUNDS = {
    "albumin_g_l": (20.0, 60.0, 1),
    "plateletcrit_percent": (0.03, 1.0, 2),
    "lymphocytes_percent": (1.0, 70.0, 1),
    "glucose_mmol_l": (2.0, 30.0, 2),
    "neutrophils_10e9_l": (0.3, 30.0, 2),
}


def describe(normals: pd.DataFrame, population: Population) -> Described:
    """Turn independent standard normals into response and covariates, these as published for good and poor responders.

    Args:
        normals: Columns `NORMALS`, one row per patient.
        population: `groups` "good" and "poor" with counts, ages and measurements of each.

    Returns:
        The patient table (without centre, scanner, dates, images; unknown values are empty), the predictors of `HAZARD`
        (true values), the label `good_response`, and for the oracle its probability given the latent variable.
    """
    normal = {name: normals[name].to_numpy(float) for name in NORMALS}
    normal["tumour_location"] = blend(WHOLE_ON_BORRMANN_IV, normal["borrmann"], normal["tumour_location"])
    normal["wall_thickness"] = blend(WALL_ON_DIAMETER, normal["tumour_diameter"], normal["wall_thickness"])
    latent = normal["z_response"] + population.latent_means["z_response"]
    own = sqrt(1 - RESPONSE_ON_LATENT**2)
    threshold = float(ndtri(1 - GOOD_RESPONSE_SHARE))
    good = RESPONSE_ON_LATENT * latent + own * normal["response"] > threshold
    by_group = {group: _covariates(normal, population.groups[group]) for group in ("good", "poor")}
    columns = {name: np.where(good, by_group["good"][name], by_group["poor"][name]) for name in by_group["good"]}
    predictors = {
        "z_response": latent,
        "poorly_differentiated": columns["differentiation"] == "poor",
        "cea_positive": columns["cea"] == "positive",
        "diameter_above_5_cm": columns["tumour_diameter_cm"] > 5,
        "cn2_3": np.isin(columns["cn_stage"], ("cN2", "cN3")),
        "m1": columns["cm_stage"] == "M1",
        "whole_stomach": columns["tumour_location"] == "whole",
        "borrmann_iv": columns["borrmann"] == "IV",
        "signet_ring_component": columns["signet_ring_component"] == "yes",
    }
    return Described(
        pd.DataFrame(_with_unknowns(columns)),
        pd.DataFrame(predictors).astype(float),
        labels=pd.DataFrame({"good_response": good.astype(int)}),
        truth=pd.DataFrame({"probability_good_response": ndtr((RESPONSE_ON_LATENT * latent - threshold) / own)}),
    )


def _covariates(normal: Mapping[str, Array], group: Population) -> dict[str, NDArray[Any]]:
    """Return the covariates that everybody would have in one group; `<name>_known` says which values are known."""
    counts = group.counts
    columns: dict[str, NDArray[Any]] = {name: category(normal[name], counts[name]) for name in CATEGORIES}
    columns["age_years"] = np.clip(np.round(group.age_mean_years + group.age_sd_years * normal["age"]), 18, 90).astype(
        int
    )
    for name in (*MARKERS, "bmi", "tumour_diameter"):
        unknown = counts[name].get("unknown", 0) / sum(counts[name].values())
        own, columns[f"{name}_known"] = known(normal[name], unknown)
        shares = {key: count for key, count in counts[name].items() if key != "unknown"}
        if name in MARKERS:
            columns[name] = category(own, shares)
        elif name == "bmi":
            columns["bmi_kg_m2"] = _bmi_kg_m2(own, shares)
        else:
            above = shares["above"] / sum(shares.values())
            columns["tumour_diameter_cm"] = np.clip(lognormal_above(own, above, 5.0, DIAMETER_LOG_SD), 0.5, 25)
    for name, (low, high, decimals) in BOUNDS.items():
        mean, sd = group.measurements[name]
        value = lognormal(normal[name], mean, sd) if name in SKEWED else mean + sd * normal[name]
        columns[name] = np.clip(np.round(value, decimals), low, high)
    columns["wall_thickness_mm"] = np.clip(np.round(lognormal(normal["wall_thickness"], WALL_MM, WALL_SD_MM), 1), 5, 60)
    span = np.array([NODES[stage] for stage in columns["cn_stage"]])
    columns["enlarged_nodes"] = (
        span[:, 0] + np.floor(ndtr(normal["enlarged_nodes"]) * (np.diff(span)[:, 0] + 1))
    ).astype(int)
    signet = columns["histology"] == "signet_ring"
    component = category(normal["signet_ring_component"], counts["signet_ring_component"])
    columns["signet_ring_component"] = np.where(signet, "yes", component)
    return columns


def _bmi_kg_m2(normal: Array, counts: Mapping[str, float]) -> Array:
    """Return normal body mass indices, below 18.5 and from 24 on in the published shares."""
    n = sum(counts.values())
    low, high = float(ndtri(counts["low"] / n)), float(ndtri(1 - counts["high"] / n))
    sd = (24 - 18.5) / (high - low)  # to one decimal, 18.45 is written as 18.5 and 23.95 as 24.0
    return np.asarray(np.clip(np.round(18.45 - sd * low + sd * normal, 1), 12, 60))


def _with_unknowns(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Empty the cells of unknown values."""
    names = {"bmi": "bmi_kg_m2", "tumour_diameter": "tumour_diameter_cm"} | {name: name for name in MARKERS}
    flags = {column: columns[f"{name}_known"] for name, column in names.items()}
    shown = {name: values.astype(object) for name, values in columns.items() if not name.endswith("_known")}
    for name, is_known in flags.items():
        shown[name][~is_known] = None
    return shown
