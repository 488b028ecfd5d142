"""Multitask CT network of stroma ratio and survival (Cui, Int J Surg 2024, doi 10.1097/JS9.0000000000001161)."""

from __future__ import annotations

from models.spec import ImageInput, ModelSpec, TensorSpec

HORIZONS_MONTHS = (12, 36, 60)
BOX_PX = 112
CLINICAL = ("age_60", "cea_elevated", "n_positive", "lymphovascular_invasion")
RISK_MODELS = {  # endpoint of each
    "mdls": "os",
    "os": "os",
    "clinical": "os",
    "mdls_dfs": "dfs",
    "dfs": "dfs",
    "clinical_dfs": "dfs",
}

_RISK_LABELS = tuple(f"{months}m" for months in HORIZONS_MONTHS)
_COX = {
    "mdls": ("death", "MDLS"),
    "os": ("death", "MDLS, age, CEA, pN and lymphovascular invasion"),
    "clinical": ("death", "age, CEA, pN and lymphovascular invasion"),
    "mdls_dfs": ("progression or death", "MDLS"),
    "dfs": ("progression or death", "MDLS, age, CEA, pN and lymphovascular invasion"),
    "clinical_dfs": ("progression or death", "age, CEA, pN and lymphovascular invasion"),
}

SPEC = ModelSpec(
    name="ct_stroma_survival",
    title="CT network for tumour-stroma ratio and survival after resection of colorectal cancer",
    modality="CT",
    endpoint="os",
    other_endpoints=("dfs",),
    labels=("tsr_high",),
    horizons_months=HORIZONS_MONTHS,
    images=(ImageInput("ct", "portal-venous CT before surgery, Hounsfield units", mask="ct_mask"),),
    covariates=("age_years", "cea_ng_ml", "pn_stage", "lymphovascular_invasion"),
    inputs=(
        TensorSpec(
            "ct",
            (1, BOX_PX, BOX_PX),
            "largest section of the tumour, -115 HU = 0, 235 HU = 1; outside the mask 0",
            "share of the window",
        ),
        TensorSpec(
            "covariates",
            (len(CLINICAL),),
            "1 = yes, 0 = no, NaN = missing: counts as the development mean",
            "1",
            CLINICAL,
        ),
    ),
    outputs=(
        TensorSpec("tsr_prob", (), "score of a tumour-stroma ratio above 50 %, 0 to 1, higher = likelier", "1"),
        TensorSpec(
            "mdls",
            (),
            "multitask deep-learning score, 0 = average development patient, higher = earlier death",
            "log hazard ratio",
        ),
        *(
            TensorSpec(
                f"lp_{name}",
                (),
                f"log relative hazard of {event}, Cox model of {what}, higher = earlier event",
                "log hazard ratio",
            )
            for name, (event, what) in _COX.items()
        ),
        *(
            TensorSpec(
                f"risk_{name}",
                (len(HORIZONS_MONTHS),),
                f"risk of {event} by each horizon, Cox model of {what}",
                "1",
                _RISK_LABELS,
            )
            for name, (event, what) in _COX.items()
        ),
    ),
    prepare_path="models.ct_stroma_survival.inputs:prepare",
    system_path="models.ct_stroma_survival.system:SYSTEM",
    maps_path="models.maps.ct_stroma_survival:maps",
)
