"""Resected colorectal liver metastases: latent biology, the slide's true organisation, covariates, hazard (Qi 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from models.histology_spatial_survival import CRS_FACTORS, FEATURES, ORGANISED, TISSUES
from models.histology_spatial_survival.organisation import features, measure
from models.spec import PreprocessingError
from pipelines.synthetic.covariates import Array, blend, category, known, lognormal_above
from pipelines.synthetic.definition import Described, Population
from pipelines.synthetic.liver_layout import Cells, Layout, draw_layout, growth_pattern
from pipelines.synthetic.survival import Hazard

BIOLOGY = ("z_debris", "z_lymph", "z_parenchyma", "z_margin")
LATENTS = (*BIOLOGY, "slide", "annotated")  # the last two: where the slide's generator starts, whether it is annotated
NORMALS = (
    *BIOLOGY,
    "slide",
    "annotated",
    "burden",
    "age",
    "sex",
    "primary_site",
    "pt_stage",
    "pn_stage",
    "interval",
    "metastases",
    "diameter",
    "cea",
    "preoperative_chemotherapy",
    "resection",
    "ablation",
    "adjuvant_chemotherapy",
    "adjuvant_chemotherapy_known",
)
ANNOTATED_FIRST = 20  # a cohort of any size has slides to learn tissues from
CUT_TILES = 1.5  # a tile up to here is infiltrating
CUT_OFFS = {"overall_deb": 0.060, "overall_lym": 0.050, "distal_hep": 0.060, "interaction_hep": 0.012}  # near medians
SOF = {"overall_deb": 0.87, "overall_lym": -1.15, "distal_hep": -0.87, "interaction_hep": 0.81}
SOF_HIGH_FROM = -0.7
HAZARD = Hazard(
    cumulative_36m=0.208,
    shape=1.1,
    log_ratios={
        **{f"{name}_high": ratio for name, ratio in SOF.items()},
        "node_positive": 0.30,
        "interval_below_12m": 0.25,
        "several_metastases": 0.30,
        "diameter_above_5cm": 0.35,
        "cea_above_200": 0.50,
        "pretreated": 0.20,
        "r1": 0.50,
        "ablation": 0.25,
        "chemotherapy_sof_high_untreated": -0.90,
        "chemotherapy_others": -0.10,
    },
)
ON_BURDEN = {"pn_stage": 0.4, "interval": 0.4, "metastases": 0.4, "diameter": 0.3, "cea": 0.4}
PRETREATED_ON_BURDEN = 0.3
DIAMETER_ON_DEBRIS = 0.22
INTERVAL_LOG_SD = 0.8
DIAMETER_CM, CEA_NG_ML, AGE_YEARS = (0.3, 20.0), (0.5, 5000.0), (18.0, 90.0)
UPPER_QUARTILE = float(ndtri(0.75))


def describe(normals: pd.DataFrame, population: Population) -> Described:
    """Turn independent standard normals into slides, what they show, and covariates.

    Args:
        normals: Columns `NORMALS`, one row per patient in order of position.
        population: Published frequencies and quartiles.

    Returns:
        The patient table (without centre, scanner, dates, images; unknown values are empty), the latent variables and
        predictors of `HAZARD` (true values), and for the oracle the true features, the score of the slide, the log
        hazard without adjuvant chemotherapy, the tumour tiles and the growth pattern.
    """
    normal = {name: normals[name].to_numpy(float) for name in NORMALS}
    latents = {name: normal[name] + population.latent_means.get(name, 0.0) for name in BIOLOGY} | {
        "slide": normal["slide"],
        "annotated": (category(normal["annotated"], population.counts["annotated"]) == "yes").astype(float),
    }
    latents["annotated"][:ANNOTATED_FIRST] = 1.0
    truth = _truth(latents)
    shown, factors = covariates(normal, population)
    indicators = {f"{name}_high": truth[name] >= cut for name, cut in CUT_OFFS.items()}  # a feature unknown: not high
    score = np.sum([ratio * indicators[f"{name}_high"] for name, ratio in SOF.items()], axis=0)
    target = factors["chemotherapy"] & ~factors["pretreated"] & (score >= SOF_HIGH_FROM)
    predictors = pd.DataFrame(
        latents
        | indicators
        | factors
        | {
            "chemotherapy_sof_high_untreated": target,
            "chemotherapy_others": factors["chemotherapy"] & ~target,
        }
    ).astype(float)
    untreated = [
        ratio * predictors[name] for name, ratio in HAZARD.log_ratios.items() if not name.startswith("chemotherapy")
    ]
    return Described(
        shown,
        predictors,
        truth=pd.concat(
            [
                pd.DataFrame(
                    {
                        "linear_predictor_untreated": np.sum(untreated, axis=0),
                        "sof_score": score,
                        "sof_high": score >= SOF_HIGH_FROM,
                        "clinical_risk_score": np.sum([factors[name] for name in CRS_FACTORS], axis=0),
                        "growth_pattern": growth_pattern(latents["z_margin"]),
                    }
                ),
                truth,
            ],
            axis=1,
        ),
    )


def layout_of(latents: Mapping[str, float]) -> Layout:
    """Return the arrangement of tissues of one patient, always the same for the same latent variables."""
    start = np.array([latents["slide"]]).view(np.uint32)
    return draw_layout({name: latents[name] for name in BIOLOGY}, np.random.default_rng(start.tolist()))


@dataclass(frozen=True, eq=False)
class TrueMap:
    """The tissues of the tiles of a slide as they are, for `organisation.measure`."""

    tissue: Cells


def _truth(latents: Mapping[str, Array]) -> pd.DataFrame:
    """Return the true features of each patient, and its tumour tiles; no features with too little tumour."""
    rows = []
    for values in zip(*(latents[name] for name in LATENTS), strict=True):
        tissue = layout_of(dict(zip(LATENTS, map(float, values), strict=True))).tiles()
        rows.append({"tumour_tiles": int((tissue == TISSUES.index("TUM")).sum())} | true_features(tissue))
    return pd.DataFrame(rows, columns=["tumour_tiles", *FEATURES])


def true_features(tissue: Cells, cut_tiles: Sequence[float] = (CUT_TILES,) * len(ORGANISED)) -> dict[str, float]:
    """Return the spatial organisation features of a true tile map by name; none where it has too little tumour.

    Args:
        tissue: Of the tiles of a slide, as `Layout.tiles`.
        cut_tiles: For each of `ORGANISED`, the distance up to which a tile is infiltrating.
    """
    try:
        seen = measure(TrueMap(tissue))
    except PreprocessingError:
        return {}
    counts = (seen.tiles_by_tissue[None], seen.tiles_by_distance[None], seen.interaction[None])
    return dict(zip(FEATURES, features(*counts, cut_tiles)[0].tolist(), strict=True))


def covariates(
    normal: Mapping[str, Array], population: Population
) -> tuple[pd.DataFrame, dict[str, NDArray[np.bool_]]]:
    """Return the columns of the patient table with unknown values empty, and what is true of each patient.

    Args:
        normal: `NORMALS`, each (n,).
        population: Published frequencies and quartiles.
    """
    counts, quartiles = population.counts, population.quartiles
    normal = dict(normal) | {name: blend(share, normal["burden"], normal[name]) for name, share in ON_BURDEN.items()}
    normal["diameter"] = blend(DIAMETER_ON_DEBRIS, normal["z_debris"], normal["diameter"])
    treatment = blend(PRETREATED_ON_BURDEN, normal["burden"], normal["preoperative_chemotherapy"])
    columns: dict[str, NDArray[Any]] = {"age_years": _age_years(normal["age"], quartiles["age_years"])}
    is_known = {}
    for name in ("sex", "primary_site", "pt_stage", "pn_stage", "resection", "ablation"):
        columns[name], is_known[name] = _category_or_unknown(normal[name], counts[name])
    columns |= _interval(normal["interval"], counts)
    columns["metastases"] = category(normal["metastases"], counts["metastases"]).astype(int)
    columns["largest_diameter_cm"] = _skewed(normal["diameter"], quartiles["largest_diameter_cm"], DIAMETER_CM)
    columns["cea_ng_ml"] = _skewed(normal["cea"], quartiles["cea_ng_ml"], CEA_NG_ML)
    columns["preoperative_chemotherapy"] = category(treatment, counts["preoperative_chemotherapy"])
    columns["adjuvant_chemotherapy"], is_known["adjuvant_chemotherapy"] = _adjuvant(normal, columns, counts)
    factors = {
        "node_positive": columns["pn_stage"] != "pN0",
        "interval_below_12m": columns["disease_free_interval_months"] < 12,
        "several_metastases": columns["metastases"] > 1,
        "diameter_above_5cm": columns["largest_diameter_cm"] > 5,
        "cea_above_200": columns["cea_ng_ml"] > 200,
        "pretreated": columns["preoperative_chemotherapy"] != "none",
        "r1": columns["resection"] == "R1",
        "ablation": columns["ablation"] == "yes",
        "chemotherapy": columns["adjuvant_chemotherapy"] == "yes",
    }
    shown = {name: values.astype(object) for name, values in columns.items()}
    for name, flags in is_known.items():
        shown[name][~flags] = None
    return pd.DataFrame(shown).assign(mpp_given=None), factors


def _category_or_unknown(normal: Array, counts: Mapping[str, int]) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Return everybody's category, with the published shares of those known, and of whom it is known."""
    own, is_known = known(normal, counts.get("unknown", 0) / sum(counts.values()))
    return category(own, {name: count for name, count in counts.items() if name != "unknown"}), is_known


def _interval(normal: Array, counts: Mapping[str, Mapping[str, int]]) -> dict[str, NDArray[Any]]:
    """Return the disease-free interval, 0 where the metastases were found together with the primary."""
    synchronous = counts["synchronous"]["yes"] / sum(counts["synchronous"].values())
    own, later = known(normal, synchronous)  # the highest normals are synchronous: a short interval is a heavy burden
    early = counts["metachronous_below_12m"]
    share = early["no"] / sum(early.values())
    months = np.clip(lognormal_above(-own, share, 11.9, INTERVAL_LOG_SD), 1.0, 120.0)
    return {
        "disease_free_interval_months": np.where(later, months, 0.0),
        "synchronous": np.where(later, "no", "yes"),
    }


def _adjuvant(
    normal: Mapping[str, Array], columns: Mapping[str, NDArray[Any]], counts: Mapping[str, Mapping[str, int]]
) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Return who was treated, at random with the published share of those with and without pretreatment."""
    given, pretreated = normal["adjuvant_chemotherapy"], columns["preoperative_chemotherapy"] != "none"
    treated = np.where(
        pretreated, category(given, counts["adjuvant_pretreated"]), category(given, counts["adjuvant_not_pretreated"])
    )
    unknown = counts["adjuvant_known"]["no"] / sum(counts["adjuvant_known"].values())
    return treated, ndtr(normal["adjuvant_chemotherapy_known"]) >= unknown


def _age_years(normal: Array, quartiles: tuple[float, float, float]) -> NDArray[np.int64]:
    low, middle, high = quartiles
    spread = np.where(normal < 0, middle - low, high - middle) / UPPER_QUARTILE
    return np.clip(np.round(middle + spread * normal), *AGE_YEARS).astype(int)


def _skewed(normal: Array, quartiles: tuple[float, float, float], bounds: tuple[float, float]) -> Array:
    """Return values to one decimal with these quartiles: lognormal below and above the median, each with its spread."""
    low, middle, high = map(log, quartiles)
    spread = np.where(normal < 0, middle - low, high - middle) / UPPER_QUARTILE
    return np.asarray(np.clip(np.round(np.exp(middle + spread * normal), 1), *bounds))
