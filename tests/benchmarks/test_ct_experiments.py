"""The experiments on the CT models: their committed figures, and that docs/experiments.md shows these and no others."""

from __future__ import annotations

import pytest

from pipelines.params import load_params
from tests.benchmarks.loading import ROOT, benchmark
from validation.documents import read_json
from validation.estimators.catalogue.bounds import BOUNDS
from validation.protocol import load_protocol

TEXT = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")


def test_ablations_are_complete_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variant that was run, as params.yaml declares it, on every external cohort; the docs show these tables."""
    monkeypatch.chdir(ROOT)
    ablations = benchmark("ablations")
    document = read_json(ablations.OUTPUT)
    assert document is not None
    params = load_params(profile=ablations.PROFILE)
    external = load_protocol(ROOT / "validation/protocols/ct_stroma_survival.yaml").analysis.external

    run = [name for name in ablations.variants() if name not in document["not_run"]]
    assert {"complete", "single_task", "single_scale"} <= set(run)
    assert document["training"] == {name: dict(params.training(name)) for name in run}
    found = {(row["variant"], row["cohort"]) for row in document["rows"] if row["score"] == "mdls"}
    assert found == {(name, cohort) for name in run for cohort in external}
    assert all((row["complete_less_variant"] is None) == (row["variant"] == "complete") for row in document["rows"])
    assert ablations.tables(document).strip() in TEXT


def test_paper_profile_is_shown_and_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both CT models at full width and the published n; no figure outside its range; the table of the docs is this."""
    monkeypatch.chdir(ROOT)
    paper = benchmark("paper_profile")
    document = read_json(paper.OUTPUT)
    assert document is not None

    assert {name: figures["n"] for name, figures in document.items()} == {
        "ct_chemo_response": 664,
        "ct_stroma_survival": 956,
    }
    for figures in document.values():
        assert figures["training"]["width"] == 1.0
        assert max(figures["parity"].values()) < 1e-4
        for entry in (entry for estimates in figures["cohorts"].values() for entry in estimates):
            if entry["value"] is not None:
                assert entry["lower"] <= entry["value"] <= entry["upper"]
                assert entry["events"] <= entry["n"]
    assert BOUNDS["auc"] == (0, 1)
    assert paper.table(document) in TEXT
