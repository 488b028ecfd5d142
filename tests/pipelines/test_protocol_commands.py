"""`hallmark protocol`: a template that is refused until it is complete, the check of plans, a plan in words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from models import MODELS
from pipelines.layout import cohort_folder, protocol_file
from pipelines.protocol_commands import (
    NOT_JUDGED_YET,
    check_protocols,
    new_protocol,
    protocol_document,
    protocol_text,
    show_protocol,
)
from tests.cohorts import cohort_meta, edit_meta
from tests.pipelines.repository import ROOT, copy_plan
from validation.errors import InputError
from validation.protocol import load_protocol

MODEL = "mri_distant_metastasis"
DECIDED = (
    (r"intended_use: >-\n  TODO [^\n]+", "intended_use: >-\n  Tests of the template."),
    (r"follow_up_months: TODO", "follow_up_months: 240"),
    (r"seed: TODO", "seed: 1"),
    (r"external: \[TODO\]", "external: [made_up]"),
    (r" +# TODO [^\n]+", ""),
    (r"between: \[TODO, TODO\]", "between: [0.5, 2.0]"),
    (r"(above|at_most|margin): TODO", r"\1: 0.2"),
    (r"alpha_budget: TODO", "alpha_budget: 0.5"),
    (r"minimum_events: TODO", "minimum_events: 50"),
    (r"(hazard|source|reason): TODO [^\n]+", r"\1: Made up for the tests."),
)


@pytest.fixture
def plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with params.yaml and the four protocols, and no cohorts."""
    monkeypatch.chdir(tmp_path)
    for architecture in MODELS:
        copy_plan(tmp_path, architecture)
    return tmp_path


def write_meta(name: str = "mri_external", role: str = "external") -> Path:
    """Write the cohort.yaml of a cohort at hand, and nothing else of it."""
    folder = cohort_folder(name)
    folder.mkdir(parents=True)
    (folder / "cohort.yaml").write_text(yaml.safe_dump(cohort_meta(name, role)), encoding="utf-8")
    return folder


@pytest.mark.parametrize("architecture", MODELS)
def test_template_is_refused_until_everything_is_decided(
    architecture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each TODO is named by its line, the first one first; with all of them decided the plan is sound."""
    path = tmp_path / "plan.yaml"
    assert new_protocol(architecture, path) == 0
    text = path.read_text(encoding="utf-8")
    assert f"{text.count('TODO')} times TODO" in capsys.readouterr().out
    decided = text
    for pattern, value in DECIDED:
        line = next((n for n, words in enumerate(decided.splitlines(), 1) if "TODO" in words), None)
        path.write_text(decided, encoding="utf-8")
        with pytest.raises(InputError, match=rf"plan\.yaml line {line}: found TODO in"):
            load_protocol(path)
        decided = re.sub(pattern, value, decided)
    path.write_text(decided, encoding="utf-8")
    plan, spec = load_protocol(path), MODELS[architecture]

    assert plan.analysis.endpoints == (spec.endpoint, *spec.other_endpoints, *spec.labels)
    assert {estimate.prediction for estimate in plan.analysis.estimates} <= set(spec.prediction_columns())
    assert {gate.kind for gate in plan.gates} >= {"discrimination", "calibration", "image_failures", "onnx_parity"}


@pytest.mark.usefixtures("plans")
def test_template_never_replaces_a_plan() -> None:
    """Not even by name."""
    before = protocol_file(MODEL).read_bytes()
    for output in (None, protocol_file(MODEL)):
        with pytest.raises(InputError, match="a plan is never overwritten"):
            new_protocol(MODEL, output)

    assert protocol_file(MODEL).read_bytes() == before


@pytest.mark.usefixtures("plans")
def test_template_takes_the_place_of_the_protocol() -> None:
    """Where there is none yet, and the check then says what is open."""
    protocol_file(MODEL).unlink()

    assert new_protocol(MODEL, None) == 0
    assert check_protocols([MODEL]) == 2


@pytest.mark.usefixtures("plans")
def test_check_says_a_line_on_every_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them by default; the cohorts whose cohort.yaml is here are compared."""
    write_meta()

    assert check_protocols([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", f"{name}:"] for name in MODELS]
    assert lines[0].endswith("(8 blocking); cohorts at hand: mri_external")
    assert lines[1].endswith("cohorts at hand: none")


@pytest.mark.usefixtures("plans")
def test_check_goes_on_after_a_wrong_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, with file and line, and the others are looked at too."""
    path = protocol_file("ct_stroma_survival")
    path.write_text(path.read_text().replace("above: 0.62", "above: 1.62"))

    assert check_protocols([]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(MODELS)
    assert re.match(rf"FAILED ct_stroma_survival: {path} line \d+ key gates\.0\.above .*found 1\.62", lines[1])


@pytest.mark.usefixtures("plans")
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "lp_t2w}",
            "lp_t3w}",
            r"yaml line \d+ key analysis\.estimates\.3\.prediction: found lp_t3w, which .* not put out",
        ),
        (
            "  endpoint: dmfs\n",
            "  endpoint: os\n  other_endpoints: [dmfs]\n",
            r"key analysis\.endpoint: found os; expected",
        ),
        ("model: mri_distant_metastasis", "model: mri_other", "key model: found mri_other; expected mri_distant"),
        (
            "external: [mri_external]",
            "external: [mri_new]",
            "params.yaml validations: found mri_external; expected coh",
        ),
        ("by: [scanner, centre]", "by: [scanner, colour]", "subgroup scanners key by .*found no column colour"),
        (
            "- cea_ng_ml>5\n        - surgery",
            "- cea>5\n        - surgery",
            "descriptive analysis cox_dmfs key terms .*no col",
        ),
    ],
)
def test_check_refuses(old: str, new: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What only the architecture, params.yaml or the cohort's schema can tell."""
    write_meta()
    path = protocol_file(MODEL)
    text = path.read_text().replace("  other_endpoints: []\n", "") if "other_endpoints" in new else path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))

    assert check_protocols([MODEL]) == 2
    assert re.search(reason, capsys.readouterr().out)


@pytest.mark.usefixtures("plans")
def test_check_refuses_a_cohort_of_another_role_or_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """cohort.yaml says it is for development, or that an endpoint has a time."""
    folder = write_meta(role="development")
    assert check_protocols([MODEL]) == 2
    assert "key role: found development; expected external" in capsys.readouterr().out

    edit_meta(folder, role="external")
    path = protocol_file(MODEL)
    asked = "estimator: auc, prediction: t2w_prob, endpoint: os}"
    text = path.read_text().replace("binary_endpoints: []", "binary_endpoints: [os]")
    path.write_text(text.replace("estimator: harrell_c, prediction: lp_t2w}", asked))
    assert check_protocols([MODEL]) == 2
    expected = "estimates.3.endpoint: found os, a binary endpoint; expected an endpoint with time, as mri_external says"
    assert expected in capsys.readouterr().out


@pytest.mark.usefixtures("plans")
def test_unknown_architecture_is_bad_input() -> None:
    """With the names that are known."""
    for command in (
        lambda: check_protocols(["mri"]),
        lambda: new_protocol("mri", None),
        lambda: show_protocol("mri", False),
    ):
        with pytest.raises(InputError, match=r"found mri; expected one of: .*mri_distant_metastasis"):
            command()


@pytest.mark.parametrize("architecture", MODELS)
def test_show_names_everything_that_a_reviewer_asks_for(architecture: str) -> None:
    """Use, cohorts, estimates, subgroups, each gate with hazard and source; and that no gate looks at margins."""
    plan = load_protocol(ROOT / protocol_file(architecture))
    text = " ".join(protocol_text(plan).split())

    named = [plan.intended_use, *plan.analysis.external, *plan.analysis.internal, plan.multiplicity.reason]
    named += [e.id for e in (*plan.analysis.estimates, *plan.analysis.subgroups, *plan.analysis.descriptive)]
    named += [subgroup.reason for subgroup in plan.analysis.subgroups]
    named += [words for gate in plan.gates for words in (gate.id, gate.hazard, gate.source)]
    assert [words for words in (*named, plan.repeated_use.reason, NOT_JUDGED_YET) if words not in text] == []


def test_show_as_json() -> None:
    """Plain values, with the digests to which evidence and verdict are bound."""
    plan = load_protocol(ROOT / protocol_file(MODEL))
    document = json.loads(json.dumps(protocol_document(plan)))

    assert document["gates"][0]["limit"] == {"above": 0.65}
    assert document["analysis"]["subgroups"][0]["by"] == ["sex", "age_years>=60"]
    assert document["digests"] == {
        "protocol": plan.digest,
        "analysis": plan.analysis.digest,
        "gates": plan.gates_digest,
    }
