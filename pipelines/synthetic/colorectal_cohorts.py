"""The five cohorts of Cui et al. 2024, doi 10.1097/JS9.0000000000001161, with the frequencies of its table 1."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial

from pipelines.synthetic import colorectal_cancer, ct_examination
from pipelines.synthetic.definition import CohortDefinition, Disease, Population, Site
from pipelines.synthetic.survival import survival

COLORECTAL_CT = Disease(
    schema="colorectal_ct",
    modality="CT",
    source="Cui et al. 2024",
    endpoint="os",
    endpoints={
        "os": {
            "event": "os_event",
            "time": "os_time_months",
            "unit": "months",
            "origin": "surgery",
            "meaning": "death of any cause",
        },
        "dfs": {
            "event": "dfs_event",
            "time": "dfs_time_months",
            "unit": "months",
            "origin": "surgery",
            "meaning": "progression or death of any cause",
        },
        "tsr_high": {"case": "tsr_high", "meaning": "tumour-stroma ratio above 50 % on the slide of the resection"},
    },
    eligibility="Colorectal cancer with portal-venous CT before resection; consecutive.",
    latents=colorectal_cancer.LATENTS,
    normals=colorectal_cancer.NORMALS,
    hazard=colorectal_cancer.HAZARD,
    missing=colorectal_cancer.MISSING,
    describe=colorectal_cancer.describe,
    observe=partial(survival, lost=0.08, progression=True),
    render=ct_examination.render_colorectal,
    labels=("tsr_high",),
    horizons_months=(12, 36, 60),
)
WITHOUT_TSR = replace(
    COLORECTAL_CT,
    schema="colorectal_ct_prognosis",
    endpoints={name: COLORECTAL_CT.endpoints[name] for name in ("os", "dfs")},
    labels=(),
)


def _population(
    age_quartiles: tuple[int, int, int],
    stage: tuple[int, int, int, int],
    *,
    female: int,
    location: tuple[int, int, int],
    cea_elevated: int,
    differentiation: tuple[int, int, int],
    pt: tuple[int, int, int, int],
    pn: tuple[int, int, int],
    lymphovascular: int,
    perineural: int,
    latent_mean: float,
) -> Population:
    """Return a column of table 1; age as mean and standard deviation from its quartiles (Wan et al. 2014)."""
    n = sum(stage)
    return Population(
        counts={
            "sex": {"female": female, "male": n - female},
            "tumour_location": dict(zip(("right_colon", "left_colon", "rectum"), location, strict=True)),
            "cea_elevated": {"no": n - cea_elevated, "yes": cea_elevated},
            "differentiation": dict(zip(("high", "middle", "low"), differentiation, strict=True)),
            "pt_stage": dict(zip(("pT1", "pT2", "pT3", "pT4"), pt, strict=True)),
            "pn_stage": dict(zip(("pN0", "pN1", "pN2"), pn, strict=True)),
            "tnm_stage": dict(zip(("I", "II", "III", "IV"), stage, strict=True)),
            "lymphovascular_invasion": {"no": n - lymphovascular, "yes": lymphovascular},
            "perineural_invasion": {"no": n - perineural, "yes": perineural},
        },
        age_mean_years=sum(age_quartiles) / 3,
        age_sd_years=(age_quartiles[2] - age_quartiles[0]) / 1.35,
        latent_means=dict.fromkeys(colorectal_cancer.LATENTS, latent_mean),
    )


TRAINING = _population(
    (52, 61, 68),
    (120, 404, 380, 52),
    female=444,
    location=(332, 283, 341),
    cea_elevated=358,
    differentiation=(7, 776, 173),
    pt=(16, 125, 273, 542),
    pn=(534, 246, 176),
    lymphovascular=199,
    perineural=104,
    latent_mean=0.0,
)
INTERNAL = _population(
    (51, 61, 68),
    (27, 93, 105, 15),
    female=110,
    location=(85, 70, 85),
    cea_elevated=91,
    differentiation=(1, 195, 44),
    pt=(5, 32, 66, 137),
    pn=(122, 61, 57),
    lymphovascular=58,
    perineural=29,
    latent_mean=0.0,
)
EXTERNAL_1 = _population(
    (56, 64, 71),
    (72, 201, 228, 8),
    female=208,
    location=(141, 143, 225),
    cea_elevated=177,
    differentiation=(4, 425, 80),
    pt=(16, 75, 371, 47),
    pn=(274, 147, 88),
    lymphovascular=119,
    perineural=171,
    latent_mean=0.1,
)
EXTERNAL_2 = _population(
    (52, 60, 69),
    (41, 80, 82, 0),
    female=92,
    location=(52, 60, 91),
    cea_elevated=58,
    differentiation=(69, 109, 25),
    pt=(8, 38, 140, 17),
    pn=(121, 67, 15),
    lymphovascular=16,
    perineural=12,
    latent_mean=-0.1,
)
EXTERNAL_3 = _population(
    (52, 60, 68),
    (43, 154, 119, 44),
    female=156,
    location=(203, 156, 1),
    cea_elevated=145,
    differentiation=(11, 246, 103),
    pt=(17, 36, 245, 62),
    pn=(212, 93, 55),
    lymphovascular=76,
    perineural=80,
    latent_mean=0.1,
)

PERIOD = (date(2014, 1, 1), date(2016, 12, 31))  # printed for centre I; centres II and III: ours
CENTRE_I = (Site("I", "CT1", 0.6), Site("I", "CT2", 0.4))
FOLLOW_UP_UNTIL = date(2021, 12, 31)

COLORECTAL_COHORTS: tuple[CohortDefinition, ...] = (
    CohortDefinition(
        name="ct_stroma_development",
        disease=COLORECTAL_CT,
        role="development",
        id_prefix="SD",
        published_n=956,
        period=PERIOD,
        follow_up_until=FOLLOW_UP_UNTIL,
        sites=CENTRE_I,
        population=TRAINING,
    ),
    CohortDefinition(
        name="ct_stroma_internal",
        disease=COLORECTAL_CT,
        role="internal",
        id_prefix="SI",
        published_n=240,
        period=PERIOD,
        follow_up_until=FOLLOW_UP_UNTIL,
        sites=CENTRE_I,
        population=INTERNAL,
        note="A random fifth of centre I, kept out of training.",
    ),
    CohortDefinition(
        name="ct_stroma_external_1",
        disease=COLORECTAL_CT,
        role="external",
        id_prefix="SA",
        published_n=509,
        period=PERIOD,
        follow_up_until=FOLLOW_UP_UNTIL,
        sites=(Site("II", "CT3", 0.7), Site("II", "CT4", 0.3)),
        population=EXTERNAL_1,
    ),
    CohortDefinition(
        name="ct_stroma_external_2",
        disease=COLORECTAL_CT,
        role="external",
        id_prefix="SB",
        published_n=203,
        period=PERIOD,
        follow_up_until=FOLLOW_UP_UNTIL,
        sites=(Site("III", "CT5", 1.0),),
        population=EXTERNAL_2,
    ),
    CohortDefinition(
        name="ct_stroma_external_3",
        disease=WITHOUT_TSR,
        role="external",
        id_prefix="SC",
        published_n=360,
        period=(date(2013, 6, 1), date(2015, 12, 31)),
        follow_up_until=FOLLOW_UP_UNTIL,
        sites=(Site("IV", "CT6", 0.5), Site("IV", "CT7", 0.5)),
        population=EXTERNAL_3,
        note="Prognosis only: the slides were not digitised, so the tumour-stroma ratio is not known.",
    ),
)
