"""A small sound protocol and case: every document in evidence, to be spoilt one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from validation.gates.base import Custody
from validation.protocol import Protocol, load_protocol
from validation.verdict import Verdict, judge

MODEL, COHORT, SECOND, DEVELOPMENT = "mri_challenger", "mri_external", "mri_second", "mri_development"
ARTIFACT, TABLES = "a" * 64, {"patients": "b" * 64, "outcomes": "c" * 64}

TRAINED_ON = {"cohort": DEVELOPMENT, **{f"{table}_sha256": digest for table, digest in TABLES.items()}}
OUTPUTS = ("lp", "risk")

DECLARED = """  horizons_months: [36]
  follow_up_months: 60
  level: 0.95
  analysis_set: intention_to_diagnose
  seed: 7
  subgroups: []
"""
SAID = "hazard: The wrong are treated., source: Made up for the tests."
IMAGES = f"  - {{id: images, kind: image_failures, at_most: 0.05, blocking: true, {SAID}}}\n"
RULES = """multiplicity: {rule: intersection_union, reason: Every gate must pass.}
repeated_use: {alpha_per_opening: 0.025, alpha_budget: 0.5, reason: Made up for the tests.}
"""

TEXT = f"""
model: mri_distant_metastasis
version: 1
intended_use: Test.
analysis:
  endpoint: dmfs
{DECLARED}  cohorts:
    external: [mri_external, mri_second]
  estimates:
    - {{id: c, estimator: harrell_c, prediction: lp}}
    - {{id: slope, estimator: calibration_slope, prediction: lp, horizon_months: 36}}
    - {{id: oe, estimator: oe_ratio, prediction: risk_36m, horizon_months: 36}}
gates:
  - {{id: concordance, kind: discrimination, estimate: c, above: 0.65, minimum_events: 50, blocking: true, {SAID}}}
  - {{id: slope, kind: calibration, estimate: slope, between: [0.7, 1.4], minimum_events: 50, blocking: true, {SAID}}}
  - {{id: in_the_large, kind: calibration, estimate: oe, between: [0.67, 1.5], minimum_events: 50,
     blocking: false, {SAID}}}
  - {{id: checks, kind: data, blocking: true, {SAID}}}
  - {{id: independence, kind: independence, blocking: true, {SAID}}}
{IMAGES}  - {{id: parity, kind: onnx_parity, at_most: 0.0001, blocking: true, {SAID}}}
{RULES}"""


def protocol(folder: Path, *replacements: tuple[str, str]) -> Protocol:
    """Load the protocol, after replacing text in it."""
    text = TEXT
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path = folder / "protocol.yaml"
    path.write_text(text, encoding="utf-8")
    return load_protocol(path)


def estimate(name: str, value: float, lower: float, upper: float, **changes: Any) -> dict[str, Any]:
    """An entry of the evidence."""
    defined = {"value": value, "lower": lower, "upper": upper, "level": 0.95, "n": 500, "events": 150, "method": "M"}
    kind = {"c": ("harrell_c", "lp", "logit", None), "slope": ("calibration_slope", "lp", "identity", 36.0)}
    estimator, prediction, scale, horizon = kind.get(name, ("oe_ratio", "risk_36m", "log", 36.0))
    entry = {
        "id": name,
        "estimator": estimator,
        "prediction": prediction,
        "endpoint": "dmfs",
        "scale": scale,
        "horizon": horizon,
    }
    return {**entry, **defined, "group": None, "standard_error": None, "p_value": None, **changes}


def undefined(name: str, reason: str, too_few: bool, events: int) -> dict[str, Any]:
    """An entry of the evidence without value."""
    entry = {"id": name, "estimator": "harrell_c", "prediction": "lp", "endpoint": "dmfs", "horizon": None}
    return {**entry, "value": None, "reason": reason, "too_few": too_few, "n": 500, "events": events}


def evidence(plan: Protocol, cohort: str = COHORT) -> dict[str, Any]:
    """Sound evidence on one cohort."""
    return {
        "schema": 1,
        "model": MODEL,
        "architecture": plan.model,
        "cohort": cohort,
        "role": "external",
        "synthetic": True,
        "endpoint": "dmfs",
        "patients": {"declared": 500, "predicted": 500, "failed": [], "with_missing_covariates": 20},
        "estimates": [
            estimate("c", 0.75, 0.70, 0.79),
            estimate("slope", 1.0, 0.8, 1.2),
            estimate("oe", 1.1, 0.9, 1.3),
        ],
        "curves": {},
        "digests": {
            "artifact": ARTIFACT,
            "predictions": "d" * 64,
            **TABLES,
            "cohort_yaml": "e" * 64,
            "judge": "1" * 64,
            "opening": "2" * 64,
            "analysis": plan.analysis.estimates_digest,
        },
    }


def check_report(cohort: str) -> dict[str, Any]:
    """A report of data checks that all passed."""
    return {
        "cohort": cohort,
        "role": "development" if cohort == DEVELOPMENT else "external",
        "synthetic": True,
        "n": 500,
        "success": True,
        "checks": [{"id": "patients.unique", "success": True}, {"id": "t2w.readable", "success": True}],
        "digests": {**TABLES, "cohort_yaml": "e" * 64},
    }


def comparison(cohort: str) -> dict[str, Any]:
    """A record of two cohorts that share nothing."""
    keys = ("patients", "image_files", "voxel_contents", "near_duplicates")
    return {
        "model": MODEL,
        "development": DEVELOPMENT,
        "cohort": cohort,
        "success": True,
        "digests": {"development_patients": TABLES["patients"], "external_patients": TABLES["patients"]},
        "compared": {key: [300, 500] for key in keys},
        "shared": {key: [] for key in keys},
    }


def documents(plan: Protocol) -> dict[str, Any]:
    """Everything that `judge` takes beside the protocol; all gates pass."""
    cohorts = (COHORT, SECOND)
    return {
        "model": MODEL,
        "artifact_digest": ARTIFACT,
        "development": dict(TRAINED_ON),
        "outputs": OUTPUTS,
        "evidence": {cohort: evidence(plan, cohort) for cohort in cohorts},
        "cohort_checks": {cohort: check_report(cohort) for cohort in (*cohorts, DEVELOPMENT)},
        "independence": {cohort: comparison(cohort) for cohort in cohorts},
        "parity": {
            "model": MODEL,
            "artifact": ARTIFACT,
            "max_abs_difference": {"lp": 2e-6, "risk": 1e-7},
            "n": 16,
            "method": "M",
        },
        "custody": {cohort: Custody(None, None, "2" * 64, "3" * 64) for cohort in cohorts},
        "lock_problem": None,
    }


def spoilt(sound: Mapping[str, Any], *path: str | int, value: Any) -> dict[str, Any]:
    """A deep copy with one value replaced."""
    copy: Any = deepcopy(dict(sound))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return dict(copy)


def states(verdict: Verdict, gate: str) -> dict[str | None, str]:
    """States of one gate by cohort."""
    return {r.answer.cohort: str(r.answer.state) for r in verdict.gates if r.spec.id == gate}


def judged(plan: Protocol, *path: str | int, value: Any = None) -> Verdict:
    """The verdict on the sound documents, with one value replaced if a path is given."""
    sound = documents(plan)
    return judge(plan, **(spoilt(sound, *path, value=value) if path else sound))
