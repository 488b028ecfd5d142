"""The two cohorts of Qi et al. 2023, doi 10.1016/j.isci.2023.107702, with the frequencies of its table 1."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial

from pipelines.synthetic import liver_metastasis, liver_slide
from pipelines.synthetic.definition import CohortDefinition, Disease, Population, Site
from pipelines.synthetic.survival import survival

LIVER_HISTOLOGY = Disease(
    schema="liver_histology",
    modality="SM",
    source="Qi et al. 2023",
    endpoint="os",
    endpoints={
        "os": {
            "event": "os_event",
            "time": "os_time_months",
            "unit": "months",
            "origin": "surgery",
            "meaning": "death of any cause",
        },
    },
    eligibility=(
        "Colorectal liver metastases, first resection with curative intent, no extrahepatic metastases, no other "
        "malignancy, no earlier local treatment of the metastases; one slide of one metastasis, chosen at random."
    ),
    latents=liver_metastasis.LATENTS,
    normals=liver_metastasis.NORMALS,
    hazard=liver_metastasis.HAZARD,
    missing=(),
    describe=liver_metastasis.describe,
    observe=partial(survival, lost=0.70, latest_loss_months=90),
    render=liver_slide.render,
    horizons_months=(36, 60, 96),
)
METASTASES = {"1": 38, "2": 20, "3": 13, "4": 9, "5": 6, "6": 5, "7": 3, "8": 3, "10": 2, "15": 1}  # median 2 [1-4]
METASTASES_VALIDATION = {"1": 35, "2": 19, "3": 14, "4": 10, "5": 7, "6": 5, "7": 4, "8": 3, "10": 2, "15": 1}

DISCOVERY = Population(
    counts={
        "sex": {"female": 141, "male": 292},
        "primary_site": {"left": 331, "right": 102},
        "pt_stage": {"pTis": 1, "pT1": 8, "pT2": 26, "pT3": 300, "pT4": 98},
        "pn_stage": {"pN0": 177, "pN1": 160, "pN2": 96},
        "synchronous": {"no": 143, "yes": 290},
        "metachronous_below_12m": {"no": 65, "yes": 35},
        "metastases": METASTASES,
        "preoperative_chemotherapy": {
            "none": 159,
            "chemotherapy": 193,
            "chemotherapy_bevacizumab": 39,
            "chemotherapy_cetuximab": 42,
        },
        "resection": {"R0": 364, "R1": 69},
        "ablation": {"no": 364, "yes": 69},
        "adjuvant_not_pretreated": {"no": 32, "yes": 106},
        "adjuvant_pretreated": {"no": 52, "yes": 214},
        "adjuvant_known": {"no": 29, "yes": 404},
        "annotated": {"no": 433 - 59, "yes": 59 - liver_metastasis.ANNOTATED_FIRST},
    },
    age_mean_years=(48 + 58 + 64) / 3,  # from the quartiles, after Wan et al. 2014
    age_sd_years=(64 - 48) / 1.35,
    latent_means={"z_lymph": 0.1},
    quartiles={
        "age_years": (48, 58, 64),
        "largest_diameter_cm": (1.8, 2.8, 4.0),
        "cea_ng_ml": (3.40, 8.02, 26.1),
    },
)
VALIDATION = Population(
    counts={
        "sex": {"female": 129, "male": 275},
        "primary_site": {"left": 334, "right": 69, "unknown": 1},
        "pt_stage": {"pTis": 1, "pT1": 8, "pT2": 25, "pT3": 270, "pT4": 88, "unknown": 12},
        "pn_stage": {"pN0": 120, "pN1": 170, "pN2": 102, "unknown": 12},
        "synchronous": {"no": 193, "yes": 211},
        "metachronous_below_12m": {"no": 45, "yes": 55},
        "metastases": METASTASES_VALIDATION,
        "preoperative_chemotherapy": {
            "none": 111,
            "chemotherapy": 116,
            "chemotherapy_bevacizumab": 101,
            "chemotherapy_cetuximab": 76,
        },
        "resection": {"R0": 337, "R1": 65, "unknown": 2},
        "ablation": {"no": 344, "yes": 60},
        "adjuvant_not_pretreated": {"no": 52, "yes": 54},
        "adjuvant_pretreated": {"no": 84, "yes": 211},
        "adjuvant_known": {"no": 3, "yes": 401},
        "annotated": {"no": 404 - 60, "yes": 60 - liver_metastasis.ANNOTATED_FIRST},
    },
    age_mean_years=(51 + 58 + 64) / 3,
    age_sd_years=(64 - 51) / 1.35,
    latent_means={},
    quartiles={
        "age_years": (51, 58, 64),
        "largest_diameter_cm": (2.0, 2.55, 4.0),
        "cea_ng_ml": (3.43, 7.88, 22.9),
    },
)

LIVER_COHORTS: tuple[CohortDefinition, ...] = (
    CohortDefinition(
        name="liver_development",
        disease=LIVER_HISTOLOGY,
        role="development",
        id_prefix="LD",
        published_n=433,
        period=(date(2000, 9, 1), date(2019, 7, 31)),
        follow_up_until=date(2020, 6, 30),
        sites=(Site("H1", "WSI1", 1.0),),
        population=DISCOVERY,
    ),
    CohortDefinition(
        name="liver_external",
        disease=replace(LIVER_HISTOLOGY, observe=partial(survival, lost=0.66, latest_loss_months=75)),
        role="external",
        id_prefix="LE",
        published_n=404,
        period=(date(2010, 1, 1), date(2019, 5, 31)),
        follow_up_until=date(2020, 6, 30),
        sites=(Site("H2", "WSI2", 1.0),),
        population=VALIDATION,
    ),
)
