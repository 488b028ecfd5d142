"""The whole signature as one graph."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from models.ct_stroma_survival import CLINICAL, RISK_MODELS, SPEC
from models.ct_stroma_survival.network import build_network
from models.ct_stroma_survival.signature import MODEL_COVARIATES, ScoringNetwork
from models.ct_stroma_survival.system import SYSTEM
from models.risk_models import RiskModels
from tests.models.conftest import TrainedModel
from tests.models.specimens import model_inputs

ONLY_THIS_MODEL = pytest.mark.parametrize("trained", [SPEC.name], indirect=True)


@ONLY_THIS_MODEL
def test_outputs_are_the_cox_models_of_the_scores(trained: TrainedModel) -> None:
    """Each linear predictor and risk is that of `CoxModel` on MDLS and covariates; tsr_prob is a probability."""
    inputs = model_inputs(SPEC, 12)
    inputs["covariates"][0] = np.nan
    with torch.inference_mode():
        values = SYSTEM.signature(trained.folder)(*map(torch.from_numpy, inputs.values()))
    outputs = {tensor.name: value.numpy() for tensor, value in zip(SPEC.outputs, values, strict=True)}
    table = pd.DataFrame(inputs["covariates"], columns=list(CLINICAL)).assign(mdls=outputs["mdls"])
    risk_models = RiskModels.read(trained.folder / "risk_models.json")

    assert ((outputs["tsr_prob"] > 0) & (outputs["tsr_prob"] < 1)).all()
    for name in RISK_MODELS:
        x = table[list(MODEL_COVARIATES[name])].to_numpy(dtype=float)
        model = risk_models.models[name]
        np.testing.assert_allclose(outputs[f"lp_{name}"], model.linear_predictor(x), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(outputs[f"risk_{name}"], model.risk(x), rtol=1e-4, atol=1e-5)


@ONLY_THIS_MODEL
def test_what_depends_on_image_and_covariates(trained: TrainedModel) -> None:
    """Clinical models do not see the image; scores and models of MDLS alone do not see the covariates."""
    inputs = model_inputs(SPEC, 2)
    inputs["covariates"][:] = 0
    signature = SYSTEM.signature(trained.folder)

    def changed_by(name: str) -> set[str]:
        with torch.inference_mode():
            before = signature(*map(torch.from_numpy, inputs.values()))
            after = signature(*map(torch.from_numpy, {**inputs, name: 1 - inputs[name]}.values()))
        pairs = zip(SPEC.outputs, before, after, strict=True)
        return {tensor.name for tensor, one, other in pairs if not torch.equal(one, other)}

    everything = {tensor.name for tensor in SPEC.outputs}
    clinical = {"lp_clinical", "risk_clinical", "lp_clinical_dfs", "risk_clinical_dfs"}
    image_only = {"tsr_prob", "mdls", "lp_mdls", "risk_mdls", "lp_mdls_dfs", "risk_mdls_dfs"}
    assert changed_by("ct") == everything - clinical
    assert changed_by("covariates") == everything - image_only


@pytest.mark.parametrize("autoencoder", [True, False])
def test_scores_are_those_of_the_network_without_its_decoder(autoencoder: bool) -> None:
    """What ships scores as what was trained, and holds no decoder."""
    network = build_network(width=0.25, autoencoder=autoencoder).eval()
    image = torch.rand(3, 1, 112, 112)
    scoring = ScoringNetwork(network)

    torch.testing.assert_close(scoring(image), network(image)[0])
    assert not any("decoder" in name for name, _ in scoring.named_parameters())
