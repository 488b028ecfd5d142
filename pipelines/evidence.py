"""What the stages `evaluate` and `development` share: a cohort judged by a protocol, and both documents written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.writing import whole_file
from validation.cohort import cohort_digests
from validation.descriptive.document import encode_description
from validation.documents import write_json
from validation.evaluate import describe_cohort, evaluate_cohort
from validation.sealing.judge import judge_sha256

if TYPE_CHECKING:
    import pandas as pd

    from registry.artefact import Artefact
    from validation.cohort import Cohort
    from validation.protocol import Protocol


def evidence_digests(artefact: Artefact, cohort: Cohort, predictions: str, opening: str | None) -> dict[str, Any]:
    """Return the digests of everything that evidence rests on.

    Args:
        artefact: The model.
        cohort: The patients.
        predictions: Digest of the file the predictions come from.
        opening: Id of the entry in the ledger; None where outcomes lie open.
    """
    tables = cohort_digests(cohort.folder, cohort.meta)
    return {
        "artifact": artefact.digest,
        "predictions": predictions,
        "judge": judge_sha256(),
        "opening": opening,
        **tables,
    }


def judged(
    protocol: Protocol,
    artefact: Artefact,
    cohort: Cohort,
    predictions: pd.DataFrame,
    outcomes: pd.DataFrame,
    digests: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluate and describe a cohort by a protocol; return evidence and descriptive analyses.

    Args:
        protocol: The plan.
        artefact: The model.
        cohort: The patients.
        predictions: One row per patient; see `evaluate_cohort`.
        outcomes: One row per patient.
        digests: See `evidence_digests`.

    Raises:
        InputError: As `evaluate_cohort`.
    """
    given: dict[str, Any] = {"predictions": predictions, "outcomes": outcomes, "digests": digests}
    return (
        evaluate_cohort(protocol, artefact.contract, cohort, **given),
        describe_cohort(protocol, artefact.contract, cohort, **given),
    )


def write_documents(documents: tuple[dict[str, Any], dict[str, Any]], estimates: Path, descriptive: Path) -> None:
    """Write evidence and descriptive analyses, each whole or not at all."""
    write_json(estimates, documents[0])
    with whole_file(descriptive) as temporary:
        temporary.write_bytes(encode_description(documents[1]))
