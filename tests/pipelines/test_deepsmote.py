"""The command `hallmark deepsmote`: a sheet of what the training kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from models.atomic import write_arrays, write_json
from pipelines.cli import app
from pipelines.deepsmote import draw_deepsmote
from pipelines.layout import deepsmote_sheet, training_folder
from pipelines.stage import exit_code_of
from tests.pipelines.repository import ROOT
from validation.errors import InputError

MODEL = "mri_distant_metastasis"  # any entry of params.yaml: what counts is what its training left
EXAMPLES = training_folder(MODEL) / "deepsmote.npz"


def write_examples(synthetic: int = 4) -> None:
    """Write the examples of a training: four crops, and as many synthetic images or none."""
    images = np.random.default_rng(0).integers(0, 256, (4, 112, 112), dtype=np.uint8)
    made = images[:synthetic]
    position, case = np.linspace(0, 1, 4, dtype=np.float32)[:synthetic], np.array(True)
    arrays = {"real": images, "reconstructed": images, "synthetic": made, "neighbour": made}
    write_arrays(EXAMPLES, {**arrays, "position": position, "case": case})


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with a training."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    write_json(training_folder(MODEL) / "training.json", {})
    write_json(training_folder(MODEL) / "development.json", {"cohort": "made_up", "synthetic": True})


@pytest.mark.parametrize("synthetic", [4, 0])
def test_a_sheet_is_drawn_whether_or_not_images_had_to_be_made(synthetic: int) -> None:
    """One PNG, the same each time; of balanced classes a lower one, without the rows of synthetic images."""
    write_examples(synthetic)
    counts = [draw_deepsmote(MODEL, Path(name)) for name in ("a.png", "b.png")]
    content = Path("a.png").read_bytes()
    height = int.from_bytes(content[20:24])

    assert counts == [4, 4]
    assert content.startswith(b"\x89PNG")
    assert content == Path("b.png").read_bytes()
    assert (height > 700) == bool(synthetic)


def test_the_command_writes_to_its_place_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 and one line."""
    write_examples()
    code = exit_code_of(lambda: app(["deepsmote", MODEL], standalone_mode=False))

    assert code == 0
    assert capsys.readouterr().out == f"{deepsmote_sheet(MODEL)}: 4 real crops with what DeepSMOTE made of them\n"
    assert [path.name for path in deepsmote_sheet(MODEL).parent.iterdir()] == ["deepsmote.png"]


def test_models_without_examples_are_refused() -> None:
    """An unknown model, one that was not trained, one without DeepSMOTE, a file of something else: each says so."""
    with pytest.raises(InputError, match="found no entry 'nothing'"):
        draw_deepsmote("nothing", Path("a.png"))
    with pytest.raises(InputError, match=r"a training without deepsmote\.npz.* Name a model that is trained with"):
        draw_deepsmote(MODEL, Path("a.png"))
    EXAMPLES.write_text("nothing")
    with pytest.raises(InputError, match=r"deepsmote\.npz: found .*expected the examples"):
        draw_deepsmote(MODEL, Path("a.png"))
    write_arrays(EXAMPLES, {"real": np.zeros(1)})
    with pytest.raises(InputError, match=r"deepsmote\.npz: found .*reconstructed"):
        draw_deepsmote(MODEL, Path("a.png"))
    shutil.rmtree(training_folder(MODEL))
    with pytest.raises(InputError, match=rf"found no such file.* Run dvc repro train@{MODEL}"):
        draw_deepsmote(MODEL, Path("a.png"))

    assert not list(Path().glob("*.png"))


def test_the_sheet_does_not_replace_a_folder() -> None:
    """An output that is no file is refused before anything is drawn."""
    write_examples()
    Path("folder").mkdir()

    assert exit_code_of(lambda: app(["deepsmote", MODEL, "-o", "folder"], standalone_mode=False)) == 2
    assert Path("folder").is_dir()


def test_a_place_of_its_own_that_cannot_be_made_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A file where the folder of the sheet would be: one line, no traceback."""
    write_examples()
    Path("explanations").write_text("mine")
    code = exit_code_of(lambda: app(["deepsmote", MODEL], standalone_mode=False))
    error = capsys.readouterr().err

    assert code == 2
    assert error.startswith(f"error: {deepsmote_sheet(MODEL)}: found Not a directory")
    assert error.count("\n") == 1
    assert Path("explanations").read_text() == "mine"
