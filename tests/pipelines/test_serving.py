"""Serving a model that reads slides: MLflow's model gives what the DVC stage `predict` gives."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import onnx
import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc.scoring_server import invocations
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.histology_spatial_survival import SPEC, TILE_PX, TISSUES
from models.histology_spatial_survival.reading import INPUT, OUTPUT
from models.mri_distant_metastasis import SPEC as VOLUME_SPEC
from models.onnx_export import export_onnx
from pipelines.predict import predict_cohort
from pipelines.serving import SlideModel, serving_of
from registry.artefact import Artefact, read_artefact, write_manifest
from registry.errors import IntegrityError
from registry.package import write_model
from tests.cohorts import cohort_meta
from tests.models.histology_spatial_survival.slides import GLASS, stained, tissue_amounts
from tests.models.histology_spatial_survival.test_signature import RISK, SOF, Signature
from tests.registry.specimens import make_artefact
from tests.slides import write_slide
from validation.cohort import Cohort, read_meta
from validation.digests import file_sha256
from validation.documents import write_json
from validation.errors import InputError

ROOT = Path(__file__).parents[2]
COVARIATES = {
    "pn_stage": ["pN1", None, "pN0"],
    "disease_free_interval_months": [None, 30.0, 5.0],
    "synchronous": ["yes", "no", "no"],
    "metastases": [2, 1, 1],
    "largest_diameter_cm": [6.0, 2.5, 3.0],
    "cea_ng_ml": [4.0, None, 8.0],
}


@dataclass(frozen=True)
class Served:
    """An artefact, MLflow's model of it, and the cohort whose last slide is all white."""

    artefact: Artefact
    folder: Path
    cohort: Cohort

    def table(self) -> pd.DataFrame:
        """Return the patients as one asks a served model: paths from the working folder, no digests."""
        patients = self.cohort.patients
        paths = [str(self.cohort.folder / path) for path in patients["slide_path"]]
        return patients[[*COVARIATES, "mpp_given"]].assign(slide_path=paths)


def write_classifier(path: Path) -> None:
    """Write a classifier of the mean red of a tile: dark is tumour, lighter lymphocytes, the lightest hepatocytes."""
    weight, bias = np.zeros((3, len(TISSUES)), np.float32), np.full(len(TISSUES), -1e4, np.float32)
    for tissue, red in (("TUM", 130.0), ("LYM", 180.0), ("HEP", 210.0)):
        weight[0, TISSUES.index(tissue)], bias[TISSUES.index(tissue)] = 0.02 * red, -0.01 * red**2
    constants = {"axes": np.array([1, 2]), "weight": weight, "bias": bias}
    nodes = [
        helper.make_node("Cast", [INPUT], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUT], axis=1),
    ]
    tiles = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", TILE_PX, TILE_PX, 3])
    made = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", len(TISSUES)])
    held = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "specimen", [tiles], [made], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def picture(seed: int, strengths: tuple[float, float]) -> NDArray[np.uint8]:
    """A block of 8 x 8 tiles with much haematoxylin, and two columns on its right with less of it."""
    amounts = tissue_amounts(8 * TILE_PX, 10 * TILE_PX, seed)
    amounts[:, : 8 * TILE_PX, 0] += 0.8
    for column, strength in zip((8, 9), strengths, strict=True):
        amounts[:, column * TILE_PX : (column + 1) * TILE_PX, 0] *= strength
    return stained(amounts)


def write_slides(folder: Path) -> Cohort:
    """Write three patients: two slides of which one does not say its resolution, and a white one."""
    white = np.full((3 * TILE_PX, 3 * TILE_PX, 3), GLASS, np.uint8)
    pictures = (picture(1, (0.6, 0.9)), picture(2, (0.1, 0.1)), white)
    mpps = (0.5, None, 0.5)
    paths = [
        write_slide(folder / f"images/P{i}.tiff", pixels, mpp)
        for i, (pixels, mpp) in enumerate(zip(pictures, mpps, strict=True))
    ]
    (folder / "cohort.yaml").write_text(yaml.safe_dump(cohort_meta(folder.name)))
    patients = pd.DataFrame(
        {
            "patient_id": ["P0", "P1", "P2"],
            "centre": "A",
            "scanner": "A1",
            "slide_path": [path.relative_to(folder).as_posix() for path in paths],
            "slide_sha256": [file_sha256(path) for path in paths],
            "annotations_path": None,
            "mpp_given": [np.nan, 0.5, np.nan],
            **COVARIATES,
        }
    )
    return Cohort(folder, read_meta(folder), patients)


def write_artefact(folder: Path) -> Artefact:
    """Write a model with both ONNX files."""
    folder.mkdir()
    export_onnx(Signature(SOF, RISK), SPEC, {"hallmark.model": "specimen"}, folder / "model.onnx")
    write_classifier(folder / "tiles.onnx")
    tensors = {"inputs": [asdict(t) for t in SPEC.inputs], "outputs": [asdict(t) for t in SPEC.outputs]}
    write_json(folder / "contract.json", {"model": "specimen", "architecture": SPEC.name, **tensors})
    (folder / "card.md").write_text("# A specimen\n", encoding="utf-8")
    write_manifest(folder)
    return read_artefact(folder)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """The served model, made once."""
    folder = tmp_path_factory.mktemp("served")
    artefact = write_artefact(folder / "artifact")
    write_model(artefact, folder / "model", "m-0", "run-0", serving_of(SPEC))
    return Served(artefact, folder / "model", write_slides(folder / "cohort"))


@pytest.fixture(scope="module")
def predictions(served: Served, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What the DVC stage `predict` gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("predict"))
        return predict_cohort(served.artefact, served.cohort)


def test_the_package_holds_both_graphs_byte_for_byte(served: Served) -> None:
    """The folder has one copy of each certified file, MLflow's description beside it and no pickle."""
    names = {path.name for path in served.folder.iterdir()}
    described = {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt"}

    assert names == {*served.artefact.files, "manifest.json", *described}
    for name in ("model.onnx", "tiles.onnx", "contract.json", "manifest.json"):
        assert (served.folder / name).read_bytes() == (served.artefact.folder / name).read_bytes()


def test_the_signature_names_the_columns(served: Served) -> None:
    """In go path, covariates and, if need be, the resolution; out come status, reason and the predictions."""
    signature = Model.load(str(served.folder)).signature

    required = {column.name: column.required for column in signature.inputs}
    assert required == {"slide_path": True, "mpp_given": False, **dict.fromkeys(SPEC.covariates, True)}
    expected = ["status", "reason", "missing_covariates", *SPEC.prediction_columns()]
    assert signature.outputs.input_names() == expected


def test_requirements_name_no_package_that_pip_would_take_from_a_stranger(served: Served) -> None:
    """This project is on no index: MLmodel says where it comes from, requirements.txt does not ask pip for it."""
    assert "hallmark" not in (served.folder / "requirements.txt").read_text()
    needs = Model.load(str(served.folder)).metadata["needs"]
    assert needs.startswith("hallmark ")


def test_served_predictions_are_those_of_the_road(served: Served, predictions: pd.DataFrame) -> None:
    """Loaded by MLflow, the model gives the numbers of `predict` to the last bit; the white slide has a reason."""
    given = served.table().set_axis([7, 5, 3])
    found = mlflow.pyfunc.load_model(str(served.folder)).predict(given)

    assert list(predictions["status"]) == ["ok", "ok", "failed"]
    assert list(found.index) == [7, 5, 3]
    assert list(found["status"]) == list(predictions["status"])
    folder = f"{served.cohort.folder}/"  # the road names files from there on
    of_cohort = [None if reason is None else reason.replace(folder, "") for reason in found["reason"]]
    assert of_cohort == list(predictions["reason"])
    assert "no tissue" in found["reason"][3]
    columns = ["missing_covariates", *SPEC.prediction_columns()]
    np.testing.assert_array_equal(found[columns], predictions[columns].astype(np.float64))
    assert np.isfinite(found.loc[[7, 5], columns]).all(axis=None)
    assert list(found["share_lym"][:2]) == pytest.approx([0.2, 0.0])
    assert list(found["share_hep"][:2]) == pytest.approx([0.0, 0.2])
    assert found["lp_sof"][7] != found["lp_sof"][5]


def test_mlflow_refuses_a_table_without_a_covariate(served: Served) -> None:
    """A column that is forgotten is not taken for one whose cells are all missing."""
    with pytest.raises(MlflowException, match=r"missing inputs.*cea_ng_ml"):
        mlflow.pyfunc.load_model(str(served.folder)).predict(served.table().drop(columns="cea_ng_ml"))


def test_a_service_answers_json(served: Served) -> None:
    """A request as MLflow's own service takes it, with empty cells, gives the numbers of a table."""
    model = mlflow.pyfunc.load_model(str(served.folder))
    table = served.table()
    cells = table.astype(object).where(table.notna(), None).to_dict("split", index=False)
    answer = invocations(
        json.dumps({"dataframe_split": cells}), "application/json", model, model.metadata.signature.inputs
    )

    assert answer.status == 200
    found = pd.DataFrame(json.loads(answer.response)["predictions"])
    expected = model.predict(table)
    pd.testing.assert_frame_equal(found, expected.reset_index(drop=True), check_exact=True)


def test_a_row_that_cannot_be_read_stops_no_other(served: Served) -> None:
    """What is wrong in one row is its reason: path, resolution, category, type."""
    table = pd.concat([served.table().iloc[[0]]] * 7, ignore_index=True).astype(object)
    table.loc[1, "slide_path"] = "absent.tiff"
    table.loc[2, "slide_path"] = None
    table.loc[3, "mpp_given"] = "half"
    table.loc[4, "pn_stage"] = "pN7"
    table.at[5, "synchronous"] = ["yes"]
    table.loc[6, "mpp_given"] = 0.25
    found = mlflow.pyfunc.load_model(str(served.folder)).predict(table)

    assert list(found["status"]) == ["ok", *["failed"] * 6]
    expected = ("nothing that can be read", "slide_path", "mpp_given", "pn_stage: found 'pN7'", "synchronous", "um/px")
    for reason, words in zip(found["reason"][1:], expected, strict=True):
        assert words in reason


def test_the_resolution_may_be_left_out(served: Served, predictions: pd.DataFrame) -> None:
    """Without a column `mpp_given` the files must say it; the one that does not has a reason."""
    found = mlflow.pyfunc.load_model(str(served.folder)).predict(served.table().drop(columns="mpp_given"))

    assert list(found["status"]) == ["ok", "failed", "failed"]
    assert "no resolution" in found["reason"][1]
    assert found["lp_sof"][0] == predictions["lp_sof"][0]


def test_no_rows_give_no_rows(served: Served) -> None:
    """An empty table is answered by an empty one with the same columns."""
    found = SlideModel(served.artefact).predict(served.table().iloc[:0])

    assert (len(found), "lp_sof" in found) == (0, True)


@pytest.mark.parametrize("name", ["tiles.onnx", "model.onnx", "contract.json"])
def test_a_changed_file_is_not_loaded(served: Served, name: str) -> None:
    """MLflow checks nothing; the loader finds a file that is not the certified one, or is gone."""
    path = served.folder / name
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(IntegrityError, match=f"{name}: expected {served.artefact.files[name]}"):
            mlflow.pyfunc.load_model(str(served.folder))
        path.unlink()
        with pytest.raises(IntegrityError, match=f"{name}: expected .* found no such file"):
            mlflow.pyfunc.load_model(str(served.folder))
    finally:
        path.write_bytes(whole)


def test_a_model_of_volumes_needs_no_loader(tmp_path: Path) -> None:
    """Its ONNX file says all of it, and the loader of slides refuses it."""
    assert serving_of(VOLUME_SPEC) is None
    with pytest.raises(InputError, match="expected a model that reads slides"):
        SlideModel(make_artefact(tmp_path / "artifact"))


def test_serving_imports_no_torch(served: Served) -> None:
    """A service loads neither torch nor MONAI."""
    code = (
        "import sys; from pipelines.serving import _load_pyfunc; "
        f"_load_pyfunc({str(served.folder)!r}); assert not {{'torch', 'monai'}} & set(sys.modules)"
    )
    done: subprocess.CompletedProcess[Any] = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)

    assert done.returncode == 0
