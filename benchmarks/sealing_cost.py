"""What sealing costs: one evaluation of a cohort with sealed outcomes against the same with open ones, in one run.

    python benchmarks/sealing_cost.py [MODEL COHORT]

Both read plan, model, predictions and tables, run the suite of the outcomes, estimate, describe, and keep nothing. The
sealed way also checks plan, lock, ledger and its versions in git, decrypts, and adds its line, to a copy of the ledger.
Turns alternate; one of each first, untimed. Writes benchmarks/sealing_cost.json and prints it.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.anchors import anchors
from pipelines.evidence import evidence_digests, judged
from pipelines.layout import (
    LEDGER,
    artifact_folder,
    cohort_folder,
    lock_file,
    predictions_table,
    protocol_file,
)
from pipelines.params import load_params
from registry.artefact import Artefact, read_artefact
from validation.cells import PATIENT, convert, parse_table
from validation.cohort import Cohort, load_cohort, outcomes_of, read_meta
from validation.digests import file_sha256
from validation.documents import read_yaml, write_json
from validation.evaluate import check_evaluable
from validation.outcome_checks import check_outcomes
from validation.protocol import Protocol, load_protocol
from validation.schema import load_schema
from validation.sealing.keys import demo_key
from validation.sealing.lock import read_lock
from validation.sealing.opening import Question, opened
from validation.sealing.seal import decrypt, passed, read_sealed

OUTPUT = Path(__file__).with_suffix(".json")
TURNS = 9


def _seconds(open_way: Callable[[], None], sealed_way: Callable[[Path], None], turns: int) -> dict[str, list[float]]:
    """Time both ways in turn, the sealed one with a copy of the ledger."""
    with tempfile.TemporaryDirectory() as scratch:
        ledger = Path(scratch) / LEDGER.name
        shutil.copy(LEDGER, ledger)
        ways: dict[str, Callable[[], None]] = {"open": open_way, "sealed": lambda: sealed_way(ledger)}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(turns + 1):
            for name, way in ways.items():
                since = time.perf_counter()
                way()
                if turn:
                    seconds[name].append(time.perf_counter() - since)
    return seconds


def measure(model: str, cohort_name: str, turns: int = TURNS) -> dict[str, Any]:
    """Time both ways in turn.

    Args:
        model: Entry of params.yaml.
        cohort_name: A synthetic cohort on which it was predicted.
        turns: How often each way is timed.

    Returns:
        Median seconds of each way, the median of the turns' ratios with their range, and what was evaluated.
    """
    architecture = load_params().model(model).architecture
    folder, table = cohort_folder(cohort_name), predictions_table(model, cohort_name)
    meta = read_meta(folder)
    kept = read_sealed(folder / meta.tables["outcomes"])
    content, written_as = decrypt(kept, demo_key()), kept.header.table

    def given() -> tuple[Protocol, Artefact, Cohort, pd.DataFrame, str]:
        """Read and check what both ways need, as the DVC stage does."""
        protocol, artefact = load_protocol(protocol_file(architecture)), read_artefact(artifact_folder(model))
        cohort, predictions = load_cohort(folder), pd.read_parquet(table)
        check_evaluable(protocol, artefact.contract, cohort, predictions)
        return protocol, artefact, cohort, predictions, file_sha256(table)

    def open_way() -> None:
        protocol, artefact, cohort, predictions, digest = given()
        schema = load_schema(cohort.meta.schema)
        outcomes = convert(parse_table(cohort_name, written_as, content), schema.outcomes.columns)
        passed(outcomes, check_outcomes(outcomes, schema, tuple(cohort.patients[PATIENT])), cohort.meta)
        digests = evidence_digests(artefact, cohort, digest, opening=None)
        judged(protocol, artefact, cohort, predictions, outcomes_of(cohort, outcomes), digests)

    def sealed_way(ledger: Path) -> None:
        protocol, artefact, cohort, predictions, digest = given()
        plan, lock = read_yaml(protocol.file), read_lock(lock_file(architecture))
        question = Question(protocol, plan, lock, cohort, model, artefact.digest, digest, "benchmark")
        with opened(question, ledger, anchors()) as opening:
            digests = evidence_digests(artefact, cohort, digest, opening.id)
            opening.release(*judged(protocol, artefact, cohort, predictions, opening.outcomes, digests))

    seconds = _seconds(open_way, sealed_way, turns)
    ratios = sorted(s / o for s, o in zip(seconds["sealed"], seconds["open"], strict=True))
    return {
        "model": model,
        "cohort": cohort_name,
        "patients": kept.header.n,
        "turns": turns,
        "median_seconds": {name: round(statistics.median(values), 3) for name, values in seconds.items()},
        "median_ratio": round(statistics.median(ratios), 3),
        "range_of_ratios": [round(ratios[0], 3), round(ratios[-1], 3)],
    }


def main() -> None:
    """Measure one model on one cohort."""
    model, cohort = sys.argv[1:] or ("mri_distant_metastasis", "mri_external")
    document = measure(model, cohort)
    write_json(OUTPUT, document)
    print(document)  # noqa: T201 - the output of a script


if __name__ == "__main__":
    main()
