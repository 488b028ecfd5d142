"""The command `hallmark deepsmote`: images that DeepSMOTE made in training, beside the real ones they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pipelines.layout import training_folder
from pipelines.params import load_params
from pipelines.writing import whole_file
from validation.documents import read_json
from validation.errors import InputError

EXAMPLES = "deepsmote.npz"
NAMES = ("real", "reconstructed", "synthetic", "neighbour", "position", "case")


def draw_deepsmote(model: str, output: Path) -> int:
    """Write a sheet, as a PNG, of the examples that the training of a model kept: crops of its refit on all patients.

    Returns:
        Number of real crops on it.

    Raises:
        InputError: Unknown model, no such examples, or a file that holds something else.
    """
    from pipelines.pictures import draw_sheet

    load_params().model(model)
    examples = _examples(model)
    development = read_json(training_folder(model) / "development.json") or {}
    cohort = (
        f"{'SYNTHETIC cohort' if development.get('synthetic') else 'cohort'} {development.get('cohort', 'unknown')}"
    )
    count = len(examples["real"])
    made = len(examples["synthetic"]) > 0
    rows = {
        "real": examples["real"],
        "reconstructed": examples["reconstructed"],
        "made by DeepSMOTE": examples["synthetic"],
        "its neighbour, real": examples["neighbour"],
    }
    columns = [f"{position:.0%} of the way" for position in examples["position"]] if made else [""] * count
    of_class = ("cases" if examples["case"] else "controls") if made else "cases and controls; none had to be made"
    note = (
        "Third row: decoded from between the codes of the first row and the fourth, as far on the way as is said above."
    )
    title = f"{model}: DeepSMOTE, {of_class}\ntrained on all patients of known status, {cohort}"
    with whole_file(output) as path:
        draw_sheet(title, note if made else "", rows, columns, path)
    return count


def _examples(model: str) -> dict[str, NDArray[Any]]:
    """Return the arrays that the training kept; see `models.ct_chemo_response.deepsmote.examples`.

    Raises:
        InputError: There is no such file, or it holds something else.
    """
    path, remedy = training_folder(model) / EXAMPLES, f"Run dvc repro train@{model}."
    expected = "the examples that a training with DeepSMOTE keeps"
    if not path.is_file():
        found = "no such file"
        if (path.parent / "training.json").is_file():
            found, remedy = f"a training without {EXAMPLES}", "Name a model that is trained with DeepSMOTE."
        raise InputError(str(path), found, expected, remedy)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in NAMES}
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(str(path), str(error), expected, remedy) from error
