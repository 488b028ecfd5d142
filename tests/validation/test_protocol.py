"""Protocols: read as written, digests, and every inconsistency refused with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.validation.specimens import SAID, TEXT, protocol
from validation.descriptive.calibration import CalibrationCurves
from validation.descriptive.correlations import Correlations
from validation.errors import InputError
from validation.gates import GATES
from validation.gates.base import Limit
from validation.protocol import check_follow_up, load_protocol

SHIPPED = Path(__file__).parents[2] / "validation" / "protocols"
SOUND = Path(__file__).with_name("sound_protocol.yaml")


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
    level = protocol(tmp_path, ("level: 0.95", "level: 0.9"), ("opening: 0.025", "opening: 0.05"))
    cohort = protocol(tmp_path, ("[mri_external, mri_second]", "[mri_external, mri_second, mri_third]"))

    later = protocol(tmp_path, ("horizons_months: [36]", "horizons_months: [12, 36]"))
    asked = "[{id: a, by: [sex], role: descriptive, estimates: [c], reason: Asked for of every model.}]"
    parts = protocol(tmp_path, ("subgroups: []", f"subgroups: {asked}"))

    assert commented == plan
    assert later.analysis.digest != plan.analysis.digest
    assert later.analysis.estimates_digest == plan.analysis.estimates_digest
    assert parts.analysis.estimates_digest != plan.analysis.estimates_digest
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


def test_reads_every_block() -> None:
    """The sound protocol of the wrong ones: margins, rule, alpha, subgroups and the analysis set."""
    plan = load_protocol(SOUND)

    assert (plan.analysis.horizons_months, plan.analysis.follow_up_months) == ((12.0, 36.0), 60.0)
    assert (plan.analysis.analysis_set, plan.analysis.seed) == ("intention_to_diagnose", 7)
    assert [(s.id, s.by, s.role, s.minimum_events) for s in plan.analysis.subgroups] == [
        ("patients", ("sex", "age_years>=60"), "descriptive", 10)
    ]
    assert plan.margins is not None
    assert (plan.margins.estimate, plan.margins.original.margin, plan.margins.last_release.margin) == ("c", 0.05, 0.05)
    assert plan.multiplicity.rule == "intersection_union"
    assert (plan.repeated_use.alpha_per_opening, plan.repeated_use.alpha_budget) == (0.025, 0.5)


def test_margins_are_optional(tmp_path: Path) -> None:
    """A first release has nothing to be compared with."""
    assert protocol(tmp_path).margins is None


def test_the_digest_of_the_whole_covers_every_block(tmp_path: Path) -> None:
    """What neither `analysis` nor `gates` holds changes it too; comments do not."""
    plan = protocol(tmp_path)

    assert protocol(tmp_path, ("version: 1", "version: 1 # first")).digest == plan.digest
    for change in (
        ("alpha_budget: 0.5", "alpha_budget: 0.4"),
        ("Every gate must pass.", "Every single gate must pass."),
    ):
        changed = protocol(tmp_path, change)
        assert changed.digest != plan.digest
        assert (changed.analysis, changed.gates_digest) == (plan.analysis, plan.gates_digest)


def test_an_analysis_without_seed_inherits_the_protocols(tmp_path: Path) -> None:
    """One that names its own keeps it."""
    asked = "kind: calibration_curve, endpoint: dmfs, predictions: [risk_36m], horizons_months: [36]"
    entries = f"  descriptive:\n    - {{id: inherits, {asked}}}\n    - {{id: own, {asked}, seed: 99}}\n"
    plan = protocol(tmp_path, ("gates:\n", f"{entries}gates:\n"))

    assert [analysis.seed for analysis in plan.analysis.descriptive if isinstance(analysis, CalibrationCurves)] == [
        7,
        99,
    ]


def test_gates_on_the_pooled_estimate_and_on_a_cohort(tmp_path: Path) -> None:
    """Limits that no value meets together may stand where they look at different figures."""
    slope = "- {id: slope, kind: calibration"
    other = slope.replace("id: slope", "id: other") + ", cohort: pooled, estimate: slope, between: [1.5, 2.0], "
    plan = protocol(tmp_path, (f"  {slope}", f"  {other}minimum_events: 9, blocking: false, {SAID}}}\n  {slope}"))

    assert [gate.cohort for gate in plan.gates][:3] == [None, "pooled", None]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Limit("above", (0.6,)), Limit("above", (0.7,)), True),
        (Limit("above", (0.7,)), Limit("below", (0.6,)), False),
        (Limit("above", (0.7,)), Limit("below", (0.7,)), False),
        (Limit("at_most", (0.7,)), Limit("between", (0.7, 0.9)), True),
        (Limit("below", (0.7,)), Limit("between", (0.7, 0.9)), False),
        (Limit("between", (0.5, 1.0)), Limit("between", (1.0, 2.0)), True),
        (Limit("between", (0.5, 0.9)), Limit("between", (1.0, 2.0)), False),
    ],
)
def test_limits_that_some_value_meets(one: Limit, other: Limit, expected: bool) -> None:
    """Strict limits share no end, closed ones do; the order does not matter."""
    assert one.compatible(other) is expected
    assert other.compatible(one) is expected


def test_follow_up_of_a_cohort(tmp_path: Path) -> None:
    """A horizon beyond what was recorded is refused at the estimate's line; an endpoint never recorded is not asked."""
    plan = protocol(tmp_path)
    check_follow_up(plan, {"dmfs": 36.0}, "mri_second")
    check_follow_up(plan, {"os": 1.0}, "mri_second")
    line = next(n for n, text in enumerate(TEXT.splitlines(), 1) if "id: slope, estimator" in text)
    expected = (
        rf"protocol\.yaml line {line} key analysis\.estimates\.1\.horizon_months: found the horizon 36 of slope"
        r" \(dmfs\); expected none beyond 35\.9 months, the longest follow-up of mri_second"
    )
    with pytest.raises(InputError, match=expected):
        check_follow_up(plan, {"dmfs": 35.9}, "mri_second")


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
