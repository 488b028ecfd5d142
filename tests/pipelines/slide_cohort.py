"""A small liver_histology cohort on disk, its slides drawn as rows of letters, and a model that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.histology_spatial_survival import SPEC, TILE_PX, TISSUES
from models.histology_spatial_survival.reading import INPUT, OUTPUT
from models.histology_spatial_survival.signature import Signature
from models.onnx_export import export_onnx
from registry.artefact import Artefact, read_artefact, write_manifest
from tests.cohorts import cohort_meta, read_rows, replace_image, write_rows
from tests.models.histology_spatial_survival.people import RISK, SOF
from tests.models.histology_spatial_survival.slides import GLASS, stained
from tests.slides import write_slide
from tests.validation.test_annotations import box, feature, write
from validation.digests import file_sha256
from validation.documents import write_json

TUMOUROUS = ("TTTTTTTT",) * 7 + ("SSSLLHHH",)
NO_TUMOUR = ("SSSSSSSS",) * 6 + ("SSLLHHTT",) * 2
GLASS_ONLY = ("........",) * 8
NUCLEI = {"S": 0.08, "H": 0.3, "T": 0.55, "L": 0.85}  # share of the pixels of a tissue
MEAN_RED = {"STR": 195.0, "HEP": 175.0, "TUM": 151.0, "LYM": 123.0}  # of their tiles, normalised
RIM_PX = 60  # of glass below and to the right


def picture(rows: Sequence[str], seed: int) -> NDArray[np.uint8]:
    """Pixels of a slide whose tiles are S stroma, H hepatocytes, T tumour, L lymphocytes and . glass."""
    pattern = {letter: _tissue(letter, seed) for letter in NUCLEI}
    pattern["."] = np.full((TILE_PX, TILE_PX, 3), GLASS, dtype=np.uint8)
    tiles = np.concatenate([np.concatenate([pattern[letter] for letter in row], axis=1) for row in rows])
    return np.pad(tiles, ((0, RIM_PX), (0, RIM_PX), (0, 0)), constant_values=GLASS)


def _tissue(letter: str, seed: int) -> NDArray[np.uint8]:
    """One tile: nuclei of haematoxylin on eosin."""
    rng = np.random.default_rng((seed, ord(letter)))
    nucleus = rng.random((TILE_PX, TILE_PX)) < NUCLEI[letter]
    haematoxylin = np.where(nucleus, rng.uniform(0.8, 2.0, nucleus.shape), 0.0)
    eosin = np.where(nucleus, 0.1, 1.0) * rng.uniform(0.5, 1.2, nucleus.shape)
    return stained(np.stack([haematoxylin, eosin], axis=-1))


def write_slide_cohort(
    folder: Path,
    slides: Mapping[str, Sequence[str]],
    role: str = "external",
    mpp: Mapping[str, float | None] | None = None,
) -> Path:
    """Write a cohort with one slide per patient.

    Args:
        folder: Where; its name becomes the name of the cohort.
        slides: Rows of letters by patient.
        role: development, internal or external.
        mpp: Resolution in the file of some patients, None for none; 0.5 um/px of the others.

    Returns:
        The folder.
    """
    patients, outcomes = [], []
    for number, (patient, rows) in enumerate(slides.items()):
        path = folder / "images" / patient / "slide.tiff"
        write_slide(path, picture(rows, number), (mpp or {}).get(patient, 0.5), compression="jpeg", tile_px=TILE_PX)
        image = {"slide_path": path.relative_to(folder).as_posix(), "slide_sha256": file_sha256(path)}
        patients.append({"patient_id": patient, **_clinical(number), **image, **_NOT_ANNOTATED})
        outcomes.append(
            {"patient_id": patient, "os_event": str(number % 2), "os_time_months": str(20 + 7 * number % 90)}
        )
    write_rows(folder / "patients.csv", patients)
    write_rows(folder / "outcomes.csv", outcomes)
    meta = cohort_meta(folder.name, role)
    meta |= {"schema": "liver_histology", "modality": "SM", "endpoints": {"os": meta["endpoints"]["os"]}}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(meta))
    return folder


def annotate(folder: Path, *patients: str) -> None:
    """Draw an area of tumour on the slides of some patients."""
    for line, row in enumerate(read_rows(folder / "patients.csv"), start=2):
        if (patient := row["patient_id"]) in patients:
            drawn = write(folder / "images" / patient / "annotations.geojson", feature("TUM", box(1, 1, 3, 3)))
            replace_image(folder, line, "annotations", drawn)


_NOT_ANNOTATED = {"annotations_path": "", "annotations_sha256": ""}


def _clinical(number: int) -> dict[str, str]:
    """Consistent covariates."""
    synchronous = number % 2 == 0
    return {
        "centre": "AB"[number % 2],
        "scanner": "A1",
        "mpp_given": "",
        "sex": ("male", "female")[number % 2],
        "age_years": str(45 + number),
        "primary_site": ("left", "right")[number % 2],
        "pt_stage": "pT3",
        "pn_stage": ("pN0", "pN1")[number // 2 % 2],
        "disease_free_interval_months": "0" if synchronous else "14",
        "synchronous": "yes" if synchronous else "no",
        "metastases": str(1 + number % 3),
        "largest_diameter_cm": str(2 + number % 5),
        "cea_ng_ml": "8.5",
        "preoperative_chemotherapy": ("none", "chemotherapy")[number % 2],
        "resection": "R0",
        "ablation": "no",
        "adjuvant_chemotherapy": ("yes", "no")[number // 2 % 2],
        "surgery_date": "2013-05-06",
    }


def classifier(path: Path, sharpness: float = 0.05) -> Path:
    """Write a classifier of tiles that looks at their mean red; `sharpness` makes another one that agrees with it."""
    weights = np.zeros((3, len(TISSUES)), dtype=np.float32)
    bias = np.full(len(TISSUES), -1e4, dtype=np.float32)
    for tissue, red in MEAN_RED.items():  # the largest logit is of the nearest red
        weights[0, TISSUES.index(tissue)] = 2 * sharpness * red
        bias[TISSUES.index(tissue)] = -sharpness * red**2
    nodes = [
        helper.make_node("Cast", [INPUT], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["grey", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["raw"]),
        helper.make_node("Add", ["raw", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUT], axis=1),
    ]
    constants = {"axes": np.array([1, 2]), "weights": weights, "bias": bias}
    graph = helper.make_graph(
        nodes,
        "mean_red",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", TILE_PX, TILE_PX, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", len(TISSUES)])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def write_artefact(folder: Path, sharpness: float = 0.05) -> Artefact:
    """Write a model that ships, its risk models by hand, and read it as the road does."""
    classifier(folder / "tiles.onnx", sharpness)
    (folder / "model.onnx").write_bytes(_signature())
    contract: dict[str, Any] = {
        "model": SPEC.name,
        "architecture": SPEC.name,
        "endpoint": SPEC.endpoint,
        "outputs": [asdict(tensor) for tensor in SPEC.outputs],
        "cutoffs": dict(RISK.cutoffs),
    }
    write_json(folder / "contract.json", contract)
    (folder / "card.md").write_text("# A specimen\n", encoding="utf-8")
    write_manifest(folder)
    return read_artefact(folder)


@cache
def _signature() -> bytes:
    """The ONNX file of the signature, exported once."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        export_onnx(Signature(SOF, RISK), SPEC, {"hallmark.model": SPEC.name}, path)
        return path.read_bytes()
