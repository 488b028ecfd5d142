"""Colorectal cancer after surgery: latent biology, covariates, hazard of death, stroma and chemotherapy (Cui 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from pipelines.synthetic.covariates import Array, blend, category, lognormal_above
from pipelines.synthetic.definition import Described, Missing, Population
from pipelines.synthetic.survival import Hazard

LATENTS = ("z_stroma", "z_front")
NORMALS = (
    *LATENTS,
    "slide",
    "age",
    "sex",
    "tumour_location",
    "cea",
    "differentiation",
    "tnm_stage",
    "pt_stage",
    "pn_stage",
    "lymphovascular_invasion",
    "perineural_invasion",
    "adjuvant_chemotherapy",
)
IMAGE_RISK = {"z_stroma": 0.90, "z_front": 0.75}
HAZARD = Hazard(
    cumulative_36m=0.055,
    shape=1.1,
    log_ratios={
        **IMAGE_RISK,
        "age_60": 0.60,
        "cea_elevated": 0.30,
        "node_positive": 0.70,
        "stage_iv": 0.90,
        "lymphovascular_invasion": 0.40,
        "chemotherapy_high_risk": -1.00,
        "chemotherapy_low_risk": -0.10,
    },
)
HIGH_IMAGE_RISK_ABOVE = 0.0
COVARIATES_ON_BIOLOGY = 0.20
SLIDE_ON_STROMA = 0.75
SLIDE_HIGH_ABOVE = 0.10
STROMA_SPREAD = 0.60
CEA_ELEVATED_ABOVE_NG_ML, CEA_LOG_SD = 5.0, 0.9
CHEMOTHERAPY_SHARE = {"II": 0.50, "III": 0.80}
MISSING = (Missing(("adjuvant_chemotherapy",), 1 - 1417 / 1846),)


def describe(normals: pd.DataFrame, population: Population) -> Described:
    """Turn independent standard normals into covariates, stroma label and treatment.

    Args:
        normals: Columns `NORMALS`, one row per patient.
        population: Published frequencies and means.

    Returns:
        The patient table (without centre, scanner, dates, images), the predictors of `HAZARD`, the label `tsr_high`,
        and for the oracle the image's part of the log hazard, the log hazard without chemotherapy, the stroma share of
        the slide and the chance of the label.
    """
    normal = {name: normals[name].to_numpy(float) for name in NORMALS}
    shared = sum(IMAGE_RISK[name] * normal[name] for name in LATENTS) / hypot(*IMAGE_RISK.values())
    for name in ("cea", "differentiation", "tnm_stage", "lymphovascular_invasion", "perineural_invasion"):
        normal[name] = blend(COVARIATES_ON_BIOLOGY, np.asarray(shared), normal[name])
    latents = {name: normal[name] + population.latent_means[name] for name in LATENTS}
    image_risk = np.sum([IMAGE_RISK[name] * latents[name] for name in LATENTS], axis=0)
    columns = _covariates(normal, population)
    treated = columns["adjuvant_chemotherapy"] == "yes"
    predictors = latents | {
        "age_60": columns["age_years"] >= 60,
        "cea_elevated": columns["cea_ng_ml"] > CEA_ELEVATED_ABOVE_NG_ML,
        "node_positive": columns["pn_stage"] != "pN0",
        "stage_iv": columns["tnm_stage"] == "IV",
        "lymphovascular_invasion": columns["lymphovascular_invasion"] == "yes",
        "chemotherapy_high_risk": treated & (image_risk > HIGH_IMAGE_RISK_ABOVE),
        "chemotherapy_low_risk": treated & (image_risk <= HIGH_IMAGE_RISK_ABOVE),
    }
    untreated = [ratio * predictors[n] for n, ratio in HAZARD.log_ratios.items() if not n.startswith("chemotherapy")]
    slide = SLIDE_ON_STROMA * latents["z_stroma"] + sqrt(1 - SLIDE_ON_STROMA**2) * normal["slide"]
    chance = ndtr((SLIDE_ON_STROMA * latents["z_stroma"] - SLIDE_HIGH_ABOVE) / sqrt(1 - SLIDE_ON_STROMA**2))
    return Described(
        pd.DataFrame(columns),
        pd.DataFrame(predictors).astype(float),
        labels=pd.DataFrame({"tsr_high": (slide > SLIDE_HIGH_ABOVE).astype(int)}),
        truth=pd.DataFrame(
            {
                "image_risk": image_risk,
                "linear_predictor_untreated": np.sum(untreated, axis=0),
                "stroma_percent": 100 * ndtr(STROMA_SPREAD * (slide - SLIDE_HIGH_ABOVE)),
                "probability_tsr_high": chance,
            }
        ),
    )


def _covariates(normal: Mapping[str, Array], population: Population) -> dict[str, NDArray[Any]]:
    counts = population.counts
    columns: dict[str, NDArray[Any]] = {
        name: category(normal[name], counts[name])
        for name in ("sex", "tumour_location", "differentiation", "lymphovascular_invasion", "perineural_invasion")
    }
    columns |= stages(normal, counts)
    age = population.age_mean_years + population.age_sd_years * normal["age"]
    columns["age_years"] = np.clip(np.round(age), 18, 95).astype(int)
    elevated = counts["cea_elevated"]["yes"] / sum(counts["cea_elevated"].values())
    cea = lognormal_above(normal["cea"], elevated, CEA_ELEVATED_ABOVE_NG_ML, CEA_LOG_SD)
    columns["cea_ng_ml"] = np.clip(cea, 0.1, 10_000)
    share = np.array([CHEMOTHERAPY_SHARE.get(stage, np.nan) for stage in columns["tnm_stage"]])
    given = np.where(ndtr(normal["adjuvant_chemotherapy"]) < share, "yes", "no").astype(object)
    given[np.isnan(share)] = None
    columns["adjuvant_chemotherapy"] = given
    return columns


def stages(normal: Mapping[str, Array], counts: Mapping[str, Mapping[str, float]]) -> dict[str, NDArray[Any]]:
    """Draw the TNM stage, then pT and pN given it, so that all three have their published frequencies and agree.

    Stage I is pT1-2 pN0, II pT3-4 pN0, III any pT pN1-2; whatever is left of pN0 and of pT1-2 is in stage IV, and in
    stages III and IV.

    Args:
        normal: Standard normals "tnm_stage", "pt_stage", "pn_stage", each (n,).
        counts: Published counts of the three, in order of stage.
    """
    stage, t, n = counts["tnm_stage"], counts["pt_stage"], counts["pn_stage"]
    early, late, positive = {k: t[k] for k in ("pT1", "pT2")}, {k: t[k] for k in ("pT3", "pT4")}, dict(n)
    n0_in_iv = positive.pop("pN0") - stage["I"] - stage["II"]
    early_in_iii_iv = sum(early.values()) - stage["I"]
    t_given = {
        "I": early,
        "II": late,
        "III": _shares(early, early_in_iii_iv) | _shares(late, stage["III"] + stage["IV"] - early_in_iii_iv),
    }
    n_given = {
        "I": {"pN0": 1.0},
        "II": {"pN0": 1.0},
        "III": positive,
        "IV": {"pN0": n0_in_iv} | _shares(positive, stage["IV"] - n0_in_iv),
    }
    columns: dict[str, NDArray[Any]] = {"tnm_stage": category(normal["tnm_stage"], stage)}
    for name, given in (("pt_stage", t_given | {"IV": t_given["III"]}), ("pn_stage", n_given)):
        columns[name] = np.full(len(columns["tnm_stage"]), "pN0")
        for group in np.unique(columns["tnm_stage"]):
            here = columns["tnm_stage"] == group
            columns[name][here] = category(normal[name][here], given[str(group)])
    return columns


def _shares(counts: Mapping[str, float], total: float) -> dict[str, float]:
    """Scale counts to a total."""
    return {name: count * total / sum(counts.values()) for name, count in counts.items()}
