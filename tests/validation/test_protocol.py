"""Protocols: read as written, digests, and every inconsistency refused with file, line and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.validation.specimens import TEXT, protocol
from validation.descriptive.correlations import Correlations
from validation.errors import InputError
from validation.gates import GATES
from validation.gates.base import Limit
from validation.protocol import load_protocol

SHIPPED = Path(__file__).parents[2] / "validation" / "protocols"


def test_reads(tmp_path: Path) -> None:
    """Analysis and gates as the file says."""
    plan = protocol(tmp_path)

    assert (plan.model, plan.version, plan.intended_use) == ("mri_distant_metastasis", 1, "Test.")
    assert plan.analysis.external == ("mri_external", "mri_second")
    assert [estimate.horizon_months for estimate in plan.analysis.estimates] == [None, 36.0, 36.0]
    assert [gate.id for gate in plan.gates][:2] == ["concordance", "slope"]
    assert plan.gates[1].limit == Limit("between", (0.7, 1.4))


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_protocols(path: Path) -> None:
    """Every protocol of the repository is sound and named after its architecture."""
    plan = load_protocol(path)

    assert plan.model == path.stem
    assert {"data", "independence", "image_failures", "onnx_parity"} <= {gate.kind for gate in plan.gates}


def test_histology_says_what_its_gates_and_correlations_are_for() -> None:
    """The slide alone is part of the intended use: its risks are shown and block nothing."""
    plan = load_protocol(SHIPPED / "histology_spatial_survival.yaml")
    image = {gate.estimate: (gate.limit, gate.blocking) for gate in plan.gates if gate.id.endswith("_image")}
    pearson = next(a for a in plan.analysis.descriptive if a.id == "correlations_with_factors")

    assert image["slope60_sof"] == (Limit("between", (0.5, 2.0)), False)
    assert image["oe60_sof"] == (Limit("between", (0.67, 1.5)), False)
    assert not any("withheld" in gate.hazard for gate in plan.gates)
    assert isinstance(pearson, Correlations)
    assert {"sof", "age_years", "metastases", "largest_diameter_cm", "cea_ng_ml"} < set(pearson.predictions)


def test_digests(tmp_path: Path) -> None:
    """Layout and comments change no digest; each block has its own; a further cohort keeps the estimates' digest."""
    plan = protocol(tmp_path)
    commented = protocol(tmp_path, ("version: 1", "version: 1 # first"))
    limit = protocol(tmp_path, ("above: 0.65", "above: 0.66"))
    level = protocol(tmp_path, ("level: 0.95", "level: 0.9"))
    cohort = protocol(tmp_path, ("[mri_external, mri_second]", "[mri_external, mri_second, mri_third]"))

    assert commented == plan
    assert limit.analysis == plan.analysis
    assert limit.gates_digest != plan.gates_digest
    assert level.analysis.estimates_digest != plan.analysis.estimates_digest
    assert level.gates_digest == plan.gates_digest
    assert cohort.analysis.digest != plan.analysis.digest
    assert cohort.analysis.estimates_digest == plan.analysis.estimates_digest


def test_binary_endpoints(tmp_path: Path) -> None:
    """An estimate may name another endpoint; one declared binary has the estimators of a binary outcome, no horizon."""
    plan = protocol(
        tmp_path,
        ("endpoint: dmfs", "endpoint: dmfs\n  other_endpoints: [os]\n  binary_endpoints: [response]"),
        (
            "    - {id: slope,",
            "    - {id: auc, estimator: auc, prediction: p, endpoint: response}\n"
            "    - {id: c_os, estimator: harrell_c, prediction: lp, endpoint: os}\n    - {id: slope,",
        ),
    )
    auc, c_os = plan.analysis.estimates[1:3]

    assert (auc.endpoint, auc.binary, auc.entry.horizon) == ("response", True, "none")
    assert (c_os.endpoint, c_os.binary) == ("os", False)
    assert plan.analysis.estimates[0].endpoint == "dmfs"


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("version: 1", "version: 1\nversions: 2", 4, "unknown key versions"),
        ("version: 1", "version: one", 3, "version: 'one'"),
        ("endpoint: dmfs", "endpoint: dmfs\n  binary_endpoints: [dmfs]", 7, "dmfs given twice"),
        ("endpoint: dmfs", "endpoint: dmfs\n  other_endpoints: [os, dmfs]", 7, "dmfs given twice"),
        ("prediction: lp}", "prediction: lp, endpoint: os}", 11, "undeclared endpoint os; expected one of dmfs"),
        ("endpoint: dmfs", "endpoint: dmfs\n  binary_endpoints: response", 7, "a list of endpoints without time"),
        ("endpoint: dmfs", "endpoint: dmfs\n  binary_endpoints: [a, a]", 7, "a given twice"),
        ("prediction: lp}", "prediction: lp, endpoint: 7}", 11, "endpoint: 7"),
        ("intended_use: Test.", "", 2, "intended_use: nothing"),
        ("level: 0.95", "level: 95", 7, "between 0.5 and 1"),
        ("level: 0.95", "levels: 0.95", 7, "unknown key levels"),
        ("[mri_external, mri_second]", "[]", 9, "a list of cohorts: at least one name"),
        ("[mri_external, mri_second]", "[mri_external, mri_external]", 9, "mri_external given twice"),
        (
            "estimator: harrell_c",
            "estimator: harrel_c",
            11,
            "unknown estimator harrel_c of dmfs; expected one of harrell_c",
        ),
        ("id: c,", "id: slope,", 10, "slope given twice"),
        ("horizon_months: 36}\n    - {id: oe", "horizon_months: 0}\n    - {id: oe", 12, "found 0; expected a number"),
        ("risk_36m, horizon_months: 36", "risk_36m", 13, "horizon_months: nothing"),
        ("kind: discrimination", "kind: discriminaton", 15, "unknown kind discriminaton"),
        ("estimate: c,", "estimate: d,", 15, "no estimate d in the analysis; expected one of c, slope, oe"),
        ("estimate: c,", "estimate: oe,", 15, "oe, a oe_ratio; expected an estimate of discrimination"),
        ("above: 0.65", "above: 1.65", 15, "a number between 0 and 1"),
        ("above: 0.65", "above: 1e-1", 15, "above: '1e-1'"),
        ("above: 0.65", "below: 0.65", 15, "exactly one of above"),
        ("above: 0.65", "above: 0.65, below: 0.9", 15, "exactly one of above"),
        ("above: 0.65, ", "", 15, "exactly one of above"),
        ("[0.7, 1.4]", "[1.4, 0.7]", 16, "ascending"),
        ("[0.67, 1.5]", "[0, 1.5]", 17, "ascending, between 0 and inf"),
        ("[0.7, 1.4]", "[0.7]", 16, "ascending"),
        ("estimate: c, above: 0.65, minimum_events: 50", "estimate: c, above: 0.65", 15, "minimum_events: nothing"),
        ("above: 0.65, minimum_events: 50", "above: 0.65, minimum_events: 0", 15, "at least 1"),
        ("kind: data,", "kind: data, minimum_events: 5,", 18, "minimum_events in a gate of kind data"),
        ("kind: data,", "kind: data, at_most: 5,", 18, "no limit for this kind"),
        ("kind: data,", "kind: data, cohort: mri_third,", 18, "undeclared cohort mri_third"),
        ("kind: data, blocking: true", "kind: data, blocking: yes please", 18, "blocking: 'yes please'"),
        ("kind: data, blocking: true, hazard: H", "kind: data, blocking: true, hazard: ''", 18, "hazard: ''"),
        ("id: checks", "id: slope", 14, "slope given twice"),
        ("at_most: 0.05", "at_most: 5", 20, "a number between 0 and 1"),
        ("at_most: 0.0001", "at_most: .nan", 21, "found nan"),
    ],
)
def test_refuses(tmp_path: Path, old: str, new: str, line: int, reason: str) -> None:
    """The message names the line and what is wrong with it."""
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        protocol(tmp_path, (old, new))

    assert f"protocol.yaml line {line} key" in str(caught.value)


def test_refuses_a_protocol_that_demands_nothing(tmp_path: Path) -> None:
    """Without a blocking gate everything would pass."""
    with pytest.raises(InputError, match="no blocking gate"):
        protocol(tmp_path, ("blocking: true", "blocking: false"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "mapping"), ("- 1", "mapping"), ("a: [", "YAML"), ("model: a\nmodel: b", "given twice")],
)
def test_refuses_what_is_no_protocol(tmp_path: Path, text: str, reason: str) -> None:
    """Another document, broken YAML and a key given twice are bad input."""
    path = tmp_path / "protocol.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        load_protocol(path)


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    """A protocol that is not there is bad input."""
    with pytest.raises(InputError, match=r"none\.yaml"):
        load_protocol(tmp_path / "none.yaml")


def test_every_kind_of_gate_is_in_the_docs() -> None:
    """Each kind has its section in docs/gates.md, with the three headings."""
    text = (Path(__file__).parents[2] / "docs" / "gates.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0].strip(" `"): part for part in text.split("\n## ")[1:]}

    for kind in (*GATES, "provenance"):
        for heading in ("### How it is measured", "### Why it matters", "### What to do"):
            assert heading in sections[kind]


def test_specimen_uses_every_kind() -> None:
    """The tests of gates leave no kind out."""
    assert all(f"kind: {kind}" in TEXT for kind in GATES)
