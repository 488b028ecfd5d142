"""Every synthetic cohort: the rectal MRI ones here, the others in a file per disease; one literal tuple."""

from __future__ import annotations

from datetime import date
from functools import partial

from pipelines.synthetic import rectal_cancer, rectal_mri
from pipelines.synthetic.colorectal_cohorts import COLORECTAL_COHORTS
from pipelines.synthetic.definition import Artefact, CohortDefinition, Disease, Population, Site
from pipelines.synthetic.gastric_cohorts import GASTRIC_COHORTS
from pipelines.synthetic.liver_cohorts import LIVER_COHORTS
from pipelines.synthetic.survival import outcomes

RECTAL_MRI = Disease(
    schema="rectal_mri",
    modality="MR",
    source="Liu et al. 2021",
    endpoint="dmfs",
    endpoints={
        "dmfs": {
            "event": "dmfs_event",
            "time": "dmfs_time_months",
            "unit": "months",
            "origin": "surgery",
            "meaning": "distant metastasis; death without it censors",
        },
        "os": {
            "event": "os_event",
            "time": "os_time_months",
            "unit": "months",
            "origin": "surgery",
            "meaning": "death of any cause",
        },
    },
    eligibility="Locally advanced rectal cancer, neoadjuvant chemoradiotherapy, then R0 surgery; consecutive.",
    latents=rectal_cancer.LATENTS,
    normals=rectal_cancer.NORMALS,
    hazard=rectal_cancer.HAZARD,
    missing=rectal_cancer.MISSING,
    describe=rectal_cancer.describe,
    observe=partial(outcomes, endpoint="dmfs"),
    render=rectal_mri.render,
)

# Liu et al. 2021, doi 10.1016/j.ebiom.2021.103442, table 1: primary and external column.
PRIMARY = Population(
    counts={
        "sex": {"female": 49, "male": 121},
        "tumour_location": {"high": 4, "mid": 100, "low": 66},
        "ct_stage": {"cT3": 130, "cT4": 40},
        "cn_stage": {"negative": 25, "positive": 145},
        "cea_elevated": {"no": 130, "yes": 40},
        "surgery": {"laparotomy": 79, "laparoscopy": 91},
        "ypt_stage": {"ypT0": 24, "ypT1": 14, "ypT2": 26, "ypT3": 94, "ypT4": 12},
        "ypn_stage": {"ypN0": 113, "ypN1": 35, "ypN2": 22},
        "adjuvant_chemotherapy": {"no": 10, "yes": 160},
        "adjuvant_radiotherapy": {"no": 164, "yes": 6},
    },
    age_mean_years=54.82,
    age_sd_years=10.85,
    latent_means={"z_t2": 0.0, "z_adc": 0.0},
)
EXTERNAL = Population(
    counts={
        "sex": {"female": 21, "male": 44},
        "tumour_location": {"high": 2, "mid": 17, "low": 46},
        "ct_stage": {"cT3": 29, "cT4": 36},
        "cn_stage": {"negative": 28, "positive": 37},
        "cea_elevated": {"no": 47, "yes": 18},
        "surgery": {"laparotomy": 57, "laparoscopy": 8},
        "ypt_stage": {"ypT0": 7, "ypT1": 3, "ypT2": 11, "ypT3": 39, "ypT4": 5},
        "ypn_stage": {"ypN0": 34, "ypN1": 25, "ypN2": 6},
        "adjuvant_chemotherapy": {"no": 9, "yes": 56},
        "adjuvant_radiotherapy": {"no": 60, "yes": 5},
    },
    age_mean_years=55.23,
    age_sd_years=12.01,
    latent_means={"z_t2": 0.1, "z_adc": 0.1},
)

PERIOD = (date(2012, 8, 1), date(2015, 3, 31))
FOLLOW_UP_UNTIL = date(2018, 3, 31)
DEVELOPMENT_SITES = (Site("A", "A1", 0.35), Site("A", "A2", 0.25), Site("B", "B1", 0.25), Site("B", "B2", 0.15))
EXTERNAL_SITES = (Site("C", "C1", 0.6), Site("C", "C2", 0.4))

COHORTS: tuple[CohortDefinition, ...] = (
    CohortDefinition(
        name="mri_development",
        disease=RECTAL_MRI,
        role="development",
        id_prefix="MD",
        published_n=170,
        period=PERIOD,
        follow_up_until=FOLLOW_UP_UNTIL,
        sites=DEVELOPMENT_SITES,
        artefact=Artefact("A2", 0.25, 0.25),
        population=PRIMARY,
    ),
    CohortDefinition(
        name="mri_external",
        disease=RECTAL_MRI,
        role="external",
        id_prefix="ME",
        published_n=65,
        period=PERIOD,
        follow_up_until=FOLLOW_UP_UNTIL,
        sites=EXTERNAL_SITES,
        artefact=Artefact("C2", 0.25, 0.25),
        population=EXTERNAL,
    ),
    CohortDefinition(
        name="mri_shortcut",
        disease=RECTAL_MRI,
        role="development",
        id_prefix="MS",
        published_n=170,
        period=PERIOD,
        follow_up_until=FOLLOW_UP_UNTIL,
        sites=DEVELOPMENT_SITES,
        artefact=Artefact("A2", 0.92, 0.08),
        population=PRIMARY,
        note=(
            "Recruitment is confounded on purpose: patients who metastasised within three years were mostly examined "
            "with a defective coil. Only for the demonstration of a model that learns a shortcut and is refused."
        ),
    ),
    *COLORECTAL_COHORTS,
    *GASTRIC_COHORTS,
    *LIVER_COHORTS,
)
