"""The table of predictions: every cell that is used is checked, and the first wrong one is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from validation.assess.table import BinaryColumns, Grouping, SurvivalColumns, read_predictions
from validation.errors import InputError

TABLE = """id,time,event,lp,risk,centre,sex,note
P1,12.5,1,0.3,0.4,A,F,x
P2,30,0,-1e-1,0.1,B,,
P3,7,1,2,0.9,A,M,"a, b"
"""
SURVIVAL = SurvivalColumns("time", "event", "lp", {36.0: "risk"})
GROUPING = Grouping(patient="id", centre="centre", subgroups=("sex",))


def written(folder: Path, old: str = "", new: str = "") -> Path:
    """Write the table with one change."""
    assert old in TABLE
    path = folder / "predictions.csv"
    path.write_text(TABLE.replace(old, new, 1), encoding="utf-8")
    return path


def test_reads_what_is_named(tmp_path: Path) -> None:
    """Numbers and labels of the columns named, in the order of the rows; other columns are left alone."""
    table = read_predictions(written(tmp_path), SURVIVAL, GROUPING)

    assert (table.file, table.n, len(table.sha256)) == ("predictions.csv", 3, 64)
    assert table.numbers["time"].tolist() == [12.5, 30, 7]
    assert table.numbers["lp"].tolist() == [0.3, -0.1, 2]
    assert table.labels["sex"].tolist() == ["F", "missing", "M"]
    assert set(table.numbers) == {"time", "event", "lp", "risk"}


def test_part_of_a_table(tmp_path: Path) -> None:
    """A part keeps its columns and counts its rows."""
    part = read_predictions(written(tmp_path), SURVIVAL, GROUPING).of(np.array([True, False, True]))

    assert (part.n, part.numbers["risk"].tolist(), part.labels["centre"].tolist()) == (2, [0.4, 0.9], ["A", "A"])


def test_reads_parquet(tmp_path: Path) -> None:
    """A parquet table with the same columns gives the same arrays."""
    import pandas as pd

    path = tmp_path / "predictions.parquet"
    pd.read_csv(written(tmp_path)).to_parquet(path)
    table = read_predictions(path, SURVIVAL, GROUPING)

    assert table.numbers["time"].tolist() == [12.5, 30, 7]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("12.5,1", "0,1", "row 2 column time: found '0'; expected a number with a decimal point, above 0"),
        ("12.5,1", ",1", "row 2 column time: found ''"),
        ("30,0", "30,2", "row 3 column event: found '2'; expected one of 0, 1"),
        ("30,0", "30,no", "row 3 column event: found 'no'"),
        ("0.3,0.4", "nan,0.4", "row 2 column lp: found 'nan'"),
        ("0.3,0.4", "inf,0.4", "row 2 column lp: found 'inf'"),
        ("0.3,0.4", "0.3,1.4", "row 2 column risk: found '1.4'; expected .* at least 0, at most 1"),
        ("0.3,0.4", "0.3,40%", "row 2 column risk: found '40%' .*a number with text behind it"),
        ("P2,30", "P1,30", "row 3 column id: found 'P1', already in row 2"),
        ("0.1,B", "0.1,", "row 3 column centre: found ''"),
        ("time,event", "time,status", "no column event among id, time, status"),
        ("P1,12.5,1,0.3,0.4,A,F,x", "P1,12.5,1,0.3", "row 2 .P1.: found 4 cells; expected 8 cells"),
        ("id,time,event,lp,risk", "id,time,event,lp,lp", "column 'lp' more than once"),
    ],
)
def test_refuses(tmp_path: Path, old: str, new: str, message: str) -> None:
    """One message: the file, the row, the column, what was found, what was expected."""
    with pytest.raises(InputError, match=f"predictions.csv.*{message}"):
        read_predictions(written(tmp_path, old, new), SURVIVAL, GROUPING)


@pytest.mark.parametrize(
    ("old", "new", "remedy"),
    [
        ("0.3,0.4", "0.3,40", "It holds: risk by 36, not in percent. Divide by 100."),
        ("30,0", "30,TRUE", "It holds: 1 for an event, 0 for none. Recode the column."),
    ],
)
def test_usual_mistakes_have_their_remedy(tmp_path: Path, old: str, new: str, remedy: str) -> None:
    """Percent for shares and words for 0 and 1 are named for what they are."""
    with pytest.raises(InputError) as caught:
        read_predictions(written(tmp_path, old, new), SURVIVAL, GROUPING)

    assert remedy in str(caught.value)


def test_patient_ids_are_recognised(tmp_path: Path) -> None:
    """A column `patient_id` may not repeat a patient, unless rows are clustered."""
    path = tmp_path / "t.csv"
    path.write_text("patient_id,y,p\nP1,1,0.5\nP1,0,0.4\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"row 3 .P1. column patient_id: found 'P1', already in row 2"):
        read_predictions(path, BinaryColumns("y", "p"), Grouping())

    assert read_predictions(path, BinaryColumns("y", "p"), Grouping(cluster="patient_id")).n == 2


def test_refuses_a_continuous_subgroup(tmp_path: Path) -> None:
    """More than twenty subgroups are no subgroups."""
    path = tmp_path / "t.csv"
    rows = "".join(f"{i % 2},0.{i},{i}\n" for i in range(10, 40))
    path.write_text(f"y,p,age\n{rows}", encoding="utf-8")
    with pytest.raises(InputError, match="column age: found 30 values; expected at most 20 subgroups"):
        read_predictions(path, BinaryColumns("y", "p"), Grouping(subgroups=("age",)))


def test_says_how_many_more_cells_are_wrong(tmp_path: Path) -> None:
    """The first in the order of the rows is shown, the others are counted."""
    path = tmp_path / "predictions.csv"
    path.write_text(TABLE.replace("30,0", "-30,0").replace("7,1,2", "x,1,y"), encoding="utf-8")

    with pytest.raises(InputError, match=r"row 3 column time: found '-30'.* 2 more cell"):
        read_predictions(path, SURVIVAL, GROUPING)


def test_a_column_serves_one_purpose(tmp_path: Path) -> None:
    """The outcome cannot also be the prediction."""
    with pytest.raises(InputError, match="column event named for two purposes"):
        read_predictions(written(tmp_path), SurvivalColumns("time", "event", "event"), Grouping())


def test_refuses_no_rows_and_no_file(tmp_path: Path) -> None:
    """A header alone and a missing file are said to be that."""
    empty = tmp_path / "empty.csv"
    empty.write_text("y,p\n", encoding="utf-8")
    with pytest.raises(InputError, match="0 rows; expected a row per patient, at least 2"):
        read_predictions(empty, BinaryColumns("y", "p"), Grouping())
    with pytest.raises(InputError, match="cannot be read"):
        read_predictions(tmp_path / "none.csv", BinaryColumns("y", "p"), Grouping())
