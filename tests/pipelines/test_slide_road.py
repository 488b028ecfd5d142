"""Slides on the road: what one damaged slide does to the others, what is read twice, who reads, who is trained on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from models.histology_spatial_survival import SPEC
from pipelines.layout import protocol_file, tile_map_folder
from pipelines.predict import predict_cohort, write_predictions
from pipelines.stage import BAD_INPUT, exit_code_of
from pipelines.train import TAUGHT, development_set
from pipelines.workers import DASK, LOCAL, LOKY, Workers
from registry.artefact import Artefact
from tests.cohorts import edit_rows, read_rows, replace_image, set_cell
from tests.pipelines.repository import ROOT
from tests.pipelines.slide_cohort import GLASS_ONLY, NO_TUMOUR, TUMOUROUS, annotate, write_artefact, write_slide_cohort
from tests.slides import damage_tile, truncate
from validation.check import check_cohort
from validation.cohort import load_cohort, load_outcomes
from validation.errors import InputError
from validation.evaluate import evaluate_cohort
from validation.evidence import GIVEN_DIGESTS
from validation.gates.base import Custody
from validation.protocol import load_protocol
from validation.verdict import judge

COHORT = "liver_external"  # as the protocol declares
N = 12
FILE = Path("predictions.parquet")
DEFECTS = {  # patient: what is wrong with the slide, and how the reason begins
    "P01": ("corrupt", "images/P01/slide.tiff: found pixels that cannot be decoded"),
    "P03": ("truncated", "images/P03/slide.tiff: found"),
    "P04": ("without resolution", "images/P04/slide.tiff: found no resolution; expected um per pixel"),
    "P06": ("white", "images/P06/slide.tiff: no tissue on the slide"),
    "P08": ("no tumour", "slide: the largest tumour region holds 0 tumour tiles, expected at least 50"),
    "P09": ("changed", "images/P09/slide.tiff: found sha256"),
    "P10": ("missing", "images/P10/slide.tiff: found nothing that can be read"),
}
FOUND_BY_CHECK = {
    "images.slide.readable": {"P01", "P03", "P04"},
    "images.slide.tissue": {"P06"},
    "images.slide.sha256": {"P09"},
    "images.slide.file": {"P10"},
}


@dataclass(frozen=True)
class OneGo:
    """Predictions, as the bytes of their file and as a table, finished maps, and the report of the data checks."""

    content: bytes
    table: pd.DataFrame
    maps: dict[str, bytes]
    report: dict[str, Any]


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """A model that reads slides."""
    return write_artefact(tmp_path_factory.mktemp("model") / "artefact")


@pytest.fixture(scope="module")
def defective(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of twelve, seven of whose slides are of no use, each for another reason."""
    slides: dict[str, Any] = {f"P{i:02d}": TUMOUROUS for i in range(N)} | {"P06": GLASS_ONLY, "P08": NO_TUMOUR}
    folder = write_slide_cohort(tmp_path_factory.mktemp("defective") / COHORT, slides, mpp={"P04": None})
    path = {patient: folder / "images" / patient / "slide.tiff" for patient in slides}
    damage_tile(path["P01"], 40)
    truncate(path["P03"], 0.6)
    for patient in ("P01", "P03"):  # delivered like this: the digest of the table is that of the damaged file
        replace_image(folder, int(patient[1:]) + 2, "slide", path[patient])
    content = bytearray(path["P09"].read_bytes())
    content[len(content) // 2] ^= 0xFF  # within the pixels: they can still be decoded, to others
    path["P09"].write_bytes(content)
    path["P10"].unlink()
    return folder


@pytest.fixture(scope="module")
def in_one_go(artefact: Artefact, defective: Path, tmp_path_factory: pytest.TempPathFactory) -> OneGo:
    """What one process makes of that cohort."""
    with pytest.MonkeyPatch.context() as here:
        here.chdir(tmp_path_factory.mktemp("one"))
        here.setattr("pipelines.workers.PROCESSES_MAX", 1)
        content = predicted(artefact, defective)
        return OneGo(content, pd.read_parquet(FILE), maps(), check_cohort(defective).to_dict())


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A cohort of four whose slides are all of use; the last does not say its resolution, the table does."""
    folder = write_slide_cohort(tmp_path / COHORT, {f"P{i}": TUMOUROUS for i in range(4)}, mpp={"P3": None})
    set_cell(folder / "patients.csv", 5, "mpp_given", "0.5")
    return folder


@pytest.fixture(autouse=True)
def own_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No tile maps of another test; one process reads, where a test says nothing else."""
    monkeypatch.chdir(tmp_path_factory.mktemp("work"))
    monkeypatch.setattr("pipelines.workers.PROCESSES_MAX", 1)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Slides that this process has read, of which no finished map was known."""
    from models.histology_spatial_survival import inputs

    slides: list[Any] = []
    read_tiles = inputs.read_tiles

    def counted(slide: Any, classifier: Any) -> Any:
        slides.append(slide)
        return read_tiles(slide, classifier)

    monkeypatch.setattr(inputs, "read_tiles", counted)
    return slides


def predicted(artefact: Artefact, folder: Path, workers: Workers = LOCAL) -> bytes:
    """The bytes of the file of predictions."""
    cohort = load_cohort(folder)
    write_predictions(predict_cohort(artefact, cohort, workers), artefact, cohort, FILE)
    return FILE.read_bytes()


def maps() -> dict[str, bytes]:
    """Every file in the folder of finished maps."""
    return {path.name: path.read_bytes() for path in tile_map_folder().iterdir()}


def test_a_defective_slide_fails_alone_and_says_why(defective: Path, in_one_go: OneGo) -> None:
    """Seven patients have a reason that names the file in the cohort, the others have every number."""
    predictions = in_one_go.table.set_index("patient_id")
    failed, ok = (predictions[predictions["status"] == status] for status in ("failed", "ok"))

    assert list(failed.index) == list(DEFECTS)
    for patient, (_, begins) in DEFECTS.items():
        assert failed.loc[patient, "reason"].startswith(begins), patient
    assert not failed["reason"].str.contains(str(defective.parent)).any()
    assert len(ok) == N - len(DEFECTS)
    assert ok["reason"].isna().all()
    columns = list(SPEC.prediction_columns())
    assert ok[columns].notna().all(axis=None)
    assert failed[columns].isna().all(axis=None)


def test_check_names_every_defective_file(in_one_go: OneGo) -> None:
    """Each under its own check; a sound slide without tumour is no defect, those drawn by one template look alike."""
    found = {check["id"]: check["failures"] for check in in_one_go.report["checks"] if not check["success"]}
    alike = {failure["patient_id"] for failure in found.pop("images.near_unique")}

    assert alike == {"P02", "P05", "P07", "P09", "P11"}  # all whose pixels can be read, but the first of them
    assert {check: {failure["patient_id"] for failure in rows} for check, rows in found.items()} == FOUND_BY_CHECK
    for failures in found.values():
        for failure in failures:
            assert failure["found"].startswith(f"images/{failure['patient_id']}/slide.tiff: ")


def test_evidence_counts_who_is_left_out(artefact: Artefact, defective: Path, in_one_go: OneGo) -> None:
    """Declared is everybody; estimates rest on the predicted; the gate on failures has all in its denominator."""
    cohort, report, predictions = load_cohort(defective), in_one_go.report, in_one_go.table
    protocol = load_protocol(ROOT / protocol_file(SPEC.name))
    tables = {name: report["digests"][name] for name in ("patients", "outcomes")}
    evidence = evaluate_cohort(
        protocol,
        artefact.contract,
        cohort,
        predictions=predictions,
        outcomes=load_outcomes(cohort),
        digests={**dict.fromkeys(GIVEN_DIGESTS, "0" * 64), "artifact": artefact.digest, **tables},
    )

    flow = evidence["patients"]
    assert (flow["declared"], flow["predicted"]) == (N, N - len(DEFECTS))
    reasons = predictions.set_index("patient_id")["reason"]
    assert flow["failed"] == [{"patient_id": patient, "reason": reasons[patient]} for patient in DEFECTS]
    assert {entry["n"] for entry in evidence["estimates"] if "@" not in entry["id"]} == {N - len(DEFECTS)}
    verdict = judge(
        protocol,
        model=SPEC.name,
        artifact_digest=artefact.digest,
        development={},
        outputs=(),
        evidence={COHORT: evidence},
        cohort_checks={COHORT: report},
        independence={},
        parity=None,
        custody={COHORT: Custody(None)},
        lock_problem=None,
    )
    answers = {(gate.spec.id, gate.answer.cohort): gate.answer for gate in verdict.gates}
    failures = answers["image_failures", COHORT]
    assert (failures.events, failures.n, failures.value) == (len(DEFECTS), N, len(DEFECTS) / N)
    assert failures.reason == f"{len(DEFECTS)} of {N} patients have no prediction"
    assert str(answers["data_checks", COHORT].state) == "FAIL"
    assert all(check in answers["data_checks", COHORT].reason for check in FOUND_BY_CHECK)


class Interrupted:
    """A progress line at which somebody presses Ctrl-C."""

    def __init__(self, what: str) -> None:
        """Ignore what is counted."""

    def __call__(self, done: int, total: int) -> None:
        """Interrupt after the third patient."""
        if done == 3:
            raise KeyboardInterrupt


def test_interrupted_run_goes_on_where_it_was(
    artefact: Artefact, sound: Path, read: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slides were finished: one is read by the second run, and predictions are those of a run in one go."""
    with monkeypatch.context() as during:
        during.setattr("pipelines.predict.LineProgress", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            predicted(artefact, sound)
    first = len(read)
    resumed = predicted(artefact, sound)
    second = len(read) - first
    tile_map_folder().rename("of_two_runs")

    assert (first, second) == (3, 1)
    assert predicted(artefact, sound) == resumed
    assert maps() == {path.name: path.read_bytes() for path in Path("of_two_runs").iterdir()}


KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines import workers
from pipelines.predict import predict_cohort
from registry.artefact import read_artefact
from validation.cohort import load_cohort

written, flush = [], os.fsync

def killed(file):
    written.append(file)
    if len(written) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(file)

os.fsync, workers.PROCESSES_MAX = killed, 1
predict_cohort(read_artefact(Path(sys.argv[1])), load_cohort(Path(sys.argv[2])))
"""


def test_killed_run_goes_on_where_it_was(artefact: Artefact, sound: Path, read: list[Any]) -> None:
    """Killed while the third map was written: that slide is read again, with the one that had not begun."""
    command = [sys.executable, "-c", KILLED, str(artefact.folder), str(sound)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = predicted(artefact, sound)
    again = len(read)
    tile_map_folder().rename("of_two_runs")

    assert again == 2
    assert predicted(artefact, sound) == resumed


def test_finished_maps_are_not_read_again(artefact: Artefact, sound: Path, read: list[Any]) -> None:
    """All of them the first time, none the second, and a damaged one alone."""
    first = predicted(artefact, sound)
    whole = maps()
    assert len(read) == len(whole) == 4

    assert predicted(artefact, sound) == first
    assert len(read) == 4
    damaged = tile_map_folder() / sorted(whole)[2]
    content = whole[damaged.name]
    damaged.write_bytes(content[: len(content) // 2] + b"\x5a" * 40 + content[len(content) // 2 + 40 :])
    assert predicted(artefact, sound) == first
    assert len(read) == 5
    assert maps() == whole


def test_maps_of_another_classifier_are_not_taken(
    artefact: Artefact, sound: Path, read: list[Any], tmp_path: Path
) -> None:
    """A classifier that says the same of every tile, but is another file, reads every slide; both keep their maps."""
    other = write_artefact(tmp_path / "other", sharpness=0.06)
    predicted(artefact, sound)
    predicted(other, sound)
    assert len(read) == 8

    predicted(artefact, sound)
    assert len(read) == 8


def test_map_of_another_resolution_is_not_taken(artefact: Artefact, sound: Path, read: list[Any]) -> None:
    """The same file, of which the table says another resolution, shows other tiles."""
    first = predicted(artefact, sound)
    set_cell(sound / "patients.csv", 5, "mpp_given", "0.49")

    assert predicted(artefact, sound) != first
    assert [slide.mpp for slide in read[4:]] == [0.49]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a cluster of two worker processes."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", processes=True) as cluster:
        yield cluster.scheduler_address


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("backend", [LOKY, DASK])
def test_whoever_reads_the_bytes_are_the_same(
    artefact: Artefact, defective: Path, in_one_go: OneGo, scheduler: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes of this machine, or a cluster of two: predictions and maps are those of one process."""
    monkeypatch.setattr("pipelines.workers.PROCESSES_MAX", 2)
    workers = Workers(DASK, scheduler) if backend == DASK else LOCAL

    assert predicted(artefact, defective, workers) == in_one_go.content
    assert maps() == in_one_go.maps


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_two_workers_may_read_one_slide_at_once(artefact: Artefact, sound: Path, scheduler: str) -> None:
    """A slide delivered for every patient, which the checks refuse, still gives each the same prediction."""
    slide = {key: read_rows(sound / "patients.csv")[0][key] for key in ("slide_path", "slide_sha256")}
    edit_rows(sound / "patients.csv", lambda rows: [row | slide for row in rows])
    predictions = predict_cohort(artefact, load_cohort(sound), Workers(DASK, scheduler))

    assert list(predictions["status"]) == ["ok"] * 4
    assert predictions["lp_sof"].nunique() == len(maps()) == 1


def test_cluster_that_does_not_answer_is_bad_input(
    artefact: Artefact, sound: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the key of params.yaml, no traceback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr("pipelines.workers.CONNECT_SECONDS", 0.5)

    assert exit_code_of(lambda: predicted(artefact, sound, Workers(DASK, address))) == BAD_INPUT
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"error: params.yaml parallel.scheduler: found no answer from {address} within 0.5 s; expected the address of "
        "a running Dask scheduler. Start the cluster, or correct it."
    ]


def test_annotations_that_cannot_be_read_cost_no_prediction(artefact: Artefact, sound: Path) -> None:
    """Missing or changed areas: the prediction is that without them, and the reason stands beside it."""
    without = predict_cohort(artefact, load_cohort(sound)).set_index("patient_id")
    annotate(sound, "P0", "P1", "P2")
    cohort = load_cohort(sound)
    (sound / "images/P1/annotations.geojson").unlink()
    with (sound / "images/P2/annotations.geojson").open("a") as areas:
        areas.write(" ")
    found = predict_cohort(artefact, cohort).set_index("patient_id")

    columns = ["status", *SPEC.prediction_columns()]
    pd.testing.assert_frame_equal(found[columns], without[columns])
    assert found["reason"].isna().tolist() == [True, False, False, True]
    assert found.loc["P1", "reason"].startswith("images/P1/annotations.geojson: found nothing that can be read")
    assert found.loc["P2", "reason"].startswith("images/P2/annotations.geojson: found sha256")
    assert found["tile_tissue"].notna().tolist() == [True, False, False, False]


@pytest.fixture
def development(tmp_path: Path) -> Path:
    """Ten patients, the slides of the first two annotated, and two of the others without tumour."""
    slides = {f"P{i}": NO_TUMOUR if i in (4, 7) else TUMOUROUS for i in range(10)}
    folder = write_slide_cohort(tmp_path / "liver_development", slides, role="development")
    annotate(folder, "P0", "P1")
    return folder


def test_slides_that_taught_the_classifier_are_set_apart(
    artefact: Artefact, development: Path, read: list[Any]
) -> None:
    """They are not read, and said to be left out, beside those without tumour: a quarter of the eight is allowed."""
    kept, left_out = development_set(load_cohort(development), SPEC, artefact.folder)

    assert kept.patient_ids == ("P2", "P3", "P5", "P6", "P8", "P9")
    assert list(left_out) == ["P0", "P1", "P4", "P7"]
    assert left_out["P0"] == left_out["P1"] == TAUGHT
    assert all("tumour tiles, expected at least 50" in left_out[patient] for patient in ("P4", "P7"))
    assert len(read) == 8
    (development / "images/P9/slide.tiff").unlink()
    with pytest.raises(InputError, match=r"found 3 of 8 patients that could not be processed \(P4: .*at most 25%"):
        development_set(load_cohort(development), SPEC, artefact.folder)


def test_nobody_left_is_refused(artefact: Artefact, development: Path) -> None:
    """Every slide annotated: there is nobody whom the classifier has not seen."""
    annotate(development, *(f"P{i}" for i in range(10)))

    with pytest.raises(InputError, match="found 10 patients, all left out: the tile classifier was trained"):
        development_set(load_cohort(development), SPEC, artefact.folder)
