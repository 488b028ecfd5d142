"""The command `hallmark assess`: from a CSV to a table and a JSON file, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.assess import Options, plan_of
from tests.reference import FOLDER, from_r
from validation.assess.table import BinaryColumns, SurvivalColumns
from validation.errors import InputError

GBSG = str(FOLDER / "gbsg_pred.csv")
SURVIVAL = ("--time", "time", "--event", "status", "--linear-predictor", "lpA")
NOTHING: dict[str, object] = {
    "time": None, "event": None, "linear_predictor": None, "risk": (), "outcome": None, "probability": None,
    "compare": None, "compare_risk": (), "horizon": (), "threshold": (), "patient": None, "cluster": None,
    "centre": None, "subgroup": (), "level": 0.95, "bootstrap": None, "seed": 1,
}  # fmt: skip
OF_SURVIVAL = {"time": "t", "event": "e", "linear_predictor": "lp"}
OF_BINARY = {"outcome": "y", "probability": "p"}


def options(**given: object) -> Options:
    """Options of which only some were typed."""
    return Options(**{**NOTHING, **given})  # type: ignore[arg-type]


def assess(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "pipelines", "assess", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_survival_from_a_csv(tmp_path: Path) -> None:
    """The README's example: exit 0, a table, and the JSON with R's numbers."""
    output = tmp_path / "estimates.json"
    arguments = ("--risk", "3=pA3", "--risk", "5=pA5", "--compare", "lpB", "--bootstrap", "200", "--json", str(output))
    done = assess(GBSG, *SURVIVAL, *arguments)
    rows = json.loads(output.read_text(encoding="utf-8"))["estimates"]
    harrell = next(row for row in rows if row["name"] == "harrell_c")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("gbsg_pred.csv: 686 rows")
    assert harrell["value"] == pytest.approx(from_r()["C"]["harrell_A"]["C"], abs=1e-12)
    assert (harrell["n"], harrell["events"], harrell["level"]) == (686, 299, 0.95)
    assert assess(GBSG, *SURVIVAL, *arguments).stdout == done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--time", "time", "--event", "status"), "no --linear-predictor"),
        ((*SURVIVAL, "--outcome", "y3"), "--time and --outcome; expected one kind of outcome"),
        ((*SURVIVAL, "--risk", "pA3"), "option --risk: found 'pA3'; expected HORIZON=COLUMN"),
        ((*SURVIVAL, "--risk", "3=nothing"), "no column nothing among pid, age"),
        ((*SURVIVAL, "--horizon", "-1"), "option --horizon: found -1"),
        ((*SURVIVAL, "--bootstrap", "5"), "option --bootstrap: found 5; expected 0 for none, or 100"),
        ((*SURVIVAL, "--level", "95"), "option --level: found 95; expected a number above 0.5 and below 1"),
        ((*SURVIVAL, "--json", "no/such/folder/x.json"), "a new file, or one to replace, in an existing folder"),
        (
            (*SURVIVAL, "--patient", "meno"),
            "gbsg_pred.csv row 4 column meno: found '1', already in row 3; expected text, each once",
        ),
    ],
)
def test_bad_use_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    """Exit 2, one message, no traceback, nothing printed."""
    done = assess(GBSG, *arguments)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_nothing_to_estimate_exits_with_2(tmp_path: Path) -> None:
    """A cohort without events has no estimate: the reason, exit 2, and no file."""
    table, output = tmp_path / "t.csv", tmp_path / "out.json"
    table.write_text("t,e,lp\n1,0,0.1\n2,0,0.2\n3,0,0.3\n", encoding="utf-8")
    done = assess(str(table), "--time", "t", "--event", "e", "--linear-predictor", "lp", "--json", str(output))

    assert (done.returncode, output.exists()) == (2, False)
    assert "no e = 1 among 3 rows" in done.stderr


def test_options_make_a_plan() -> None:
    """Risks give horizons; a binary outcome has the threshold 0.5 unless told."""
    survival = plan_of(options(**OF_SURVIVAL, risk=("36=b", "12=a"), horizon=(24.0,), threshold=(0.3, 0.1)))
    binary = plan_of(options(**OF_BINARY, compare="q"))

    assert isinstance(survival.columns, SurvivalColumns)
    assert survival.columns.risks == {12.0: "a", 36.0: "b"}
    assert (survival.horizons, survival.thresholds) == ((12.0, 24.0, 36.0), (0.1, 0.3))
    assert binary.columns == BinaryColumns("y", "p", "q")
    assert binary.thresholds == (0.5,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({**OF_SURVIVAL, "risk": ("36=a", "36=b")}, "each horizon once"),
        ({**OF_SURVIVAL, "risk": ("nan=a",)}, "HORIZON=COLUMN"),
        ({**OF_SURVIVAL, "risk": ("36=a",), "threshold": (1.0,)}, "--threshold: found 1"),
        ({**OF_SURVIVAL, "threshold": (0.3,)}, "--threshold without --risk"),
        ({**OF_SURVIVAL, "compare_risk": ("36=a",)}, "36=a without a risk of the first model there"),
        ({**OF_BINARY, "horizon": (36.0,)}, "none for a binary outcome"),
        ({**OF_BINARY, "seed": -1}, "--seed: found -1"),
        ({**OF_BINARY, "seed": 2**63}, "below 2.63"),
        ({}, "no --time, --event, --linear-predictor or --risk"),
    ],
)
def test_contradictions_are_refused(given: dict[str, object], message: str) -> None:
    """What was typed and what was expected, before any file is read."""
    with pytest.raises(InputError, match=message):
        plan_of(options(**given))
