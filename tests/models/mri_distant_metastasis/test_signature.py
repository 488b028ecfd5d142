"""The whole signature as one graph."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from models.mri_distant_metastasis import CLINICAL, RISK_MODELS, SPEC
from models.mri_distant_metastasis.signature import MODEL_COVARIATES
from models.mri_distant_metastasis.system import SYSTEM
from models.risk_models import RiskModels
from tests.models.conftest import TrainedModel
from tests.models.specimens import model_inputs

ONLY_THIS_MODEL = pytest.mark.parametrize("trained", [SPEC.name], indirect=True)


@ONLY_THIS_MODEL
def test_outputs_are_the_cox_models_of_the_scores(trained: TrainedModel) -> None:
    """DL-prob is the sum of both scores, and each linear predictor and risk is that of `CoxModel` on its covariates."""
    inputs = model_inputs(SPEC, 12)
    inputs["covariates"][0] = np.nan
    with torch.inference_mode():
        values = SYSTEM.signature(trained.folder)(*map(torch.from_numpy, inputs.values()))
    outputs = {tensor.name: value.numpy() for tensor, value in zip(SPEC.outputs, values, strict=True)}
    scores = {name: outputs[name] for name in ("t2w_prob", "adc_prob", "dl_prob")}
    table = pd.DataFrame(scores).join(pd.DataFrame(inputs["covariates"], columns=list(CLINICAL)))
    risk_models = RiskModels.read(trained.folder / "risk_models.json")

    np.testing.assert_allclose(outputs["dl_prob"], outputs["t2w_prob"] + outputs["adc_prob"], rtol=1e-6)
    assert ((outputs["t2w_prob"] > 0) & (outputs["t2w_prob"] < 1)).all()
    for name in RISK_MODELS:
        x = table[list(MODEL_COVARIATES[name])].to_numpy(dtype=float)
        model = risk_models.models[name]
        np.testing.assert_allclose(outputs[f"lp_{name}"], model.linear_predictor(x), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(outputs[f"risk_{name}"], model.risk(x), rtol=1e-4, atol=1e-5)


@ONLY_THIS_MODEL
def test_networks_do_not_see_the_other_sequence(trained: TrainedModel) -> None:
    """T2W-prob depends on T2W alone, ADC-prob on ADC alone, the clinical model on neither."""
    inputs = model_inputs(SPEC, 2)
    signature = SYSTEM.signature(trained.folder)

    def changed_by(name: str) -> set[str]:
        with torch.inference_mode():
            before = signature(*map(torch.from_numpy, inputs.values()))
            after = signature(*map(torch.from_numpy, {**inputs, name: inputs[name] * 3}.values()))
        pairs = zip(SPEC.outputs, before, after, strict=True)
        return {tensor.name for tensor, one, other in pairs if not torch.equal(one, other)}

    assert {"t2w_prob", "lp_t2w", "lp_nomogram"} <= changed_by("t2w") <= names() - {"adc_prob", "lp_adc", "lp_clinical"}
    assert {"adc_prob", "lp_adc", "lp_nomogram"} <= changed_by("adc") <= names() - {"t2w_prob", "lp_t2w", "lp_clinical"}


def names() -> set[str]:
    """All outputs."""
    return {tensor.name for tensor in SPEC.outputs}
