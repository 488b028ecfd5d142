"""The simulation of treatment effects: its committed cells, what they are made of, and the tables in the docs."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.synthetic.colorectal_cancer import HAZARD
from pipelines.synthetic.colorectal_cohorts import COLORECTAL_COHORTS
from pipelines.synthetic.simulation import simulate
from tests.benchmarks.loading import ROOT, benchmark
from validation.documents import read_json
from validation.estimators.classification.proportion import exact_limits


@pytest.fixture(scope="module")
def effect() -> ModuleType:
    """The script, imported as a module."""
    return benchmark("treatment_effect")


@pytest.fixture(scope="module")
def document(effect: ModuleType) -> dict[str, Any]:
    """The committed figures."""
    found = read_json(effect.OUTPUT)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def cells(effect: ModuleType, document: dict[str, Any]) -> list[Any]:
    """The committed cells."""
    return [effect.Cell(**{key: value for key, value in cell.items() if key != "status"}) for cell in document["cells"]]


@pytest.fixture(scope="module")
def first(effect: ModuleType) -> list[pd.DataFrame]:
    """The first cohort of every series."""
    return list(effect.cohorts(effect.SEED))


def test_committed_cells_are_complete_and_of_the_present_design(
    effect: ModuleType, document: dict[str, Any], cells: list[Any]
) -> None:
    """Every question of every series, at least 200 cohorts, a million as reference, the hazard that is planted now."""
    asked = [(series, q.quantity, q.endpoint, q.group) for series in effect.SERIES for q in effect.questions()]

    assert document["design"] == json.loads(json.dumps(effect.design()))
    assert document["design"]["reference"]["n"] == 1_000_000
    assert document["cohorts"] >= 200
    assert [(c.series, c.quantity, c.endpoint, c.group) for c in cells] == asked


def test_committed_coverage_lies_between_92_and_98_percent(
    effect: ModuleType, document: dict[str, Any], cells: list[Any]
) -> None:
    """Every cell is within bounds, or is marked as having too few events or no such group."""
    for cell, written in zip(cells, document["cells"], strict=True):
        assert cell.status == written["status"]
        if cell.status == "held":
            assert 0.92 <= cell.covered <= 0.98
        elif cell.status == "few events":
            assert cell.events < 20
        elif cell.status == "absent":
            assert cell.n == 0
        assert exact_limits(round(cell.covered * document["cohorts"]), document["cohorts"], 0.95) == pytest.approx(
            (cell.covered_lower, cell.covered_upper), abs=1e-6
        )
    assert [cell for cell in cells if cell.status == "missed"] == []
    assert all(cell.blocks >= 9 for cell in cells if cell.status == "held"), "at least 900,000 patients"


def test_docs_show_the_committed_tables(effect: ModuleType, document: dict[str, Any], cells: list[Any]) -> None:
    """Both tables of the docs are made of the committed figures."""
    text = (ROOT / "docs" / "estimates.md").read_text(encoding="utf-8")

    assert effect.effect_table(cells) in text
    assert effect.summary_table(document["summaries"]) in text


def test_first_cohort_gives_the_committed_estimates(
    effect: ModuleType, cells: list[Any], first: list[pd.DataFrame]
) -> None:
    """Generator and estimators are those that the committed figures were made with."""
    for series, sample in zip(effect.SERIES, first, strict=True):
        found = np.exp(effect.answer(sample)[0])
        committed = [np.nan if c.first is None else c.first for c in cells if c.series == series]
        np.testing.assert_allclose(found, committed, rtol=1e-5, atol=1e-6, err_msg=series)


def test_references_recover_the_planted_effect(effect: ModuleType, cells: list[Any]) -> None:
    """In a million the effect is that planted, drawn nearer to 1, larger in high score than in low."""
    reference = {
        (c.group, c.endpoint, c.quantity): c.reference for c in cells if c.series == effect.ALL and c.reference
    }
    planted_high = np.exp(HAZARD.log_ratios["chemotherapy_high_risk"])
    planted_low = np.exp(HAZARD.log_ratios["chemotherapy_low_risk"])
    for stage in ("tnm stage II", "tnm stage III"):
        for endpoint in effect.ENDPOINTS:
            high, low, interaction = (
                reference[stage, endpoint, quantity] for quantity in (effect.IN_HIGH, effect.IN_LOW, effect.INTERACTION)
            )
            assert planted_high < high < 0.52
            assert 0.8 < low < 1
            assert low == pytest.approx(planted_low, abs=0.08)
            assert interaction == pytest.approx(high / low, rel=0.06)


def test_tables_are_those_of_the_demonstration(effect: ModuleType) -> None:
    """Outcomes are the generator's own; groups of one variable share out the patients; treatment has its gaps."""
    definition = COLORECTAL_COHORTS[1]
    table, cohort = effect.tables(definition, 240, seed=3), simulate(definition, 1.0, seed=3)

    assert (table["os_time_months"].to_numpy() == cohort.outcomes["os_time_months"].to_numpy()).all()
    assert (table["dfs_event"].to_numpy() == cohort.outcomes["dfs_event"].to_numpy()).all()
    assert table["chemotherapy"].isna().sum() == cohort.patients["adjuvant_chemotherapy"].isna().sum()
    groups = effect.subgroups()
    for column in {column for column, _ in groups.values()}:
        names = [name for name, (c, _) in groups.items() if c == column]
        assert (table[names].sum(axis=1) == 1).all(), column


def test_arms_are_apart_and_complete(effect: ModuleType, first: list[pd.DataFrame]) -> None:
    """Nobody is in two arms; an interaction holds the patients of both score groups, all of known treatment."""
    sample = first[0]
    sizes = {}
    for question in effect.questions():
        members = np.sum(effect.arms(question, sample), axis=0)
        assert members.max() <= 1
        sizes[question] = members.sum()
    for stage in ("tnm stage II", "tnm stage III"):
        high, low, both = (
            sizes[effect.Question(quantity, "os", stage)]
            for quantity in (effect.IN_HIGH, effect.IN_LOW, effect.INTERACTION)
        )
        assert high + low == both == (sample[stage] & sample["chemotherapy"].notna()).sum()


def test_misses_and_undefined_estimates_count(effect: ModuleType) -> None:
    """An interval beside the truth and an estimate that is undefined both lower the coverage."""
    question = effect.Question(effect.SCORE, "os", "everybody")
    truth, unknown = np.array([0.0, -0.1, 0.1, 10]), np.array([np.nan, np.nan, np.nan, 0])
    hit, miss = [0.1, -0.5, 0.7, 100, 30, 10], [0.5, 0.2, 0.8, 100, 26, 10]
    undefined = [np.nan, np.nan, np.nan, 100, 10, 0]
    cell = effect.cell("development", question, truth, np.array([hit, hit, miss, undefined]))

    assert (cell.covered, cell.undefined, cell.few, cell.events) == (0.5, 0.25, 0.25, 24)
    assert cell.status == "missed"
    assert cell.width == pytest.approx((1.2 + 1.2 + 0.6) / 3)
    assert effect.cell("development", question, truth, np.array([undefined] * 4)).status == "few events"
    nobody = [np.nan, np.nan, np.nan, 0, 0, 0]
    assert effect.cell("development", question, unknown, np.array([nobody] * 4)).status == "absent"
    without = effect.cell("development", question, unknown, np.array([hit] * 4))
    assert (without.status, without.covered) == ("missed", 0), "a reference that cannot be had is no reason to pass"
    assert effect.cell("development", question, truth, np.array([[*hit[:3], 100, 30, 10]] * 4)).status == "missed"


def test_blocks_are_pooled_by_inverse_variance(effect: ModuleType) -> None:
    """The more exact block counts more; a block without estimate is left out and counted."""
    z = 1.959963984540054
    blocks = np.array([[value, value - z * error, value + z * error, 9, 6, 3] for value, error in ((0, 1), (1, 2))])
    value, lower, upper, count = effect.reference(blocks[:, :, None])[:, 0]
    refused = np.where(np.arange(6) < 3, np.nan, blocks[1])

    assert value == pytest.approx(0.2)
    assert (upper - lower) / 2 / z == pytest.approx(np.sqrt(0.8))
    assert count == 2
    assert effect.reference(np.array([blocks[0], refused])[:, :, None])[[0, 3], 0].tolist() == [0, 1]
    assert effect.reference(np.array([refused, refused])[:, :, None])[:, 0] == pytest.approx(
        [np.nan] * 3 + [0], nan_ok=True
    )


def test_repeats_itself(effect: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same cohorts give the same figures; populations are as large as asked."""
    monkeypatch.setattr(effect, "BLOCK", 1000)
    runs = [effect.evaluate(2, 2) for _ in range(2)]

    assert runs[0] == runs[1]
    assert len(runs[0][0]) == len(effect.SERIES) * len(effect.questions())
    assert [len(sample) for sample in effect.cohorts(1, 2000)] == pytest.approx([2000] * 6, abs=2)
