"""A tiny cohort of slides on disk, a classifier that goes by redness, and the artefact of a model that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.histology_spatial_survival import SPEC, TILE_PX, TISSUES
from models.histology_spatial_survival.reading import INPUT, OUTPUT, tiles_at
from models.histology_spatial_survival.signature import Signature
from models.onnx_export import export_onnx
from registry.artefact import write_manifest
from tests.cohorts import cohort_meta, write_rows
from tests.models.histology_spatial_survival.slides import GLASS, stained
from tests.models.histology_spatial_survival.test_signature import RISK, SOF
from tests.slides import write_slide
from validation.digests import path_sha256
from validation.documents import write_json
from validation.slides import open_slide

MODEL, COHORT = "histology_spatial_survival", "liver_external"
NUCLEI = {"S": 0.05, "T": 0.45, "L": 0.95}  # share of a tile's pixels that are nuclei: stroma, tumour, lymphocytes
CLASS = {"S": TISSUES.index("STR"), "T": TISSUES.index("TUM"), "L": TISSUES.index("LYM"), ".": -1}
LARGE = ["..........", *["SSTTTTTTTT"] * 8, "SSSSSSSSSS"]  # 64 tumour tiles
SLIDES: dict[str, Sequence[str]] = {
    "LE1": LARGE,
    "LE2": [*LARGE[:-1], "LLLLLSSSSS"],  # lymphocytes: a lower score
    "LE3": ["..........", "SSTTTTTSS.", "SSTTTTTSS.", "SSTTTTTSS.", "SSSSSSSSS."],  # 15 tumour tiles: no score
}


def planted(patient: str) -> NDArray[np.int8]:
    """Index of the tissue of every tile of a patient; -1 for glass."""
    return np.array([[CLASS[letter] for letter in row] for row in SLIDES[patient]], dtype=np.int8)


def picture_of(rows: Sequence[str], seed: int) -> NDArray[np.uint8]:
    """Pixels of tiles of tissue and glass; nuclei hold haematoxylin, the rest eosin."""
    rng = np.random.default_rng(seed)
    picture = np.full((len(rows) * TILE_PX + 30, len(rows[0]) * TILE_PX + 50, 3), GLASS, dtype=np.uint8)
    for row, letters in enumerate(rows):
        for column, letter in enumerate(letters):
            if letter != ".":
                nuclei = rng.random((TILE_PX, TILE_PX)) < NUCLEI[letter]
                amounts = np.stack([np.where(nuclei, 1.4, 0.05), np.where(nuclei, 0.1, 0.8)], axis=-1)
                y, x = row * TILE_PX, column * TILE_PX
                picture[y : y + TILE_PX, x : x + TILE_PX] = stained(amounts * rng.uniform(0.9, 1.1, amounts.shape))
    return picture


def write_slide_cohort(folder: Path) -> None:
    """Write the cohort: table, slides, no outcomes."""
    rows = []
    for number, (patient, letters) in enumerate(SLIDES.items()):
        path = write_slide(folder / "images" / patient / "slide.tiff", picture_of(letters, number))
        rows.append({**_row(patient), "slide_path": f"images/{patient}/slide.tiff", "slide_sha256": path_sha256(path)})
    write_rows(folder / "patients.csv", rows)
    meta: dict[str, Any] = cohort_meta(folder.name)
    meta["endpoints"] = {"os": meta["endpoints"]["os"]}
    meta |= {"schema": "liver_histology", "modality": "SM", "centres": ["H2"]}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(meta, sort_keys=False))


def _row(patient: str) -> dict[str, str]:
    return {
        "patient_id": patient,
        "centre": "H2",
        "scanner": "WSI2",
        "mpp_given": "",
        "sex": "female",
        "age_years": "60",
        "primary_site": "left",
        "pt_stage": "pT3",
        "pn_stage": "pN0",
        "disease_free_interval_months": "20",
        "synchronous": "no",
        "metastases": "1",
        "largest_diameter_cm": "2.5",
        "cea_ng_ml": "5",
        "preoperative_chemotherapy": "none",
        "resection": "R0",
        "ablation": "no",
        "adjuvant_chemotherapy": "yes",
        "surgery_date": "2013-05-20",
        "annotations_path": "",
        "annotations_sha256": "",
    }


def write_artefact(folder: Path, cohort: Path) -> None:
    """Write what ships: a model by hand, and a classifier that knows the planted tissues."""
    folder.mkdir(parents=True)
    export_onnx(Signature(SOF, RISK).eval(), SPEC, {"hallmark.model": MODEL}, folder / "model.onnx")
    write_classifier(folder / "tiles.onnx", redness(cohort / "images" / "LE2" / "slide.tiff", "LE2"))
    write_json(folder / "contract.json", {"model": MODEL, "architecture": MODEL})
    (folder / "card.md").write_text("# A specimen\n", encoding="utf-8")
    write_manifest(folder)


def redness(path: Path, patient: str) -> dict[int, float]:
    """Mean red, 0 to 1, of a normalised tile of each tissue planted on a slide."""
    tissue = planted(patient)
    positions = [tuple(map(int, np.argwhere(tissue == index)[-1])) for index in np.unique(tissue[tissue >= 0])]
    with open_slide(path) as slide:
        tiles = list(tiles_at(slide, [(row, column) for row, column in positions]))
    return {int(tissue[tile.position]): float(tile.pixels[..., 0].mean()) / 255 for tile in tiles}


def write_classifier(path: Path, red: dict[int, float]) -> None:
    """Write an ONNX file that gives a tile the tissue whose mean red is nearest."""
    weight = np.zeros((3, len(TISSUES)))
    bias = np.full(len(TISSUES), -1e4)
    for index, level in red.items():  # -(r - level)^2 without r^2, which all have
        weight[0, index], bias[index] = 2000 * level, -1000 * level**2
    nodes = [
        helper.make_node("Cast", [INPUT], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["share"]),
        helper.make_node("Gemm", ["share", "weight", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUT], axis=1),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2]),
        helper.make_tensor("white", TensorProto.FLOAT, [], [255.0]),
        helper.make_tensor("weight", TensorProto.FLOAT, weight.shape, weight.ravel()),
        helper.make_tensor("bias", TensorProto.FLOAT, bias.shape, bias),
    ]
    tiles = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", TILE_PX, TILE_PX, 3])
    probability = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", len(TISSUES)])
    graph = helper.make_graph(nodes, "specimen", [tiles], [probability], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
