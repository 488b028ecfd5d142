"""A small study in a git repository: protocol, sealed cohorts, two models with predictions; nothing is trained."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from pipelines.check import check
from pipelines.evaluate import evaluate
from pipelines.gate import derive_verdict
from pipelines.layout import (
    LEDGER,
    PARAMS,
    artifact_folder,
    cohort_folder,
    lock_file,
    predictions_table,
    protocol_file,
)
from pipelines.params import load_params
from pipelines.predict import write_predictions
from pipelines.sealing import seal_cohort
from registry.artefact import read_artefact, write_manifest
from tests.cohorts import write_cohort
from tests.registry.specimens import make_artefact
from tests.validation.specimens import TEXT
from validation.cohort import load_cohort
from validation.documents import write_json
from validation.gates.base import Answer
from validation.sealing.ledger import Entry, read_ledger

ROOT = Path(__file__).parents[2]
ARCHITECTURE = MODEL = "mri_distant_metastasis"
OTHER = "mri_shortcut_challenger"
COHORT, INTERNAL, DEVELOPMENT = "mri_external", "mri_home", "mri_development"
N = 40


def make_study(folder: Path) -> None:
    """Make a study in a folder, which must be the working directory: nothing locked yet, everything committed."""
    for command in (("init", "-q"), ("config", "user.name", "Test"), ("config", "user.email", "test@example.org")):
        git(*command)
    params = yaml.safe_load((ROOT / PARAMS).read_text(encoding="utf-8"))
    models = {name: params["models"][name] for name in (MODEL, OTHER)}
    runs = [(model, cohort) for model in models for cohort in (COHORT, INTERNAL)]
    validations = {
        f"{model}-{cohort}": {
            "model": model,
            "architecture": ARCHITECTURE,
            "development": models[model]["development"],
            "cohort": cohort,
            "tables": "csv",
        }
        for model, cohort in runs
    }
    cohorts = [*params["cohorts"], INTERNAL]
    PARAMS.write_text(yaml.safe_dump({**params, "cohorts": cohorts, "models": models, "validations": validations}))
    protocol_file(ARCHITECTURE).parent.mkdir(parents=True)
    declared = f"external: [{COHORT}]\n    internal: [{INTERNAL}]"
    write_protocol(("external: [mri_external, mri_second]", declared))
    for number, (name, role) in enumerate({COHORT: "external", INTERNAL: "internal"}.items()):
        seal_cohort(write_cohort(cohort_folder(name), n=N, role=role, seed=number), None, demonstration=True)
        check(name)
    write_cohort(cohort_folder(DEVELOPMENT), n=8, role="development", seed=9)
    check(DEVELOPMENT)
    for number, model in enumerate(models):
        make_model(model, shift=float(number))
        for cohort in (COHORT, INTERNAL):
            make_predictions(model, cohort)
    (folder / ".gitignore").write_text("data/\nartifacts/\npredictions/\n")
    commit()


def write_protocol(*replacements: tuple[str, str]) -> None:
    """Write the protocol, or replace text in it."""
    path = protocol_file(ARCHITECTURE)
    text = path.read_text(encoding="utf-8") if path.exists() else TEXT
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def make_model(model: str, shift: float) -> None:
    """Write an artefact of the architecture; another shift, another digest."""
    folder = artifact_folder(model)
    shutil.rmtree(folder, ignore_errors=True)
    contract = dict(make_artefact(folder, shift).contract)
    contract |= {"model": model, "architecture": ARCHITECTURE, "endpoint": "dmfs", "cutoffs": {}, "outputs": []}
    write_json(folder / "contract.json", contract)
    write_manifest(folder)


def make_predictions(model: str, cohort: str, seed: int = 5) -> None:
    """Write predictions of every patient."""
    patients = load_cohort(cohort_folder(cohort))
    lp = np.random.default_rng(seed).normal(size=len(patients.patients))
    table = pd.DataFrame({"patient_id": patients.patients["patient_id"], "lp": lp, "risk_36m": 1 / (1 + np.exp(-lp))})
    table = table.assign(status="ok", reason=None, missing_covariates=0)
    write_predictions(table, read_artefact(artifact_folder(model)), patients, predictions_table(model, cohort))


def run_all() -> None:
    """Evaluate every model on every cohort."""
    for entry in load_params().validations.values():
        evaluate(entry.model, entry.cohort)


def entries() -> tuple[Entry, ...]:
    """Lines of the ledger."""
    return read_ledger(LEDGER).entries


def answers(model: str = MODEL) -> dict[tuple[str, str | None], Answer]:
    """What the gates that always run answer, by gate and cohort."""
    verdict = derive_verdict(load_params(), model)
    return {(r.spec.id, r.answer.cohort): r.answer for r in verdict.gates if r.spec.id in ("provenance", "protocol")}


def commit() -> None:
    """Commit everything that git does not ignore."""
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", "A step of the study")


def git(*arguments: str) -> str:
    """Run git."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, env=environment)
    return done.stdout


def lock_text() -> str:
    """The lock as it lies there."""
    return lock_file(ARCHITECTURE).read_text(encoding="utf-8")
