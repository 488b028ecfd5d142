"""Locally advanced rectal cancer after chemoradiotherapy and surgery: latent biology, covariates, hazard (Liu 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from pipelines.synthetic.definition import Described, Missing, Population
from pipelines.synthetic.survival import Hazard

LATENTS = ("z_t2", "z_adc")
NORMALS = (
    *LATENTS,
    "age",
    "sex",
    "tumour_location",
    "ct_stage",
    "cn_stage",
    "cea",
    "surgery",
    "ypt_stage",
    "ypn_stage",
    "adjuvant_chemotherapy",
    "adjuvant_radiotherapy",
)
HAZARD = Hazard(
    cumulative_36m=0.088,
    shape=0.9,
    log_ratios={"z_t2": 1.1, "z_adc": 0.6, "ct4": 0.5, "cea_elevated": 0.5, "ypn1": 0.5, "ypn2": 1.0},
)
STAGE_ON_BIOLOGY = 0.15
YPT_ON_YPN = 0.35
CEA_ELEVATED_ABOVE_NG_ML = 5.0
CEA_LOG_SD = 0.9
MISSING = (
    Missing(("cea_ng_ml",), 0.07),
    Missing(("cn_stage", "clinical_stage"), 0.03),
    Missing(("ypn_stage", "pcr"), 0.02),
    Missing(("ypt_stage", "pcr"), 0.01),
    Missing(("ct_stage",), 0.01),
    Missing(("tumour_location",), 0.01),
    Missing(("surgery",), 0.01),
    Missing(("adjuvant_chemotherapy",), 0.02),
    Missing(("adjuvant_radiotherapy",), 0.02),
)

Array = NDArray[np.float64]


def describe(normals: pd.DataFrame, population: Population) -> Described:
    """Turn independent standard normals into covariates whose frequencies are those of the population.

    Args:
        normals: Columns `NORMALS`, one row per patient.
        population: Published frequencies and means.

    Returns:
        The patient table (without centre, scanner, dates, images) and the predictors of `HAZARD`.
    """
    normal = {name: normals[name].to_numpy(float) for name in NORMALS}
    biology = (normal["z_t2"] + normal["z_adc"]) / sqrt(2)
    for name in ("ct_stage", "cn_stage", "cea", "ypn_stage"):
        normal[name] = _blend(STAGE_ON_BIOLOGY, biology, normal[name])
    normal["ypt_stage"] = _blend(YPT_ON_YPN, normal["ypn_stage"], normal["ypt_stage"])

    columns: dict[str, NDArray[Any]] = {
        name: _category(normal[name], counts) for name, counts in population.counts.items() if name != "cea_elevated"
    }
    age = population.age_mean_years + population.age_sd_years * normal["age"]
    columns["age_years"] = np.clip(np.round(age), 18, 90).astype(int)
    columns["cea_ng_ml"] = _cea_ng_ml(normal["cea"], population.counts["cea_elevated"])
    columns["clinical_stage"] = np.where(columns["cn_stage"] == "negative", "II", "III")
    columns["pcr"] = np.where((columns["ypt_stage"] == "ypT0") & (columns["ypn_stage"] == "ypN0"), "yes", "no")
    predictors = {name: normal[name] + population.latent_means[name] for name in LATENTS} | {
        "ct4": columns["ct_stage"] == "cT4",
        "cea_elevated": columns["cea_ng_ml"] > CEA_ELEVATED_ABOVE_NG_ML,
        "ypn1": columns["ypn_stage"] == "ypN1",
        "ypn2": columns["ypn_stage"] == "ypN2",
    }
    return Described(pd.DataFrame(columns), pd.DataFrame(predictors).astype(float))


def _blend(correlation: float, shared: Array, own: Array) -> Array:
    """Return standard normals that correlate with `shared`."""
    return correlation * shared + sqrt(1 - correlation**2) * own


def _category(normal: Array, counts: Mapping[str, int]) -> NDArray[np.str_]:
    """Cut a standard normal so that each category has its published share."""
    upper = np.cumsum(list(counts.values())) / sum(counts.values())
    return np.array(list(counts))[np.searchsorted(upper[:-1], ndtr(normal), side="right")]


def _cea_ng_ml(normal: Array, counts: Mapping[str, int]) -> Array:
    """Return lognormal carcinoembryonic antigen to 0.1 ng/mL, elevated in the published share of patients."""
    elevated = counts["yes"] / (counts["yes"] + counts["no"])
    threshold = CEA_ELEVATED_ABOVE_NG_ML + 0.05  # 5.05 and above are written as 5.1
    log_mean = log(threshold) + CEA_LOG_SD * float(ndtri(elevated))
    return np.asarray(np.clip(np.round(np.exp(log_mean + CEA_LOG_SD * normal), 1), 0.1, 10_000))
