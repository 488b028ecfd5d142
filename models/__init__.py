"""The models: what is learnt, and what the road must know of it. Imports neither torch nor MONAI."""

from __future__ import annotations

from models import ct_chemo_response, ct_stroma_survival, histology_spatial_survival, mri_distant_metastasis
from models.spec import ModelSpec

SPECS: tuple[ModelSpec, ...] = (
    mri_distant_metastasis.SPEC,
    ct_stroma_survival.SPEC,
    ct_chemo_response.SPEC,
    histology_spatial_survival.SPEC,
)
MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in SPECS}
