"""The assessment: the estimators' own values, every part of the table, and reasons instead of numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.reference import FOLDER, from_r, gbsg
from validation.assess.assessment import Answer, assess
from validation.assess.questions import Plan
from validation.assess.report import as_document, as_text
from validation.assess.table import BinaryColumns, Grouping, PredictionTable, SurvivalColumns, read_predictions
from validation.estimators.discrimination.auc import auc
from validation.estimators.discrimination.concordance import harrell_c
from validation.estimators.overall.brier_survival import integrated_brier

SURVIVAL = SurvivalColumns("time", "status", "lpA", {1: "pA1", 3: "pA3", 5: "pA5"}, "lpB", {3: "pB3", 5: "pB5"})
NO_GROUPS = Grouping()
PLAN = Plan(SURVIVAL, NO_GROUPS, (1.0, 3.0, 5.0), (0.3, 0.5), replicates=100)
BINARY = BinaryColumns("y", "p", "q")


def gbsg_table(columns: SurvivalColumns = SURVIVAL, grouping: Grouping = NO_GROUPS) -> PredictionTable:
    """The gbsg cohort as a user would hand it in."""
    return read_predictions(FOLDER / "gbsg_pred.csv", columns, grouping)


def binary_table(case: np.ndarray, p: np.ndarray, q: np.ndarray) -> PredictionTable:
    """A binary table."""
    return PredictionTable("t.csv", "", len(p), {"y": case.astype(float), "p": p, "q": q}, {})


def find(answers: list[Answer], name: str, *, horizon: float | None = None, group: str | None = None) -> Answer:
    """The one answer of that name, horizon and group; the lowest threshold."""
    return next(a for a in answers if (a.name, a.horizon, a.group) == (name, horizon, group))


def test_values_are_those_of_the_estimators_and_of_r() -> None:
    """Spot checks: the table leads to the same numbers as the arrays."""
    answers = assess(gbsg_table(), PLAN)
    data, expected = gbsg(), from_r()
    concordance = find(answers, "harrell_c").estimate
    brier = find(answers, "brier_t", horizon=3).estimate
    scores = expected["brier"]["Score"]
    score = next(row["Brier"] for row in scores if (row["model"], row["times"]) == ("A", 3))

    assert concordance == harrell_c(data.time, data.status, data.lpA)
    assert brier is not None
    assert brier.value == pytest.approx(score, abs=1e-12)
    difference = find(answers, "harrell_c_difference").estimate
    assert difference is not None
    assert difference.value == pytest.approx(expected["C"]["paired_AB"]["diff"], abs=1e-12)
    assert difference.p_value == pytest.approx(expected["C"]["paired_AB"]["p"], rel=1e-9)


def test_asks_at_every_horizon_and_threshold() -> None:
    """Risks are assessed at their horizons and thresholds; a second model where it has a risk there."""
    answers = assess(gbsg_table(), PLAN)
    keys = [(a.name, a.horizon, a.threshold) for a in answers]

    assert len(keys) == len(set(keys))
    assert [k[1:] for k in keys if k[0] == "net_benefit"] == [(h, t) for h in (1, 3, 5) for t in (0.3, 0.5)]
    assert [k[1] for k in keys if k[0] == "nri"] == [3, 5]
    assert [k[1] for k in keys if k[0] == "uno_c"] == [1, 3, 5]
    assert not any(k[0] == "kaplan_meier_by_cutoff" for k in keys)


def test_without_bootstrap_there_are_no_bootstrap_estimates() -> None:
    """Zero replicates leave out what only a bootstrap gives."""
    names = {a.name for a in assess(gbsg_table(), replace(PLAN, replicates=0))}

    assert not names & {"ici", "e50", "e90", "harrell_c_bootstrap"}
    assert {"harrell_c", "brier_t", "ibs", "iauc"} <= names


def test_subgroups_and_centres() -> None:
    """Each value of a column apart, the mean over centres, and what the next centre may bring."""
    grouping = Grouping(centre="grade", subgroups=("meno",))
    answers = assess(gbsg_table(grouping=grouping), replace(PLAN, grouping=grouping, replicates=0))
    data = gbsg()
    part = data[data.meno == 1]
    group = find(answers, "harrell_c", group="meno=1").estimate

    assert group is not None
    assert (group.value, group.n) == (harrell_c(part.time, part.status, part.lpA).value, len(part))
    mean = find(answers, "harrell_c_mean", group="between 3 values of grade").estimate
    next_centre = find(answers, "harrell_c_next_centre", group="between 3 values of grade").estimate
    assert mean is not None
    assert next_centre is not None
    assert next_centre.lower < mean.lower < mean.value < mean.upper < next_centre.upper
    assert (mean.n, mean.events) == (686, 299)
    assert "lognormal prior of tau" in mean.method
    assert "logit scale" in mean.method
    for name, scale in (("calibration_slope", "identity"), ("oe_ratio", "log")):
        horizon = 3 if name == "oe_ratio" else None
        other = find(answers, f"{name}_mean", horizon=horizon, group="between 3 values of grade").estimate
        assert other is not None
        assert f"{scale} scale" in other.method
        assert "REML" in other.method


def test_no_mean_over_some_of_the_centres() -> None:
    """Grade 1 has one event by the first year: its AUC is undefined, and so is a mean that would leave it out."""
    grouping = Grouping(centre="grade")
    answers = assess(gbsg_table(grouping=grouping), replace(PLAN, grouping=grouping, replicates=0))
    apart = find(answers, "auc", horizon=1, group="grade=1")
    mean = find(answers, "auc_mean", horizon=1, group="between 3 values of grade")

    assert (apart.estimate, apart.too_few) == (None, True)
    assert mean.estimate is None
    assert "without grade=1 the mean would be biased; there 0 cases" in mean.reason


def test_one_centre_has_no_mean() -> None:
    """A single centre says nothing about the next."""
    data = gbsg()
    numbers = {name: data[name].to_numpy(dtype=float) for name in ("time", "status", "lpA")}
    table = PredictionTable("t.csv", "", 686, numbers, {"centre": np.full(686, "A")})
    answers = assess(table, Plan(SurvivalColumns("time", "status", "lpA"), Grouping(centre="centre")))

    assert "one centre" in find(answers, "harrell_c_mean", group="between 1 values of centre").reason


def test_spread_between_centres() -> None:
    """Tau squared lies in its interval and says what share of the variance lies between centres."""
    grouping = Grouping(centre="grade")
    answers = assess(gbsg_table(grouping=grouping), replace(PLAN, grouping=grouping, replicates=0))
    spread = find(answers, "oe_ratio_tau2", horizon=3, group="between 3 values of grade").estimate

    assert spread is not None
    assert 0 <= spread.lower <= spread.value <= spread.upper
    assert "I^2" in spread.method


def test_integrals_are_compared_over_the_same_horizons() -> None:
    """The second model has no risk at year 1: the difference is that of two integrals over years 3 and 5."""
    data = gbsg()
    difference = find(assess(gbsg_table(), PLAN), "ibs_difference", horizon=5).estimate
    first, second = (
        integrated_brier(data.time, data.status, data[[f"p{m}3", f"p{m}5"]], [3, 5]).value for m in ("A", "B")
    )

    assert difference is not None
    assert difference.value == pytest.approx(first - second, abs=1e-12)


def test_risks_alone_are_enough() -> None:
    """Without a linear predictor the risk by a horizon ranks patients up to there; the Cox slope has no meaning."""
    columns = SurvivalColumns("time", "status", None, {3: "pA3", 5: "pA5"})
    answers = assess(gbsg_table(columns), Plan(columns, Grouping(), (3.0, 5.0)))
    data = gbsg()

    assert find(answers, "harrell_c", horizon=3).estimate == harrell_c(data.time, data.status, data.pA3, horizon=3)
    assert find(answers, "brier_t", horizon=5).estimate is not None
    assert not {"calibration_slope", "iauc"} & {answer.name for answer in answers}


def test_clusters() -> None:
    """Rows entered twice give the intervals of single rows where clusters can be heeded, else a reason."""
    data, rows = gbsg(), np.tile(np.arange(686), 2)
    numbers = {name: data[name].to_numpy(dtype=float)[rows] for name in ("time", "status", "lpA", "pA3")}
    table = PredictionTable("twice.csv", "", 1372, numbers, {"patient": rows.astype(str)})
    columns = SurvivalColumns("time", "status", "lpA", {3: "pA3"})
    plan = Plan(columns, Grouping(cluster="patient"), (3.0,), replicates=200)
    answers = assess(table, plan)
    clustered = find(answers, "harrell_c").estimate

    assert clustered is not None
    assert clustered.standard_error == pytest.approx(
        harrell_c(data.time, data.status, data.lpA).standard_error, rel=1e-2
    )
    assert find(answers, "harrell_c_bootstrap").estimate is not None
    assert "rows of one cluster" in find(answers, "calibration_slope").reason


def test_binary() -> None:
    """A binary table with a second model: exact proportions, calibration, differences, reclassification."""
    known = gbsg()[gbsg().known3 == 1]
    table = binary_table(known.y3.to_numpy(), known.pA3.to_numpy(), known.pB3.to_numpy())
    answers = assess(table, Plan(BINARY, Grouping(), thresholds=(0.5,), replicates=100))
    expected = from_r()["bin"]

    assert find(answers, "auc").estimate == auc(known.y3, known.pA3)
    sensitivity = find(answers, "sensitivity").estimate
    assert sensitivity is not None
    assert [sensitivity.value, sensitivity.lower, sensitivity.upper] == pytest.approx(expected["at_0.5"]["sens"])
    difference, nri = find(answers, "auc_difference").estimate, find(answers, "nri").estimate
    assert difference is not None
    assert difference.p_value == pytest.approx(expected["delong"]["p"], rel=1e-9)
    assert nri is not None
    assert nri.value == pytest.approx(expected["NRI_cont"]["NRI"], abs=1e-12)


def test_one_class_gives_reasons() -> None:
    """Nobody is a case: what needs cases is null with its reason, and nothing pretends to be a number."""
    rng = np.random.default_rng(1)
    table = binary_table(np.zeros(30), rng.uniform(0.1, 0.9, 30), rng.uniform(0.1, 0.9, 30))
    answers = {a.name: a for a in assess(table, Plan(BINARY, Grouping(), thresholds=(0.5,)))}

    for name in ("auc", "average_precision", "brier", "calibration_slope", "sensitivity", "nri", "auc_difference"):
        assert answers[name].estimate is None, name
        assert answers[name].reason


def test_document_is_plain_json(tmp_path: Path) -> None:
    """Every estimate has the same keys; undefined ones are null with a reason; NaN cannot be written."""
    answers = assess(gbsg_table(), PLAN)
    document = as_document(answers, ["a doubt"], gbsg_table(), PLAN)
    text = json.dumps(document, allow_nan=False)
    rows = json.loads(text)["estimates"]

    wanted = {"name", "value", "lower", "upper", "level", "n", "events", "method", "horizon", "group"}
    assert all(wanted <= set(row) for row in rows)
    assert len({tuple(row) for row in rows}) == 1
    undefined = [row for row in rows if row["value"] is None]
    assert undefined
    assert all(row["reason"] and row["lower"] is None for row in undefined)
    assert document["table"]["rows"] == 686


def test_text_shows_values_reasons_and_methods() -> None:
    """One line per estimate, parts under their own heading, methods below."""
    grouping = Grouping(subgroups=("meno",))
    plan = replace(PLAN, grouping=grouping)
    table = gbsg_table(grouping=grouping)
    text = as_text(assess(table, plan), ["a doubt"], table, plan)

    assert "rows\nPlease check: a doubt\n" in text
    words = [line.split() for line in text.splitlines()]
    assert ["harrell_c", "0.664", "[0.631,", "0.695]", "686", "299"] in words
    assert "no positive patient with known status" in text
    assert "\nmeno=0\n" in text
    assert "\nMethods\n  harrell_c: Harrell's C" in text
    assert "more estimates of parts of the table: --json writes all" in text
