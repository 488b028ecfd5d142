"""MRI signature and nomogram for distant metastasis (Liu, EBioMedicine 2021, doi 10.1016/j.ebiom.2021.103442)."""

from __future__ import annotations

from models.spec import ImageInput, ModelSpec, TensorSpec

HORIZONS_MONTHS = (12, 24, 36)
SLICES = 20
BOX_PX = 112
CLINICAL = ("ct4", "cea_elevated", "ypn1", "ypn2")
RISK_MODELS = ("t2w", "adc", "dlrs", "clinical", "nomogram")

_STACK = (SLICES, BOX_PX, BOX_PX)
_RISK_LABELS = tuple(f"{months}m" for months in HORIZONS_MONTHS)
_COX = {
    "t2w": "T2W-prob",
    "adc": "ADC-prob",
    "dlrs": "DL-prob",
    "clinical": "cT, CEA and ypN stage",
    "nomogram": "DL-prob, cT, CEA and ypN stage",
}

SPEC = ModelSpec(
    name="mri_distant_metastasis",
    title="MRI signature and nomogram for distant metastasis of locally advanced rectal cancer",
    modality="MR",
    endpoint="dmfs",
    horizons_months=HORIZONS_MONTHS,
    images=(
        ImageInput("t2w", "T2-weighted series before treatment", mask="t2w_mask"),
        ImageInput("dwi_b0", "diffusion-weighted series, b = 0 s/mm2", mask="dwi_mask"),
        ImageInput("dwi_b1000", "diffusion-weighted series, b = 1000 s/mm2, on the grid of b0", mask="dwi_mask"),
    ),
    covariates=("ct_stage", "cea_ng_ml", "ypn_stage"),
    inputs=(
        TensorSpec(
            "t2w", _STACK, "T2-weighted lesion boxes, z-scored over the boxes; slices without lesion are 0", "z-score"
        ),
        TensorSpec("adc", _STACK, "ADC lesion boxes, z-scored over the boxes; slices without lesion are 0", "z-score"),
        TensorSpec(
            "covariates",
            (len(CLINICAL),),
            "1 = yes, 0 = no, NaN = missing: counts as the development mean",
            "1",
            CLINICAL,
        ),
    ),
    outputs=(
        TensorSpec(
            "t2w_prob", (), "score of distant metastasis within 36 months from T2W, 0 to 1, higher = likelier", "1"
        ),
        TensorSpec(
            "adc_prob", (), "score of distant metastasis within 36 months from ADC, 0 to 1, higher = likelier", "1"
        ),
        TensorSpec("dl_prob", (), "t2w_prob + adc_prob, 0 to 2, higher = likelier", "1"),
        *(
            TensorSpec(
                f"lp_{name}",
                (),
                f"log relative hazard of the Cox model of {what}, higher = earlier event",
                "log hazard ratio",
            )
            for name, what in _COX.items()
        ),
        *(
            TensorSpec(
                f"risk_{name}",
                (3,),
                f"risk of distant metastasis by each horizon, Cox model of {what}",
                "1",
                _RISK_LABELS,
            )
            for name, what in _COX.items()
        ),
    ),
    prepare_path="models.mri_distant_metastasis.inputs:prepare",
    system_path="models.mri_distant_metastasis.system:SYSTEM",
    maps_path="models.maps.mri_distant_metastasis:maps",
)
