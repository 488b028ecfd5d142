"""The three cohorts of Hu et al. 2023, doi 10.1097/JS9.0000000000000432, with the frequencies of its table 1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial

from scipy.special import ndtri

from pipelines.synthetic import ct_examination, gastric_cancer
from pipelines.synthetic.definition import CohortDefinition, Disease, Population, Site
from pipelines.synthetic.survival import survival

GASTRIC_CT = Disease(
    schema="gastric_ct",
    modality="CT",
    source="Hu et al. 2023",
    endpoint="os",
    endpoints={
        "os": {
            "event": "os_event",
            "time": "os_time_months",
            "unit": "months",
            "origin": "surgery",
            "meaning": "death of any cause",
        },
        "good_response": {"case": "good_response", "meaning": "tumour regression grade 0-1 in the resection"},
    },
    eligibility=(
        "Gastric or Siewert III cancer, cT1N+ or cT2-4 any N; at least two cycles of 5-FU-based chemotherapy after CT, "
        "then gastrectomy with negative margins."
    ),
    latents=gastric_cancer.LATENTS,
    normals=gastric_cancer.NORMALS,
    hazard=gastric_cancer.HAZARD,
    missing=(),
    describe=gastric_cancer.describe,
    observe=partial(survival, lost=0.03, never_seen=10 / 664),
    render=ct_examination.render_gastric,
    labels=("good_response",),
)

# How categories that the table lumps together divide; ours.
BORRMANN = ({"I": 0.15, "II": 0.85}, {"III": 0.80, "IV": 0.20})
CT_STAGE = ({"cT2": 1.0}, {"cT3": 0.30, "cT4": 0.70})
CN_STAGE = ({"cN0": 0.30, "cN1": 0.70}, {"cN2": 0.60, "cN3": 0.40})
HISTOLOGY = ({"adenocarcinoma": 0.85, "mucinous": 0.05, "signet_ring": 0.10}, {"squamous": 0.30, "other": 0.70})
SIGNET_RING_COMPONENT_PERCENT = {"good": 5, "poor": 17}  # of those not of signet-ring type


def _split(count: int, n: int, parts: tuple[Mapping[str, float], Mapping[str, float]]) -> dict[str, int]:
    """Divide `count` patients among the first categories, n - count among the second; in hundredths of a patient."""
    first, second = parts
    shares = {k: share * count for k, share in first.items()} | {k: share * (n - count) for k, share in second.items()}
    return {category: round(100 * share) for category, share in shares.items()}


def _group(
    response: str,
    n: int,
    *,
    age_60: int,
    female: int,
    bmi: tuple[int, int, int],
    location: tuple[int, int, int, int],
    diameter: tuple[int, int],
    borrmann_1_2: int,
    ct_1_2: int,
    cn_0_1: int,
    m1: int,
    poor: int,
    adenocarcinoma: int,
    cea: tuple[int, int, int],
    ca125: tuple[int, int, int],
    afp: tuple[int, int, int],
    measurements: Mapping[str, tuple[float, float]],
) -> Population:
    """Return half a column of table 1: the n good or poor responders of a cohort; what a row lacks of n is unknown."""
    signs = ("positive", "negative", "unknown")
    component = SIGNET_RING_COMPONENT_PERCENT[response]
    return Population(
        counts={
            "sex": {"female": female, "male": n - female},
            "tumour_location": dict(zip(("upper", "middle", "lower", "whole"), location, strict=True)),
            "borrmann": _split(borrmann_1_2, n, BORRMANN),
            "ct_stage": _split(ct_1_2, n, CT_STAGE),
            "cn_stage": _split(cn_0_1, n, CN_STAGE),
            "cm_stage": {"M0": n - m1, "M1": m1},
            "differentiation": {"moderate_or_well": n - poor, "poor": poor},
            "histology": _split(adenocarcinoma, n, HISTOLOGY),
            "signet_ring_component": {"no": 100 - component, "yes": component},
            "bmi": dict(zip(("low", "normal", "high"), bmi, strict=True)) | {"unknown": n - sum(bmi)},
            "tumour_diameter": dict(zip(("above", "below"), diameter, strict=True)) | {"unknown": n - sum(diameter)},
            "cea": dict(zip(signs, cea, strict=True)),
            "ca125": dict(zip(signs, ca125, strict=True)),
            "afp": dict(zip(signs, afp, strict=True)),
        },
        age_mean_years=59.5 + gastric_cancer.AGE_SD_YEARS * float(ndtri(age_60 / n)),
        age_sd_years=gastric_cancer.AGE_SD_YEARS,
        latent_means={},
        measurements=measurements,
    )


def _measurements(*values: tuple[float, float]) -> dict[str, tuple[float, float]]:
    names = (
        "albumin_g_l",
        "plateletcrit_percent",
        "lymphocytes_percent",
        "glucose_mmol_l",
        "neutrophils_10e9_l",
    )
    return dict(zip(names, values, strict=True))


def _population(good: Population, poor: Population) -> Population:
    """Join good and poor responders; the latent mean is that which gives their published share."""
    n = {name: sum(group.counts["sex"].values()) for name, group in (("good", good), ("poor", poor))}
    share = n["good"] / (n["good"] + n["poor"])
    shift = float(ndtri(share) - ndtri(gastric_cancer.GOOD_RESPONSE_SHARE)) / gastric_cancer.RESPONSE_ON_LATENT
    return Population(
        counts={"good_response": n},
        age_mean_years=(n["good"] * good.age_mean_years + n["poor"] * poor.age_mean_years) / sum(n.values()),
        age_sd_years=gastric_cancer.AGE_SD_YEARS,
        latent_means={"z_response": shift},
        groups={"good": good, "poor": poor},
    )


TRAINING = _population(
    _group(
        "good",
        162,
        age_60=90,
        female=42,
        bmi=(21, 115, 25),
        location=(50, 37, 62, 13),
        diameter=(93, 69),
        borrmann_1_2=71,
        ct_1_2=20,
        cn_0_1=38,
        m1=22,
        poor=127,
        adenocarcinoma=161,
        cea=(39, 121, 2),
        ca125=(14, 147, 1),
        afp=(15, 144, 3),
        measurements=_measurements((39.50, 4.32), (0.25, 0.08), (27.88, 8.68), (5.46, 1.24), (4.08, 1.90)),
    ),
    _group(
        "poor",
        502,
        age_60=283,
        female=132,
        bmi=(44, 338, 113),
        location=(149, 113, 194, 46),
        diameter=(359, 139),
        borrmann_1_2=220,
        ct_1_2=26,
        cn_0_1=100,
        m1=89,
        poor=412,
        adenocarcinoma=494,
        cea=(152, 336, 14),
        ca125=(52, 443, 7),
        afp=(42, 446, 14),
        measurements=_measurements((40.07, 4.29), (0.24, 0.08), (27.43, 8.70), (5.62, 1.39), (4.04, 1.96)),
    ),
)
INTERNAL = _population(
    _group(
        "good",
        29,
        age_60=16,
        female=10,
        bmi=(3, 22, 4),
        location=(6, 14, 9, 0),
        diameter=(22, 7),
        borrmann_1_2=11,
        ct_1_2=5,
        cn_0_1=7,
        m1=3,
        poor=23,
        adenocarcinoma=28,
        cea=(10, 16, 3),
        ca125=(3, 25, 1),
        afp=(2, 23, 4),
        measurements=_measurements((39.99, 4.63), (0.26, 0.06), (27.88, 9.51), (5.60, 1.34), (3.90, 1.57)),
    ),
    _group(
        "poor",
        102,
        age_60=61,
        female=26,
        bmi=(11, 66, 25),
        location=(37, 25, 29, 11),
        diameter=(83, 19),
        borrmann_1_2=42,
        ct_1_2=12,
        cn_0_1=28,
        m1=14,
        poor=89,
        adenocarcinoma=99,
        cea=(40, 60, 2),
        ca125=(23, 79, 0),
        afp=(9, 91, 2),
        measurements=_measurements((39.84, 4.48), (0.25, 0.09), (25.99, 9.96), (5.74, 1.65), (4.07, 2.00)),
    ),
)
EXTERNAL = _population(
    _group(
        "good",
        59,
        age_60=39,
        female=13,
        bmi=(6, 37, 16),
        location=(13, 8, 24, 14),
        diameter=(22, 37),
        borrmann_1_2=16,
        ct_1_2=10,
        cn_0_1=16,
        m1=0,
        poor=45,
        adenocarcinoma=55,
        cea=(23, 36, 0),
        ca125=(8, 51, 0),
        afp=(10, 49, 0),
        measurements=_measurements((38.66, 6.27), (0.29, 0.09), (24.12, 10.03), (6.26, 1.77), (4.44, 1.75)),
    ),
    _group(
        "poor",
        206,
        age_60=134,
        female=52,
        bmi=(20, 135, 51),
        location=(33, 42, 84, 47),
        diameter=(118, 88),
        borrmann_1_2=22,
        ct_1_2=2,
        cn_0_1=24,
        m1=11,
        poor=160,
        adenocarcinoma=203,
        cea=(73, 131, 2),
        ca125=(31, 173, 2),
        afp=(19, 179, 8),
        # glucose: 12.62 is printed, one mistyped value; taken as 2.62, the number without its leading digit
        measurements=_measurements((38.64, 5.54), (0.25, 0.08), (25.70, 9.70), (6.54, 2.62), (4.06, 1.81)),
    ),
)

EXTENSION = "Overall survival is an extension: the paper has none for this cohort."
GASTRIC_COHORTS: tuple[CohortDefinition, ...] = (
    CohortDefinition(
        name="ct_chemo_development",
        disease=GASTRIC_CT,
        role="development",
        id_prefix="RD",
        published_n=664,
        period=(date(2008, 1, 1), date(2019, 12, 31)),
        follow_up_until=date(2021, 12, 31),
        sites=(Site("I", "CT1", 0.6), Site("I", "CT2", 0.4)),
        population=TRAINING,
    ),
    CohortDefinition(
        name="ct_chemo_internal",
        disease=GASTRIC_CT,
        role="internal",
        id_prefix="RI",
        published_n=131,
        period=(date(2020, 1, 1), date(2021, 12, 31)),
        follow_up_until=date(2024, 12, 31),
        sites=(Site("I", "CT2", 1.0),),
        population=INTERNAL,
        note=f"Centre I, operated on after the development cohort: a split by time. {EXTENSION}",
    ),
    CohortDefinition(
        name="ct_chemo_external",
        disease=GASTRIC_CT,
        role="external",
        id_prefix="RE",
        published_n=265,
        period=(date(2014, 1, 1), date(2021, 12, 31)),
        follow_up_until=date(2024, 12, 31),
        sites=(
            Site("II", "CT3", 0.30),
            Site("III", "CT4", 0.25),
            Site("IV", "CT5", 0.20),
            Site("V", "CT6", 0.15),
            Site("VI", "CT7", 0.10),
        ),
        population=EXTERNAL,
        note=EXTENSION,
    ),
)
