"""CT signature, radio-clinical fusion and survival in gastric cancer (Hu, Int J Surg 2023;109:1980)."""

from __future__ import annotations

from models.spec import ImageInput, ModelSpec, TensorSpec

HORIZONS_MONTHS = (12, 24, 35)
LABEL = "good_response"
SLICES = 3
BOX_PX = 112
FACTORS: dict[str, dict[str, str | None]] = {  # column: level: its 0/1 covariate, None for the reference
    "sex": {"male": None, "female": "female"},
    "tumour_location": {
        "upper": "location_upper",
        "middle": "location_middle",
        "lower": None,
        "whole": "location_whole",
    },
    "borrmann": {"I": "borrmann_i", "II": "borrmann_ii", "III": None, "IV": "borrmann_iv"},
    "ct_stage": {"cT1": "ct1_2", "cT2": "ct1_2", "cT3": None, "cT4": None},
    "cn_stage": {"cN0": "cn0_1", "cN1": "cn0_1", "cN2": None, "cN3": None},
    "cm_stage": {"M0": None, "M1": "m1"},
    "differentiation": {"poor": "poorly_differentiated", "moderate_or_well": None},
    "histology": {
        "adenocarcinoma": None,
        "mucinous": "mucinous_type",
        "signet_ring": "signet_ring_type",
        "squamous": "squamous_type",
        "other": "other_type",
    },
    "signet_ring_component": {"no": None, "yes": "signet_ring_component"},
    "cea": {"negative": None, "positive": "cea_positive"},
    "ca125": {"negative": None, "positive": "ca125_positive"},
    "afp": {"negative": None, "positive": "afp_positive"},
}
NUMBERS = (  # columns that enter as they are, in the units of the schema
    "age_years",
    "bmi_kg_m2",
    "tumour_diameter_cm",
    "enlarged_nodes",
    "wall_thickness_mm",
    "albumin_g_l",
    "plateletcrit_percent",
    "lymphocytes_percent",
    "glucose_mmol_l",
    "neutrophils_10e9_l",
)
_OF_FACTORS = (covariate for levels in FACTORS.values() for covariate in levels.values() if covariate is not None)
CLINICAL = (*NUMBERS, *dict.fromkeys(_OF_FACTORS))

SPEC = ModelSpec(
    name="ct_chemo_response",
    title="CT signature of response to chemotherapy, with clinical factors and survival, in gastric cancer",
    modality="CT",
    endpoint="os",
    labels=(LABEL,),
    horizons_months=HORIZONS_MONTHS,
    images=(ImageInput("ct", "portal-venous CT before chemotherapy", mask="ct_mask"),),
    covariates=(*NUMBERS, *FACTORS),
    inputs=(
        TensorSpec(
            "ct",
            (SLICES, BOX_PX, BOX_PX),
            "the slice with the largest tumour area between its two neighbours, -115 HU = 0, 235 HU = 1",
            "share of the window",
        ),
        TensorSpec(
            "covariates",
            (len(CLINICAL),),
            "numbers in the units of their names, factors 1 = yes, 0 = no; NaN = missing: counts as development mean",
            "1",
            CLINICAL,
        ),
    ),
    outputs=(
        TensorSpec("dl_prob", (), "score of a good response (TRG 0-1) from CT alone, 0 to 1, higher = likelier", "1"),
        TensorSpec("clinical_prob", (), "probability of a good response, clinical signature", "1"),
        TensorSpec("dlcs_prob", (), "probability of a good response, CT signature with clinical factors", "1"),
        TensorSpec("lp_os", (), "log relative hazard of death, higher = earlier death", "log hazard ratio"),
        TensorSpec(
            "risk_os",
            (len(HORIZONS_MONTHS),),
            "risk of death by each horizon after surgery",
            "1",
            tuple(f"{months}m" for months in HORIZONS_MONTHS),
        ),
    ),
    prepare_path="models.ct_chemo_response.inputs:prepare",
    system_path="models.ct_chemo_response.system:SYSTEM",
    maps_path="models.maps.ct_chemo_response:maps",
)
