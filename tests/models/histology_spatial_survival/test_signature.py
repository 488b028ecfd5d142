"""The whole signature as one graph: equal to numpy, equal in ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.histology_spatial_survival import DISTANCES_TILES, FEATURES, RISK_MODELS, SPEC
from models.histology_spatial_survival.organisation import measure
from models.histology_spatial_survival.signature import Signature
from models.onnx_export import export_onnx, parity
from models.runtime import OnnxModel
from models.spec import PreprocessingError
from tests.models.histology_spatial_survival.people import (
    LETTERS,
    RISK,
    SOF,
    DrawnMap,
    people,
    with_block,
)


def inputs(n: int = 60) -> dict[str, NDArray[np.float32]]:
    """Made-up patients, the first without any clinical factor."""
    found = {name: array[:n].copy() for name, array in people().inputs.items()}
    found["covariates"][0] = np.nan
    return found


def outputs(given: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """What the signature makes of patients, by name."""
    with torch.inference_mode():
        values = Signature(SOF, RISK).eval()(*(torch.from_numpy(given[tensor.name]) for tensor in SPEC.inputs))
    return {tensor.name: value.numpy() for tensor, value in zip(SPEC.outputs, values, strict=True)}


@pytest.fixture(scope="module")
def onnx_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX file of the signature, exported once."""
    path = tmp_path_factory.mktemp("signature") / "model.onnx"
    export_onnx(Signature(SOF, RISK), SPEC, {"hallmark.model": "specimen"}, path)
    return path


def test_torch_equals_numpy() -> None:
    """Every output is that of the plain numbers: features to the last bit, the rest to 1e-6."""
    given = inputs()
    made = outputs(given)
    table = SOF.table(given)
    table = table.join(RISK.predictions(table))
    high = table["lp_sof"] >= RISK.cutoffs["lp_sof"]
    table["grade"] = high.astype(float) + (table["crs"] >= RISK.cutoffs["crs"])

    np.testing.assert_array_equal(made["feature"], SOF.features(given))
    flat = np.column_stack([made[tensor.name].reshape(len(table), -1) for tensor in SPEC.outputs])
    np.testing.assert_allclose(flat, table[list(SPEC.prediction_columns())].to_numpy(), rtol=0, atol=1e-6)
    assert set(made["grade"].tolist()) == {0.0, 1.0, 2.0}
    assert len(np.unique(made["sof"])) > 8


def test_shapes_and_labels_are_those_of_the_spec() -> None:
    """Each output has the shape of the spec, and a label per column."""
    made = outputs(inputs(3))

    for tensor in SPEC.outputs:
        assert made[tensor.name].shape == (3, *tensor.shape), tensor.name
        assert not tensor.labels or len(tensor.labels) == tensor.shape[0]
        assert np.isfinite(made[tensor.name]).all(), tensor.name
    assert len(set(SPEC.prediction_columns())) == len(SPEC.prediction_columns())
    assert SPEC.inputs[1].shape == (5, len(DISTANCES_TILES))


def test_onnx_equals_torch(onnx_path: Path) -> None:
    """What ships computes what was fitted, also where clinical factors are missing."""
    differences = parity(Signature(SOF, RISK), onnx_path, inputs())

    assert set(differences) == {tensor.name for tensor in SPEC.outputs}
    assert all(difference is not None and difference <= 1e-6 for difference in differences.values())
    assert (differences["feature"], differences["grade"]) == (0, 0)


def test_a_patient_does_not_depend_on_the_batch(onnx_path: Path) -> None:
    """Alone, a patient has the outputs that it has among others; features and grade to the last bit."""
    given = inputs(7)
    together, alone = OnnxModel(onnx_path, batch_size=7).run(given), OnnxModel(onnx_path, batch_size=1).run(given)

    for name, expected in together.items():
        exact = name in ("feature", "share", "grade")
        np.testing.assert_allclose(alone[name], expected, rtol=0, atol=0 if exact else 1e-6, err_msg=name)


def test_unknown_factors_count_as_in_development() -> None:
    """A patient without clinical data has the expected score; the spatial score does not notice."""
    given = inputs(2)
    made = outputs(given)
    known = outputs({**given, "covariates": np.ones_like(given["covariates"])})

    assert made["crs"][0] == pytest.approx(sum(SOF.crs_prevalence), abs=1e-6)
    assert known["crs"].tolist() == [5, 5]
    np.testing.assert_array_equal(made["lp_sof"], known["lp_sof"])
    assert (known["risk_crs"] > made["risk_crs"]).all()


def test_a_feature_at_its_cutoff_is_high() -> None:
    """Interaction at the cut-off counts, the next smaller number does not."""
    given = {name: np.repeat(array[:1], 2, axis=0) for name, array in inputs(1).items()}
    cutoff = np.float32(SOF.cutoffs[3])
    given["interaction"][:, 2] = cutoff, np.nextafter(cutoff, np.float32(0))
    made = outputs(given)

    assert made["sof"][0] - made["sof"][1] == pytest.approx(0.336, abs=1e-6)


def test_risks_rise_with_horizon_and_score() -> None:
    """Risks are probabilities, later horizons have larger ones, and the linear predictor orders them."""
    made = outputs(inputs())

    for name in RISK_MODELS:
        risk = made[f"risk_{name}"]
        assert ((risk > 0) & (risk < 1)).all()
        assert (np.diff(risk, axis=1) > 0).all()
        assert np.corrcoef(risk[:, 0], made[f"lp_{name}"])[0, 1] > 0.9


def test_a_drawn_slide_goes_all_the_way(onnx_path: Path) -> None:
    """From a tile map to a risk: the features of the ONNX file are those counted by hand."""
    tissue = with_block("H")
    tissue[4, 6:14] = LETTERS["L"]
    given = {name: values[None] for name, values in measure(DrawnMap(tissue)).inputs().items()}
    given["covariates"] = np.array([[1, 0, 0, 0, np.nan]], dtype=np.float32)
    made = OnnxModel(onnx_path).run(given)
    feature = dict(zip(FEATURES, made["feature"][0].tolist(), strict=True))

    assert feature["overall_lym"] == pytest.approx(8 / 480)
    assert feature["infiltrating_lym"] == pytest.approx(8 / 480)
    assert feature["distal_hep"] + feature["infiltrating_hep"] == pytest.approx((480 - 72) / 480)
    assert feature["interaction_hep"] == pytest.approx((4 * 5 / 9 + 24 * 3 / 9) / 64)
    assert made["share"].sum() == pytest.approx(1)
    assert made["crs"][0] == pytest.approx(1.1)


def test_spec_says_what_is_needed() -> None:
    """Slide microscopy, overall survival, horizons with 5 and 8 years, columns of the clinical risk score."""
    assert (SPEC.name, SPEC.modality, SPEC.endpoint) == ("histology_spatial_survival", "SM", "os")
    assert {60, 96} <= set(SPEC.horizons_months)
    assert [image.name for image in SPEC.images] == ["slide"]
    assert [tensor.name for tensor in SPEC.inputs if tensor.labels] == ["covariates"]
    with pytest.raises(PreprocessingError, match="expected at least 50"):
        measure(DrawnMap(np.full((5, 5), LETTERS["S"], dtype=np.int8)))
