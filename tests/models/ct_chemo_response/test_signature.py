"""The whole signature as one graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.cox import CoxModel
from models.ct_chemo_response import CLINICAL, SPEC
from models.ct_chemo_response.network import ResponseNetwork
from models.ct_chemo_response.signature import COLUMNS, Signature
from models.logistic import LogisticModel
from models.risk_models import RiskModels

RISK_MODELS = RiskModels(
    models={
        "os": CoxModel(
            names=("dl_logit", "cea_positive", "tumour_diameter_cm"),
            coefficients=(-0.4, 0.3, 0.1),
            means=(-0.2, 0.3, 6.0),
            horizons_months=(12, 24, 35),
            baseline_cumulative_hazard=(0.05, 0.1, 0.2),
            n=100,
            events=40,
        )
    },
    cutoffs={},
    method="by hand",
    logistic={
        "clinical": LogisticModel(("ct1_2", "age_years"), (1.2, -0.02), (0.1, 60.0), -1.1, 100, 24),
        "dlcs": LogisticModel(("dl_logit", "tumour_diameter_cm"), (0.9, -0.2), (-0.2, 6.0), -1.2, 100, 24),
    },
)


@pytest.fixture(scope="module")
def signature() -> Signature:
    """A random network with a head that is not zero, and the models above."""
    torch.manual_seed(0)
    network = ResponseNetwork(0.25, 0.0)
    torch.nn.init.normal_(network.head.weight, std=0.05)
    return Signature(network, RISK_MODELS).eval()


def patients(n: int = 8) -> dict[str, NDArray[np.float32]]:
    """Random images, numbers of the size of ages, factors of 0 and 1; some values are missing, all of the first."""
    rng = np.random.default_rng(0)
    covariates = rng.integers(0, 2, (n, len(CLINICAL))).astype(np.float32)
    covariates[:, CLINICAL.index("age_years")] = rng.normal(60, 10, n)
    covariates[rng.random(covariates.shape) < 0.1] = np.nan
    covariates[0] = np.nan
    return {"ct": rng.random((n, 3, 112, 112), dtype=np.float32), "covariates": covariates}


def outputs(signature: Signature, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float64]]:
    """What the signature makes of patients, by name."""
    with torch.inference_mode():
        values = signature(*map(torch.from_numpy, inputs.values()))
    return {tensor.name: value.numpy().astype(np.float64) for tensor, value in zip(SPEC.outputs, values, strict=True)}


def test_outputs_are_the_fitted_models_of_logit_and_covariates(signature: Signature) -> None:
    """Every probability, linear predictor and risk is that of the model of plain numbers on its covariates."""
    inputs = patients()
    made = outputs(signature, inputs)
    table = np.column_stack([logit(made["dl_prob"]), inputs["covariates"]])

    def columns(names: tuple[str, ...]) -> NDArray[np.float64]:
        return table[:, [COLUMNS.index(name) for name in names]]

    survival = RISK_MODELS.models["os"]
    for name, model in RISK_MODELS.logistic.items():
        np.testing.assert_allclose(made[f"{name}_prob"], model.probability(columns(model.names)), rtol=1e-4)
    np.testing.assert_allclose(made["lp_os"], survival.linear_predictor(columns(survival.names)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made["risk_os"], survival.risk(columns(survival.names)), rtol=1e-4)


def test_unknown_covariates_count_as_the_development_mean(signature: Signature) -> None:
    """A patient of whom only the image is known has the clinical probability of the average patient."""
    made = outputs(signature, patients())

    assert made["clinical_prob"][0] == pytest.approx(expit(-1.1), rel=1e-5)
    assert all(np.isfinite(values).all() for values in made.values())


def test_image_and_covariates_reach_what_they_should(signature: Signature) -> None:
    """The clinical signature does not see the image, the CT signature not the covariates; the fusion sees both."""
    inputs = patients()
    known = {**inputs, "covariates": np.ones_like(inputs["covariates"])}
    before = outputs(signature, known)

    def changed_by(name: str, values: NDArray[np.float32]) -> set[str]:
        after = outputs(signature, {**known, name: values})
        return {name for name in before if not np.array_equal(before[name], after[name])}

    assert changed_by("ct", 1 - inputs["ct"]) == {"dl_prob", "dlcs_prob", "lp_os", "risk_os"}
    assert changed_by("covariates", 2 * known["covariates"]) == {"clinical_prob", "dlcs_prob", "lp_os", "risk_os"}
