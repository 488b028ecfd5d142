"""Where everything lies, relative to the repository root. The one home of path names; dvc.yaml repeats them as text."""

from __future__ import annotations

from pathlib import Path

PARAMS = Path("params.yaml")
DVC_LOCK = Path("dvc.lock")
MLFLOW_DATABASE = Path("mlflow.db")
RELEASES = Path("releases")
LEDGER = Path("evidence/ledger.jsonl")
VERDICTS = "evidence/*/verdict.json"


def cohort_folder(cohort: str) -> Path:
    """Folder of a cohort: cohort.yaml, tables and images."""
    return Path("data/cohorts") / cohort


def oracle_table(cohort: str) -> Path:
    """True linear predictor and risks of a synthetic cohort; never read on the road."""
    return Path("data/oracle") / f"{cohort}.parquet"


def manifest_table(cohort: str) -> Path:
    """Patients and image digests of a checked cohort, for the comparison of cohorts."""
    return Path("data/manifests") / f"{cohort}.parquet"


def training_folder(model: str) -> Path:
    """Network weights, out-of-fold scores and risk models."""
    return Path("training") / model


def checkpoint_folder(model: str) -> Path:
    """Resumable state of an unfinished training; local, never an input of anything else."""
    return Path("checkpoints") / model


def tile_map_folder() -> Path:
    """Tile maps of the slides that were read, by digest; local, what an interrupted reading goes on from."""
    return Path("checkpoints") / "tile_maps"


def explanation_folder(model: str, cohort: str) -> Path:
    """Pictures, arrays and document of the maps of some patients; local, never an input of anything else."""
    return Path("explanations") / model / cohort


def deepsmote_sheet(model: str) -> Path:
    """Picture of the images that DeepSMOTE made in training; local, never an input of anything else."""
    return Path("explanations") / model / "deepsmote.png"


def artifact_folder(model: str) -> Path:
    """The folder that ships."""
    return Path("artifacts") / model


def predictions_table(model: str, cohort: str) -> Path:
    """One row per patient of the cohort, failures included."""
    return Path("predictions") / model / f"{cohort}.parquet"


def cohort_report(cohort: str) -> Path:
    """Findings of the data checks of a cohort."""
    return Path("evidence/cohorts") / f"{cohort}.json"


def evidence_file(model: str, cohort: str) -> Path:
    """Every estimate of a model on a cohort."""
    return Path("evidence") / model / "cohorts" / f"{cohort}.json"


def description_file(model: str, cohort: str) -> Path:
    """What is analysed and shown of a model on a cohort, and no gate looks at."""
    return Path("evidence") / model / "descriptive" / f"{cohort}.json"


def development_file(model: str) -> Path:
    """Every estimate of a model on its own development patients, out of fold; no gate looks at it."""
    return Path("evidence") / model / "development.json"


def independence_file(model: str, cohort: str) -> Path:
    """Patients and images shared between the development cohort of a model and an external cohort."""
    return Path("evidence") / model / "independence" / f"{cohort}.json"


def parity_file(model: str) -> Path:
    """Largest difference between torch and ONNX Runtime."""
    return Path("evidence") / model / "parity.json"


def verdict_file(model: str) -> Path:
    """Every gate of a model and the verdict."""
    return Path("evidence") / model / "verdict.json"


def oracle_file(model: str) -> Path:
    """The model against the oracle, which the demonstration knows."""
    return Path("evidence") / model / "oracle.json"


def paper_sized_file(model: str) -> Path:
    """The demonstration's verdict on the model at the paper's n."""
    return Path("evidence") / model / "paper_sized_verdict.json"


def protocol_file(architecture: str) -> Path:
    """The pre-specified plan of an architecture."""
    return Path("validation/protocols") / f"{architecture}.yaml"


def lock_file(architecture: str) -> Path:
    """The lock of a plan: what was fixed, for which cohorts."""
    return Path("validation/protocols") / f"{architecture}.lock.json"
